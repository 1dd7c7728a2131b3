//! Annotations of Services (S34).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::protocol::{Annotated, TrafficType};
use super::{CompileOptions, breaker, codes};
use crate::cluster::{Service, ServiceKind};
use crate::diag::suggest::closest;
use crate::diag::{Diagnostic, FieldPath, ObjectRef, Report};
use crate::hub::names::{Name, Namespaced};
use crate::ir::{BreakerExpr, Field, Mirror, Origin, PoolKey, RateLimit, Retry, Scheme, TrafficPolicy};

/// Keys without prefix.
const KEYS: &[&str] = &[
    "traffic-type",
    "scheme",
    "retry-attempts",
    "ratelimit-average",
    "ratelimit-burst",
    "circuit-breaker-expression",
    "timeout",
    "max-in-flight",
    "mirror-service",
    "mirror-percent",
];

/// What the annotations of one Service say.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) annotated: Annotated,
    retry: Option<(Retry, Origin)>,
    timeout_ms: Option<(u32, Origin)>,
    circuit_breaker: Option<(BreakerExpr, Origin)>,
    rate_limit: Option<(RateLimit, Origin)>,
    max_in_flight: Option<(u32, Origin)>,
    mirror: Option<((Namespaced, u8), Origin)>,
}

impl Settings {
    /// What is to be mirrored of a port, if the other service lacks that port.
    pub(super) fn unmirrored(&self, policy: &TrafficPolicy) -> Option<(&Namespaced, &Origin)> {
        self.mirror
            .as_ref()
            .filter(|_| policy.mirror.is_none())
            .map(|((service, _), origin)| (service, origin))
    }

    /// The policy of one HTTP port; the mirror is the other service's port of the same number.
    pub(super) fn policy(&self, port: &PoolKey, exists: impl Fn(&PoolKey) -> bool) -> TrafficPolicy {
        let mirror = self.mirror.as_ref().and_then(|((service, percent), origin)| {
            let pool = PoolKey { service: service.clone(), port: port.port, transport: port.transport };
            exists(&pool).then(|| (Mirror { pool, percent: *percent }, origin.clone()))
        });
        TrafficPolicy {
            retry: self.retry.clone(),
            timeout_ms: self.timeout_ms.clone(),
            circuit_breaker: self.circuit_breaker.clone(),
            rate_limit: self.rate_limit.clone(),
            max_in_flight: self.max_in_flight.clone(),
            mirror,
        }
    }
}

pub(super) fn settings(
    service: &Service,
    object: &Arc<ObjectRef>,
    options: &CompileOptions,
    services: &BTreeMap<Namespaced, Service>,
    report: &mut Report,
) -> Settings {
    let found = find(service, object, options, report);
    if found.is_empty() {
        return Settings::default();
    }
    let mut reader = Reader { found: &found, object, report };
    let traffic_type = reader.read("traffic-type", "`http`, `tcp` or `udp`", |v| match v {
        "http" => Some(TrafficType::Http),
        "tcp" => Some(TrafficType::Tcp),
        "udp" => Some(TrafficType::Udp),
        _ => None,
    });
    let scheme = reader.read("scheme", "`http`, `h2c` or `https`", |v| match v {
        "http" => Some(Scheme::Http),
        "h2c" => Some(Scheme::H2c),
        "https" => Some(Scheme::Https),
        _ => None,
    });
    let positive = |v: &str| v.parse::<u32>().ok().filter(|n| (1..=i32::MAX.unsigned_abs()).contains(n));
    let whole = "a whole number of at least 1";
    let retry = reader.read("retry-attempts", whole, |v| positive(v).map(|attempts| Retry { attempts }));
    let average = reader.read("ratelimit-average", whole, positive);
    let burst = reader.read("ratelimit-burst", whole, positive);
    let rate_limit = match (average, burst) {
        (Some((average, origin)), Some((burst, _))) => Some((RateLimit { average, burst }, origin)),
        (Some((_, origin)), None) => reader.half("ratelimit-burst", &origin),
        (None, Some((_, origin))) => reader.half("ratelimit-average", &origin),
        (None, None) => None,
    };
    let circuit_breaker = reader.expression();
    let timeout_ms = reader.read("timeout", "a duration such as `1.5s` or `300ms`", milliseconds);
    let max_in_flight = reader.read("max-in-flight", whole, positive);
    let mirror = reader.mirror(&service.name, services);
    Settings {
        annotated: Annotated { traffic_type: traffic_type.map(|t| t.0), scheme: scheme.map(|s| s.0) },
        retry,
        timeout_ms,
        circuit_breaker,
        rate_limit,
        max_in_flight,
        mirror,
    }
}

/// Values by key without prefix, each with the whole key; the first prefix that has the key wins.
type Found<'s> = BTreeMap<&'s str, (&'s str, &'s str)>;

