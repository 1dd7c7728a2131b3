//! Asks who may call whom. Look at: the decision is a distribution over targets, each with the reason.

use smi_core::compile::{CompileOptions, compile};
use smi_core::eval::{Caller, Decision, HttpRequest, Payload, Request, eval};
use smi_core::hub::names::Port;
use smi_core::load::{Input, Limits, load};

fn main() -> anyhow::Result<()> {
    let inputs = [
        Input::new("shop.yaml", include_str!("store/shop.yaml")),
        Input::new("policy.yaml", include_str!("store/policy/shop.yaml")),
    ];
    let world = load(&inputs, &Limits::default());
    let ir = compile(&world.hub, &world.cluster, &CompileOptions::default()).ir;
    let request = Request {
        // A pod of the web front end.
        caller: Caller::Address("10.20.1.1".parse()?),
        payload: Payload::Http(HttpRequest {
            port: Port::new(80).ok_or_else(|| anyhow::anyhow!("no port"))?,
            host: "cart.shop.mesh".into(),
            method: "GET".into(),
            target: "/items".into(),
            headers: Vec::new(),
        }),
    };
    let decision = eval(&ir, &request);
    println!("{}", decision.distribution());
    if let Decision::Routed(routed) = decision {
        for leg in routed.legs {
            println!("{} by {}: {:?}", leg.pool, leg.origin, leg.ends.first().map(|end| &end.verdict));
        }
    }
    Ok(())
}
