//! Circuit breakers → outlier detection, where that comes near their meaning.
//!
//! A breaker judges the service and answers 503 for a while; outlier detection judges each pod and takes it out for a while, so that a
//! service whose pods all fail answers 503, and one of whose pods some fail is served by the others. That is said by a warning. Envoy
//! knows shares of failures in whole percents and nothing of latencies; what asks for more is not rendered.

use smi_core::ir::{BreakerExpr, Comparison};

use super::{At, Output};
use crate::codes;
use crate::config::Duration;
use crate::config::limit::OutlierDetection;

/// As long as Traefik's breaker stays open.
const OUT_MS: u32 = 10_000;
/// Over which time shares are counted.
const WINDOW_MS: u32 = 1_000;

impl Output<'_> {
    /// The settings for a service port's breaker; `None`: it has none, or there are none that come near.
    pub(super) fn outliers(&self, at: &At<'_>) -> Option<OutlierDetection> {
        let found = at.port.policy.circuit_breaker.as_ref().and_then(|(breaker, _)| outliers(breaker))?;
        // The sidecar of a pod that does not answer answers for it, with 503.
        (self.own.is_none() || !found.split_external_local_origin_errors).then_some(found)
    }

    pub(super) fn report_breaker(&mut self, at: &At<'_>) {
        let Some((_, origin)) = &at.port.policy.circuit_breaker else { return };
        let (code, message) = match self.outliers(at) {
            Some(_) => (
                codes::APPROXIMATED,
                "the circuit breaker judges each pod and takes it out, instead of the service as a whole",
            ),
            None => (codes::IGNORED, "this circuit breaker cannot be expressed and is ignored"),
        };
        self.find(code, origin, message);
    }
}

fn outliers(expression: &BreakerExpr) -> Option<OutlierDetection> {
    let (than, unanswered) = match expression {
        BreakerExpr::NetworkErrorRatio(than) => (than, true),
        // Requests that got no answer from a pod are answered 503 by Envoy, and count.
        BreakerExpr::ResponseCodeRatio { from: 500, to: 600, of_from: 0..=100, of_to: 600.., than } => {
            (than, false)
        }
        BreakerExpr::ResponseCodeRatio { .. }
        | BreakerExpr::LatencyAtQuantileMs(..)
        | BreakerExpr::And(..)
        | BreakerExpr::Or(..) => return None,
    };
    let on = |on: bool| Some(if on { 100 } else { 0 });
    Some(OutlierDetection {
        interval: Some(Duration::from_ms(WINDOW_MS)),
        base_ejection_time: Some(Duration::from_ms(OUT_MS)),
        max_ejection_time: Some(Duration::from_ms(OUT_MS)),
        max_ejection_percent: on(true),
        split_external_local_origin_errors: unanswered,
        failure_percentage_threshold: Some(percent(than)?),
        failure_percentage_minimum_hosts: Some(1),
        failure_percentage_request_volume: Some(1),
        enforcing_failure_percentage: on(!unanswered),
        enforcing_failure_percentage_local_origin: on(unanswered),
        enforcing_consecutive_5xx: on(false),
        enforcing_success_rate: on(false),
        enforcing_consecutive_gateway_failure: on(false),
        enforcing_consecutive_local_origin_failure: on(false),
        enforcing_local_origin_success_rate: on(false),
    })
}

/// The smallest whole percentage that fits the comparison; `None`: no share fits, or small ones do.
fn percent(than: &Comparison) -> Option<u32> {
    let (whole, fraction) = than.value.split_once('.').unwrap_or((&than.value, ""));
    let digits: String = fraction.chars().chain("00".chars()).take(2).collect();
    let floor = whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(digits.parse().ok()?)?;
    let exact = fraction.chars().skip(2).all(|c| c == '0');
    let percent = match (than.operator, exact) {
        (">=", true) => floor,
        (">", _) | (">=", false) => floor.checked_add(1)?,
        (_, _) => return None,
    };
    (1..=100).contains(&percent).then_some(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(operator: &'static str, value: &str) -> Option<u32> {
        let than = Comparison { operator, value: value.into() };
        let expression = BreakerExpr::ResponseCodeRatio { from: 500, to: 600, of_from: 0, of_to: 600, than };
        outliers(&expression)?.failure_percentage_threshold
    }

    #[test]
    fn s34_shares_are_whole_percents() {
        assert_eq!(threshold(">=", "0.25"), Some(25));
        assert_eq!(threshold(">", "0.25"), Some(26));
        assert_eq!(threshold(">", "0.255"), Some(26));
        assert_eq!(threshold(">=", "0.2501"), Some(26));
        assert_eq!(threshold(">=", "1"), Some(100));
        assert_eq!(threshold(">=", ".3"), None, "no number of the grammar");
        // Never, always, and the wrong way around.
        for (operator, value) in [(">", "1"), (">=", "0"), ("<", "0.5"), ("==", "0.5"), ("!=", "0")] {
            assert_eq!(threshold(operator, value), None, "{operator} {value}");
        }
    }

    #[test]
    fn s34_what_outlier_detection_does_not_know_is_not_rendered() {
        let than = || Comparison { operator: ">", value: "0.5".into() };
        let codes =
            |from, to| BreakerExpr::ResponseCodeRatio { from, to, of_from: 0, of_to: 600, than: than() };
        let network = || BreakerExpr::NetworkErrorRatio(than());
        assert!(outliers(&network()).is_some_and(|o| o.split_external_local_origin_errors));
        assert!(outliers(&codes(500, 600)).is_some_and(|o| !o.split_external_local_origin_errors));
        assert_eq!(outliers(&codes(400, 600)), None);
        assert_eq!(outliers(&BreakerExpr::LatencyAtQuantileMs("50".into(), than())), None);
        assert_eq!(outliers(&BreakerExpr::And(Box::new(network()), Box::new(network()))), None);
    }
}
