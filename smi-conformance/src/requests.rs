//! Requests from a seed: plain ones that often hit something, and attempts to get past the policy.
//!
//! Shape: an attempt starts from a plain request and disguises it. The reference decides the disguise for what it is, so whoever is
//! fooled differs from it. Attempts are counted by [`Attempt::name`].

use std::net::{IpAddr, Ipv4Addr};

use smi_core::eval::{Caller, Decision, HttpRequest, Outcome, Payload, Request, eval};
use smi_core::hub::names::{Namespaced, Port};
use smi_core::ir::{Ir, Protocol};
use smi_core::testing::random::Random;

use crate::call::Way;
use crate::random::one_of;

pub(crate) const TARGETS: &[&str] = &[
    "/items",
    "/items/7",
    "/items/7/8",
    "/itemsx",
    "/v1/x",
    "/v2/",
    "/v3/x",
    "/a",
    "/bc",
    "/x",
    "/xy",
    "/api",
    "/api/x",
    "/apix",
    "/q%3Fz",
    "/q%3fz/1",
    "/c.d",
    "/cxd",
    "/one/x",
    "/two/x/y",
    "/%60",
    "/%22q",
    "/p%7Cq",
    "/and&&x",
    "/CASE",
    "/case",
    "/42",
    "/4x",
    "/tail/1",
    "/",
    "/%78",
    "/x?y=/items",
    "/items?z",
    "/%zz",
    "/items/%",
    "/%00",
];

const METHODS: &[&str] = &["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"];

const VALUES: &[(&str, &str)] = &[
    ("x-user", "beta"),
    ("X-User", "alice"),
    ("x-user", "ab"),
    ("x-user", "abc"),
    ("x-team", "t-12"),
    ("x-team", "t-x"),
    ("x-empty", ""),
    ("X-EMPTY", "v"),
    ("x-request-id", "t-12"),
    ("x-user", "a, ab"),
    ("Cookie", "a=1; beta=1"),
    ("Cookie", "beta=1"),
    ("cookie", "a=1"),
];

/// A way to get past a policy that reads requests carelessly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attempt {
    /// Headers that claim another address or certificate.
    ForgedAddress,
    /// `/allowed/../refused`.
    DotSegments,
    /// `/allowed%2f..%2frefused`, backslashes, and both in segments that dot segments remove.
    EncodedSlashes,
    /// `//refused`.
    DuplicateSlashes,
    /// The same header on several lines, lists, and names that alias another.
    RepeatedHeaders,
    /// Another case, port or ending of the host.
    HostVariants,
    /// An offer to switch to HTTP/2, and what is asked then is asked past the proxy.
    Smuggling,
    /// To the pod itself, in some way.
    Direct(Way),
    /// To the pod itself, with the certificate of another pod.
    AnothersCertificate,
}

impl Attempt {
    /// Disguises of a request, which any proxy may be asked.
    pub const DISGUISES: [Self; 7] = [
        Self::ForgedAddress,
        Self::DotSegments,
        Self::EncodedSlashes,
        Self::DuplicateSlashes,
        Self::RepeatedHeaders,
        Self::HostVariants,
        Self::Smuggling,
    ];

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::DISGUISES.into_iter().chain(Way::ALL.map(Self::Direct)).chain([Self::AnothersCertificate])
    }

    /// In a few words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ForgedAddress => "forged address",
            Self::DotSegments => "dot segments",
            Self::EncodedSlashes => "encoded slashes",
            Self::DuplicateSlashes => "duplicate slashes",
            Self::RepeatedHeaders => "repeated headers",
            Self::HostVariants => "host variants",
            Self::Smuggling => "h2c smuggling",
            Self::Direct(Way::Certificate) => "direct, around the split",
            Self::Direct(Way::Clear) => "direct, in clear",
            Self::Direct(Way::NoCertificate) => "direct, without certificate",
            Self::Direct(Way::OtherAuthority) => "direct, forged by another authority",
            Self::Direct(Way::OtherDomain) => "direct, of another trust domain",
            Self::Direct(Way::SignedByItself) => "direct, forged by a certificate",
            Self::Direct(Way::NoProtocol) => "direct, without ALPN",
            Self::Direct(Way::OtherPort) => "direct, SNI of another port",
            Self::Direct(Way::NoName) => "direct, without SNI",
            Self::AnothersCertificate => "direct, another's certificate",
        }
    }
}

