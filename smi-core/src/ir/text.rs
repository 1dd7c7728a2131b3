//! Stable text form of an IR, for people and snapshots.
//!
//! Shape: one section per part, one line per unit, children indented, origins in brackets. The form may grow; it does not reorder.

use std::fmt::{self, Write as _};

use super::pattern::Lowered;
use super::{
    AllowedPorts, HttpCondition, HttpMatch, Ir, Methods, Mode, Pattern, Principal, Protocol, RouteCondition,
    Scheme, TrafficPolicy,
};

impl fmt::Display for Ir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "settings")?;
        writeln!(f, "  trust domain {}", self.settings.trust_domain)?;
        writeln!(f, "  mesh domains {}", self.settings.mesh_domains.join(", "))?;
        section(f, "listeners", self.listeners.entries.is_empty())?;
        for (key, port) in &self.listeners.entries {
            writeln!(f, "  {port} {key}")?;
        }
        section(f, "services", self.services.is_empty())?;
        for (name, service) in &self.services {
            let addresses: Vec<String> = service.addresses.iter().map(ToString::to_string).collect();
            let at =
                if addresses.is_empty() { String::new() } else { format!(" at {}", addresses.join(", ")) };
            writeln!(f, "  {name} {}{at}", mode(service.mode))?;
            for port in &service.ports {
                let number = port.port;
                writeln!(f, "    port {number} {} by {}", protocol(port.protocol), decided(port.decided_by))?;
                policy(f, &port.policy)?;
                for route in &port.routes {
                    write!(f, "      route [{}]", route.origin)?;
                    match &route.condition {
                        RouteCondition::Everything => writeln!(f, " everything")?,
                        RouteCondition::AnyOf(matches) => {
                            writeln!(f, " any of")?;
                            for m in matches {
                                writeln!(f, "        {} [{}]", match_text(m), m.origin)?;
                            }
                        }
                    }
                    for target in &route.targets {
                        writeln!(f, "        {} × {} [{}]", target.weight, target.pool, target.origin)?;
                    }
                }
            }
        }
        section(f, "pools", self.pools.is_empty())?;
        for (key, pool) in &self.pools {
            writeln!(f, "  {key}")?;
            for e in &pool.endpoints {
                let ready = if e.ready { "ready" } else { "not ready" };
                let pod = e.pod.as_ref().map_or_else(|| "no known pod".to_owned(), ToString::to_string);
                writeln!(f, "    {} {ready} {pod}", e.socket())?;
            }
            for (workload, port) in &pool.templates {
                writeln!(f, "    template {workload} port {port}")?;
            }
        }
        section(f, "workloads", self.workloads.is_empty())?;
        for (id, workload) in &self.workloads {
            writeln!(f, "  {id} {}", mode(workload.mode))?;
            for grant in &workload.grants {
                writeln!(f, "    grant {grant}")?;
            }
            for probe in &workload.probes {
                writeln!(f, "    probe {} {}", probe.port, probe.path.as_deref().unwrap_or("(tcp)"))?;
            }
        }
        section(f, "grants", self.grants.is_empty())?;
        for (name, grant) in &self.grants {
            writeln!(f, "  {name} [{}]", grant.origin)?;
            for source in &grant.sources {
                writeln!(f, "    from {} [{}]", principal(&source.principal), source.origin.path())?;
            }
            if let Some(http) = &grant.http {
                write!(f, "    http on {}", ports(&http.ports))?;
                match &http.condition {
                    HttpCondition::Any => writeln!(f, ": any request")?,
                    HttpCondition::AnyOf(matches) => {
                        writeln!(f, ": any of")?;
                        for m in matches {
                            writeln!(f, "      {} [{}]", match_text(m), m.origin)?;
                        }
                    }
                }
            }
            if let Some(tcp) = &grant.tcp {
                writeln!(f, "    tcp on {}", ports(tcp))?;
            }
            if let Some(udp) = &grant.udp {
                writeln!(f, "    udp on {}", ports(udp))?;
            }
        }
        section(f, "callers", self.callers.is_empty())?;
        for (address, pod) in &self.callers {
            let workload = self.pods.get(pod).map(|p| p.workload.to_string()).unwrap_or_default();
            writeln!(f, "  {address} {pod} of {workload}")?;
            for probe in self.pods.get(pod).into_iter().flat_map(|p| p.probes.iter()) {
                writeln!(f, "    probe {} {}", probe.port, probe.path.as_deref().unwrap_or("(tcp)"))?;
            }
        }
        Ok(())
    }
}

