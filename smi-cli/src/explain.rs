//! `smi explain`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::process::ExitCode;

use clap::Args;
use smi_core::cluster::PodId;
use smi_core::eval::{
    AllowedBy, Assume, Caller, Decision, Denial, End, HttpRequest, Payload, Refusal, Request, Routed,
    Verdict, eval_assuming,
};
use smi_core::hub::names::{Namespaced, Port, SpiffeId, Transport};
use smi_core::ir::{Ir, Origin, Protocol, text};
use smi_core::load::Sources;

use crate::{diagnostics, input, options};

/// Arguments of `smi explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    input: input::Files,
    #[command(flatten)]
    options: options::CompileFlags,
    /// Who calls: a service account or pod as `namespace/name`, an address, or a SPIFFE ID. Nobody when absent.
    #[arg(long)]
    from: Option<String>,
    /// What is called: `service.namespace`, with `:port` unless the Service has one port.
    #[arg(long)]
    to: String,
    /// HTTP method.
    #[arg(long, short = 'X', default_value = "GET")]
    method: String,
    /// Path and query.
    #[arg(long, default_value = "/")]
    path: String,
    /// A header as `name: value`; may be given several times.
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// UDP instead of TCP, where a Service has a port number twice.
    #[arg(long)]
    udp: bool,
}

pub(crate) fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let world = args.input.load()?;
    let (compiled, report) = crate::compiled(&world, &args.options.options()?);
    let ir = &compiled.ir;
    let errors = report.count(smi_core::diag::Severity::Error);
    if errors > 0 {
        writeln!(anstream::stderr(), "note: the input has {errors} errors; `smi check` tells them")?;
    }
    let caller = caller(ir, args.from.as_deref())?;
    let payload = payload(ir, args)?;
    let request = Request { caller, payload };
    let decision = eval_assuming(ir, &request, Assume::TemplatesReady);
    let text = Explanation { ir, sources: &world.sources }.explain(args, &request, &decision)?;
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn caller(ir: &Ir, from: Option<&str>) -> anyhow::Result<Caller> {
    let Some(text) = from else { return Ok(Caller::Nobody) };
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Caller::Address(address));
    }
    if text.starts_with("spiffe://") {
        return SpiffeId::parse(text)
            .map(Caller::Identity)
            .ok_or_else(|| anyhow::anyhow!("`{text}` is not a SPIFFE ID"));
    }
    let name: Namespaced = text.parse()?;
    if let Some(pod) = ir.pods.keys().find(|p| p.name == name && p.template_of.is_none()) {
        return Ok(Caller::Pod(pod.clone()));
    }
    // Real pods before templates.
    let of_account = ir.pods.iter().filter(|(_, p)| p.workload.account() == name).map(|(id, _)| id);
    if let Some(pod) = of_account.min_by_key(|id| id.template_of) {
        return Ok(Caller::Pod(pod.clone()));
    }
    if let Some(pod) = ir.pods.keys().find(|p: &&PodId| p.name == name) {
        return Ok(Caller::Pod(pod.clone()));
    }
    // An account without pods: known by certificate, if at all.
    Ok(Caller::Identity(SpiffeId::for_account(&ir.settings.trust_domain, &name)))
}

fn payload(ir: &Ir, args: &ExplainArgs) -> anyhow::Result<Payload> {
    let (host, port) = match args.to.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (args.to.as_str(), None),
    };
    let host =
        ir.settings.mesh_domains.iter().find_map(|d| host.strip_suffix(&format!(".{d}"))).unwrap_or(host);
    let (name, namespace) =
        host.split_once('.').ok_or_else(|| anyhow::anyhow!("`{}` is not `service.namespace`", args.to))?;
    let service = Namespaced::new(namespace, name);
    let Some(found) = ir.services.get(&service) else { anyhow::bail!("there is no Service `{service}`") };
    let transport = if args.udp { Transport::Udp } else { Transport::Tcp };
    let number = match port {
        Some(text) => {
            text.parse().ok().and_then(Port::new).ok_or_else(|| anyhow::anyhow!("`{text}` is not a port"))?
        }
        None => match found.ports.as_slice() {
            [only] => only.port,
            _ => anyhow::bail!("Service `{service}` has several ports; say which, as `{}:80`", args.to),
        },
    };
    let entry = found.port(number, transport);
    let entry = entry.or_else(|| found.port(number, Transport::Udp));
    let Some(port) = entry else { anyhow::bail!("Service `{service}` has no port {number}") };
    Ok(match port.protocol {
        Protocol::Tcp => Payload::Tcp { service, port: number },
        Protocol::Udp => Payload::Udp { service, port: number },
        Protocol::Http(_) => {
            let domain = ir.settings.mesh_domains.first().map_or("mesh", |d| d);
            let mut headers = Vec::new();
            for header in &args.header {
                let (name, value) = header
                    .split_once(':')
                    .ok_or_else(|| anyhow::anyhow!("`{header}` is not `name: value`"))?;
                headers.push((name.trim().to_owned(), value.trim().to_owned()));
            }
            Payload::Http(HttpRequest {
                port: number,
                host: format!("{}.{}.{domain}", service.name, service.namespace),
                method: args.method.clone(),
                target: args.path.clone(),
                headers,
            })
        }
    })
}

