//! Calls that often hit something in a given IR.
//!
//! Shape: a [`Draft`] holds choices that do not depend on the world; [`Draft::request`] aims it at an IR: at its services, ports, callers
//! and the values that its patterns name. So worlds and requests are drawn, and shrink, apart from each other.

use std::net::IpAddr;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any};
use proptest::prop_oneof;
use proptest::sample::{Index, select};

use super::vocabulary::{APPS, LINES, METHODS, TARGETS};
use crate::eval::{Caller, HttpRequest, Payload, Request};
use crate::hub::names::{Namespaced, Port};
use crate::ir::pattern::Lowered;
use crate::ir::{HttpCondition, HttpMatch, Ir, Methods, Pattern, Protocol, RouteCondition};

/// A request before it is aimed.
#[derive(Clone, Debug)]
pub struct Draft {
    caller: CallerDraft,
    service: Index,
    port: Index,
    stray: Option<Stray>,
    host: Host,
    method: &'static str,
    target: &'static str,
    lines: Vec<(&'static str, &'static str)>,
    /// Fit this match of the IR.
    aim: Option<Index>,
}

#[derive(Clone, Debug)]
enum CallerDraft {
    Address(Index),
    Identity(Index),
    Pod(Index),
    Unknown,
    Nobody,
}

/// Asks for something that is not there.
#[derive(Clone, Copy, Debug)]
enum Stray {
    Service,
    Port,
    Protocol,
}

#[derive(Clone, Copy, Debug)]
enum Host {
    Plain,
    Upper,
    WithPort,
    WithDot,
}

/// Any draft.
pub fn draft() -> BoxedStrategy<Draft> {
    let caller = prop_oneof![
        10 => any::<Index>().prop_map(CallerDraft::Address),
        3 => any::<Index>().prop_map(CallerDraft::Identity),
        3 => any::<Index>().prop_map(CallerDraft::Pod),
        1 => Just(CallerDraft::Unknown),
        1 => Just(CallerDraft::Nobody),
    ];
    drafts(caller.boxed())
}

/// A draft whose caller is known by address only, as node proxies know callers (S29).
pub fn draft_by_address() -> BoxedStrategy<Draft> {
    let caller =
        prop_oneof![14 => any::<Index>().prop_map(CallerDraft::Address), 1 => Just(CallerDraft::Unknown)];
    drafts(caller.boxed())
}

fn drafts(caller: BoxedStrategy<CallerDraft>) -> BoxedStrategy<Draft> {
    let stray = prop_oneof![
        20 => Just(None),
        1 => Just(Some(Stray::Service)),
        1 => Just(Some(Stray::Port)),
        1 => Just(Some(Stray::Protocol)),
    ];
    let host = prop_oneof![
        6 => Just(Host::Plain),
        1 => Just(Host::Upper),
        1 => Just(Host::WithPort),
        1 => Just(Host::WithDot),
    ];
    let aim = prop_oneof![2 => any::<Index>().prop_map(Some), 1 => Just(None)];
    (
        caller,
        (any::<Index>(), any::<Index>()),
        stray,
        host,
        (select(&METHODS[..]), select(&TARGETS[..]), vec(select(&LINES[..]), 0..3)),
        aim,
    )
        .prop_map(|(caller, (service, port), stray, host, (method, target, lines), aim)| Draft {
            caller,
            service,
            port,
            stray,
            host,
            method,
            target,
            lines,
            aim,
        })
        .boxed()
}

fn pick<T>(mut list: impl ExactSizeIterator<Item = T>, index: &Index) -> Option<T> {
    let length = list.len();
    (length > 0).then(|| list.nth(index.index(length))).flatten()
}

impl Draft {
    /// The request, aimed at an IR.
    #[must_use]
    pub fn request(&self, ir: &Ir) -> Request {
        Request { caller: self.caller(ir), payload: self.payload(ir) }
    }

    fn caller(&self, ir: &Ir) -> Caller {
        match &self.caller {
            CallerDraft::Address(index) => pick(ir.callers.keys(), index).copied().map(Caller::Address),
            CallerDraft::Identity(index) => {
                pick(ir.workloads.keys(), index).map(|workload| Caller::Identity(ir.identity(workload)))
            }
            CallerDraft::Pod(index) => pick(ir.pods.keys(), index).cloned().map(Caller::Pod),
            CallerDraft::Unknown => Some(Caller::Address(IpAddr::from([127, 9, 9, 9]))),
            CallerDraft::Nobody => None,
        }
        .unwrap_or(Caller::Nobody)
    }

