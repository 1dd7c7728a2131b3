//! What a Service's annotations ask for (S34) holds at a real Envoy. Needs `SMI_ENVOY` (the binary) and `curl`; binds loopback addresses
//! as pods.
//!
//! Every test takes a node proxy and, where the settings hold there too, the sidecar of the caller.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "a test"
)]

mod live;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use live::app::App;
use live::world::World;

const SPLIT: &str = "apiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {name: split, namespace: shop}\n\
     spec: {service: busy, backends: [{service: one, weight: 1}, {service: two, weight: 1}]}\n";

#[test]
#[ignore = "needs Envoy"]
fn one_request_more_than_the_limit_is_refused() {
    let world = World::new(61)
        .pod("one", 11)
        .pod("two", 12)
        .service("one", &[])
        .service("two", &[])
        .service("busy", &[("max-in-flight", "3")])
        .more(SPLIT);
    let apps = [11, 12].map(|host| App::serve(SocketAddr::new(world.at(host), 8080)));
    let (node, sidecar) = world.start("in-flight");
    assert_eq!(node.codes(), Vec::<&str>::new());
    for proxy in [&node, &sidecar] {
        // By whichever name, to whichever backend: the limit is the service port's.
        let names = ["busy.shop.mesh", "BUSY.shop.maesh:80"];
        let slow = |n: usize| proxy.ask(names[n % 2], "/slow");
        for count in [3, 4, 10] {
            let mut expected = BTreeMap::from([("200".to_owned(), 3)]);
            if count > 3 {
                expected.insert("503".to_owned(), count - 3);
            }
            assert_eq!(proxy.at_once(count, slow), expected, "{count}");
        }
        // Nobody else's requests count, and nobody else is limited.
        let mixed = |n: usize| proxy.ask(["busy.shop.mesh", "one.shop.mesh"][n % 2], "/slow");
        assert_eq!(proxy.at_once(6, mixed), BTreeMap::from([("200".to_owned(), 6)]));
        // The limit is no limit of the rate.
        (0..8).for_each(|_| assert!(proxy.ask("busy.shop.mesh", "/").starts_with("200")));
    }
    assert!(apps.iter().all(|app| app.seen() > 10), "both backends are called");
}

#[test]
#[ignore = "needs Envoy"]
fn a_rate_limit_is_the_service_ports() {
    let hosted = "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: hosted, namespace: shop}\n\
         spec: {matches: [{name: hosted, pathRegex: /, headers: [{host: 'rated.*'}]}]}\n";
    let world = World::new(62)
        .pod("rated", 11)
        .pod("fast", 12)
        .service("rated", &[("ratelimit-average", "1"), ("ratelimit-burst", "8")])
        .service("fast", &[("ratelimit-average", "40"), ("ratelimit-burst", "2")])
        .grant("rated", "hosted")
        .more(hosted);
    let _apps = [11, 12].map(|host| App::serve(SocketAddr::new(world.at(host), 8080)));
    let (node, sidecar) = world.start("rate");
    assert_eq!(node.codes(), Vec::<&str>::new());
    for proxy in [&node, &sidecar] {
        let began = Instant::now();
        let names = [
            "rated.shop.mesh",
            "RATED.shop.mesh",
            "rated.shop.maesh:80",
            "rated.shop.mesh.",
            "Rated.Shop.Maesh:99",
        ];
        let answers: Vec<String> = (0..36).map(|n| proxy.ask(names[n % names.len()], "/")).collect();
        let served = answers.iter().filter(|a| a.starts_with("200")).count();
        let most = 8 + usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
        assert!((8..=most).contains(&served), "{served} of 36, {answers:?}");
        assert!(answers.iter().all(|a| a.starts_with("200") || a == "429"), "{answers:?}");
        // More per second than at once.
        let began = Instant::now();
        let mut served = 0;
        while began.elapsed() < Duration::from_secs(3) {
            served += proxy.ask_on("fast.shop.mesh", 50).iter().filter(|a| a.starts_with("200")).count();
        }
        let most = 2 + 40 * (usize::try_from(began.elapsed().as_secs()).unwrap() + 1);
        assert!((30..=most).contains(&served), "{served}, at most {most}");
    }
}