/// A request that often hits something, and what it attempts.
pub fn request(random: &mut Random, ir: &Ir) -> (Request, Option<Attempt>) {
    let plain = plain(random, ir);
    if !matches!(plain.payload, Payload::Http(_)) || !random.chance(40) {
        return (plain, None);
    }
    let attempt = *one_of(random, &Attempt::DISGUISES);
    (disguise(random, ir, plain, attempt), Some(attempt))
}

fn plain(random: &mut Random, ir: &Ir) -> Request {
    let addresses: Vec<IpAddr> = ir.pods.values().flat_map(|p| p.addresses.iter().copied()).collect();
    let caller = if addresses.is_empty() || random.chance(7) {
        Caller::Nobody
    } else {
        Caller::Address(*one_of(random, &addresses))
    };
    let names: Vec<&Namespaced> = ir.services.keys().collect();
    let fallback = Namespaced::new("a", "gone");
    let service = if names.is_empty() || random.chance(2) { &fallback } else { *one_of(random, &names) };
    let ports: Vec<(Port, Protocol)> = ir
        .services
        .get(service)
        .into_iter()
        .flat_map(|s| s.ports.iter().map(|p| (p.port, p.protocol)))
        .collect();
    let opaque: Vec<_> = ports.iter().filter(|(_, p)| !matches!(p, Protocol::Http(_))).collect();
    if !opaque.is_empty() && random.chance(22) {
        let (port, protocol) = **one_of(random, &opaque);
        let service = service.clone();
        let udp = protocol == Protocol::Udp;
        let payload = if udp { Payload::Udp { service, port } } else { Payload::Tcp { service, port } };
        return Request { caller, payload };
    }
    let mut http: Vec<Port> =
        ports.iter().filter(|(_, p)| matches!(p, Protocol::Http(_))).map(|(n, _)| *n).collect();
    if http.is_empty() {
        http.extend(Port::new(80));
    }
    let domains = &ir.settings.mesh_domains;
    let domain = if domains.is_empty() || random.chance(2) { "nowhere" } else { one_of(random, domains) };
    let method =
        if random.chance(3) { *one_of(random, &["get", "FOO", "TRACE"]) } else { *one_of(random, METHODS) };
    let http = HttpRequest {
        port: *one_of(random, &http),
        host: format!("{}.{}.{domain}", service.name, service.namespace),
        method: method.to_owned(),
        target: (*one_of(random, TARGETS)).to_owned(),
        headers: headers(random),
    };
    Request { caller, payload: Payload::Http(http) }
}

fn headers(random: &mut Random) -> Vec<(String, String)> {
    let mut out = Vec::new();
    while random.chance(35) && out.len() < 3 {
        let (name, value) = one_of(random, VALUES);
        out.push(((*name).to_owned(), (*value).to_owned()));
    }
    out
}

