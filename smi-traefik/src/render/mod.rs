//! IR → configuration.
//!
//! Access is decided in the same hop as routing (S30): the leaf that a weighted service picks either serves, refuses (403) or has no
//! pods (503). Traefik takes the first router that fits, SMI any grant that fits (S22): callers are therefore partitioned by what they
//! are granted, and each part gets routers of its own, whose rules are the union of its grants.
//!
//! - `access`: who may do what at which pods · `condition`: matches → rules · `http`, `tcp`, `udp`: routers · `limits`: settings of a port
//! - `service`: leaves and weights
//! - `install`: entry points

mod access;
mod condition;
mod http;
mod install;
mod limits;
mod service;
mod tcp;
mod udp;

use smi_core::backend::{Capabilities, Effect, Feature, Rendered, losses};
use smi_core::diag::{Diagnostic, Report};
use smi_core::ir::{HttpCondition, Ir, ListenerKey, Methods, Protocol, RouteCondition};

use crate::backend::TraefikConfig;
use crate::codes;
use crate::config::Dynamic;
use crate::config::http::{Http, Router};
use crate::name;
use crate::options::TraefikOptions;
use crate::rule::{Matcher, Rule};

pub(crate) fn render(
    ir: &Ir,
    options: &TraefikOptions,
    capabilities: &Capabilities,
) -> Rendered<TraefikConfig> {
    let mut report = Report::new();
    for loss in losses(ir, capabilities) {
        let code = match (loss.feature, loss.effect) {
            (Feature::KeepEncodedBackslashes, _) => codes::BACKSLASH_REFUSED,
            (Feature::CountedPermissive, _) => continue,
            (_, Effect::Ignored) => codes::IGNORED,
            // UDP access has its own words below.
            (_, Effect::Narrows | Effect::WouldWiden | Effect::Approximated(_)) => continue,
        };
        report.push(Diagnostic::new(code, &loss.origin.object, loss.origin.path(), loss.message));
    }
    methods(ir, &mut report);
    let access = access::AccessIndex::new(ir);
    let mut out = Output {
        ir,
        options,
        access,
        http: Http::default(),
        tcp: Default::default(),
        udp: Default::default(),
        report,
    };
    for (name, service) in &ir.services {
        for service_port in &service.ports {
            let port = service_port.port;
            let key = match service_port.protocol {
                Protocol::Http(_) => ListenerKey::Http(port),
                Protocol::Tcp => ListenerKey::Tcp(name.clone(), port),
                Protocol::Udp => ListenerKey::Udp(name.clone(), port),
            };
            let Some(listen) = ir.listeners.entries.get(&key) else {
                let message = format!("port {port} has no listen port and is not served");
                out.report.push(Diagnostic::new(
                    codes::NOT_RENDERED,
                    &service.origin.object,
                    service.origin.path(),
                    message,
                ));
                continue;
            };
            let at = At {
                name,
                service,
                number: port,
                port: service_port,
                entry_point: name::entry_point(&key, *listen),
            };
            match service_port.protocol {
                Protocol::Http(_) => out.http_port(&at),
                Protocol::Tcp => out.tcp_port(&at),
                Protocol::Udp => out.udp_port(&at),
            }
        }
    }
    out.finish()
}

/// Says which methods Traefik cannot ask for.
fn methods(ir: &Ir, report: &mut Report) {
    let granted = ir.grants.values().filter_map(|g| match &g.http.as_ref()?.condition {
        HttpCondition::Any => None,
        HttpCondition::AnyOf(matches) => Some(matches),
    });
    let ports = ir.services.values().flat_map(|s| &s.ports);
    let routed = ports.flat_map(|p| &p.routes).filter_map(|route| match &route.condition {
        RouteCondition::Everything => None,
        RouteCondition::AnyOf(matches) => Some(matches),
    });
    for m in granted.chain(routed).flatten() {
        let Methods::Only(methods) = &m.methods else { continue };
        for method in methods.iter().filter(|m| !condition::is_askable(m)) {
            let path = m.origin.path().field("methods");
            let message = format!("Traefik cannot match the method `{method}`, so it is left out");
            report.push(Diagnostic::new(codes::METHOD_LOWER_CASE, &m.origin.object, path, message));
        }
    }
}

/// One service port.
struct At<'a> {
    name: &'a smi_core::hub::names::Namespaced,
    service: &'a smi_core::ir::Service,
    number: smi_core::hub::names::Port,
    port: &'a smi_core::ir::ServicePort,
    entry_point: String,
}

/// What is being built.
struct Output<'a> {
    ir: &'a Ir,
    options: &'a TraefikOptions,
    access: access::AccessIndex<'a>,
    http: Http,
    tcp: crate::config::l4::Tcp,
    udp: crate::config::l4::Udp,
    report: Report,
}

impl Output<'_> {
    fn finish(self) -> Rendered<TraefikConfig> {
        let Self { ir, options, mut http, tcp, udp, mut report, .. } = self;
        let ready = |rule: Rule, service: &str, priority| Router {
            entry_points: vec![name::READY.into()],
            rule: rule.to_string(),
            priority,
            middlewares: Vec::new(),
            parent_refs: Vec::new(),
            service: Some(service.into()),
        };
        http.routers
            .insert("smi~ready".into(), ready(Rule::one(Matcher::Path, "/ready"), "ping@internal", 10));
        if options.api {
            http.routers
                .insert("smi~api".into(), ready(Rule::one(Matcher::PathPrefix, "/api"), "api@internal", 30));
        }
        let mut dynamic = Dynamic {
            http: Some(http),
            tcp: (!tcp.routers.is_empty()).then_some(tcp),
            udp: (!udp.routers.is_empty()).then_some(udp),
        };
        let hash = hash(&serde_json::to_string(&dynamic).unwrap_or_default());
        if let Some(http) = &mut dynamic.http {
            let marker = Rule::one(Matcher::Path, format!("/config/{hash}"));
            http.routers.insert("smi~marker".into(), ready(marker, "ping@internal", 20));
        }
        report.sort();
        let install = install::install(ir, options);
        debug_assert_eq!(crate::check::check(&dynamic, &install), []);
        Rendered { output: TraefikConfig { dynamic, install, hash }, report }
    }
}

/// FNV-1a with 128 bits: tells configurations apart, promises nothing else.
fn hash(text: &str) -> String {
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in text.bytes() {
        hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    format!("{hash:032x}")
}
