//! Laws of the compiler and of its meaning, on random worlds.

use proptest::prelude::*;
use smi_core::compile::{CompileOptions, Compiled, compile};
use smi_core::eval::{Outcome, Request, eval};
use smi_core::ir::{Ir, verify};
use smi_core::load::{Input, Limits, load};
use smi_core::testing::{request, world};
use smi_core::validate::validate;

fn compiled(documents: &[&str]) -> Compiled {
    let world = load(&[Input::new("world.yaml", documents.join("---\n"))], &Limits::default());
    let options = CompileOptions::default();
    let compiled = compile(&world.hub, &world.cluster, &options);
    // Advice never fails, whatever the world.
    drop(validate(&world.hub, &world.cluster, &compiled.ir, &options));
    compiled
}

fn documents(text: &str) -> Vec<&str> {
    text.split("---\n").filter(|d| !d.trim().is_empty()).collect()
}

fn is_served(ir: &Ir, request: &Request) -> bool {
    eval(ir, request).distribution().iter().any(|(outcome, _)| matches!(outcome, Outcome::Served(..)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_compiled_ir_holds_its_invariants(text in world()) {
        prop_assert_eq!(verify(&compiled(&documents(&text)).ir), []);
    }

    #[test]
    fn s35_the_order_of_documents_does_not_matter(text in world(), turn in 0_usize..20) {
        let straight = documents(&text);
        let mut turned = straight.clone();
        let middle = turn % turned.len().max(1);
        turned.rotate_left(middle);
        turned.reverse();
        prop_assert_eq!(compiled(&turned), compiled(&straight));
    }

    #[test]
    fn s22_removing_a_target_never_allows(text in world(), place in 0_usize..9, requests in proptest::collection::vec(request(), 1..20)) {
        let all = documents(&text);
        let targets: Vec<usize> = (0..all.len()).filter(|i| all[*i].contains("kind: TrafficTarget")).collect();
        prop_assume!(!targets.is_empty());
        let mut fewer = all.clone();
        fewer.remove(targets[place % targets.len()]);
        let (with, without) = (compiled(&all).ir, compiled(&fewer).ir);
        for request in &requests {
            prop_assert!(is_served(&with, request) || !is_served(&without, request), "{:?}", request);
        }
    }

    #[test]
    fn s15_scaling_all_weights_changes_nothing(text in world(), requests in proptest::collection::vec(request(), 1..20)) {
        let scaled = (0..4).rev().fold(text.clone(), |t, w| t.replace(&format!("weight: {w}}}"), &format!("weight: {}}}", w * 7)));
        let (plain, scaled) = (compiled(&documents(&text)).ir, compiled(&documents(&scaled)).ir);
        for request in &requests {
            prop_assert_eq!(eval(&plain, request).distribution(), eval(&scaled, request).distribution());
        }
    }
}
