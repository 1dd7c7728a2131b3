//! The case format: what goes in, and how requests are decided.
//!
//! Shape: a folder with `input.yaml`, and optionally `requests.txt` and `options.txt`. A line of `requests.txt` is
//! `GET cart.shop.mesh:80 /items from 10.0.0.1 x-user=beta -> 1/1 shop/cart:80 at shop/cart`, or
//! `TCP shop/db:5432 from nobody -> 1/1 forbidden`, or the same with `UDP`. The number after a host is the service port whose listener
//! is asked, so a host with a port of its own has two. Callers are addresses, `nobody`, or `pod:namespace/name`; header values with
//! spaces are quoted as in JSON. A caller may be a certificate's name (`spiffe://…`). After it, ` at 10.0.1.1:8080 by 10.0.0.1 as clear`
//! means a call to a pod itself, from this address, in one of the ways of [`Way`]. A line of `options.txt` is one option of the compiler ([`options_of`]).
//! Absent: required capabilities. They follow from what a request meets ([`requires`]), so no case can get them wrong.
//! Faults: a line that cannot be read is an error with its text; nothing is passed over.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use smi_core::backend::{Capabilities, Feature};
use smi_core::cluster::PodId;
use smi_core::compile::{AllowProbes, CompileOptions, DeadBackends, DefaultProtocol, MeshMode};
use smi_core::eval::{Caller, Decision, HttpRequest, Payload, Request};
use smi_core::hub::names::{Port, SpiffeId, Transport};
use smi_core::ir::{EncodedSlashes, Ir, Mode, Principal, Protocol, RouteCondition, Scheme};

use crate::call::{Call, Direct, Way};

/// A case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its folder, or a name.
    pub name: String,
    /// `input.yaml`.
    pub input: String,
    /// `options.txt`.
    pub options: CompileOptions,
    /// `requests.txt`.
    pub requests: Vec<Expected>,
}

/// A request and how it is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The line.
    pub line: String,
    /// The call.
    pub call: Call,
    /// The distribution over outcomes, as text.
    pub decision: String,
}

impl Case {
    /// Reads a folder.
    ///
    /// # Errors
    /// When a file cannot be read or understood.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let optional = |name: &str| match std::fs::read_to_string(folder.join(name)) {
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            other => other.with_context(|| format!("{}/{name}", folder.display())),
        };
        let input = std::fs::read_to_string(folder.join("input.yaml"))
            .with_context(|| format!("{}/input.yaml", folder.display()))?;
        let read = || -> anyhow::Result<_> {
            Ok((options_of(&optional("options.txt")?)?, requests_of(&optional("requests.txt")?)?))
        };
        let (options, requests) = read().with_context(|| folder.display().to_string())?;
        Ok(Self { name: folder.display().to_string(), input, options, requests })
    }

    /// Writes a folder, as [`Case::read`] reads it.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("input.yaml"), &self.input)?;
        let mut text = String::new();
        for expected in &self.requests {
            writeln!(text, "{}", expected.line)?;
        }
        std::fs::write(folder.join("requests.txt"), text)?;
        let options = options_text(&self.options);
        if !options.is_empty() {
            std::fs::write(folder.join("options.txt"), options)?;
        }
        Ok(())
    }
}

impl Expected {
    /// A call with its decision.
    #[must_use]
    pub fn new(call: Call, decision: String) -> Self {
        Self { line: format!("{} -> {decision}", call_text(&call)), call, decision }
    }
}

/// All folders two levels below `root` that hold a case, sorted.
///
/// # Errors
/// When a folder cannot be read.
pub fn find(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let below = |folder: &Path| -> anyhow::Result<Vec<PathBuf>> {
        let mut out = Vec::new();
        for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                out.push(path);
            }
        }
        out.sort();
        Ok(out)
    };
    let mut out = Vec::new();
    for area in below(root)? {
        out.extend(below(&area)?.into_iter().filter(|f| f.join("input.yaml").is_file()));
    }
    Ok(out)
}

/// Requests and decisions, one per line; empty lines and lines with `#` are passed over.
///
/// # Errors
/// When a line is neither.
pub fn requests_of(text: &str) -> anyhow::Result<Vec<Expected>> {
    let lines = text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#'));
    let read = |line: &str| {
        let (left, decision) = line.rsplit_once(" -> ").context("no ` -> `")?;
        Ok(Expected { line: line.to_owned(), call: call_of(left)?, decision: decision.to_owned() })
    };
    lines.map(|line| read(line).map_err(|e: anyhow::Error| e.context(format!("`{line}`")))).collect()
}

