//! Calls: a request, and whether it goes through the proxy of its caller or to a pod directly.
//!
//! Shape: [`Call`] is what is asked; a [`Direct`] call is one that a caller makes by itself, to a pod's address, to get around its proxy.
//! What the reference says of it is what it says of the same request in a world in which only that pod stands behind the service
//! ([`Call::in_its_world`]); of a way that shows no certificate that a pod may trust, that it is closed ([`Way::refused`]).

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use smi_core::eval::{Distribution, Outcome, Payload, Request, eval, host};
use smi_core::hub::names::{Namespaced, Port, Transport};
use smi_core::ir::{Ir, PoolKey, RouteCondition};

/// What is asked, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The request.
    pub request: Request,
    /// None: through the proxy of its caller.
    pub direct: Option<Direct>,
}

impl From<Request> for Call {
    fn from(request: Request) -> Self {
        Self { request, direct: None }
    }
}

/// To a pod, past the proxy of the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Direct {
    /// The endpoint of the pod.
    pub to: SocketAddr,
    /// The address of the caller.
    pub from: IpAddr,
    /// How.
    pub way: Way,
}

/// How a caller presents itself to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// With a certificate of the request's caller.
    Certificate,
    /// Without TLS.
    Clear,
    /// With TLS, without a certificate.
    NoCertificate,
    /// With a certificate of a name that may, from an authority that nobody trusts.
    OtherAuthority,
    /// With a certificate of another trust domain, by its own authority.
    OtherDomain,
    /// With a certificate of a name that may, signed by the caller's own certificate.
    SignedByItself,
    /// Without the protocol of sidecars.
    NoProtocol,
    /// For a port that no service leads to.
    OtherPort,
    /// Without a server name.
    NoName,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Certificate,
        Self::Clear,
        Self::NoCertificate,
        Self::OtherAuthority,
        Self::OtherDomain,
        Self::SignedByItself,
        Self::NoProtocol,
        Self::OtherPort,
        Self::NoName,
    ];

    /// As a word of a line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Clear => "clear",
            Self::NoCertificate => "no-certificate",
            Self::OtherAuthority => "other-authority",
            Self::OtherDomain => "other-domain",
            Self::SignedByItself => "signed-by-itself",
            Self::NoProtocol => "no-protocol",
            Self::OtherPort => "other-port",
            Self::NoName => "no-name",
        }
    }

    /// Whether it is closed whoever calls.
    #[must_use]
    pub fn refused(self) -> bool {
        self != Self::Certificate
    }
}

impl Call {
    /// What the reference decides.
    #[must_use]
    pub fn decide(&self, ir: &Ir) -> Distribution {
        if self.direct.as_ref().is_some_and(|direct| direct.way.refused()) {
            return Distribution::certain(Outcome::Unavailable);
        }
        eval(&self.in_its_world(ir), &self.request).distribution()
    }

    /// The world in which only the pod of a direct call stands behind the service; the same for other calls.
    #[must_use]
    pub fn in_its_world<'ir>(&self, ir: &'ir Ir) -> Cow<'ir, Ir> {
        let Some(direct) = &self.direct else { return Cow::Borrowed(ir) };
        let mut out = ir.clone();
        let Some((service, number, pool)) = self.pool(ir) else { return Cow::Owned(out) };
        let ports = out.services.get_mut(&service).into_iter().flat_map(|s| &mut s.ports);
        for port in ports.filter(|p| p.port == number && p.transport == Transport::Tcp) {
            port.routes.retain(|route| route.condition == RouteCondition::Everything);
            for route in &mut port.routes {
                route.targets.truncate(1);
                for target in &mut route.targets {
                    (target.pool, target.weight) = (pool.clone(), 1);
                }
            }
        }
        out.pools.entry(pool).and_modify(|p| p.endpoints.retain(|e| e.socket() == direct.to));
        Cow::Owned(out)
    }

    /// The service, its port, and the pool of it that the endpoint of a direct call is in.
    #[must_use]
    pub fn pool(&self, ir: &Ir) -> Option<(Namespaced, Port, PoolKey)> {
        let (service, port) = self.service(ir)?;
        let mut pools = pools(ir, &service, port);
        let to = self.direct.as_ref()?.to;
        let pool =
            pools.find(|key| ir.pools.get(key).is_some_and(|p| p.ready().any(|e| e.socket() == to)))?;
        Some((service.clone(), port, pool.clone()))
    }

    /// The service that is called by one of its mesh names, and its port.
    fn service(&self, ir: &Ir) -> Option<(Namespaced, Port)> {
        match &self.request.payload {
            Payload::Http(http) => {
                let (service, _) = host::in_mesh(ir, &host::canonical(&http.host))?;
                Some((service, http.port))
            }
            Payload::Tcp { service, port } => Some((service.clone(), *port)),
            Payload::Udp { .. } => None,
        }
    }

    /// Endpoints that the request may be sent to directly: those of the service that have a sidecar.
    #[must_use]
    pub fn endpoints(&self, ir: &Ir) -> Vec<SocketAddr> {
        let Some((service, port)) = self.service(ir) else { return Vec::new() };
        let found = pools(ir, &service, port).filter_map(|key| ir.pools.get(key)).flat_map(|p| p.ready());
        let mut out: Vec<SocketAddr> =
            found.filter(|e| e.workload.is_some() && ir.has_own_address(e)).map(|e| e.socket()).collect();
        out.sort();
        out.dedup();
        out
    }
}

/// Pools that a service port leads to.
fn pools<'ir>(
    ir: &'ir Ir,
    service: &Namespaced,
    port: Port,
) -> impl Iterator<Item = &'ir PoolKey> + use<'ir> {
    let port = ir.services.get(service).and_then(|s| s.port(port, Transport::Tcp));
    let targets = port.into_iter().flat_map(|p| &p.routes).flat_map(|r| &r.targets);
    targets.filter(|t| t.weight > 0).map(|t| &t.pool)
}
