//! Routes and policies that match a request.

use super::http::View;
use super::{contains, tls};
use crate::config::Any;
use crate::config::listener::HttpConnectionManager;
use crate::config::matcher::{HeaderMatch, HeaderMatcher, PathRule, PerFilter, StringMatcher, StringPattern};
use crate::config::rbac::{
    HttpRbac, MtlsAuthenticated, Permission, PermissionRule, Principal, PrincipalKind, Rbac, RbacPerRoute,
};
use crate::config::route::{PathSpecifier, Route, VirtualHost};
use crate::render::RBAC;

/// The verdict of the access filter: the configuration nearest to the leg that was picked holds.
pub(super) fn passes(
    manager: &HttpConnectionManager,
    leg: Option<&PerFilter>,
    route: &Route,
    vhost: &VirtualHost,
    view: &View<'_>,
) -> bool {
    let places = leg.into_iter().chain([&route.typed_per_filter_config, &vhost.typed_per_filter_config]);
    let nearest = places.into_iter().find_map(|place| place.get(RBAC));
    let rbac = match nearest {
        Some(config) => config.unpack::<RbacPerRoute>().and_then(|c| c.rbac),
        None => {
            let filter = manager.http_filters.iter().find(|f| f.name == RBAC);
            filter.and_then(|f| f.typed_config.as_ref()?.unpack::<HttpRbac>())
        }
    };
    // Absent rules are not enforced.
    rbac.and_then(|r| r.rules).is_none_or(|rules| allows(&rules, view))
}

fn allows(rules: &Rbac, view: &View<'_>) -> bool {
    rules.policies.values().any(|policy| {
        policy.permissions.iter().any(|p| permits(p, view)) && policy.principals.iter().any(|p| is(p, view))
    })
}

fn is(principal: &Principal, view: &View<'_>) -> bool {
    match &principal.kind {
        Some(PrincipalKind::AndIds(set)) => set.ids.iter().all(|p| is(p, view)),
        Some(PrincipalKind::OrIds(set)) => set.ids.iter().any(|p| is(p, view)),
        Some(PrincipalKind::Any(any)) => *any,
        Some(PrincipalKind::DirectRemoteIp(range)) => contains(range, view.client),
        Some(PrincipalKind::Custom(extension)) => {
            let named = extension.typed_config.as_ref().and_then(Any::unpack::<MtlsAuthenticated>);
            let name = named.and_then(|named| named.san_matcher);
            name.zip(view.identity).is_some_and(|(name, identity)| tls::is_named(&name, identity))
        }
        None => false,
    }
}

fn permits(permission: &Permission, view: &View<'_>) -> bool {
    match &permission.rule {
        Some(PermissionRule::AndRules(set)) => set.rules.iter().all(|p| permits(p, view)),
        Some(PermissionRule::OrRules(set)) => set.rules.iter().any(|p| permits(p, view)),
        Some(PermissionRule::Any(any)) => *any,
        Some(PermissionRule::Header(header)) => header_matches(header, view),
        Some(PermissionRule::UrlPath(path)) => match &path.rule {
            Some(PathRule::Path(matcher)) => string_matches(matcher, &view.path),
            None => false,
        },
        None => false,
    }
}

pub(super) fn route_matches(route: &Route, view: &View<'_>) -> bool {
    let Some(wanted) = &route.r#match else { return false };
    let path = match &wanted.path {
        Some(PathSpecifier::Prefix(prefix)) => view.path.starts_with(prefix.as_str()),
        Some(PathSpecifier::Path(path)) => view.path == *path,
        Some(PathSpecifier::SafeRegex(regex)) => whole(&regex.regex, &view.path),
        None => false,
    };
    path && wanted.headers.iter().all(|h| header_matches(h, view))
}

/// One line suffices.
fn header_matches(header: &HeaderMatcher, view: &View<'_>) -> bool {
    let fits = |value: &str| match &header.value {
        Some(HeaderMatch::PresentMatch(present)) => *present,
        Some(HeaderMatch::StringMatch(matcher)) => string_matches(matcher, value),
        None => false,
    };
    if header.name == ":method" {
        return fits(view.method);
    }
    if header.name == ":authority" {
        return fits(&view.authority);
    }
    let mut lines = view.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&header.name));
    lines.any(|(_, value)| fits(value.trim_matches([' ', '\t'])))
}

pub(super) fn string_matches(matcher: &StringMatcher, value: &str) -> bool {
    match &matcher.pattern {
        Some(StringPattern::Exact(text)) => value == text,
        Some(StringPattern::Prefix(text)) => value.starts_with(text.as_str()),
        Some(StringPattern::SafeRegex(regex)) => whole(&regex.regex, value),
        None => false,
    }
}

fn whole(pattern: &str, value: &str) -> bool {
    regex::bytes::Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|r| r.is_match(value.as_bytes()))
}
