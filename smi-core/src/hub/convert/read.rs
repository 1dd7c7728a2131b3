//! Wire objects to the hub.

use std::borrow::Cow;
use std::sync::Arc;

use super::{HubObject, codes};
use crate::api::{AnyObject, Decimal, ObjectMeta, Quantity, access, specs, split};
use crate::diag::{Diagnostic, FieldPath};
use crate::hub::names::{Name, Namespace, Namespaced, Transport, is_dns_label, is_dns_subdomain};
use crate::hub::{
    HttpMatch, IdentityBinding, MatchRef, Meta, PortRoute, RouteGroup, Rule, SplitBackend, Subject,
    TrafficSplit, TrafficTarget,
};

impl HubObject {
    /// Reads one wire object. `None`: a kind that policy does not use (metrics).
    ///
    /// # Errors
    /// When the name is no Kubernetes name, or v1alpha1 weights cannot be converted exactly.
    pub fn read(object: &AnyObject) -> Result<Option<Self>, Box<Diagnostic>> {
        let meta = meta(object)?;
        Ok(Some(match object {
            AnyObject::TrafficTargetV1alpha1(o) => Self::Target(TrafficTarget {
                meta,
                destination: o.destination.as_ref().map(with_port),
                sources: o.sources.iter().map(with_port).collect(),
                rules: rules(&o.specs),
            }),
            AnyObject::TrafficTargetV1alpha2(o) => {
                let spec = spec_of(&o.spec);
                Self::Target(TrafficTarget {
                    meta,
                    destination: spec.destination.as_ref().map(with_port),
                    sources: spec.sources.iter().map(with_port).collect(),
                    rules: rules(&spec.rules),
                })
            }
            AnyObject::TrafficTargetV1alpha3(o) => {
                let spec = spec_of(&o.spec);
                Self::Target(TrafficTarget {
                    meta,
                    destination: spec.destination.as_ref().map(plain),
                    sources: spec.sources.iter().map(plain).collect(),
                    rules: rules(&spec.rules),
                })
            }
            AnyObject::TrafficTargetV1alpha4(o) => {
                let spec = spec_of(&o.spec);
                Self::Target(TrafficTarget {
                    meta,
                    destination: spec.destination.as_ref().map(with_group),
                    sources: spec.sources.iter().map(with_group).collect(),
                    rules: rules(&spec.rules),
                })
            }
            AnyObject::IdentityBindingV1alpha4(o) => {
                let schemes = o.spec.clone().unwrap_or_default().schemes.unwrap_or_default();
                Self::Binding(IdentityBinding {
                    meta,
                    pod_labels: schemes.pod_label_selector.map(|s| s.match_labels.unwrap_or_default()),
                    spiffe_ids: schemes.spiffe_identities,
                    // SPEC: S28. Go omits an empty text, so that it is absent; it is not read as `default`, which it would open.
                    service_account: schemes.service_account.filter(|account| !account.is_empty()),
                })
            }
            AnyObject::HttpRouteGroupV1alpha1(o) => group(meta, &o.matches),
            AnyObject::HttpRouteGroupV1alpha2(o) => group(meta, &o.matches),
            AnyObject::HttpRouteGroupV1alpha3(o) => {
                group(meta, o.spec.as_ref().map(|s| s.matches.as_slice()).unwrap_or_default())
            }
            AnyObject::HttpRouteGroupV1alpha4(o) => {
                group(meta, o.spec.as_ref().map(|s| s.matches.as_slice()).unwrap_or_default())
            }
            AnyObject::TcpRouteV1alpha1(_)
            | AnyObject::TcpRouteV1alpha2(_)
            | AnyObject::TcpRouteV1alpha3(_) => ports(meta, Transport::Tcp, None),
            AnyObject::TcpRouteV1alpha4(o) => ports(meta, Transport::Tcp, o.spec.as_ref()),
            AnyObject::UdpRouteV1alpha4(o) => ports(meta, Transport::Udp, o.spec.as_ref()),
            AnyObject::TrafficSplitV1alpha1(o) => Self::Split(split_of_quantities(meta, object, o)?),
            AnyObject::TrafficSplitV1alpha2(o) => {
                let spec = spec_of(&o.spec);
                split_of(meta, &spec.service, &spec.backends, None)
            }
            AnyObject::TrafficSplitV1alpha3(split::v1alpha3::TrafficSplit { spec, .. })
            | AnyObject::TrafficSplitV1alpha4(split::v1alpha4::TrafficSplit { spec, .. }) => {
                let spec = spec_of(spec);
                split_of(meta, &spec.service, &spec.backends, spec.matches.as_deref())
            }
            AnyObject::TrafficMetricsV1alpha1(_) | AnyObject::TrafficMetricsListV1alpha1(_) => {
                return Ok(None);
            }
        }))
    }
}