/// A call as its line says it.
///
/// # Errors
/// When it cannot be understood.
pub fn call_of(text: &str) -> anyhow::Result<Call> {
    let (what, rest) = text.split_once(" from ").context("no ` from `")?;
    let (caller, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let Some(right) = rest.strip_prefix("at ") else { return Ok(request_of(text)?.into()) };
    let mut words = right.splitn(6, ' ');
    let mut next = |name: &str| words.next().with_context(|| format!("no {name}"));
    let to = next("address")?;
    let to = to.parse().with_context(|| format!("endpoint `{to}`"))?;
    ensure!(next("`by`")? == "by", "no `by` after `at`");
    let from = next("address")?;
    let from = from.parse().with_context(|| format!("caller's address `{from}`"))?;
    ensure!(next("`as`")? == "as", "no `as` after `by`");
    let word = next("way")?;
    let way = Way::ALL.into_iter().find(|way| way.word() == word).with_context(|| format!("way `{word}`"))?;
    let headers = words.next().map(|rest| format!(" {rest}")).unwrap_or_default();
    let request = request_of(&format!("{what} from {caller}{headers}"))?;
    Ok(Call { request, direct: Some(Direct { to, from, way }) })
}

/// A request as its line says it.
///
/// # Errors
/// When it cannot be understood.
pub fn request_of(text: &str) -> anyhow::Result<Request> {
    let (what, rest) = text.split_once(" from ").context("no ` from `")?;
    let (caller, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let caller = match caller.strip_prefix("pod:") {
        Some(pod) => Caller::Pod(PodId::pod(pod.parse()?)),
        None if caller.starts_with("spiffe://") => {
            Caller::Identity(SpiffeId::parse(caller).with_context(|| format!("caller `{caller}`"))?)
        }
        None if caller == "nobody" => Caller::Nobody,
        None => Caller::Address(caller.parse().with_context(|| format!("caller `{caller}`"))?),
    };
    let mut headers = Vec::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').context("a header has no `=`")?;
        let (value, after) = if after.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(after).into_iter::<String>();
            let value = values.next().context("no value")??;
            (value, after.get(values.byte_offset()..).unwrap_or_default())
        } else {
            let (value, _) = after.split_once(' ').unwrap_or((after, ""));
            (value.to_owned(), after.get(value.len()..).unwrap_or_default())
        };
        headers.push((name.to_owned(), value));
        rest = after.trim_start();
    }
    let port =
        |text: &str| text.parse().ok().and_then(Port::new).with_context(|| format!("`{text}` is not a port"));
    let words: Vec<&str> = what.split(' ').collect();
    let payload = match words.as_slice() {
        [kind @ ("TCP" | "UDP"), to] => {
            let (service, number) = to.rsplit_once(':').context("no port")?;
            let (service, port) = (service.parse()?, port(number)?);
            if *kind == "TCP" { Payload::Tcp { service, port } } else { Payload::Udp { service, port } }
        }
        [method, to, target] => {
            let (host, number) = to.rsplit_once(':').context("no port")?;
            Payload::Http(HttpRequest {
                port: port(number)?,
                host: host.to_owned(),
                method: (*method).to_owned(),
                target: (*target).to_owned(),
                headers: std::mem::take(&mut headers),
            })
        }
        _ => bail!("neither `METHOD host:port /target` nor `TCP namespace/service:port`"),
    };
    ensure!(headers.is_empty(), "only HTTP requests have headers");
    Ok(Request { caller, payload })
}

/// The line of a call, without its decision.
#[must_use]
pub fn call_text(call: &Call) -> String {
    let request = &call.request;
    let mut out = match &request.payload {
        Payload::Http(http) => format!("{} {}:{} {}", http.method, http.host, http.port, http.target),
        Payload::Tcp { service, port } => format!("TCP {service}:{port}"),
        Payload::Udp { service, port } => format!("UDP {service}:{port}"),
    };
    out.push_str(" from ");
    match &request.caller {
        Caller::Address(address) => out.push_str(&address.to_string()),
        Caller::Pod(pod) => out.push_str(&format!("pod:{}", pod.name)),
        Caller::Identity(id) => out.push_str(id.as_str()),
        Caller::Nobody => out.push_str("nobody"),
    }
    if let Some(Direct { to, from, way }) = &call.direct {
        out.push_str(&format!(" at {to} by {from} as {}", way.word()));
    }
    if let Payload::Http(http) = &request.payload {
        for (name, value) in &http.headers {
            let plain = value.bytes().all(|b| b.is_ascii_graphic()) && !value.starts_with('"');
            let value =
                if plain { value.clone() } else { serde_json::Value::from(value.as_str()).to_string() };
            out.push_str(&format!(" {name}={value}"));
        }
    }
    out
}

