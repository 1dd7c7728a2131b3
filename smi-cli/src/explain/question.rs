//! What is asked: arguments → caller and request.
//!
//! Faults: a service or port that does not exist is an error, with the name that was probably meant; a caller without pods is taken at its
//! word, and that is said.

use std::net::IpAddr;

use smi_core::cluster::{Cluster, PodId};
use smi_core::diag::suggest::closest;
use smi_core::eval::{Caller, HttpRequest, Payload};
use smi_core::hub::names::{Namespaced, Port, SpiffeId, Transport};
use smi_core::ir::{Ir, Protocol, text};

use super::ExplainArgs;

/// The caller, and what should be known about it.
pub(super) fn caller(
    ir: &Ir,
    cluster: &Cluster,
    from: Option<&str>,
) -> anyhow::Result<(Caller, Option<String>)> {
    let Some(text) = from else { return Ok((Caller::Nobody, None)) };
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok((Caller::Address(address), None));
    }
    if text.starts_with("spiffe://") {
        return SpiffeId::parse(text)
            .map(|id| (Caller::Identity(id), None))
            .ok_or_else(|| anyhow::anyhow!("`{text}` is not a SPIFFE ID"));
    }
    let name: Namespaced = text.parse()?;
    if let Some(pod) = ir.pods.keys().find(|p| p.name == name && p.template_of.is_none()) {
        return Ok((Caller::Pod(pod.clone()), None));
    }
    // Real pods before templates.
    let of_account = ir.pods.iter().filter(|(_, p)| p.workload.account() == name).map(|(id, _)| id);
    if let Some(pod) = of_account.min_by_key(|id| id.template_of) {
        return Ok((Caller::Pod(pod.clone()), None));
    }
    if let Some(pod) = ir.pods.keys().find(|p: &&PodId| p.name == name) {
        return Ok((Caller::Pod(pod.clone()), None));
    }
    // An account without pods: known by certificate, if at all.
    let note = (!cluster.accounts.contains(&name)).then(|| {
        let known = ir.pods.values().map(|p| p.workload.account()).chain(cluster.accounts.iter().cloned());
        let meant = nearest(&name, known);
        format!(
            "no pod and no ServiceAccount is called `{name}`{meant}; it is taken as an account without pods"
        )
    });
    Ok((Caller::Identity(SpiffeId::for_account(&ir.settings.trust_domain, &name)), note))
}

/// `, did you mean …?` for a name that is not there.
fn nearest(wanted: &Namespaced, known: impl Iterator<Item = Namespaced>) -> String {
    let known: Vec<String> = known.map(|name| name.to_string()).collect();
    closest(&wanted.to_string(), known.iter().map(String::as_str))
        .map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

/// How a service was named.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// By the mesh, `cart.shop.mesh`; `cart.shop` is short for it.
    Mesh,
    /// By the cluster, `cart.shop.svc`, where the mesh says this.
    Cluster { mesh_name: String },
}

/// Who is asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Any proxy, as all of them know the name.
    Any,
    /// The caller's sidecar, which knows names of the cluster as well.
    Sidecar,
    /// A node proxy, which knows only the mesh's name, as nobody is known whose sidecar it could be.
    Node { mesh_name: String },
}

impl Named {
    pub(super) fn asked(self, ir: &Ir, caller: &Caller) -> Asked {
        let has_sidecar = matches!(caller, Caller::Identity(_)) || caller.pod(ir).is_some();
        match self {
            Self::Mesh => Asked::Any,
            Self::Cluster { .. } if has_sidecar => Asked::Sidecar,
            Self::Cluster { mesh_name } => Asked::Node { mesh_name },
        }
    }
}

/// The service that a host names, and the domain: `service.namespace` with or without a mesh domain, `svc` and the cluster's domain
/// (S37).
fn service<'d>(ir: &'d Ir, host: &str, cluster: &'d str) -> anyhow::Result<(Namespaced, Option<&'d str>)> {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let domains = ir.settings.mesh_domains.iter().map(|d| &**d).chain([cluster, "svc"]);
    let short = domains
        .filter_map(|domain| Some((host.strip_suffix(domain)?.strip_suffix('.')?, Some(domain))))
        .find(|(short, _)| short.contains('.'));
    let (short, domain) = short.unwrap_or((&host, None));
    match short.split_once('.') {
        Some((name, namespace)) if !name.is_empty() && !namespace.is_empty() && !namespace.contains('.') => {
            Ok((Namespaced::new(namespace, name), domain))
        }
        _ => anyhow::bail!("`{host}` is not `service.namespace`"),
    }
}

/// What is sent to whom, under which name.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) payload: Payload,
    pub(super) named: Named,
}