fn split_of(
    meta: Meta,
    service: &Arc<str>,
    backends: &[split::v1alpha2::Backend],
    matches: Option<&[split::v1alpha3::MatchRef]>,
) -> HubObject {
    let backend =
        |b: &split::v1alpha2::Backend| SplitBackend { service: b.service.clone(), weight: b.weight };
    let match_ref = |m: &split::v1alpha3::MatchRef| MatchRef {
        api_group: m.api_group.clone(),
        kind: m.kind.clone(),
        name: m.name.clone(),
    };
    HubObject::Split(TrafficSplit {
        meta,
        service: service.clone(),
        backends: backends.iter().map(backend).collect(),
        matches: matches.map(|matches| matches.iter().map(match_ref).collect()),
    })
}

/// The object's own, or an empty one.
fn spec_of<S: Clone + Default>(spec: &Option<S>) -> Cow<'_, S> {
    spec.as_ref().map_or_else(Cow::default, Cow::Borrowed)
}

fn meta(object: &AnyObject) -> Result<Meta, Box<Diagnostic>> {
    let info = object.info();
    let ObjectMeta { name, namespace, labels, annotations, creation_timestamp, .. } = object.metadata();
    let written = namespace.clone().filter(|n| !n.is_empty());
    let namespaced = written.is_some();
    let namespace = written.unwrap_or_else(|| "default".into());
    // Metrics are answers, not objects that are stored, and need no name.
    if info.group != "metrics.smi-spec.io" {
        for (field, ok, text) in
            [("name", is_dns_subdomain(name), name), ("namespace", is_dns_label(&namespace), &namespace)]
        {
            if !ok {
                let path = FieldPath::root().fields(&["metadata", field]);
                let message = if text.is_empty() {
                    format!("the {field} is missing")
                } else {
                    format!("`{text}` is not a valid {field}")
                };
                return Err(Box::new(
                    Diagnostic::new(codes::BAD_NAME, &object.object_ref(), path, message).with_help(
                        "use lower-case letters, digits and `-`, with a letter or digit at both ends",
                    ),
                ));
            }
        }
    }
    Ok(Meta {
        name: Namespaced { namespace: Namespace::new(namespace), name: Name::new(name.clone()) },
        namespaced,
        labels: labels.clone(),
        annotations: annotations.clone(),
        created: creation_timestamp.clone(),
        version: info.version,
    })
}

fn with_port(s: &access::SubjectWithPort) -> Subject {
    Subject {
        kind: s.kind.clone(),
        group: None,
        name: s.name.clone(),
        namespace: s.namespace.clone(),
        port: s.port,
    }
}

fn plain(s: &access::Subject) -> Subject {
    Subject {
        kind: s.kind.clone(),
        group: None,
        name: s.name.clone(),
        namespace: s.namespace.clone(),
        port: None,
    }
}

fn with_group(s: &access::SubjectWithGroup) -> Subject {
    Subject {
        kind: s.kind.clone(),
        group: s.group.clone(),
        name: s.name.clone(),
        namespace: s.namespace.clone(),
        port: None,
    }
}

fn rules(rules: &[access::Rule]) -> Vec<Rule> {
    rules
        .iter()
        .map(|r| Rule { kind: r.kind.clone(), name: r.name.clone(), matches: r.matches.clone() })
        .collect()
}

fn group(meta: Meta, matches: &[specs::HttpMatch]) -> HubObject {
    let matches = matches.iter().map(|m| HttpMatch {
        name: m.name.clone(),
        path_regex: m.path_regex.clone(),
        methods: m.methods.clone(),
        headers: m.headers.as_ref().map(|h| h.entries.clone()),
    });
    HubObject::Group(RouteGroup { meta, matches: matches.collect() })
}

fn ports(meta: Meta, transport: Transport, spec: Option<&specs::v1alpha4::PortRouteSpec>) -> HubObject {
    let matches = spec.and_then(|s| s.matches.clone()).unwrap_or_default();
    HubObject::Ports(PortRoute { meta, transport, name: matches.name, ports: matches.ports })
}

