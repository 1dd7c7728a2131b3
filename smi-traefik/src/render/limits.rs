//! Routers of one service port with its settings: retries and what counts (rate limits, limits of requests in flight, circuit breakers).
//!
//! Traefik gives each router that names a middleware an instance of its own, so callers with different grants would each have a limit
//! of their own. Where several routers of a port serve, they stand below one that takes what they take and alone names the middlewares.
//! Refused requests count nowhere: whoever may not call can neither exhaust a limit nor open a breaker.

use smi_core::ir::{BreakerExpr, Comparison};

use super::http::Draft;
use super::{At, Output};
use crate::config::http::{
    CircuitBreaker, InFlightReq, Middleware, RateLimit, Retry, Router, SourceCriterion,
};
use crate::name;
use crate::rule::Rule;

impl<'a> Output<'a> {
    /// Drafts, highest first, become routers of one host.
    pub(super) fn routers(&mut self, at: &At<'a>, host: &Rule, drafts: Vec<Draft>) {
        let serving = drafts.iter().filter(|d| d.serves).count();
        let middlewares = if serving > 0 { self.policy(at) } else { Vec::new() };
        let rule = |condition: Option<Rule>| {
            let rule = Rule::all(std::iter::once(host.clone()).chain(condition));
            rule.map(|r| r.to_string()).unwrap_or_default()
        };
        // Highest first, with room between, unique for each host: routers of different hosts never both fit.
        let priority = |place: usize| i64::try_from(place * 10).unwrap_or(i64::MAX);
        let count = drafts.len();
        let policy = &at.port.policy;
        let counts =
            policy.rate_limit.is_some() || policy.max_in_flight.is_some() || policy.circuit_breaker.is_some();
        let parent = (counts && serving > 1).then(|| name::of_port(at.name, at.number, &["limits"]));
        if let (Some(name), Some(condition)) = (&parent, served(&drafts)) {
            let router = Router {
                entry_points: vec![at.entry_point.clone()],
                rule: rule(condition),
                priority: priority(count + 1),
                middlewares: middlewares.clone(),
                parent_refs: Vec::new(),
                service: None,
            };
            self.http.routers.insert(name.clone(), router);
        }
        for (place, draft) in drafts.into_iter().enumerate() {
            let below = parent.as_ref().filter(|_| draft.serves);
            let router = Router {
                entry_points: if below.is_some() { Vec::new() } else { vec![at.entry_point.clone()] },
                rule: rule(draft.condition()),
                priority: priority(count - place),
                middlewares: if draft.serves && below.is_none() { middlewares.clone() } else { Vec::new() },
                parent_refs: below.cloned().into_iter().collect(),
                service: Some(draft.service),
            };
            self.http.routers.insert(draft.name, router);
        }
    }

    /// Middlewares of the port's settings, outermost first.
    fn policy(&mut self, at: &At<'a>) -> Vec<String> {
        let policy = &at.port.policy;
        let source_criterion = SourceCriterion::ALL;
        let mut wanted = Vec::new();
        if let Some((limit, _)) = &policy.rate_limit {
            let limit = RateLimit {
                average: limit.average,
                burst: limit.burst,
                source_criterion: source_criterion.clone(),
            };
            wanted.push(("rate-limit", Middleware::RateLimit(limit)));
        }
        if let Some((amount, _)) = &policy.max_in_flight {
            wanted.push((
                "in-flight",
                Middleware::InFlightReq(InFlightReq { amount: *amount, source_criterion }),
            ));
        }
        if let Some((expression, _)) = &policy.circuit_breaker {
            wanted.push((
                "circuit-breaker",
                Middleware::CircuitBreaker(CircuitBreaker { expression: breaker(expression) }),
            ));
        }
        if let Some((retry, _)) = &policy.retry {
            wanted.push(("retry", Middleware::Retry(Retry { attempts: retry.attempts })));
        }
        let mut names = Vec::new();
        for (kind, middleware) in wanted {
            let name = name::of_port(at.name, at.number, &[kind]);
            self.http.middlewares.insert(name.clone(), middleware);
            names.push(name);
        }
        names
    }
}

