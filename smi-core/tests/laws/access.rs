//! S21–S32: access.

use proptest::prelude::*;
use smi_core::compile::{AllowProbes, CompileOptions, MeshMode, compile};
use smi_core::eval::{Caller, Decision, Outcome, Payload, Request, Share, Verdict, eval};
use smi_core::hub::names::{Namespaced, Port, SpiffeId, Transport};
use smi_core::hub::{Hub, IdentityBinding, PortRoute, TrafficTarget};
use smi_core::ir::{Ir, Protocol};
use smi_core::testing::strategy::{cluster, hub};

use crate::support::*;

fn forbidden(ir: &Ir, request: &Request) -> bool {
    decide(ir, request).share(&Outcome::Forbidden) > Share::new(0, 1)
}

/// The hub with one of its targets changed.
fn with_target(hub: &Hub, place: usize, change: impl FnOnce(&mut TrafficTarget)) -> Option<Hub> {
    let mut hub = hub.clone();
    let count = hub.targets.len();
    let target = hub.targets.values_mut().nth(place % count.max(1))?;
    change(target);
    Some(hub)
}

fn without_target(hub: &Hub, place: usize) -> Option<Hub> {
    let mut hub = hub.clone();
    let name = hub.targets.keys().nth(place % hub.targets.len().max(1))?.clone();
    hub.targets.remove(&name);
    Some(hub)
}

fn route(name: &str, transport: Transport, ports: Option<Vec<i64>>) -> PortRoute {
    PortRoute { meta: meta("a", name), transport, name: None, ports }
}

/// Every call that the services of an IR can be asked, from one of its pods.
fn questions(ir: &Ir) -> Vec<(Request, Protocol)> {
    let mut out = Vec::new();
    let callers: Vec<Caller> = ir.pods.keys().take(4).cloned().map(Caller::Pod).collect();
    for (name, service) in &ir.services {
        for found in &service.ports {
            let port = &found.port;
            let payload = match found.protocol {
                Protocol::Http(_) => Payload::Http(smi_core::eval::HttpRequest {
                    port: *port,
                    host: format!("{}.{}.mesh", name.name, name.namespace),
                    method: "GET".into(),
                    target: "/api/x".into(),
                    headers: Vec::new(),
                }),
                Protocol::Tcp => Payload::Tcp { service: name.clone(), port: *port },
                Protocol::Udp => Payload::Udp { service: name.clone(), port: *port },
            };
            out.extend(
                callers
                    .iter()
                    .map(|c| (Request { caller: c.clone(), payload: payload.clone() }, found.protocol)),
            );
        }
    }
    out
}

