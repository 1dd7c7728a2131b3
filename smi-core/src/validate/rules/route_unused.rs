//! A route that nothing refers to.

use super::code;
use crate::diag::{Diagnostic, FieldPath, Report};
use crate::validate::Context;
use crate::validate::context::beside;

code! {
    "SMI0256" "route-unused" Lint "S26",
    "nothing refers to a route",
    "## What it checks\nHTTPRouteGroups, TCPRoutes and UDPRoutes that no TrafficTarget and no TrafficSplit of their namespace names.\n\n## Why it matters\nThe route has no effect, often because a name was misspelt or the namespaces differ.\n\n## Example\nA group in namespace `default` for a TrafficTarget in `shop`.\n\n## Fix\nRemove it, or correct the reference."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    let hub = context.hub;
    let unused = |kind, name| !context.used_routes.contains(&(kind, beside(name, name.name.as_str())));
    let groups = hub.route_groups.iter().filter(|(name, _)| unused("HTTPRouteGroup", name));
    let tcp = hub.tcp_routes.iter().filter(|(name, _)| unused("TCPRoute", name));
    let udp = hub.udp_routes.iter().filter(|(name, _)| unused("UDPRoute", name));
    let ports = tcp.chain(udp).map(|(_, route)| route.object_ref());
    for object in groups.map(|(_, group)| group.object_ref()).chain(ports) {
        let message = format!("no TrafficTarget or TrafficSplit of namespace `{}` names it", object.namespace);
        report.push(Diagnostic::new(CODE, &object, FieldPath::root(), message));
    }
}