/// What is sent to whom.
pub(super) fn payload(ir: &Ir, args: &ExplainArgs) -> anyhow::Result<Question> {
    let (host, port) = match args.to.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (args.to.as_str(), None),
    };
    let cluster = format!("svc.{}", ir.settings.cluster_domain);
    let (service, domain) = service(ir, host, &cluster)?;
    let Some(found) = ir.services.get(&service) else {
        anyhow::bail!("there is no Service `{service}`{}", nearest(&service, ir.services.keys().cloned()))
    };
    let number = match port {
        Some(text) => {
            text.parse().ok().and_then(Port::new).ok_or_else(|| anyhow::anyhow!("`{text}` is not a port"))?
        }
        None => match found.ports.as_slice() {
            [only] => only.port,
            [] => anyhow::bail!("Service `{service}` has no ports"),
            _ => anyhow::bail!("Service `{service}` has several ports; say which, as `{}:80`", args.to),
        },
    };
    let (tcp, udp) = (found.port(number, Transport::Tcp), found.port(number, Transport::Udp));
    let port = match (tcp, udp) {
        (_, Some(port)) if args.udp => port,
        (Some(_), None) if args.udp => anyhow::bail!("port {number} of Service `{service}` is not UDP"),
        (Some(port), _) | (None, Some(port)) => port,
        (None, None) => anyhow::bail!("Service `{service}` has no port {number}"),
    };
    if !matches!(port.protocol, Protocol::Http(_)) {
        let given = [
            ("--method", args.method.is_some()),
            ("--path", args.path.is_some()),
            ("--header", !args.header.is_empty()),
        ];
        if let Some((flag, _)) = given.iter().find(|(_, given)| *given) {
            let protocol = text::protocol(port.protocol);
            anyhow::bail!("`{flag}` is for HTTP, and port {number} of Service `{service}` is {protocol}");
        }
    }
    let short = format!("{}.{}", service.name, service.namespace);
    let mesh = ir.settings.mesh_domains.first().map_or("mesh", |d| d);
    let is_cluster = domain.is_some_and(|d| !ir.settings.mesh_domains.iter().any(|mesh| **mesh == *d));
    let named =
        if is_cluster { Named::Cluster { mesh_name: format!("{short}.{mesh}") } } else { Named::Mesh };
    let payload = match port.protocol {
        Protocol::Tcp => Payload::Tcp { service, port: number },
        Protocol::Udp => Payload::Udp { service, port: number },
        Protocol::Http(_) => Payload::Http(HttpRequest {
            port: number,
            host: format!("{short}.{}", domain.unwrap_or(mesh)),
            method: method(args.method.as_deref().unwrap_or("GET"))?,
            target: args.path.clone().unwrap_or_else(|| "/".to_owned()),
            headers: args.header.iter().map(|text| header(text)).collect::<Result<_, _>>()?,
        }),
    };
    Ok(Question { payload, named })
}

/// A token of RFC 9110.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn method(text: &str) -> anyhow::Result<String> {
    anyhow::ensure!(is_token(text), "`{text}` is not a method");
    Ok(text.to_owned())
}

fn header(text: &str) -> anyhow::Result<(String, String)> {
    let (name, value) = text.split_once(':').unwrap_or_default();
    let (name, value) = (name.trim(), value.trim());
    anyhow::ensure!(is_token(name) && !value.contains(['\r', '\n', '\0']), "`{text}` is not `name: value`");
    // Policy sees the host that is called, whatever a header says.
    anyhow::ensure!(!name.eq_ignore_ascii_case("host"), "the host is what `--to` says; leave `{text}` out");
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use smi_core::compile::{CompileOptions, compile};
    use smi_core::load::{Input, Limits, World, load};

    use super::*;

    fn world() -> (World, Ir) {
        let world = load(
            &[Input::new(
                "world.yaml",
                "
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: idle, namespace: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop}
spec: {serviceAccountName: web, containers: [{name: c}]}
",
            )],
            &Limits::default(),
        );
        let ir = compile(&world.hub, &world.cluster, &CompileOptions::default()).ir;
        (world, ir)
    }

    const CLUSTER: &str = "svc.cluster.local";

    fn named(ir: &Ir, host: &str) -> (Namespaced, Option<String>) {
        let (name, domain) = service(ir, host, CLUSTER).unwrap();
        (name, domain.map(str::to_owned))
    }

    #[test]
    fn a_service_has_many_names() {
        let (_, ir) = world();
        for host in
            ["cart.shop", "cart.shop.mesh", "cart.shop.svc", "cart.shop.svc.cluster.local", "Cart.Shop.Mesh."]
        {
            assert_eq!(named(&ir, host).0, Namespaced::new("shop", "cart"), "{host}");
        }
        // A namespace may be called like a domain.
        assert_eq!(named(&ir, "cart.mesh"), (Namespaced::new("mesh", "cart"), None));
        assert_eq!(named(&ir, "cart.svc"), (Namespaced::new("svc", "cart"), None));
        for host in ["cart", "cart.", ".shop", "cart.shop.example.com", ""] {
            assert!(service(&ir, host, CLUSTER).is_err(), "{host}");
        }
    }

    #[test]
    fn an_unknown_caller_is_taken_at_its_word_and_that_is_said() {
        let (world, ir) = world();
        let ask = |from: &str| caller(&ir, &world.cluster, Some(from)).unwrap();
        assert!(matches!(ask("shop/web"), (Caller::Pod(_), None)));
        assert!(matches!(ask("shop/idle"), (Caller::Identity(_), None)));
        let (who, note) = ask("shop/wob");
        assert_eq!(who, Caller::Identity(SpiffeId::parse("spiffe://cluster.local/ns/shop/sa/wob").unwrap()));
        assert!(note.unwrap().contains("did you mean `shop/web`?"));
    }
}
