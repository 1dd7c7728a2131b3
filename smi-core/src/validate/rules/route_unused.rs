//! A route that nothing refers to.

use super::code;
use crate::diag::{Diagnostic, FieldPath, Report};
use crate::validate::Context;

code! {
    "SMI0256" "route-unused" Lint "S26",
    "nothing refers to a route",
    "## What it checks\nHTTPRouteGroups, TCPRoutes and UDPRoutes that no TrafficTarget and no TrafficSplit of their namespace names.\n\n## Why it matters\nThe route has no effect, often because a name was misspelt or the namespaces differ.\n\n## Example\nA group in namespace `default` for a TrafficTarget in `shop`.\n\n## Fix\nRemove it, or correct the reference."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    let hub = context.hub;
    let groups = hub.route_groups.iter().map(|(name, o)| ("HTTPRouteGroup", name, o.object_ref()));
    let tcp = hub.tcp_routes.iter().map(|(name, o)| ("TCPRoute", name, o.object_ref()));
    let udp = hub.udp_routes.iter().map(|(name, o)| ("UDPRoute", name, o.object_ref()));
    for (kind, name, object) in groups.chain(tcp).chain(udp) {
        if !context.used_routes.contains(&(kind, name.clone())) {
            let message = format!("no TrafficTarget or TrafficSplit of namespace `{}` names it", name.namespace);
            report.push(Diagnostic::new(CODE, &object, FieldPath::root(), message));
        }
    }
}