/// Options of the compiler, one per line: `mode permissive`, `mode enforce-labelled KEY=VALUE`, `mesh-domains mesh,maesh`,
/// `dead-backends drop`, `default-protocol tcp`, `encoded-slashes keep`, `allow-probes everywhere`. What is not there has its default.
///
/// # Errors
/// When a line is none of these.
pub fn options_of(text: &str) -> anyhow::Result<CompileOptions> {
    let mut options = CompileOptions::default();
    for line in text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["mode", "enforce"] => options.mode = MeshMode::Enforce,
            ["mode", "permissive"] => options.mode = MeshMode::Permissive,
            ["mode", "enforce-labelled", label] => {
                let (key, value) = label.split_once('=').with_context(|| format!("`{line}`"))?;
                options.mode = MeshMode::EnforceLabelled { key: key.into(), value: value.into() };
            }
            ["mesh-domains", list] => {
                options.settings.mesh_domains = list.split(',').map(Into::into).collect();
            }
            ["dead-backends", "fail"] => options.dead_backends = DeadBackends::Fail,
            ["dead-backends", "drop"] => options.dead_backends = DeadBackends::Drop,
            ["default-protocol", "http"] => options.default_protocol = DefaultProtocol::Http,
            ["default-protocol", "tcp"] => options.default_protocol = DefaultProtocol::Tcp,
            ["encoded-slashes", "refuse"] => options.settings.encoded_slashes = EncodedSlashes::Refuse,
            ["encoded-slashes", "keep"] => options.settings.encoded_slashes = EncodedSlashes::Keep,
            ["allow-probes", "never"] => options.allow_probes = AllowProbes::Never,
            ["allow-probes", "sidecars"] => options.allow_probes = AllowProbes::Sidecars,
            ["allow-probes", "everywhere"] => options.allow_probes = AllowProbes::Everywhere,
            _ => bail!("`{line}` is not an option"),
        }
    }
    Ok(options)
}

/// What differs from the defaults, as [`options_of`] reads it.
#[must_use]
pub fn options_text(options: &CompileOptions) -> String {
    let plain = CompileOptions::default();
    let mut lines = Vec::new();
    match &options.mode {
        MeshMode::Enforce => {}
        MeshMode::Permissive => lines.push("mode permissive".to_owned()),
        MeshMode::EnforceLabelled { key, value } => {
            lines.push(format!("mode enforce-labelled {key}={value}"));
        }
    }
    if options.settings.mesh_domains != plain.settings.mesh_domains {
        lines.push(format!("mesh-domains {}", options.settings.mesh_domains.join(",")));
    }
    if options.dead_backends == DeadBackends::Drop {
        lines.push("dead-backends drop".to_owned());
    }
    if options.default_protocol == DefaultProtocol::Tcp {
        lines.push("default-protocol tcp".to_owned());
    }
    if options.settings.encoded_slashes == EncodedSlashes::Keep {
        lines.push("encoded-slashes keep".to_owned());
    }
    match options.allow_probes {
        AllowProbes::Never => lines.push("allow-probes never".to_owned()),
        AllowProbes::Sidecars => {}
        AllowProbes::Everywhere => lines.push("allow-probes everywhere".to_owned()),
    }
    lines.into_iter().map(|l| l + "\n").collect()
}

