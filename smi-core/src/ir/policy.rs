//! What SMI does not say and Service annotations do (S34): retries, timeouts, limits, mirroring.
//!
//! Shape: every setting beside the [`Origin`] of its annotation. Units: milliseconds, whole numbers, exact decimals as text.

use std::sync::Arc;

use super::{Origin, PoolKey};

/// Settings of one service port; all absent unless annotated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrafficPolicy {
    /// Retries of requests whose connection failed.
    pub retry: Option<(Retry, Origin)>,
    /// Time a request may take, in milliseconds.
    pub timeout_ms: Option<(u32, Origin)>,
    /// When to stop sending requests.
    pub circuit_breaker: Option<(BreakerExpr, Origin)>,
    /// Requests per time.
    pub rate_limit: Option<(RateLimit, Origin)>,
    /// Requests at the same time.
    pub max_in_flight: Option<(u32, Origin)>,
    /// Copies of requests.
    pub mirror: Option<(Mirror, Origin)>,
}

/// Retries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Tries in all, the first included; at least 1.
    pub attempts: u32,
}

/// Requests per second per service and proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests per second in the long run; at least 1.
    pub average: u32,
    /// Requests at once; at least 1.
    pub burst: u32,
}

/// Copies of a share of requests, whose answers are dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// Where to.
    pub pool: PoolKey,
    /// 1–100.
    pub percent: u8,
}

/// When a circuit breaker opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BreakerExpr {
    /// Share of requests that got no answer.
    NetworkErrorRatio(Comparison),
    /// Share of answers with a status in `from..to` among those in `of_from..of_to`.
    ResponseCodeRatio {
        /// First status counted.
        from: u16,
        /// One past the last status counted.
        to: u16,
        /// First status of the whole.
        of_from: u16,
        /// One past the last status of the whole.
        of_to: u16,
        /// Compared with.
        than: Comparison,
    },
    /// Latency at a quantile in percent, in milliseconds.
    LatencyAtQuantileMs(Arc<str>, Comparison),
    /// Both.
    And(Box<BreakerExpr>, Box<BreakerExpr>),
    /// Either.
    Or(Box<BreakerExpr>, Box<BreakerExpr>),
}

/// A comparison with a decimal number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// `>`, `>=`, `<`, `<=`, `==` or `!=`.
    pub operator: &'static str,
    /// Decimal number as written.
    pub value: Arc<str>,
}