    fn payload(&self, ir: &Ir) -> Payload {
        let found = pick(ir.services.iter(), &self.service);
        let mut name = found.map_or_else(|| Namespaced::new("a", "v1"), |(name, _)| name.clone());
        let port = found.and_then(|(_, service)| pick(service.ports.iter(), &self.port));
        let mut protocol = port.map_or(Protocol::Tcp, |port| port.protocol);
        let mut number = port.map(|port| port.port).or_else(|| Port::new(80));
        match self.stray {
            None => {}
            Some(Stray::Service) => name = Namespaced::new("a", "nothing"),
            Some(Stray::Port) => number = Port::new(4711),
            Some(Stray::Protocol) => {
                protocol = match protocol {
                    Protocol::Http(_) => Protocol::Tcp,
                    Protocol::Tcp => Protocol::Udp,
                    Protocol::Udp => Protocol::Http(crate::ir::Scheme::Http),
                }
            }
        }
        let port = number.unwrap_or(Port::MAX);
        match protocol {
            Protocol::Tcp => Payload::Tcp { service: name, port },
            Protocol::Udp => Payload::Udp { service: name, port },
            Protocol::Http(_) => Payload::Http(self.http(ir, &name, port)),
        }
    }

    fn http(&self, ir: &Ir, service: &Namespaced, port: Port) -> HttpRequest {
        let domain = ir.settings.mesh_domains.first().map_or("mesh", |d| &**d);
        let host = format!("{}.{}.{domain}", service.name, service.namespace);
        let host = match self.host {
            Host::Plain => host,
            Host::Upper => host.to_ascii_uppercase(),
            Host::WithPort => format!("{host}:{port}"),
            Host::WithDot => format!("{host}."),
        };
        let mut out = HttpRequest {
            port,
            host,
            method: self.method.to_owned(),
            target: self.target.to_owned(),
            headers: self.lines.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        };
        let all = matches(ir);
        if let Some(m) = self.aim.as_ref().and_then(|index| pick(all.iter(), index)) {
            aim(&mut out, m);
        }
        out
    }
}

/// Every match of the IR.
fn matches(ir: &Ir) -> Vec<&Arc<HttpMatch>> {
    let ports = ir.services.values().flat_map(|s| &s.ports);
    let of_routes = ports.flat_map(|p| &p.routes).flat_map(|r| match &r.condition {
        RouteCondition::Everything => &[][..],
        RouteCondition::AnyOf(matches) => matches.as_slice(),
    });
    let of_grants = ir.grants.values().flat_map(|g| match g.http.as_ref().map(|h| &h.condition) {
        Some(HttpCondition::AnyOf(matches)) => matches.as_slice(),
        Some(HttpCondition::Any) | None => &[][..],
    });
    of_routes.chain(of_grants).collect()
}

fn aim(request: &mut HttpRequest, m: &HttpMatch) {
    if let Methods::Only(methods) = &m.methods
        && let Some(method) = methods.first()
    {
        request.method = method.to_string();
    }
    if let Some(text) = m.path.as_ref().and_then(sample).filter(|text| text.starts_with('/')) {
        request.target = text;
    }
    for header in m.headers.iter().filter(|h| &*h.name != "host") {
        if let Some(value) = sample(&header.value) {
            request.headers.push((header.name.to_string(), value));
        }
    }
}

/// A value that fits a pattern, where one is easily found.
fn sample(pattern: &Pattern) -> Option<String> {
    match pattern.lowered() {
        Lowered::Any => Some(String::new()),
        Lowered::Exact(text) | Lowered::Prefix(text) => Some(text.to_string()),
        Lowered::Regex(_) => {
            let values = LINES.iter().map(|(_, value)| value.trim()).chain(TARGETS);
            values.into_iter().find(|value| pattern.is_match(value.as_bytes())).map(str::to_owned)
        }
    }
}

/// An HTTP request of a caller known by address, drawn without looking at the world. Its target is one that every proxy refuses, or takes,
/// before it looks at the host.
pub fn in_any_world() -> BoxedStrategy<Request> {
    let known = select(&APPS[..]).prop_map(|(namespace, name)| format!("{name}.{namespace}.mesh"));
    let host = (known, select(&["", ":80", "."][..]), any::<bool>()).prop_map(|(host, end, upper)| {
        let host = if upper { host.to_ascii_uppercase() } else { host };
        format!("{host}{end}")
    });
    let host = prop_oneof![19 => host, 1 => Just("nothing.a.mesh".to_owned())];
    let caller = prop_oneof![
        12 => (0..APPS.len(), 1_u8..4).prop_map(|(app, pod)| (u8::try_from(app).unwrap_or(0), pod)),
        1 => Just((99, 1)),
    ];
    let port = prop_oneof![9 => Just(80_u16), 1 => Just(81)];
    (caller, host, port, select(&METHODS[..]), select(&TARGETS[..24]), vec(select(&LINES[..]), 0..3))
        .prop_map(|((app, pod), host, port, method, target, lines)| {
            let http = HttpRequest {
                port: Port::new(port).unwrap_or(Port::MAX),
                host,
                method: method.into(),
                target: target.into(),
                headers: lines.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
            };
            Request {
                caller: Caller::Address(IpAddr::from([127, 1, app, pod])),
                payload: Payload::Http(http),
            }
        })
        .boxed()
}
