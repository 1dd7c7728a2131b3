//! A decision in words: who decides, by which object, field and line, and the distribution over targets.

use std::fmt::Write as _;

use smi_core::eval::{AllowedBy, Caller, Decision, Denial, End, Payload, Refusal, Request, Routed, Verdict};
use smi_core::hub::names::{Namespaced, Transport};
use smi_core::ir::{Ir, Origin, text};
use smi_core::load::Sources;

use super::ExplainArgs;
use super::question::Asked;
use crate::diagnostics;

/// Puts decisions into words, with the places of what decided.
pub(super) struct Answer<'a> {
    pub(super) ir: &'a Ir,
    pub(super) sources: &'a Sources,
}

impl Answer<'_> {
    pub(super) fn text(
        &self,
        args: &ExplainArgs,
        request: &Request,
        asked: &Asked,
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
        match (asked, &request.payload) {
            // Sidecars carry no UDP, and who calls a node proxy by TCP or UDP names it by its address.
            (Asked::Any, _) | (_, Payload::Udp { .. }) | (Asked::Node { .. }, Payload::Tcp { .. }) => {}
            (Asked::Sidecar, Payload::Http(_) | Payload::Tcp { .. }) => {
                writeln!(out, "asked of the caller's sidecar, as node proxies know names of the mesh only")?
            }
            (Asked::Node { mesh_name }, Payload::Http(_)) => writeln!(
                out,
                "asked of a node proxy, which knows names of the mesh only: `{mesh_name}`; sidecars know both, say whose with `--from`"
            )?,
        }
        match decision {
            Decision::Refused(Refusal::BadTarget(why)) => writeln!(out, "  400 before routing: {why}")?,
            Decision::Refused(Refusal::UnknownHost) => {
                writeln!(out, "  404: the host names no HTTP service on that port")?
            }
            Decision::Refused(Refusal::NoListener) => writeln!(out, "  refused: nothing listens for it")?,
            Decision::Routed(routed) => self.routed(&mut out, routed, &request.payload)?,
        }
        writeln!(out, "result")?;
        for (outcome, share) in decision.distribution().iter() {
            writeln!(out, "  {:>7} {outcome}", percent(share.as_f64()))?;
        }
        Ok(out)
    }

    fn who(&self, out: &mut String, caller: &Caller) -> std::fmt::Result {
        if let Caller::Identity(id) = caller {
            return writeln!(out, "caller {id}");
        }
        match caller.pod(self.ir).and_then(|p| Some((p, self.ir.pods.get(p)?))) {
            Some((pod, found)) => writeln!(out, "caller {} (pod {pod})", self.ir.identity(&found.workload)),
            None => writeln!(out, "caller unknown: no policy can name it"),
        }
    }

    fn routed(&self, out: &mut String, routed: &Routed, payload: &Payload) -> std::fmt::Result {
        let (transport, failing) = match payload {
            Payload::Http(_) => (Transport::Tcp, "503"),
            Payload::Tcp { .. } => (Transport::Tcp, "closed"),
            Payload::Udp { .. } => (Transport::Udp, "no answer"),
        };
        let service = self.ir.services.get(&routed.service);
        if let Some(port) = service.and_then(|s| s.port(routed.port, transport)) {
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
                writeln!(out, "          {failing}: no ready endpoint")?;
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

/// Two digits, of which none says that there is nothing, or nothing else, where there is.
fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    match text.as_str() {
        "0.00" if share > 0.0 => "<0.01%".into(),
        "100.00" if share < 1.0 => ">99.99%".into(),
        text => format!("{}%", text.trim_end_matches('0').trim_end_matches('.')),
    }
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