fn find<'s>(
    service: &'s Service,
    object: &Arc<ObjectRef>,
    options: &'s CompileOptions,
    report: &mut Report,
) -> Found<'s> {
    let mut found = Found::new();
    for prefix in &options.annotation_prefixes {
        let below = service
            .annotations
            .range::<str, _>((std::ops::Bound::Included(&**prefix), std::ops::Bound::Unbounded));
        for (key, value) in below.take_while(|(key, _)| key.starts_with(&**prefix)) {
            let Some(name) = key.strip_prefix(&**prefix) else { continue };
            if KEYS.contains(&name) {
                found.entry(name).or_insert((key, value));
            } else {
                let path = FieldPath::root().fields(&["metadata", "annotations"]).key(key.to_string());
                let mut d = Diagnostic::new(
                    codes::UNKNOWN_ANNOTATION,
                    object,
                    path,
                    format!("`{key}` is not known and has no effect"),
                );
                d.help = closest(name, KEYS.iter().copied()).map(|k| format!("did you mean `{prefix}{k}`?"));
                report.push(d);
            }
        }
    }
    found
}

struct Reader<'a> {
    found: &'a Found<'a>,
    object: &'a Arc<ObjectRef>,
    report: &'a mut Report,
}

impl Reader<'_> {
    fn read<T>(
        &mut self,
        name: &str,
        expected: &str,
        value: impl Fn(&str) -> Option<T>,
    ) -> Option<(T, Origin)> {
        let (key, text) = *self.found.get(name)?;
        let path = FieldPath::root().fields(&["metadata", "annotations"]).key(key.to_string());
        match value(text) {
            Some(value) => Some((value, self.origin(path))),
            None => {
                self.report.push(Diagnostic::new(
                    codes::BAD_ANNOTATION,
                    self.object,
                    path,
                    format!("`{text}` is not {expected}"),
                ));
                None
            }
        }
    }

    fn origin(&self, path: FieldPath) -> Origin {
        Origin::field(self.object.clone(), Field::Other(Arc::new(path)))
    }

    /// A rate limit of which only one half was written.
    fn half<T>(&mut self, missing: &str, origin: &Origin) -> Option<T> {
        // If the other half is there and faulty, that was said already.
        if !self.found.contains_key(missing) {
            let message = format!("a rate limit needs `{missing}` too, so there is no limit");
            self.report.push(Diagnostic::new(codes::BAD_ANNOTATION, self.object, origin.path(), message));
        }
        None
    }

    fn expression(&mut self) -> Option<(BreakerExpr, Origin)> {
        let (key, text) = *self.found.get("circuit-breaker-expression")?;
        let path = FieldPath::root().fields(&["metadata", "annotations"]).key(key.to_string());
        match breaker::parse(text) {
            Ok(expr) => Some((expr, self.origin(path))),
            Err(why) => {
                self.report.push(Diagnostic::new(codes::BAD_ANNOTATION, self.object, path, why));
                None
            }
        }
    }

    fn mirror(
        &mut self,
        own: &Namespaced,
        services: &BTreeMap<Namespaced, Service>,
    ) -> Option<((Namespaced, u8), Origin)> {
        let exists = |v: &str| {
            let name = Namespaced { namespace: own.namespace.clone(), name: Name::from(v) };
            services.contains_key(&name).then_some(name)
        };
        let outside = self.found.get("mirror-service").is_some_and(|(_, v)| exists(v).is_some());
        // An alias for a name outside has no pods that could get copies.
        let expected = if outside {
            "a Service with pods, but an ExternalName, which is not mirrored to"
        } else {
            "a Service of this namespace"
        };
        let service = self.read("mirror-service", expected, |v| {
            let kind = |name: &Namespaced| services.get(name).map(|service| &service.kind);
            exists(v).filter(|name| !matches!(kind(name), Some(ServiceKind::ExternalName(_))))
        });
        let percent = self.read("mirror-percent", "a whole number from 1 to 100", |v| {
            v.parse::<u8>().ok().filter(|p| (1..=100).contains(p))
        });
        match (service, percent) {
            (Some((service, origin)), Some((percent, _))) => Some(((service, percent), origin)),
            (Some((_, origin)), None) => {
                self.half::<()>("mirror-percent", &origin);
                None
            }
            (None, Some((_, origin))) => {
                self.half::<()>("mirror-service", &origin);
                None
            }
            (None, None) => None,
        }
    }
}

/// A duration in Go's form, in whole milliseconds, at least one.
fn milliseconds(text: &str) -> Option<u32> {
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at_checked(end)?;
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit_end)?;
        let micros: u64 = match unit {
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
        let mut value = whole.checked_mul(micros)?;
        let mut scale = micros;
        for digit in fraction.chars() {
            scale /= 10;
            value = value.checked_add(u64::from(digit.to_digit(10)?).checked_mul(scale)?)?;
        }
        total = total.checked_add(value)?;
        rest = tail;
    }
    u32::try_from(total / 1_000).ok().filter(|ms| *ms > 0)
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn s34_durations_are_go_durations() {
        assert_eq!(milliseconds("1.5s"), Some(1500));
        assert_eq!(milliseconds("1m30s"), Some(90_000));
        assert_eq!(milliseconds("300ms"), Some(300));
        assert_eq!(milliseconds(".5s"), Some(500));
        assert_eq!(milliseconds("1m.5s"), Some(60_500));
        for bad in ["", ".s", ".", "+s", "5", "s", "1d", "0s", "-1s", "1e9h", "1.2.3s"] {
            assert_eq!(milliseconds(bad), None, "{bad}");
        }
    }
}
