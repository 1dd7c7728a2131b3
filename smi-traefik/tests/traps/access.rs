//! What opens, and to whom.

use std::collections::BTreeMap;

use smi_core::backend::{Backend, Feature, ProxyTarget};
use smi_traefik::Traefik;
use smi_traefik::config::http::{Router, ServiceKind};
use smi_traefik::rule::{Matcher, parse};

use crate::support::{WORLD, annotated, config, matchers, rendered, routers, tree, walk};

#[test]
fn trap_0_1_hosts_are_those_of_the_mesh_domains_once_each() {
    let config = config(
        &WORLD.replace("  selector: {part: cart}", "  clusterIP: 10.96.0.7\n  selector: {part: cart}"),
    );
    let mut seen = 0;
    for (name, router) in routers(&config).iter().filter(|(name, _)| !name.starts_with("smi~")) {
        let mut hosts = Vec::new();
        matchers(&parse(&router.rule).unwrap(), &mut |matcher, arguments| {
            if matcher == Matcher::Host {
                hosts.extend_from_slice(arguments);
            }
        });
        assert!(hosts.len() == 1 && hosts.iter().all(|h| h.ends_with(".shop.mesh")), "{name}: {hosts:?}");
        // Cheapest first: a router of another service is passed after one comparison.
        assert!(router.rule.starts_with("Host("), "{name}");
        seen += 1;
    }
    assert!(seen > 5);
}

#[test]
fn trap_0_3_no_list_looks_at_headers() {
    let config = config(WORLD);
    let mut lists = 0;
    walk(&tree(&config), "", &mut |path, value| {
        lists += usize::from(path.ends_with("/ipAllowList"));
        for key in ["ipStrategy", "depth", "excludedIPs"] {
            assert!(value.get(key).is_none(), "{path}");
        }
    });
    assert!(lists > 0);
}

#[test]
fn trap_0_4_one_router_for_each_caller_unites_its_targets() {
    // `web` is granted GET by one target and POST by another.
    let config = config(WORLD);
    let rules: Vec<&str> = routers(&config)
        .values()
        .map(|r| r.rule.as_str())
        .filter(|r| r.contains("Host(`cart-v1.") && r.contains("ClientIP(`10.0.0.1`)"))
        .collect();
    assert!(rules.iter().any(|r| r.contains("Method(`GET`)") && r.contains("Method(`POST`)")), "{rules:?}");
}

#[test]
fn trap_0_5_udp_is_closed_and_tcp_lists_callers() {
    let dns = "---\napiVersion: v1\nkind: Service\nmetadata: {name: dns, namespace: shop}\nspec:\n  selector: {app: db}\n  ports: [{name: udp-dns, port: 53, protocol: UDP, targetPort: 5353}]\n";
    let (config, report) = rendered(&format!("{WORLD}{dns}"));
    // A router to nowhere, as Traefik keeps the router that an entry point had when there is no other.
    let udp = config.dynamic.udp.unwrap();
    let routed: Vec<&str> = udp.routers.values().map(|r| r.service.as_str()).collect();
    assert_eq!(routed, ["smi~unavailable"]);
    assert!(report.diagnostics.iter().any(|d| d.code.id == "SMI1001"), "{report:?}");
    let tcp = config.dynamic.tcp.unwrap();
    for (name, router) in &tcp.routers {
        assert_eq!(router.rule.contains("ClientIP("), router.service != "smi~unavailable", "{name}");
    }
    assert!(tcp.routers.len() > 1);
}

#[test]
fn trap_0_11_every_server_is_a_pod() {
    let mut servers = 0;
    walk(&tree(&config(WORLD)), "", &mut |path, value| {
        let address = match (path.rsplit('/').next(), value.as_str()) {
            (Some("url"), Some(text)) => text.split_once("://").unwrap().1,
            (Some("address"), Some(text)) => text,
            _ => return,
        };
        assert!(address.parse::<std::net::SocketAddr>().is_ok(), "{path}: {address}");
        servers += 1;
    });
    assert!(servers > 3);
}