struct Explanation<'a> {
    ir: &'a Ir,
    sources: &'a Sources,
}

impl Explanation<'_> {
    fn explain(
        &self,
        args: &ExplainArgs,
        request: &Request,
        decision: &Decision,
    ) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        let from = args.from.as_deref().unwrap_or("nobody");
        match &request.payload {
            Payload::Http(http) => writeln!(
                out,
                "{} http://{}:{}{} from {from}",
                http.method, http.host, http.port, http.target
            )?,
            Payload::Tcp { service, port } => {
                writeln!(out, "TCP connection to {service}:{port} from {from}")?
            }
            Payload::Udp { service, port } => writeln!(out, "UDP datagram to {service}:{port} from {from}")?,
        }
        self.who(&mut out, &request.caller)?;
        match decision {
            Decision::Refused(Refusal::BadTarget(why)) => writeln!(out, "  400 before routing: {why}")?,
            Decision::Refused(Refusal::UnknownHost) => {
                writeln!(out, "  404: the host names no HTTP service on that port")?
            }
            Decision::Refused(Refusal::NoListener) => writeln!(out, "  refused: nothing listens for it")?,
            Decision::Routed(routed) => self.routed(&mut out, routed)?,
        }
        writeln!(out, "result")?;
        for (outcome, share) in decision.distribution().iter() {
            writeln!(out, "  {:>7} {outcome}", percent(share.as_f64()))?;
        }
        Ok(out)
    }

    fn who(&self, out: &mut String, caller: &Caller) -> std::fmt::Result {
        let pod = match caller {
            Caller::Pod(pod) => Some(pod),
            Caller::Address(address) => self.ir.callers.get(address),
            Caller::Identity(id) => return writeln!(out, "caller {id}"),
            Caller::Nobody => None,
        };
        match pod.and_then(|p| Some((p, self.ir.pods.get(p)?))) {
            Some((pod, found)) => writeln!(out, "caller {} (pod {pod})", self.ir.identity(&found.workload)),
            None => writeln!(out, "caller unknown: no policy can name it"),
        }
    }

    fn routed(&self, out: &mut String, routed: &Routed) -> std::fmt::Result {
        let service = self.ir.services.get(&routed.service);
        let port = service.and_then(|s| s.ports.iter().find(|p| p.port == routed.port));
        if let Some(port) = port {
            let by = text::decided(port.decided_by);
            writeln!(out, "protocol {} (by {by})", text::protocol(port.protocol))?;
        }
        if let Some(path) = &routed.path {
            writeln!(out, "path {path}")?;
        }
        writeln!(out, "routed by {}", self.at(&routed.origin))?;
        let total: u64 = routed.legs.iter().map(|l| u64::from(l.weight)).sum();
        for leg in &routed.legs {
            #[expect(clippy::cast_precision_loss, reason = "for people")]
            let share = f64::from(leg.weight) / total as f64;
            writeln!(out, "  {:>7} to {} by {}", percent(share), leg.pool, self.at(&leg.origin))?;
            if leg.ends.is_empty() {
                writeln!(out, "          503: no ready endpoint")?;
            }
            for end in &leg.ends {
                self.end(out, end, leg.assumed)?;
            }
        }
        Ok(())
    }

    fn end(&self, out: &mut String, end: &End, assumed: bool) -> std::fmt::Result {
        let at = end.workload.as_ref().map_or_else(|| "an unknown pod".to_owned(), ToString::to_string);
        let pods =
            if assumed { "pods not created yet".to_owned() } else { format!("{} ready", end.endpoints) };
        write!(out, "          at {at} port {} ({pods}): ", end.port)?;
        match &end.verdict {
            Verdict::Allowed(AllowedBy::Probe) => writeln!(out, "allowed as a probe"),
            Verdict::Allowed(AllowedBy::Grant { target, source, rules }) => {
                writeln!(out, "allowed by TrafficTarget {target}")?;
                writeln!(out, "            source {}", self.at(source))?;
                for rule in rules {
                    writeln!(out, "            rule {}", self.at(rule))?;
                }
                Ok(())
            }
            Verdict::Denied(denial) => writeln!(out, "denied, {}", why(denial)),
            Verdict::WouldDeny(denial) => {
                writeln!(out, "passes as the mode is permissive; would be denied, {}", why(denial))
            }
        }
    }

    fn at(&self, origin: &Origin) -> String {
        match self.sources.caret(&origin.object, &origin.path()) {
            Some(span) => format!("{origin} ({})", diagnostics::place(span, self.sources)),
            None => origin.to_string(),
        }
    }
}

fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

fn why(denial: &Denial) -> String {
    let list = |names: &[Namespaced]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match denial {
        Denial::UnknownPod => "as the endpoint is no known pod's".into(),
        Denial::NoGrants => "as no TrafficTarget has these pods as destination".into(),
        Denial::UnknownCaller => "as the caller is nobody that policy can name".into(),
        Denial::NotASource(targets) => {
            format!("as the caller is no source of TrafficTarget {}", list(targets))
        }
        Denial::NotGranted(targets) => {
            format!("as TrafficTarget {} grants the caller other requests", list(targets))
        }
    }
}