proptest! {
    #![proptest_config(cases())]

    /// Without targets nothing is served; permissive, nothing is refused, and the route is the same.
    #[test]
    fn s21_modes((hub, cluster) in worlds(), drafts in drafts()) {
        let enforced = ir(&hub, &cluster);
        let mut options = CompileOptions::default();
        options.mode = MeshMode::Permissive;
        let permissive = compile(&hub, &cluster, &options).ir;
        let closed = ir(&Hub { targets: Default::default(), ..hub.clone() }, &cluster);
        for draft in &drafts {
            let request = draft.request(&enforced);
            prop_assert!(!is_served(&closed, &request));
            prop_assert!(!forbidden(&permissive, &request));
            let (Decision::Routed(a), Decision::Routed(b)) = (eval(&enforced, &request), eval(&permissive, &request)) else {
                prop_assert_eq!(eval(&enforced, &request), eval(&permissive, &request));
                continue;
            };
            // What would be denied is told, for the same reason.
            for (a, b) in a.legs.iter().zip(&b.legs) {
                for (a, b) in a.ends.iter().zip(&b.ends) {
                    match (&a.verdict, &b.verdict) {
                        (Verdict::Denied(why), Verdict::WouldDeny(told)) => prop_assert_eq!(why, told),
                        (Verdict::Allowed(a), Verdict::Allowed(b)) => prop_assert_eq!(a, b),
                        (a, b) => prop_assert!(false, "{:?} {:?}", a, b),
                    }
                }
            }
        }
    }

    #[test]
    fn s21_a_label_chooses_the_mode_of_its_namespace((hub, cluster) in worlds(), drafts in drafts()) {
        let mut options = CompileOptions::default();
        options.mode = MeshMode::EnforceLabelled { key: "mesh".into(), value: "on".into() };
        let mixed = compile(&hub, &cluster, &options).ir;
        let enforced = ir(&hub, &cluster);
        at_most(&enforced, &mixed, &drafts)?;
        for workload in mixed.workloads.keys() {
            let labelled = cluster.namespaces.get(&workload.namespace).is_some_and(|l| l.get("mesh").is_some_and(|v| &**v == "on"));
            prop_assert_eq!(mixed.workloads[workload].mode == smi_core::ir::Mode::Enforce, labelled);
        }
    }

    #[test]
    fn s22_removing_a_target_never_allows((hub, cluster) in worlds(), place in any::<usize>(), drafts in drafts()) {
        let Some(fewer) = without_target(&hub, place) else { return Ok(()) };
        at_most(&ir(&fewer, &cluster), &ir(&hub, &cluster), &drafts)?;
    }

    /// What is allowed is what any one target allows by itself.
    #[test]
    fn s22_access_is_the_union_of_the_targets((hub, cluster) in worlds(), drafts in drafts()) {
        let whole = ir(&hub, &cluster);
        let alone: Vec<Ir> = hub.targets.iter().map(|(name, target)| {
            ir(&Hub { targets: [(name.clone(), target.clone())].into(), ..hub.clone() }, &cluster)
        }).collect();
        for request in drafts.iter().map(|d| d.request(&whole)) {
            let any = alone.iter().any(|one| is_served(one, &request));
            prop_assert_eq!(is_served(&whole, &request), any, "{:?}", request);
        }
    }

    #[test]
    fn s23_a_destination_elsewhere_opens_nothing((hub, cluster) in worlds(), place in any::<usize>(), drafts in drafts()) {
        let elsewhere = with_target(&hub, place, |t| {
            let other = if t.meta.name.namespace.as_str() == "a" { "a-b" } else { "a" };
            if let Some(d) = &mut t.destination { d.namespace = Some(other.into()); }
        });
        let (Some(elsewhere), Some(without)) = (elsewhere, without_target(&hub, place)) else { return Ok(()) };
        alike(&ir(&without, &cluster), &ir(&elsewhere, &cluster), &drafts)?;
    }

    #[test]
    fn s23_an_absent_namespace_is_the_targets_own((hub, cluster) in worlds(), place in any::<usize>(), drafts in drafts()) {
        let fill = |t: &mut TrafficTarget, with: Option<&str>| {
            let own = with.map(|_| text(t.meta.name.namespace.as_str()));
            for subject in t.sources.iter_mut().chain(&mut t.destination) {
                subject.namespace = own.clone();
            }
        };
        let (absent, own) = (with_target(&hub, place, |t| fill(t, None)), with_target(&hub, place, |t| fill(t, Some("own"))));
        let (Some(absent), Some(own)) = (absent, own) else { return Ok(()) };
        alike(&ir(&absent, &cluster), &ir(&own, &cluster), &drafts)?;
    }

    /// The rule, word for word, for targets whose HTTP matches everything.
    #[test]
    fn s24_ports_and_protocols_combine_as_the_rule_says(
        tcp in proptest::collection::vec(proptest::option::of(proptest::collection::vec(proptest::sample::select(&[8080_i64, 8081, 5432][..]), 0..3)), 0..3),
        udp in proptest::collection::vec(proptest::option::of(proptest::collection::vec(proptest::sample::select(&[5353_i64, 53][..]), 0..2)), 0..3),
        http in any::<bool>(),
        port in proptest::option::of(proptest::sample::select(&[8080_i64, 5432, 5353][..])),
        cluster in cluster::cluster(),
    ) {
        let mut hub = Hub::default();
        let mut rules = Vec::new();
        for (place, ports) in tcp.iter().enumerate() {
            let route = route(&format!("t{place}"), Transport::Tcp, ports.clone());
            rules.push(rule("TCPRoute", route.meta.name.name.as_str()));
            hub.tcp_routes.insert(route.meta.name.clone(), route);
        }
        for (place, ports) in udp.iter().enumerate() {
            let route = route(&format!("u{place}"), Transport::Udp, ports.clone());
            rules.push(rule("UDPRoute", route.meta.name.name.as_str()));
            hub.udp_routes.insert(route.meta.name.clone(), route);
        }
        if http {
            let group = group("g", vec![http_match("all", "/")]);
            hub.route_groups.insert(group.meta.name.clone(), group);
            rules.push(rule("HTTPRouteGroup", "g"));
        }
        for mut target in targets(&rules) {
            if let Some(d) = &mut target.destination { d.port = port; }
            hub.targets.insert(target.meta.name.clone(), target);
        }
        let ir = ir(&hub, &cluster);
        let within = |lists: &[Option<Vec<i64>>], p: i64| lists.iter().any(|l| l.as_ref().is_none_or(|l| l.is_empty() || l.contains(&p)));
        let in_t = |p| (tcp.is_empty() || within(&tcp, p)) && port.is_none_or(|only| only == p);
        let in_u = |p| within(&udp, p) && port.is_none_or(|only| only == p);
        for (request, protocol) in questions(&ir) {
            let Decision::Routed(routed) = eval(&ir, &request) else { continue };
            for end in routed.legs.iter().flat_map(|l| &l.ends) {
                let Some(workload) = &end.workload else { continue };
                let p = i64::from(end.port.get());
                let expected = workload.namespace.as_str() == "a" && match protocol {
                    Protocol::Http(_) => in_t(p) && (http || !tcp.is_empty()),
                    Protocol::Tcp => in_t(p) && !tcp.is_empty(),
                    Protocol::Udp => in_u(p),
                };
                prop_assert_eq!(matches!(end.verdict, Verdict::Allowed(_)), expected, "{:?} at {}", request, p);
            }
        }
    }

    /// A number that is no port adds nothing to a list, and does not make it a list of all.
    #[test]
    fn s25_numbers_that_are_no_ports_allow_nothing(ports in proptest::collection::vec(proptest::sample::select(&[8080_i64, 5432, 5353][..]), 0..3), bad in proptest::sample::select(&[0_i64, -1, 65536, 65616, i64::MAX][..]), cluster in cluster::cluster()) {
        let with = |ports: Vec<i64>| {
            let mut hub = open();
            for route in hub.tcp_routes.values_mut().chain(hub.udp_routes.values_mut()) {
                route.ports = Some(ports.clone());
            }
            ir(&hub, &cluster)
        };
        let spoilt = with([ports.clone(), vec![bad]].concat());
        if ports.is_empty() {
            prop_assert!(questions(&spoilt).iter().all(|(request, _)| !is_served(&spoilt, request)));
        } else {
            let sound = with(ports);
            for (request, _) in questions(&sound) {
                prop_assert_eq!(decide(&sound, &request), decide(&spoilt, &request));
            }
        }
    }

    #[test]
    fn s26_absent_and_empty_matches_are_all_of_them((hub, cluster) in worlds(), drafts in drafts()) {
        let with = |matches: Option<Vec<std::sync::Arc<str>>>| {
            let mut hub = hub.clone();
            for rule in hub.targets.values_mut().flat_map(|t| &mut t.rules) {
                rule.matches = matches.clone();
            }
            ir(&hub, &cluster)
        };
        let all = with(None);
        alike(&all, &with(Some(Vec::new())), &drafts)?;
        at_most(&with(Some(vec![text("m1")])), &all, &drafts)?;
        // A name that no group has contributes nothing.
        alike(&with(Some(vec![text("m1")])), &with(Some(vec![text("m1"), text("no such match")])), &drafts)?;
    }

    #[test]
    fn s26_a_missing_port_route_makes_a_target_inert((hub, cluster) in worlds(), place in any::<usize>(), udp in any::<bool>(), drafts in drafts()) {
        let kind = if udp { "UDPRoute" } else { "TCPRoute" };
        let (Some(spoilt), Some(without)) = (with_target(&hub, place, |t| t.rules.push(rule(kind, "no-such-route"))), without_target(&hub, place)) else { return Ok(()) };
        alike(&ir(&without, &cluster), &ir(&spoilt, &cluster), &drafts)?;
    }

    /// A missing group contributes nothing: the target allows what it allows with an empty one.
    #[test]
    fn s26_a_missing_group_is_an_empty_one((hub, cluster) in worlds(), drafts in drafts()) {
        let mut missing = hub.clone();
        let mut empty = hub.clone();
        missing.route_groups.clear();
        empty.route_groups.values_mut().for_each(|g| g.matches.clear());
        // Splits take a missing group otherwise (S17).
        missing.splits.clear();
        empty.splits.clear();
        alike(&ir(&empty, &cluster), &ir(&missing, &cluster), &drafts)?;
    }

    #[test]
    fn s27_faulty_targets_are_inert((hub, cluster) in worlds(), place in any::<usize>(), how in 0_u8..5, drafts in drafts()) {
        let spoilt = with_target(&hub, place, |t| match how {
            0 => t.rules.clear(),
            1 => t.sources.clear(),
            2 => t.rules.push(rule("GRPCRoute", "g")),
            3 => t.sources.iter_mut().for_each(|s| s.kind = "Group".into()),
            _ => if let Some(d) = &mut t.destination { d.kind = "serviceaccount".into() },
        });
        let (Some(spoilt), Some(without)) = (spoilt, without_target(&hub, place)) else { return Ok(()) };
        let spoilt = compiled(&spoilt, &cluster);
        alike(&ir(&without, &cluster), &spoilt.ir, &drafts)?;
        prop_assert!(spoilt.report.has_errors());
    }

    /// An account by its name, by a binding and by its SPIFFE ID, with and without scheme.
    #[test]
    fn s28_a_binding_is_the_identity_that_it_names(name in proptest::sample::select(&["web", "v1", "shared", "default"][..]), cluster in cluster::cluster(), drafts in drafts()) {
        let with = |subject: smi_core::hub::Subject, binding: Option<IdentityBinding>| {
            let mut hub = open();
            for target in hub.targets.values_mut() {
                target.sources = vec![subject.clone()];
            }
            if let Some(binding) = binding {
                hub.bindings.insert(binding.meta.name.clone(), binding);
            }
            ir(&hub, &cluster)
        };
        let by_binding = |ids: Option<String>, account: Option<&str>| {
            let binding = IdentityBinding {
                meta: meta("a", "crew"),
                pod_labels: None,
                spiffe_ids: ids.map(|id| vec![id.as_str().into()]),
                service_account: account.map(text),
            };
            let subject = smi_core::hub::Subject { kind: "IdentityBinding".into(), ..account_of("crew") };
            with(subject, Some(binding))
        };
        let plain = with(account_of(name), None);
        let id = SpiffeId::for_account("cluster.local", &Namespaced::new("a", name));
        alike(&plain, &by_binding(None, Some(name)), &drafts)?;
        alike(&plain, &by_binding(Some(id.as_str().to_owned()), None), &drafts)?;
        alike(&plain, &by_binding(Some(id.as_str().trim_start_matches("spiffe://").to_owned()), None), &drafts)?;
        if name == "default" {
            alike(&plain, &with(account_of(""), None), &drafts)?;
        }
        // A pod is served as its identity is.
        for request in drafts.iter().map(|d| d.request(&plain)) {
            let Caller::Pod(pod) = &request.caller else { continue };
            let identity = Caller::Identity(plain.identity(&plain.pods[pod].workload));
            prop_assert_eq!(decide(&plain, &request), decide(&plain, &Request { caller: identity, payload: request.payload.clone() }));
        }
    }

    /// An address that is nobody's, or more than one's, is nobody; what headers say of the caller never counts.
    #[test]
    fn s29_only_the_peers_own_address_counts((hub, cluster) in worlds(), drafts in drafts()) {
        let ir = ir(&hub, &cluster);
        let mut owners: std::collections::BTreeMap<_, std::collections::BTreeSet<_>> = Default::default();
        for pod in ir.pods.values() {
            for address in pod.addresses.iter() {
                owners.entry(*address).or_default().insert(pod.workload.clone());
            }
        }
        let shared = owners.iter().filter(|(_, of)| of.len() > 1).map(|(address, _)| *address);
        let strangers: Vec<std::net::IpAddr> = shared.chain(["127.9.9.9".parse().unwrap()]).collect();
        for draft in &drafts {
            let mut request = draft.request(&ir);
            let nobody = Request { caller: Caller::Nobody, payload: request.payload.clone() };
            for address in &strangers {
                let stranger = Request { caller: Caller::Address(*address), payload: request.payload.clone() };
                prop_assert_eq!(decide(&ir, &stranger), decide(&ir, &nobody));
            }
            let was = decide(&ir, &request);
            if let Payload::Http(http) = &mut request.payload {
                for name in ["X-Forwarded-For", "Forwarded", "X-Real-Ip", "X-Envoy-External-Address"] {
                    http.headers.push((name.into(), "127.1.0.1".into()));
                }
            }
            prop_assert_eq!(decide(&ir, &request), was);
        }
    }

    /// A split is the mixture of what each of its backends answers by itself.
    #[test]
    fn s30_a_split_is_the_mixture_of_its_legs((hub, cluster) in worlds(), first in 1_i64..5, second in 1_i64..5, drafts in drafts()) {
        let with = |backends: &[(&str, i64)]| {
            let hub = Hub { splits: Default::default(), ..hub.clone() };
            ir(&with_splits(hub, [split("s", "b-c", backends)]), &cluster)
        };
        let (mixed, v1, v2) = (with(&[("v1", first), ("v2", second)]), with(&[("v1", 1)]), with(&[("v2", 1)]));
        let root = Namespaced::new("a", "b-c");
        for draft in &drafts {
            let request = draft.request(&mixed);
            let Decision::Routed(routed) = eval(&mixed, &request) else { continue };
            if routed.service != root || routed.legs.len() != 2 { continue }
            let total = u64::try_from(first + second).unwrap();
            let mut expected = smi_core::eval::Distribution::default();
            for (one, weight) in [(&v1, first), (&v2, second)] {
                for (outcome, share) in decide(one, &request).iter() {
                    expected.add(outcome.clone(), share.times(Share::new(u64::try_from(weight).unwrap(), total)));
                }
            }
            prop_assert_eq!(decide(&mixed, &request), expected, "{:?}", request);
        }
    }

    /// Enforced, nobody is served by a known pod; what is refused is refused alike, whatever the reason.
    #[test]
    fn s31_nobody_is_served((hub, cluster) in worlds(), drafts in drafts()) {
        let ir = ir(&hub, &cluster);
        for draft in &drafts {
            let request = Request { caller: Caller::Nobody, payload: draft.request(&ir).payload };
            prop_assert!(!is_served(&ir, &request), "{:?}", request);
        }
    }

    #[test]
    fn s32_probes_open_their_own_path_and_nothing_else((hub, cluster) in worlds(), drafts in drafts()) {
        let mut options = CompileOptions::default();
        options.allow_probes = AllowProbes::Never;
        let without = compile(&hub, &cluster, &options).ir;
        options.allow_probes = AllowProbes::Sidecars;
        let beside = compile(&hub, &cluster, &options).ir;
        // What a sidecar answers in place of its pod opens nothing through services.
        prop_assert_eq!(&beside.workloads, &without.workloads);
        options.allow_probes = AllowProbes::Everywhere;
        let with = compile(&hub, &cluster, &options).ir;
        at_most(&without, &with, &drafts)?;
        for request in drafts.iter().map(|d| d.request(&with)) {
            if is_served(&without, &request) || !is_served(&with, &request) { continue }
            let Payload::Http(http) = &request.payload else { panic!("{request:?}") };
            let path = smi_core::eval::path::canonical_path(&http.target, with.settings.encoded_slashes).unwrap();
            let probed = with.workloads.values().flat_map(|w| &w.probes).any(|p| p.path.as_deref() == Some(path.as_str()));
            prop_assert!(probed && http.method == "GET", "{:?}", request);
        }
    }

    #[test]
    fn every_compiled_ir_holds_its_invariants(ir in smi_core::testing::strategy::ir::ir()) {
        prop_assert_eq!(smi_core::ir::verify(&ir), []);
        // It can be printed.
        prop_assert!(!ir.to_string().is_empty());
    }

    /// Advice never fails, whatever the world.
    #[test]
    fn advice_is_given_for_every_world(hub in hub::hub(), cluster in cluster::cluster(), options in smi_core::testing::strategy::ir::options()) {
        let compiled = compile(&hub, &cluster, &options);
        drop(smi_core::validate::validate(&hub, &cluster, &compiled.ir, &options));
    }
}

fn account_of(name: &str) -> smi_core::hub::Subject {
    account("a", name)
}

#[test]
fn s25_the_limits_of_ports_are_ports() {
    assert_eq!(Port::from_i64(65535).map(Port::get), Some(65535));
    assert_eq!(Port::from_i64(65536), None);
    assert_eq!(Port::from_i64(0), None);
}
