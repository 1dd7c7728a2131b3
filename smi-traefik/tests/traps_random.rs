//! Traps of Traefik on random worlds; the others, numbered alike, are in the folder `traps`.

use proptest::prelude::*;
use smi_core::backend::{Backend, ProxyTarget};
use smi_core::compile::{CompileOptions, compile};
use smi_core::eval::{Decide, Outcome, eval};
use smi_core::load::{Input, Limits, load};
use smi_core::testing;
use smi_traefik::Traefik;
use smi_traefik::rule::{Matcher, Rule, parse};
use smi_traefik::sim::Simulator;

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// 5.3.1, 5.4.1, 7.2: Traefik disables a router that it finds a fault in, and the next lower one answers. Whichever are disabled,
    /// nothing opens.
    #[test]
    fn trap_7_2_disabled_routers_open_nothing(
        text in testing::world(),
        requests in proptest::collection::vec(testing::request(), 10..40),
        kept in proptest::collection::vec(proptest::bool::weighted(0.6), 64),
    ) {
        // With a split, another route may be taken, whose pods allow other things.
        let text: String =
            text.split_inclusive("---\n").filter(|d| !d.contains("kind: TrafficSplit")).collect();
        let world = load(&[Input::new("world.yaml", text.clone())], &Limits::default());
        let ir = compile(&world.hub, &world.cluster, &CompileOptions::default()).ir;
        let mut config = Traefik::default().render(&ir, &ProxyTarget::Node).output;
        let mut kept = kept.into_iter().cycle();
        config.dynamic.http.as_mut().unwrap().routers.retain(|_, _| kept.next() == Some(true));
        let simulator = Simulator::new(&config, &ir);
        for request in &requests {
            let wanted = eval(&ir, request).distribution();
            for (outcome, share) in simulator.decide(request).iter() {
                if matches!(outcome, Outcome::Served(..)) {
                    let allowed = wanted.iter().find(|(o, _)| *o == outcome).map_or(0.0, |(_, s)| s.as_f64());
                    prop_assert!(share.as_f64() <= allowed + 1e-9, "{:?}\n{}", request, text);
                }
            }
        }
    }

    /// 0.7, 7.4: what a user wrote stands inside a string of its rule, whatever it holds, and reads back as it was.
    #[test]
    fn trap_0_7_rules_read_back(
        path in "\\PC*|[`\"\\\\|&!(){}]*",
        name in "[a-z-]+",
        value in "\\PC*|[`\"\\\\|&!(){}\\r\\n\\t\\x00]*",
    ) {
        let header = Rule::Match(Matcher::HeaderRegexp, vec![name, value]);
        let path = Rule::one(Matcher::PathRegexp, path);
        for rule in [
            path.clone(),
            Rule::all([path.clone(), header.clone()]).unwrap(),
            Rule::any([path.clone(), Rule::negated(header.clone())]).unwrap(),
            Rule::all([Rule::any([path, header.clone()]).unwrap(), header]).unwrap(),
        ] {
            prop_assert_eq!(parse(&rule.to_string()), Ok(rule));
        }
    }
}
