//! S13–S20: splits.

use proptest::prelude::*;
use smi_core::cluster::Cluster;
use smi_core::compile::{CompileOptions, DeadBackends, compile};
use smi_core::eval::{Caller, Distribution, HttpRequest, Outcome, Payload, Request, Share};
use smi_core::hub::names::{Namespaced, Port};
use smi_core::hub::{Hub, MatchRef, TrafficSplit};
use smi_core::ir::Ir;
use smi_core::testing::strategy::{cluster, hub};

use crate::support::*;

/// Weights of `v1`, `v2` and `web`.
fn weights() -> impl Strategy<Value = [i64; 3]> {
    [0_i64..6, 0_i64..6, 0_i64..6]
}

fn canary(weights: [i64; 3]) -> TrafficSplit {
    split("canary", "b-c", &[("v1", weights[0]), ("v2", weights[1]), ("web", weights[2])])
}

fn with_canary(weights: [i64; 3]) -> Hub {
    with_splits(open(), [canary(weights)])
}

fn reference(name: &str) -> MatchRef {
    MatchRef { api_group: None, kind: "HTTPRouteGroup".into(), name: name.into() }
}

/// Requests to `b-c`, by every pod of the IR and by nobody.
fn calls(ir: &Ir) -> Vec<Request> {
    let payloads = [80, 81].into_iter().filter_map(Port::new).map(|port| {
        Payload::Http(HttpRequest {
            port,
            host: "b-c.a.mesh".into(),
            method: "GET".into(),
            target: "/items".into(),
            headers: vec![("x-user".into(), "beta".into())],
        })
    });
    let service = Namespaced::new("a", "b-c");
    let tcp = Payload::Tcp { service: service.clone(), port: Port::new(5432).unwrap() };
    let udp = Payload::Udp { service, port: Port::new(53).unwrap() };
    let callers: Vec<Caller> =
        ir.pods.keys().take(3).cloned().map(Caller::Pod).chain([Caller::Nobody]).collect();
    let payloads = payloads.chain([tcp, udp]);
    payloads
        .flat_map(|payload| {
            callers.iter().map(move |c| Request { caller: c.clone(), payload: payload.clone() })
        })
        .collect()
}

fn same_for_calls(a: &Ir, b: &Ir) -> Result<(), TestCaseError> {
    for request in calls(a) {
        prop_assert_eq!(decide(a, &request), decide(b, &request), "{:?}", request);
    }
    Ok(())
}