fn section(f: &mut fmt::Formatter<'_>, name: &str, empty: bool) -> fmt::Result {
    if empty { writeln!(f, "{name}: none") } else { writeln!(f, "{name}") }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Permissive => "permissive",
    }
}

/// `http`, `h2c`, `https`, `tcp`, `udp`.
#[must_use]
pub fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http(Scheme::Http) => "http",
        Protocol::Http(Scheme::H2c) => "h2c",
        Protocol::Http(Scheme::Https) => "https",
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

/// What decided a protocol, in words.
#[must_use]
pub fn decided(source: super::ProtocolSource) -> &'static str {
    match source {
        super::ProtocolSource::Annotation => "annotation",
        super::ProtocolSource::AppProtocol => "appProtocol",
        super::ProtocolSource::PortName => "port name",
        super::ProtocolSource::Transport => "transport",
        super::ProtocolSource::Default => "default",
    }
}

fn ports(ports: &AllowedPorts) -> String {
    match ports {
        AllowedPorts::All => "all ports".into(),
        AllowedPorts::Only(ports) if ports.is_empty() => "no port".into(),
        AllowedPorts::Only(ports) => ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn principal(principal: &Principal) -> String {
    match principal {
        Principal::Identity(id) => id.to_string(),
        Principal::Binding(name) => format!("pods of IdentityBinding {name}"),
    }
}

fn pattern(p: &Pattern) -> String {
    match p.lowered() {
        Lowered::Any => "any".into(),
        Lowered::Exact(text) => format!("= {text:?}"),
        Lowered::Prefix(text) => format!("starts with {text:?}"),
        Lowered::Regex(text) => format!("~ {text:?}"),
    }
}

/// A match in words.
#[must_use]
pub fn match_text(m: &HttpMatch) -> String {
    let mut out = String::new();
    if let Some(path) = &m.path {
        let _ = write!(out, "path {}", pattern(path));
    }
    if let Methods::Only(methods) = &m.methods {
        let list: Vec<&str> = methods.iter().map(|m| &**m).collect();
        let _ = write!(out, "{}method {}", if out.is_empty() { "" } else { " and " }, list.join("|"));
    }
    for header in &m.headers {
        let _ = write!(
            out,
            "{}header {} {}",
            if out.is_empty() { "" } else { " and " },
            header.name,
            pattern(&header.value)
        );
    }
    if out.is_empty() { "everything".into() } else { out }
}

fn policy(f: &mut fmt::Formatter<'_>, policy: &TrafficPolicy) -> fmt::Result {
    if let Some((retry, origin)) = &policy.retry {
        writeln!(f, "      retry {} tries [{origin}]", retry.attempts)?;
    }
    if let Some((ms, origin)) = &policy.timeout_ms {
        writeln!(f, "      timeout {ms} ms [{origin}]")?;
    }
    if let Some((expr, origin)) = &policy.circuit_breaker {
        writeln!(f, "      circuit breaker {expr} [{origin}]")?;
    }
    if let Some((limit, origin)) = &policy.rate_limit {
        writeln!(f, "      rate limit {}/s, burst {} [{origin}]", limit.average, limit.burst)?;
    }
    if let Some((most, origin)) = &policy.max_in_flight {
        writeln!(f, "      at most {most} in flight [{origin}]")?;
    }
    if let Some((mirror, origin)) = &policy.mirror {
        writeln!(f, "      mirror {}% to {} [{origin}]", mirror.percent, mirror.pool)?;
    }
    Ok(())
}