/// A breaker's expression in Traefik's types: ratios and quantiles are decimals, milliseconds whole numbers. Anything else makes the
/// middleware, and every router that names it, an error.
fn breaker(expression: &BreakerExpr) -> String {
    match expression {
        BreakerExpr::NetworkErrorRatio(than) => {
            format!("NetworkErrorRatio() {} {}", than.operator, decimal(&than.value))
        }
        BreakerExpr::ResponseCodeRatio { from, to, of_from, of_to, than } => {
            let value = decimal(&than.value);
            format!("ResponseCodeRatio({from}, {to}, {of_from}, {of_to}) {} {value}", than.operator)
        }
        BreakerExpr::LatencyAtQuantileMs(quantile, than) => {
            format!("LatencyAtQuantileMS({}) {}", decimal(quantile), milliseconds(than))
        }
        BreakerExpr::And(a, b) => format!("({} && {})", breaker(a), breaker(b)),
        BreakerExpr::Or(a, b) => format!("({} || {})", breaker(a), breaker(b)),
    }
}

fn decimal(number: &str) -> String {
    match number.split_once('.') {
        Some(("", fraction)) => format!("0.{fraction}"),
        Some(_) => number.to_owned(),
        None => format!("{number}.0"),
    }
}

/// The same comparison for whole numbers.
fn milliseconds(than: &Comparison) -> String {
    let (whole, fraction) = than.value.split_once('.').unwrap_or((&than.value, ""));
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(u64::from(u32::MAX)) };
    let exact = fraction.bytes().all(|b| b == b'0');
    match (than.operator, exact) {
        (operator @ (">=" | "<"), false) => format!("{operator} {}", whole.saturating_add(1)),
        // No whole number is equal to it.
        ("==", false) => "< 0".into(),
        ("!=", false) => ">= 0".into(),
        (operator, _) => format!("{operator} {whole}"),
    }
}

impl Draft {
    fn condition(&self) -> Option<Rule> {
        Rule::all(self.conditions.iter().flatten().cloned())
    }
}

/// The requests whose first fitting draft serves. `None`: none; `Some(None)`: all.
#[expect(clippy::option_option, reason = "a rule can say neither nothing nor everything")]
fn served(drafts: &[Draft]) -> Option<Option<Rule>> {
    let mut below: Option<Option<Rule>> = None;
    for draft in drafts.iter().rev() {
        below = match (draft.serves, draft.condition(), below) {
            (true, None, _) | (true, Some(_), Some(None)) => Some(None),
            (true, Some(own), None) => Some(Some(own)),
            (true, Some(own), Some(Some(below))) => Some(Rule::any([own, below])),
            // A refusing draft hides what it takes from those below.
            (false, None, _) | (false, Some(_), None) => None,
            (false, Some(own), Some(below)) => {
                Some(Rule::all(std::iter::once(Rule::negated(own)).chain(below)))
            }
        };
    }
    below
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Matcher;

    fn draft(condition: Option<&str>, serves: bool) -> Draft {
        let conditions = vec![condition.map(|c| Rule::one(Matcher::Path, c))];
        Draft { name: String::new(), conditions, service: String::new(), serves }
    }

    #[test]
    fn numbers_of_breakers_have_traefiks_types() {
        let latency = |operator, value: &str| {
            breaker(&BreakerExpr::LatencyAtQuantileMs(
                "99".into(),
                Comparison { operator, value: value.into() },
            ))
        };
        assert_eq!(latency(">", "10"), "LatencyAtQuantileMS(99.0) > 10");
        assert_eq!(latency(">", "10.5"), "LatencyAtQuantileMS(99.0) > 10");
        assert_eq!(latency(">=", "10.5"), "LatencyAtQuantileMS(99.0) >= 11");
        assert_eq!(latency("<", "10.0"), "LatencyAtQuantileMS(99.0) < 10");
        assert_eq!(latency("==", ".5"), "LatencyAtQuantileMS(99.0) < 0");
        let ratio = BreakerExpr::NetworkErrorRatio(Comparison { operator: ">", value: "1".into() });
        assert_eq!(breaker(&ratio), "NetworkErrorRatio() > 1.0");
    }

    #[test]
    fn requests_that_are_refused_do_not_count() {
        let text = |drafts: &[Draft]| served(drafts).map(|r| r.map(|r| r.to_string()));
        assert_eq!(text(&[draft(Some("/a"), false), draft(None, false)]), None);
        assert_eq!(text(&[draft(Some("/a"), true), draft(None, true)]), Some(None));
        assert_eq!(
            text(&[draft(Some("/a"), true), draft(Some("/b"), true), draft(None, false)]),
            Some(Some("Path(`/a`) || Path(`/b`)".into()))
        );
        assert_eq!(
            text(&[draft(Some("/a"), true), draft(Some("/b"), false), draft(None, true)]),
            Some(Some("Path(`/a`) || !Path(`/b`)".into()))
        );
    }
}