#[test]
#[ignore = "needs Envoy"]
fn a_pod_that_fails_is_left_out_for_a_while() {
    let world = World::new(63)
        .pod("worn", 11)
        .pod("worn", 12)
        .service("worn", &[("circuit-breaker-expression", "ResponseCodeRatio(500, 600, 0, 600) > 0.25")])
        .pod("gone", 13)
        .pod("gone", 14)
        .service("gone", &[("circuit-breaker-expression", "NetworkErrorRatio() > 0.5")]);
    let apps = [11, 12, 14].map(|host| App::serve(SocketAddr::new(world.at(host), 8080)));
    let (node, sidecar) = world.start("breaker");
    assert_eq!(node.codes(), ["SMI1105", "SMI1105"]);
    for proxy in [&node, &sidecar] {
        // Until nothing else comes.
        let until = |host: &str, wanted: &str| {
            let began = Instant::now();
            while proxy.ask_on(host, 12).iter().any(|answer| answer != wanted) {
                assert!(began.elapsed() < Duration::from_secs(30), "{host} does not get {wanted}");
                std::thread::sleep(Duration::from_millis(100));
            }
        };
        assert_eq!(proxy.ask("worn.shop.mesh", "/").len(), "200 pod 127.0.63.11".len());
        apps[0].fail(true);
        until("worn.shop.mesh", &format!("200 pod {}", world.at(12)));
        // All fail: the service does not answer, and pods, which would answer 500, get no requests.
        apps[1].fail(true);
        until("worn.shop.mesh", "503");
        // They are tried again.
        apps[0].fail(false);
        apps[1].fail(false);
        let began = Instant::now();
        while !proxy.ask("worn.shop.mesh", "/").starts_with("200") {
            assert!(began.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(200));
        }
        if proxy.admin != 0 {
            until("gone.shop.mesh", &format!("200 pod {}", world.at(14)));
        }
    }
}

#[test]
#[ignore = "needs Envoy"]
fn requests_are_mirrored_to_pods_that_their_callers_may_call() {
    let mirrored = |to| [("mirror-service", to), ("mirror-percent", "100")];
    let world = World::new(69)
        .pod("copy", 11)
        .service("copy", &[])
        .pod("shut", 12)
        .service_without_grant("shut", &[])
        .pod("open", 13)
        .service("open", &mirrored("copy"))
        .pod("kept", 14)
        .service("kept", &mirrored("shut"))
        .pod("none", 15)
        .service_without_grant("none", &mirrored("copy"));
    let [copy, shut, _open, _kept, _none] =
        [11, 12, 13, 14, 15].map(|host| App::serve(SocketAddr::new(world.at(host), 8080)));
    let (node, sidecar) = world.start("mirror");
    // One that not all may call.
    assert_eq!(node.codes(), ["SMI1103"]);
    for proxy in [&node, &sidecar] {
        let before = copy.seen();
        for _ in 0..20 {
            assert_eq!(proxy.ask("open.shop.mesh", "/"), format!("200 pod {}", world.at(13)));
            assert_eq!(proxy.ask("kept.shop.mesh", "/"), format!("200 pod {}", world.at(14)));
            assert_eq!(proxy.ask("none.shop.mesh", "/"), "403");
        }
        // Nobody waits for copies.
        let began = Instant::now();
        while copy.seen() < before + 20 && began.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(copy.seen(), before + 20);
        assert_eq!(shut.seen(), 0);
    }
}

#[test]
#[ignore = "needs Envoy"]
fn only_what_cannot_have_reached_a_pod_is_tried_again() {
    let world = World::new(64)
        .pod("kept", 11)
        .pod("kept", 12)
        .service("kept", &[("retry-attempts", "4")])
        .pod("plain", 13)
        .pod("plain", 14)
        .service("plain", &[]);
    // Nobody listens at the other pod of each.
    let [kept, _plain] = [11, 13].map(|host| App::serve(SocketAddr::new(world.at(host), 8080)));
    let (node, _) = world.start("retry");
    // At the same time, as Envoy's own limit is three retries at a time.
    let all = node.at_once(24, |_| node.ask("kept.shop.mesh", "/slow"));
    assert_eq!(all, BTreeMap::from([("200".to_owned(), 24)]));
    assert_eq!(kept.seen(), 24);
    let mixed = node.at_once(24, |_| node.ask("plain.shop.mesh", "/"));
    assert!(mixed["503"] > 0 && mixed["200"] > 0, "{mixed:?}");
    // The pod reads the request and hangs up: it may have done what was asked.
    let before = kept.seen();
    let mut cut = 0;
    while cut < 12 {
        cut += usize::from(node.ask("kept.shop.mesh", "/cut") == "503");
    }
    assert_eq!(kept.seen() - before, 12, "each reached the pod once");
    // An answer is an answer.
    kept.fail(true);
    let before = kept.seen();
    assert_eq!(node.ask("kept.shop.mesh", "/"), "500");
    assert_eq!(kept.seen() - before, 1);
}