fn split_of_quantities(
    meta: Meta,
    object: &AnyObject,
    wire: &split::v1alpha1::TrafficSplit,
) -> Result<TrafficSplit, Box<Diagnostic>> {
    let spec = spec_of(&wire.spec);
    let quantities: Vec<&Quantity> = spec.backends.iter().map(|b| &b.weight).collect();
    let weights = scale(&quantities).map_err(|(place, message)| {
        let path = FieldPath::root().fields(&["spec", "backends"]).index(place).field("weight");
        Box::new(Diagnostic::new(codes::BAD_QUANTITY, &object.object_ref(), path, message))
    })?;
    let backends = spec
        .backends
        .iter()
        .zip(weights)
        .map(|(b, weight)| SplitBackend { service: b.service.clone(), weight });
    Ok(TrafficSplit { meta, service: spec.service.clone(), backends: backends.collect(), matches: None })
}

// SPEC: S4. Whole numbers stay as they are; otherwise all are multiplied by one power of ten and reduced by their gcd.
fn scale(quantities: &[&Quantity]) -> Result<Vec<i64>, (usize, String)> {
    let mut values = Vec::with_capacity(quantities.len());
    for (place, quantity) in quantities.iter().enumerate() {
        let value = quantity.value().ok_or_else(|| (place, format!("`{quantity}` is not a quantity")))?;
        if value.digits < 0 {
            return Err((place, format!("the weight `{quantity}` is negative")));
        }
        values.push(value);
    }
    let lowest = values.iter().map(|v| v.exponent).min().unwrap_or(0).min(0);
    // What has the most decimals is at fault, unless the weight is too large by itself.
    let finest = values.iter().zip(quantities).enumerate().min_by_key(|(_, (value, _))| value.exponent);
    let too_large = |place: usize, quantity: &Quantity| match (finest, values.get(place)) {
        (Some((finest, (_, text))), Some(value)) if lowest < 0 && finest != place && fits(*value) => (
            finest,
            format!(
                "the weight `{text}` is too small beside `{quantity}`, as their ratio does not fit in 32 bits"
            ),
        ),
        _ => (place, format!("the weight `{quantity}` does not fit in 32 bits beside the others")),
    };
    let mut scaled = Vec::with_capacity(values.len());
    for (place, (value, quantity)) in values.iter().zip(quantities).enumerate() {
        let power = u32::try_from(i64::from(value.exponent) - i64::from(lowest)).unwrap_or(u32::MAX);
        let number = if value.digits == 0 {
            Some(0)
        } else {
            10_i128.checked_pow(power).and_then(|p| value.digits.checked_mul(p))
        };
        scaled.push(number.ok_or_else(|| too_large(place, quantity))?);
    }
    let divisor = if lowest < 0 { scaled.iter().copied().fold(0, gcd).max(1) } else { 1 };
    let whole = scaled.iter().zip(quantities).enumerate();
    whole
        .map(|(place, (number, quantity))| {
            u32::try_from(number / divisor).map(i64::from).map_err(|_| too_large(place, quantity))
        })
        .collect()
}

/// Whether a weight fits in 32 bits by itself, decimals aside.
fn fits(Decimal { digits, exponent }: Decimal) -> bool {
    let power = 10_i128.checked_pow(exponent.unsigned_abs());
    let whole = match power {
        Some(power) if exponent < 0 => Some(digits / power),
        Some(power) => digits.checked_mul(power),
        None => (exponent < 0 || digits == 0).then_some(0),
    };
    whole.is_some_and(|whole| u32::try_from(whole).is_ok())
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(texts: &[&str]) -> Result<Vec<i64>, (usize, String)> {
        let quantities: Vec<Quantity> = texts.iter().map(|t| Quantity::new(*t)).collect();
        scale(&quantities.iter().collect::<Vec<_>>())
    }

    #[test]
    fn s4_ratios_are_kept_exactly() {
        assert_eq!(scaled(&["1", "500m"]), Ok(vec![2, 1]));
        assert_eq!(scaled(&["10m", "100m", "1500m"]), Ok(vec![1, 10, 150]));
        assert_eq!(scaled(&["10", "90"]), Ok(vec![10, 90]));
        assert_eq!(scaled(&["1k", "1"]), Ok(vec![1000, 1]));
        assert_eq!(scaled(&["1", "0m"]), Ok(vec![1, 0]));
        let place = |texts: &[&str]| scaled(texts).map_err(|(place, _)| place);
        assert_eq!(place(&["1n", "10G"]), Err(1));
        // One is no weight that is too large.
        assert_eq!(place(&["1", "0.0000000001"]), Err(1));
        assert_eq!(place(&["1e-20", "3", "1e-40"]), Err(2));
        assert!(scaled(&["-1"]).is_err());
        assert!(scaled(&["1e900"]).is_err());
    }
}
