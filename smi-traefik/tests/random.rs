//! On random worlds, too, the rendered configuration decides as the reference does.

use proptest::prelude::*;
use smi_core::backend::{Backend, ProxyTarget};
use smi_core::compile::{CompileOptions, compile};
use smi_core::eval::{Decide, Distribution, Outcome, Payload, Share, eval};
use smi_core::ir::{Ir, Origin, RateLimit};
use smi_core::load::{Input, Limits, load};
use smi_core::testing::{request, world};
use smi_traefik::sim::Simulator;
use smi_traefik::{Traefik, check};

/// The same with a limit at every port, which moves routers below others and decides nothing.
fn limited(mut ir: Ir) -> Ir {
    for service in ir.services.values_mut() {
        let origin = service.origin.clone();
        for port in &mut service.ports {
            let limit: (RateLimit, Origin) = (RateLimit { average: 9, burst: 9 }, origin.clone());
            std::sync::Arc::make_mut(&mut port.policy).rate_limit = Some(limit);
        }
    }
    ir
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn simulated_decisions_are_the_references(
        text in world(),
        requests in proptest::collection::vec(request(), 1..30),
    ) {
        let world = load(&[Input::new("world.yaml", text.clone())], &Limits::default());
        prop_assert!(!world.report.has_errors(), "{text}\n{:?}", world.report);
        let ir = compile(&world.hub, &world.cluster, &CompileOptions::default()).ir;
        for ir in [limited(ir.clone()), ir] {
            let rendered = Traefik::default().render(&ir, &ProxyTarget::Node);
            prop_assert_eq!(check::check(&rendered.output.dynamic, &rendered.output.install), []);
            let simulator = Simulator::new(&rendered.output, &ir);
            for request in &requests {
                let expected = eval(&ir, request).distribution();
                let refused = [Outcome::BadRequest, Outcome::NotFound].map(Distribution::certain);
                if expected == refused[0] {
                    // Traefik looks for a router before it looks at the path.
                    prop_assert!(refused.contains(&simulator.decide(request)), "{:?}\n{}", request, text);
                    continue;
                }
                let simulated = simulator.decide(request);
                // A method in lower case cannot be matched (`SMI1006`), so what asks for one serves less.
                if let Payload::Http(http) = &request.payload
                    && http.method.contains(|c: char| c.is_ascii_lowercase())
                {
                    let never_more = |(outcome, share): (&Outcome, Share)| {
                        !matches!(outcome, Outcome::Served(..))
                            || share.as_f64() <= expected.share(outcome).as_f64()
                    };
                    prop_assert!(simulated.iter().all(never_more), "{:?}\n{}", request, text);
                    continue;
                }
                prop_assert_eq!(simulated, expected, "{:?}\n{}", request, text);
            }
        }
    }
}
