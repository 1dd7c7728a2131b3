//! What of an IR a backend cannot express.

use super::{Capabilities, Feature};
use crate::hub::names::Transport;
use crate::ir::{EncodedSlashes, Ir, Mode, Origin, Protocol, RouteCondition, Scheme};

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "effect", content = "bound")]
pub enum Effect {
    /// Approximated, with the stated bound.
    Approximated(String),
    /// Left out; less is possible than the policy allows.
    Narrows,
    /// Cannot be expressed without allowing more; refused unless the user allows it.
    WouldWiden,
    /// Ignored; access is as the policy says.
    Ignored,
}

/// One loss.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// What is missing.
    pub feature: Feature,
    /// What becomes of it.
    pub effect: Effect,
    /// What asked for it.
    pub origin: Origin,
    /// In words.
    pub message: String,
}

/// Compares an IR with what a backend can do. Sorted, each loss once per origin.
#[must_use]
pub fn losses(ir: &Ir, capabilities: &Capabilities) -> Vec<Loss> {
    let mut out = Vec::new();
    let mut miss = |feature: Feature, effect: Effect, origin: &Origin, message: &str| {
        if !capabilities.has(feature) {
            out.push(Loss { feature, effect, origin: origin.clone(), message: message.to_owned() });
        }
    };
    for service in ir.services.values() {
        for port in &service.ports {
            let (base, access, split, what) = match port.protocol {
                Protocol::Http(_) => (Feature::Http, Feature::HttpAccess, Feature::HttpSplit, "HTTP"),
                Protocol::Tcp => (Feature::Tcp, Feature::TcpAccess, Feature::TcpSplit, "TCP"),
                Protocol::Udp => (Feature::Udp, Feature::UdpAccess, Feature::UdpSplit, "UDP"),
            };
            debug_assert_eq!(port.transport == Transport::Udp, port.protocol == Protocol::Udp);
            miss(base, Effect::Narrows, &service.origin, &format!("{what} ports are not served"));
            if service.mode == Mode::Enforce {
                let message = format!("{what} callers cannot be told apart, so {what} ports are closed");
                miss(access, Effect::WouldWiden, &service.origin, &message);
            } else {
                miss(
                    Feature::CountedPermissive,
                    Effect::Ignored,
                    &service.origin,
                    "would-be denials are not counted",
                );
            }
            if base == Feature::Http && ir.settings.encoded_slashes == EncodedSlashes::Keep {
                for (feature, what) in
                    [(Feature::KeepEncodedSlashes, "slash"), (Feature::KeepEncodedBackslashes, "backslash")]
                {
                    let message = format!("requests with an encoded {what} are refused");
                    miss(feature, Effect::Narrows, &service.origin, &message);
                }
            }
            match port.protocol {
                Protocol::Http(Scheme::H2c) => {
                    miss(
                        Feature::H2cUpstream,
                        Effect::Narrows,
                        &service.origin,
                        "pods cannot be spoken to in h2c",
                    );
                }
                Protocol::Http(Scheme::Https) => {
                    miss(
                        Feature::HttpsUpstream,
                        Effect::Narrows,
                        &service.origin,
                        "pods cannot be spoken to over TLS",
                    );
                }
                Protocol::Http(Scheme::Http) | Protocol::Tcp | Protocol::Udp => {}
            }
            for route in &port.routes {
                if route.targets.len() > 1 {
                    miss(split, Effect::Narrows, &route.origin, &format!("{what} splits are not served"));
                }
                if matches!(route.condition, RouteCondition::AnyOf(_)) {
                    miss(
                        Feature::ConditionalSplit,
                        Effect::Narrows,
                        &route.origin,
                        "conditional splits are not served",
                    );
                }
            }
            let pools = port.routes.iter().flat_map(|r| &r.targets).filter_map(|t| ir.pools.get(&t.pool));
            if pools.into_iter().flat_map(|p| p.ready()).any(|e| !ir.has_own_address(e)) {
                let message = "pods at addresses that are not theirs alone are not reached";
                miss(Feature::SharedAddress, Effect::Narrows, &service.origin, message);
            }
            let policy = &port.policy;
            let mut ignored = |feature, origin: Option<&Origin>, what: &str| {
                if let Some(origin) = origin {
                    miss(
                        feature,
                        Effect::Ignored,
                        origin,
                        &format!("{what} is not supported and is ignored"),
                    );
                }
            };
            ignored(Feature::Retry, policy.retry.as_ref().map(|p| &p.1), "retry");
            ignored(Feature::Timeout, policy.timeout_ms.as_ref().map(|p| &p.1), "a timeout");
            ignored(
                Feature::CircuitBreaker,
                policy.circuit_breaker.as_ref().map(|p| &p.1),
                "a circuit breaker",
            );
            ignored(Feature::RateLimit, policy.rate_limit.as_ref().map(|p| &p.1), "a rate limit");
            ignored(
                Feature::InFlightLimit,
                policy.max_in_flight.as_ref().map(|p| &p.1),
                "a limit of requests in flight",
            );
            ignored(Feature::Mirror, policy.mirror.as_ref().map(|p| &p.1), "mirroring");
        }
    }
    out.sort();
    out.dedup();
    out
}
