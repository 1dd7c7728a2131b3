//! The UDP router of one service port.

use smi_core::diag::Diagnostic;
use smi_core::hub::names::Port;
use smi_core::ir::{Mode, WorkloadId};

use super::access::Access;
use super::service::{L4Layer, Serving, legs, weighted};
use super::{At, Output};
use crate::codes;
use crate::config::l4::UdpRouter;
use crate::name;

impl<'a> Output<'a> {
    /// Traefik has neither rules nor middlewares for UDP: a port is served to everybody or to nobody.
    pub(super) fn udp_port(&mut self, at: &At<'a>) {
        let Some(route) = at.port.routes.last() else { return };
        let ir = self.ir;
        let mode = at.service.mode;
        let open = self.options.open_udp;
        let access = |workload: Option<&'a WorkloadId>, _: Port| {
            let mode = workload.and_then(|id| ir.workloads.get(id)).map_or(mode, |w| w.mode);
            Access { open: open || mode == Mode::Permissive, ..Access::default() }
        };
        let enforced = mode == Mode::Enforce;
        if enforced {
            let origin = &at.service.origin;
            let (code, what) = if open {
                (codes::UDP_OPEN, "is open to every caller")
            } else {
                (codes::UDP_CLOSED, "is closed")
            };
            let message = format!("UDP port {} {what}: Traefik cannot tell UDP callers apart", at.number);
            self.report.push(Diagnostic::new(code, &origin.object, origin.path(), message));
        }
        let legs = legs(self, route, access);
        let serving: Serving = legs.iter().flat_map(|l| &l.groups).map(|g| g.access.open).collect();
        // A closed port has a router too: Traefik leaves an entry point without one with the router that it had before, open.
        let service = weighted(&mut L4Layer(&mut self.udp.services), at, 0, &legs, &serving);
        let router = UdpRouter { entry_points: vec![at.entry_point.clone()], service };
        self.udp.routers.insert(name::of_port(at.name, at.number, &["udp"]), router);
    }
}