fn sum(d: &Distribution) -> Share {
    d.iter().fold(Share::new(0, 1), |sum, (_, share)| sum.plus(share))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn s13_the_forms_of_a_root_mean_the_same(weights in weights(), cluster in cluster::cluster()) {
        let named = |root: &str| ir(&with_splits(open(), [TrafficSplit { service: root.into(), ..canary(weights) }]), &cluster);
        let plain = named("b-c");
        for form in ["b-c.a", "b-c.a.svc", "b-c.a.svc.cluster.local", "b-c.a."] {
            same_for_calls(&plain, &named(form))?;
        }
        // No namespace but the split's own.
        let none = ir(&open(), &cluster);
        for form in ["b-c.a-b", "c.a-b", "b-c.a.svc.elsewhere", "b-c.a.pod", ""] {
            let other = named(form);
            same_for_calls(&none, &other)?;
            prop_assert_eq!(&other.services, &none.services);
        }
    }

    #[test]
    fn s14_a_missing_backend_leaves_the_ratio_of_the_others(weights in weights(), missing in 0_i64..9, cluster in cluster::cluster()) {
        let mut split = canary(weights);
        split.backends.insert(1, smi_core::hub::SplitBackend { service: "missing".into(), weight: missing });
        let compiled = compiled(&with_splits(open(), [split]), &cluster);
        same_for_calls(&ir(&with_canary(weights), &cluster), &compiled.ir)?;
        if cluster.services.contains_key(&Namespaced::new("a", "b-c")) && compiled.ir.services.contains_key(&Namespaced::new("a", "b-c")) {
            prop_assert!(compiled.report.iter().any(|d| d.message.contains("missing")));
        }
    }

    #[test]
    fn s15_scaling_all_weights_changes_nothing(weights in weights(), by in 1_i64..1000, cluster in cluster::cluster()) {
        same_for_calls(&ir(&with_canary(weights), &cluster), &ir(&with_canary(weights.map(|w| w * by)), &cluster))?;
    }

    #[test]
    fn s15_weight_zero_gets_nothing(weights in weights(), cluster in cluster::cluster()) {
        prop_assume!(weights.iter().any(|w| *w > 0));
        let whole = ir(&with_canary(weights), &cluster);
        for request in calls(&whole) {
            for (outcome, _) in decide(&whole, &request).iter() {
                let Outcome::Served(pool, _) = outcome else { continue };
                let place = ["v1", "v2", "web"].iter().position(|n| *n == pool.service.name.as_str());
                prop_assert!(place.is_none_or(|place| weights[place] > 0), "{:?}", pool);
            }
        }
    }

    #[test]
    fn s15_a_service_twice_adds_up(weights in weights(), more in 0_i64..5, cluster in cluster::cluster()) {
        let mut twice = canary(weights);
        twice.backends.push(smi_core::hub::SplitBackend { service: "v1".into(), weight: more });
        let [v1, v2, web] = weights;
        same_for_calls(&ir(&with_canary([v1 + more, v2, web]), &cluster), &ir(&with_splits(open(), [twice]), &cluster))?;
    }

    #[test]
    fn s15_a_faulty_split_is_no_split(faulty in proptest::sample::select(&[[-1, 1, 1], [1_i64 << 32, 1, 1], [0, 0, 0]][..]), cluster in cluster::cluster()) {
        same_for_calls(&ir(&open(), &cluster), &ir(&with_canary(faulty), &cluster))?;
    }

    /// The root as a backend means its own endpoints, which are what it has without a split; backends are not followed further.
    #[test]
    fn s16_the_root_as_backend_is_its_own_endpoints(weight in 1_i64..9, weights in weights(), cluster in cluster::cluster()) {
        let own = with_splits(open(), [split("canary", "b-c", &[("b-c", weight)])]);
        same_for_calls(&ir(&open(), &cluster), &ir(&own, &cluster))?;
        let chained = with_splits(with_canary(weights), [split("next", "v1", &[("web", 1)])]);
        same_for_calls(&ir(&with_canary(weights), &cluster), &ir(&chained, &cluster))?;
    }

    /// Requests that match no condition, and everything that is not HTTP, go where they went without the split.
    #[test]
    fn s17_conditions_leave_everything_else_alone(weights in weights(), matches in matches(), cluster in cluster::cluster(), drafts in drafts()) {
        let conditional = |matches| {
            let mut hub = with_splits(open(), [TrafficSplit { matches: Some(vec![reference("g")]), ..canary(weights) }]);
            let group = group("g", matches);
            hub.route_groups.insert(group.meta.name.clone(), group);
            ir(&hub, &cluster)
        };
        let (without, with) = (ir(&open(), &cluster), conditional(matches.clone()));
        let unconditional = ir(&with_canary(weights), &cluster);
        // The same matches as access: whoever they refuse is not split.
        let mut gate = by_group(matches.clone());
        for target in gate.targets.values_mut() {
            target.rules.retain(|r| &*r.kind == "HTTPRouteGroup");
        }
        for request in drafts.iter().map(|d| d.request(&with)).chain(calls(&with)) {
            let decided = decide(&with, &request);
            let choices = [decide(&without, &request), decide(&unconditional, &request)];
            prop_assert!(choices.contains(&decided), "{:?}", request);
            if !matches!(request.payload, Payload::Http(_)) {
                prop_assert_eq!(&decided, &choices[0]);
            }
        }
        same_for_calls(&without, &conditional(Vec::new()))?;
        // Without its group the split is not accepted.
        let orphan = with_splits(open(), [TrafficSplit { matches: Some(vec![reference("g"), reference("missing")]), ..canary(weights) }]);
        same_for_calls(&without, &ir(&orphan, &cluster))?;
        // No condition at all is no condition.
        let empty = with_splits(open(), [TrafficSplit { matches: Some(Vec::new()), ..canary(weights) }]);
        same_for_calls(&unconditional, &ir(&empty, &cluster))?;
    }

    /// The oldest unconditional split holds, then the first by name; a younger one changes nothing.
    #[test]
    fn s18_the_oldest_split_holds(weights in weights(), others in weights(), cluster in cluster::cluster()) {
        let dated = |split: TrafficSplit, name: &str, created: Option<&str>| {
            let mut split = split;
            split.meta.name = Namespaced::new("a", name);
            split.meta.created = created.map(text);
            split
        };
        // As texts these are in another order than as times.
        let old = dated(canary(weights), "z", Some("2024-01-02T00:30:00.5+01:00"));
        let young = dated(canary(others), "b", Some("2024-01-01T23:30:00.50001Z"));
        let undated = dated(canary(others), "c", None);
        // A split that is not accepted itself leaves room for another.
        let alone = compiled(&with_splits(open(), [old.clone()]), &cluster);
        if alone.report.has_errors() { return Ok(()) }
        let alone = alone.ir;
        let unclear = dated(canary(others), "a", Some("2024"));
        let all = with_splits(open(), [old, young, undated.clone(), unclear]);
        same_for_calls(&alone, &ir(&all, &cluster))?;
        let first = dated(canary(weights), "a", None);
        let alone = ir(&with_splits(open(), [first.clone()]), &cluster);
        same_for_calls(&alone, &ir(&with_splits(open(), [undated, first]), &cluster))?;
    }

    /// Shares are exact and add up to one.
    #[test]
    fn s19_shares_add_up_to_one((hub, cluster) in worlds(), drafts in drafts()) {
        let ir = ir(&hub, &cluster);
        for draft in &drafts {
            let request = draft.request(&ir);
            prop_assert_eq!(sum(&decide(&ir, &request)), Share::ONE);
        }
    }

    /// Every backend has exactly its share, dead or alive; an option leaves dead ones out, and then the others share all of it.
    #[test]
    fn s20_a_dead_backend_keeps_its_share(weights in weights(), cluster in cluster::cluster()) {
        let hub = with_canary(weights);
        let mut options = CompileOptions::default();
        let keeping = compile(&hub, &cluster, &options).ir;
        options.dead_backends = DeadBackends::Drop;
        let dropping = compile(&hub, &cluster, &options).ir;
        for request in calls(&keeping) {
            let smi_core::eval::Decision::Routed(routed) = smi_core::eval::eval(&keeping, &request) else { continue };
            let total: u64 = routed.legs.iter().map(|l| u64::from(l.weight)).sum();
            let dead: u64 = routed.legs.iter().filter(|l| l.ends.is_empty()).map(|l| u64::from(l.weight)).sum();
            prop_assert_eq!(decide(&keeping, &request).share(&Outcome::Unavailable), Share::new(dead, total));
            let dropped = decide(&dropping, &request).share(&Outcome::Unavailable);
            prop_assert!(dropped == Share::new(0, 1) || dropped == Share::ONE, "{:?}", request);
        }
    }

    #[test]
    fn s20_any_world_compiles_to_routes_with_weight((hub, cluster) in (hub::hub(), cluster::cluster())) {
        for service in ir(&hub, &cluster).services.values() {
            for port in &service.ports {
                prop_assert!(port.routes.iter().all(|r| r.total_weight() > 0));
            }
        }
    }
}

/// The share of `v1` alone, as `Cluster` has it.
#[test]
fn s19_an_empty_cluster_serves_nothing() {
    let empty = ir(&with_canary([1, 1, 1]), &Cluster::default());
    assert!(calls(&empty).iter().all(|request| !is_served(&empty, request)));
}