fn disguise(random: &mut Random, ir: &Ir, mut request: Request, attempt: Attempt) -> Request {
    // Somebody who may, and a path on which this caller may.
    let friend =
        ir.callers.keys().copied().find(|a| serves(ir, &request, |r| r.caller = Caller::Address(*a)));
    let open = TARGETS.iter().find(|t| {
        !t.contains(['?', '%'])
            && serves(ir, &request, |r| {
                if let Payload::Http(http) = &mut r.payload {
                    http.target = (**t).to_owned();
                }
            })
    });
    let Payload::Http(http) = &mut request.payload else { return request };
    match attempt {
        Attempt::ForgedAddress => {
            let claimed = friend.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
            let (name, value) = one_of(
                random,
                &[
                    ("X-Forwarded-For", "{}"),
                    ("x-forwarded-for", "{}, 203.0.113.7"),
                    ("X-Real-Ip", "{}"),
                    ("Forwarded", "for={}"),
                    ("X-Envoy-External-Address", "{}"),
                    ("True-Client-Ip", "{}"),
                    ("X_Forwarded_For", "{}"),
                    (
                        "X-Forwarded-Client-Cert",
                        "By=spiffe://cluster.local/ns/a/sa/web;URI=spiffe://cluster.local/ns/a/sa/v1",
                    ),
                ],
            );
            http.headers.push(((*name).to_owned(), value.replace("{}", &claimed.to_string())));
        }
        Attempt::DotSegments => {
            let open = open.unwrap_or(&"/api");
            let up = *one_of(random, &["..", "%2e%2e", ".%2E", "%2e."]);
            let depth = open.matches('/').count();
            let ups = vec![up; depth].join("/");
            http.target = match random.below(6) {
                0 => format!("{open}/{ups}/../..{}", http.target),
                3 => format!("{open}/x/y/{up}"),
                1 => format!("/.{}", http.target),
                2 => format!("{}/.", http.target.split('?').next().unwrap_or_default()),
                _ => format!("{open}/{ups}{}", http.target),
            };
        }
        Attempt::EncodedSlashes => {
            let open = open.unwrap_or(&"/api");
            let slash = *one_of(random, &["%2f", "%2F", "%5c", "%5C", "\\", "%252f", "%c0%af", "|%2f"]);
            http.target = match random.below(5) {
                0 | 1 => format!("{open}{slash}..{}", http.target),
                // In a segment that goes.
                2 => format!("{open}{slash}x/..{}", http.target),
                3 => http.target.replacen('/', &format!("/{slash}"), 1),
                _ => http.target.replacen('/', &format!("/.{slash}"), 1),
            };
        }
        Attempt::DuplicateSlashes => {
            http.target = match random.below(4) {
                0 => format!("/{}", http.target),
                1 => format!("///{}", http.target),
                _ => http.target.replace('/', "//"),
            };
        }
        Attempt::RepeatedHeaders => {
            let (name, value) = *one_of(random, VALUES);
            let (_, second) = *one_of(random, VALUES);
            match random.below(5) {
                0 => http.headers.push((name.into(), format!("{value},{second}"))),
                1 => http.headers.push((name.replace('-', "_"), value.into())),
                2 => http
                    .headers
                    .extend([(name.into(), format!(" \t{value}\t ")), (name.to_uppercase(), second.into())]),
                3 => http.headers.extend([
                    (name.into(), second.into()),
                    (name.into(), value.into()),
                    (name.into(), "z".into()),
                ]),
                _ => http.headers.extend([(name.into(), value.into()), (name.to_uppercase(), second.into())]),
            }
        }
        Attempt::HostVariants => {
            http.host = match random.below(9) {
                0 => format!("{}.", http.host),
                1 => http.host.to_uppercase(),
                2 => format!("{}:8080", http.host),
                3 => format!("x{}", http.host),
                4 => http.host.rsplit_once('.').map(|(host, _)| host.to_owned()).unwrap_or_default(),
                5 => format!("{}.:80", http.host),
                6 => format!("{}:", http.host),
                7 => format!("{}.x", http.host),
                _ => format!(".{}", http.host),
            };
        }
        Attempt::Direct(_) | Attempt::AnothersCertificate => {}
        Attempt::Smuggling => {
            let mut more = vec![
                ("Connection", "Upgrade, HTTP2-Settings"),
                ("Upgrade", "h2c"),
                ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"),
            ];
            match random.below(4) {
                0 => more[0].1 = "Upgrade",
                1 => more[1].1 = "h2c, websocket",
                2 => more[1].1 = "H2C",
                _ => {}
            }
            http.headers.extend(more.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())));
        }
    }
    request
}

fn serves(ir: &Ir, request: &Request, change: impl FnOnce(&mut Request)) -> bool {
    let mut request = request.clone();
    change(&mut request);
    match eval(ir, &request) {
        Decision::Refused(_) => false,
        decision @ Decision::Routed(_) => {
            decision.distribution().iter().any(|(o, _)| matches!(o, Outcome::Served(..)))
        }
    }
}
