//! What is asked: arguments → caller and request.
//!
//! Faults: a service or port that does not exist is an error, with the name that was probably meant; a caller without pods is taken at its
//! word, and that is said.

use std::net::IpAddr;

use smi_core::cluster::{Cluster, PodId};
use smi_core::diag::suggest::closest;
use smi_core::eval::{Caller, HttpRequest, Payload};
use smi_core::hub::names::{Namespaced, Port, SpiffeId, Transport};
use smi_core::ir::{Ir, Protocol};

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

/// The service that a host names: `service.namespace` with or without a mesh domain, `svc` and the cluster's domain (S37).
fn service(ir: &Ir, host: &str) -> anyhow::Result<Namespaced> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let settings = &ir.settings;
    let cluster = format!("svc.{}", settings.cluster_domain);
    let suffixes = settings.mesh_domains.iter().map(|d| &**d).chain([&*cluster, "svc"]);
    let short = suffixes.filter_map(|s| host.strip_suffix(s)?.strip_suffix('.')).find(|s| s.contains('.'));
    match short.unwrap_or(&host).split_once('.') {
        Some((name, namespace)) if !name.is_empty() && !namespace.is_empty() && !namespace.contains('.') => {
            Ok(Namespaced::new(namespace, name))
        }
        _ => anyhow::bail!("`{host}` is not `service.namespace`"),
    }
}

/// What is sent to whom.
pub(super) fn payload(ir: &Ir, args: &ExplainArgs) -> anyhow::Result<Payload> {
    let (host, port) = match args.to.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (args.to.as_str(), None),
    };
    let service = service(ir, host)?;
    let Some(found) = ir.services.get(&service) else {
        anyhow::bail!("there is no Service `{service}`{}", nearest(&service, ir.services.keys().cloned()))
    };
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

    #[test]
    fn a_service_has_many_names() {
        let (_, ir) = world();
        for host in
            ["cart.shop", "cart.shop.mesh", "cart.shop.svc", "cart.shop.svc.cluster.local", "Cart.Shop.Mesh."]
        {
            assert_eq!(service(&ir, host).unwrap(), Namespaced::new("shop", "cart"), "{host}");
        }
        // A namespace may be called like a domain.
        assert_eq!(service(&ir, "cart.mesh").unwrap(), Namespaced::new("mesh", "cart"));
        assert_eq!(service(&ir, "cart.svc").unwrap(), Namespaced::new("svc", "cart"));
        for host in ["cart", "cart.", ".shop", "cart.shop.example.com", ""] {
            assert!(service(&ir, host).is_err(), "{host}");
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
