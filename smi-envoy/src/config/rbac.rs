//! Access control.

use std::collections::BTreeMap;

use super::address::CidrRange;
use super::matcher::{HeaderMatcher, PathMatcher};
use super::tls::SubjectAltNameMatcher;
use super::types::{TypedExtension, is_default, proto_enum};

/// The filter's own configuration: present and empty rules deny everything that a more specific place does not allow.
#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct HttpRbac {
    #[prost(message, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rbac>,
    #[prost(message, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow_rules: Option<Rbac>,
}

/// Of connections. Rules that are absent are not enforced.
#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct NetworkRbac {
    #[prost(message, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rbac>,
    #[prost(message, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow_rules: Option<Rbac>,
    #[prost(string, tag = "3")]
    pub stat_prefix: String,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct RbacPerRoute {
    #[prost(message, optional, tag = "2")]
    pub rbac: Option<HttpRbac>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct Rbac {
    #[prost(enumeration = "Action", tag = "1")]
    #[serde(serialize_with = "Action::serialize")]
    pub action: i32,
    #[prost(btree_map = "string, message", tag = "2")]
    #[serde(skip_serializing_if = "is_default")]
    pub policies: BTreeMap<String, Policy>,
}

proto_enum! {
    /// What policies do.
    Action { Allow = 0 "ALLOW", Deny = 1 "DENY" }
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct Policy {
    #[prost(message, repeated, tag = "1")]
    pub permissions: Vec<Permission>,
    #[prost(message, repeated, tag = "2")]
    pub principals: Vec<Principal>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct Permission {
    #[prost(oneof = "PermissionRule", tags = "1, 2, 3, 4, 10")]
    #[serde(flatten)]
    pub rule: Option<PermissionRule>,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PermissionRule {
    #[prost(message, tag = "1")]
    AndRules(PermissionSet),
    #[prost(message, tag = "2")]
    OrRules(PermissionSet),
    #[prost(bool, tag = "3")]
    Any(bool),
    #[prost(message, tag = "4")]
    Header(HeaderMatcher),
    #[prost(message, tag = "10")]
    UrlPath(PathMatcher),
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct PermissionSet {
    #[prost(message, repeated, tag = "1")]
    pub rules: Vec<Permission>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct Principal {
    #[prost(oneof = "PrincipalKind", tags = "1, 2, 3, 10, 14")]
    #[serde(flatten)]
    pub kind: Option<PrincipalKind>,
}

/// `remote_ip` and `source_ip` are left out on purpose: they believe `X-Forwarded-For`.
#[derive(Clone, PartialEq, Eq, prost::Oneof, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    #[prost(message, tag = "1")]
    AndIds(PrincipalSet),
    #[prost(message, tag = "2")]
    OrIds(PrincipalSet),
    #[prost(bool, tag = "3")]
    Any(bool),
    #[prost(message, tag = "10")]
    DirectRemoteIp(CidrRange),
    #[prost(message, tag = "14")]
    Custom(TypedExtension),
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct PrincipalSet {
    #[prost(message, repeated, tag = "1")]
    pub ids: Vec<Principal>,
}

/// Configuration of `envoy.rbac.principals.mtls_authenticated`: a name of the peer's certificate, of one kind only. The filter's own
/// `authenticated` takes a DNS name or the subject where there is no URI that fits.
#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct MtlsAuthenticated {
    #[prost(message, optional, tag = "1")]
    pub san_matcher: Option<SubjectAltNameMatcher>,
}

impl From<PermissionRule> for Permission {
    fn from(rule: PermissionRule) -> Self {
        Self { rule: Some(rule) }
    }
}

impl From<PrincipalKind> for Principal {
    fn from(kind: PrincipalKind) -> Self {
        Self { kind: Some(kind) }
    }
}