/// What a backend must be capable of to decide this request as the reference does.
#[must_use]
pub fn requires(ir: &Ir, request: &Request, decision: &Decision) -> BTreeSet<Feature> {
    let mut out = BTreeSet::new();
    let (base, access, split) = match request.payload {
        Payload::Http(_) => (Feature::Http, Feature::HttpAccess, Feature::HttpSplit),
        Payload::Tcp { .. } => (Feature::Tcp, Feature::TcpAccess, Feature::TcpSplit),
        Payload::Udp { .. } => (Feature::Udp, Feature::UdpAccess, Feature::UdpSplit),
    };
    out.insert(base);
    if let (Payload::Http(http), EncodedSlashes::Keep) = (&request.payload, ir.settings.encoded_slashes) {
        out.insert(Feature::KeepEncodedSlashes);
        if http.target.to_ascii_uppercase().contains("%5C") {
            out.insert(Feature::KeepEncodedBackslashes);
        }
    }
    let Decision::Routed(routed) = decision else { return out };
    if routed.legs.len() > 1 {
        out.insert(split);
    }
    let transport = if base == Feature::Udp { Transport::Udp } else { Transport::Tcp };
    let port = ir.services.get(&routed.service).and_then(|s| s.port(routed.port, transport));
    match port.map(|p| p.protocol) {
        Some(Protocol::Http(Scheme::H2c)) => _ = out.insert(Feature::H2cUpstream),
        Some(Protocol::Http(Scheme::Https)) => _ = out.insert(Feature::HttpsUpstream),
        Some(Protocol::Http(Scheme::Http) | Protocol::Tcp | Protocol::Udp) | None => {}
    }
    if port.is_some_and(|p| p.routes.iter().any(|r| matches!(r.condition, RouteCondition::AnyOf(_)))) {
        out.insert(Feature::ConditionalSplit);
    }
    let pools = routed.legs.iter().filter_map(|leg| ir.pools.get(&leg.pool));
    if pools.flat_map(|p| p.ready()).any(|endpoint| !ir.has_own_address(endpoint)) {
        out.insert(Feature::SharedAddress);
    }
    let mode = ir.services.get(&routed.service).map(|s| s.mode);
    for end in routed.legs.iter().flat_map(|l| &l.ends) {
        let workload = end.workload.as_ref().and_then(|w| ir.workloads.get(w));
        if workload.map(|w| w.mode).or(mode) == Some(Mode::Enforce) {
            out.insert(access);
        }
        let grants = workload.into_iter().flat_map(|w| &w.grants).filter_map(|g| ir.grants.get(g));
        if grants.flat_map(|g| &g.sources).any(|s| matches!(s.principal, Principal::Binding(_))) {
            out.insert(Feature::BindingIdentity);
        }
    }
    out
}

/// The first feature that is required and missing.
#[must_use]
pub fn missing(required: &BTreeSet<Feature>, capabilities: &Capabilities) -> Option<Feature> {
    required.iter().copied().find(|f| !capabilities.has(*f))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_written() {
        for line in [
            "GET cart.shop.mesh:80 /items?a=b from 10.0.0.1 x-user=beta x-b=\"a, b\" -> 1/1 forbidden",
            "GET CART.shop.mesh:81:80 / from nobody -> 1/1 not found",
            "TCP shop/db:5432 from pod:shop/web -> 1/2 shop/db:5432 at shop/db, 1/2 unavailable",
            "UDP shop/dns:53 from 10.0.0.1 -> 1/1 forbidden",
            "GET cart.shop.mesh:80 / from spiffe://cluster.local/ns/shop/sa/web -> 1/1 forbidden",
            "TCP shop/db:5432 from pod:shop/web at 10.0.0.2:5432 by 10.0.0.1 as clear -> 1/1 unavailable",
            "GET cart.shop.mesh:80 / from nobody at [::1]:80 by ::2 as no-name x-b=\"a at b\" -> 1/1 unavailable",
        ] {
            let read = requests_of(line).unwrap().remove(0);
            assert_eq!(Expected::new(read.call, read.decision).line, line);
        }
        for line in [
            "GET cart:80 / from 10.0.0.1",
            "GET cart / from 10.0.0.1 -> x",
            "TCP a/b:0 from nobody -> x",
            "TCP a/b:1 from me -> x",
            "TCP a/b:1 from nobody h=v -> x",
            "GET a:80 / from nobody h -> x",
            "GET a:80 / from nobody at 10.0.0.1:80 -> x",
            "GET a:80 / from nobody at 10.0.0.1:80 by 10.0.0.2 as friend -> x",
        ] {
            assert!(requests_of(line).is_err(), "{line}");
        }
    }

    #[test]
    fn options_are_read_as_they_are_written() {
        let text = "mode enforce-labelled mesh=on\nmesh-domains mesh,maesh\ndead-backends drop\ndefault-protocol tcp\nencoded-slashes keep\nallow-probes everywhere\n";
        assert_eq!(options_text(&options_of(text).unwrap()), text);
        assert_eq!(options_text(&CompileOptions::default()), "");
        assert!(options_of("mode open").is_err());
    }
}
