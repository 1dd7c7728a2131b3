//! The rendered configuration decides as the reference does.

use smi_core::backend::{Artifacts, Backend, ProxyTarget};
use smi_core::compile::{CompileOptions, Compiled, compile};
use smi_core::eval::{Caller, Decide, Distribution, HttpRequest, Outcome, Payload, Request, eval};
use smi_core::hub::names::{Namespaced, Port};
use smi_core::load::{Input, Limits, load};
use smi_traefik::sim::Simulator;
use smi_traefik::{Traefik, check};

const WORLD: &str = include_str!("world.yaml");

fn compiled(text: &str) -> Compiled {
    let world = load(&[Input::new("world.yaml", text)], &Limits::default());
    assert!(!world.report.has_errors(), "{:?}", world.report);
    let compiled = compile(&world.hub, &world.cluster, &CompileOptions::default());
    assert!(!compiled.report.has_errors(), "{:?}", compiled.report);
    compiled
}

#[test]
fn simulated_decisions_are_the_references() {
    let ir = compiled(WORLD).ir;
    let rendered = Traefik::default().render(&ir, &ProxyTarget::Node);
    assert_eq!(check::check(&rendered.output.dynamic, &rendered.output.install), []);
    let simulator = Simulator::new(&rendered.output, &ir);
    let callers: Vec<Caller> = ir
        .callers
        .keys()
        .map(|a| Caller::Address(*a))
        .chain([Caller::Nobody, Caller::Address("203.0.113.9".parse().unwrap())])
        .collect();
    let bad = Distribution::certain(Outcome::BadRequest);
    let mut outcomes = std::collections::BTreeSet::new();
    for caller in &callers {
        for host in [
            "cart.shop.mesh",
            "CART.shop.mesh:80",
            "cart-v1.shop.mesh",
            "cart-v2.shop.mesh.",
            "other.shop.mesh",
        ] {
            for method in ["GET", "POST", "DELETE"] {
                for target in ["/items", "/items/7?x=1", "/admin", "/items/../admin", "/items%2fx", "/"] {
                    for user in [None, Some("beta"), Some("betamax")] {
                        let headers = user.map(|u| ("X-User".to_owned(), u.to_owned())).into_iter().collect();
                        let http = HttpRequest {
                            port: Port::new(80).unwrap(),
                            host: host.into(),
                            method: method.into(),
                            target: target.into(),
                            headers,
                        };
                        let request = Request { caller: caller.clone(), payload: Payload::Http(http) };
                        let expected = eval(&ir, &request).distribution();
                        outcomes.extend(expected.iter().map(|(o, _)| o.clone()));
                        let simulated = simulator.decide(&request);
                        if expected == bad && simulated != bad {
                            // Traefik looks for a router before it looks at the path.
                            assert_eq!(simulated, Distribution::certain(Outcome::NotFound), "{request:?}");
                            assert_eq!(host, "other.shop.mesh");
                            continue;
                        }
                        assert_eq!(simulated, expected, "{request:?}");
                    }
                }
            }
        }
        for (service, port) in [("db", 5432), ("db", 1), ("cart", 80)] {
            let payload =
                Payload::Tcp { service: Namespaced::new("shop", service), port: Port::new(port).unwrap() };
            let request = Request { caller: caller.clone(), payload };
            // A closed connection looks the same whatever closed it.
            let seen = |d: Distribution| {
                d.iter()
                    .map(|(o, s)| {
                        (o.to_string().replace("forbidden", "closed").replace("unavailable", "closed"), s)
                    })
                    .collect::<Vec<_>>()
            };
            assert_eq!(
                seen(simulator.decide(&request)),
                seen(eval(&ir, &request).distribution()),
                "{request:?}"
            );
        }
    }
    assert!(outcomes.len() >= 6, "the world is too plain: {outcomes:?}");
}

#[test]
fn s35_the_order_of_documents_changes_no_byte() {
    let mut documents: Vec<&str> = WORLD.split("---\n").filter(|d| !d.trim().is_empty()).collect();
    let bytes = |documents: &[&str]| {
        let ir = compiled(&documents.join("---\n")).ir;
        Traefik::default().render(&ir, &ProxyTarget::Node).output.artifacts()
    };
    let first = bytes(&documents);
    documents.reverse();
    assert_eq!(bytes(&documents), first);
    let middle = documents.len() / 2;
    documents.rotate_left(middle);
    assert_eq!(bytes(&documents), first);
}

/// A node's configuration at a pod would open what is closed.
#[test]
fn a_sidecar_gets_nothing_and_that_is_an_error() {
    let ir = compiled(WORLD).ir;
    let pod = ir.pods.keys().next().unwrap().clone();
    let rendered = Traefik::default().render(&ir, &ProxyTarget::Sidecar(pod));
    assert!(rendered.report.diagnostics.iter().any(|d| d.code.id == "SMI1008"), "{:?}", rendered.report);
    assert!(rendered.report.has_errors());
    let nothing = Traefik::default().render(&smi_core::ir::Ir::default(), &ProxyTarget::Node).output;
    assert_eq!(rendered.output, nothing);
    assert_ne!(Traefik::default().render(&ir, &ProxyTarget::Node).output, nothing);
}