#[test]
fn trap_0_14_nothing_is_promised_that_is_not_there() {
    let capabilities = Traefik::default().capabilities(&ProxyTarget::Node);
    for feature in [
        Feature::UdpAccess,
        Feature::CertificateIdentity,
        Feature::CountedPermissive,
        Feature::Timeout,
        Feature::Mirror,
    ] {
        assert!(!capabilities.has(feature), "{feature:?}");
    }
    // What is not rendered is said, and changes nothing else.
    let settings = "mesh.smi-sdk.io/timeout: 2s, mesh.smi-sdk.io/mirror-service: cart-v2, mesh.smi-sdk.io/mirror-percent: \"50\"";
    let (with, report) = rendered(&annotated(settings));
    assert_eq!(with, config(WORLD));
    let said: Vec<&str> =
        report.diagnostics.iter().filter(|d| d.code.id == "SMI1003").map(|d| &*d.message).collect();
    assert_eq!(said.len(), 2, "{said:?}");
}

/// Whatever Traefik makes of the other routers, one refuses at the bottom or, where everybody is served, takes everything.
#[test]
fn trap_5_3_1_the_lowest_router_of_every_host_refuses() {
    for text in [WORLD.to_owned(), annotated("mesh.smi-sdk.io/max-in-flight: \"5\"")] {
        let config = config(&text);
        let http = config.dynamic.http.as_ref().unwrap();
        let mut lowest: BTreeMap<String, &Router> = BTreeMap::new();
        for router in http.routers.values().filter(|r| r.rule.contains("Host(") && !r.entry_points.is_empty())
        {
            let host = router.rule.split(" && ").next().unwrap().to_owned();
            let entry = lowest.entry(host).or_insert(router);
            if router.priority < entry.priority {
                *entry = router;
            }
        }
        assert_eq!(lowest.len(), 4, "{lowest:?}");
        for (host, router) in lowest {
            assert_eq!(router.rule, host, "it takes everything");
            let service = router.service.as_deref().unwrap();
            // Behind a split each leaf refuses; a leaf without pods fails (S20).
            let leaves: Vec<&str> = match &http.services[service].kind {
                ServiceKind::LoadBalancer(_) => vec![service],
                ServiceKind::Weighted(w) => w.services.iter().map(|c| c.name.as_str()).collect(),
            };
            for leaf in leaves {
                assert!(["smi~forbidden", "smi~unavailable"].contains(&leaf), "{host}: {leaf}");
            }
        }
        let nobody = serde_json::to_string(&http.middlewares["smi~nobody"]).unwrap();
        assert!(nobody.contains("255.255.255.255/32"));
        assert_eq!(http.services["smi~forbidden"].middlewares, ["smi~nobody"]);
    }
}

#[test]
fn trap_5_3_7_the_lowest_tcp_router_closes() {
    let config = config(WORLD);
    let tcp = config.dynamic.tcp.as_ref().unwrap();
    let mut by_entry_point: BTreeMap<&str, Vec<&smi_traefik::config::l4::TcpRouter>> = BTreeMap::new();
    for router in tcp.routers.values() {
        // No server names: beside them a server that speaks first would never be heard.
        assert!(router.rule.starts_with("HostSNI(`*`)"));
        by_entry_point.entry(&router.entry_points[0]).or_default().push(router);
    }
    for routers in by_entry_point.values() {
        let lowest = routers.iter().min_by_key(|r| r.priority).unwrap();
        assert_eq!((lowest.rule.as_str(), lowest.service.as_str()), ("HostSNI(`*`)", "smi~unavailable"));
    }
    assert!(!by_entry_point.is_empty());
}

/// Where all callers of a service may do the same, no rule lists their addresses: leaves do, which costs a fifth for long lists.
#[test]
fn trap_5_3_10_equal_grants_need_no_addresses_in_rules() {
    let documents: Vec<&str> = WORLD.split("---\n").filter(|d| !d.contains("name: v2-read")).collect();
    let config = config(&documents.join("---\n"));
    let rules: Vec<&str> =
        routers(&config).values().map(|r| r.rule.as_str()).filter(|r| r.contains("cart-v2.")).collect();
    assert!(!rules.is_empty() && rules.iter().all(|r| !r.contains("ClientIP")), "{rules:?}");
}
