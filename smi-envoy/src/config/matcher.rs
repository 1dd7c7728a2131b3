//! String and header matchers, and the matcher tree by source address.

use std::collections::BTreeMap;

use super::address::CidrRange;
use super::types::{TypedExtension, is_default};

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct RegexMatcher {
    #[prost(string, tag = "2")]
    pub regex: String,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct StringMatcher {
    #[prost(oneof = "StringPattern", tags = "1, 2, 5")]
    #[serde(flatten)]
    pub pattern: Option<StringPattern>,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StringPattern {
    #[prost(string, tag = "1")]
    Exact(String),
    #[prost(string, tag = "2")]
    Prefix(String),
    #[prost(message, tag = "5")]
    SafeRegex(RegexMatcher),
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct HeaderMatcher {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(oneof = "HeaderMatch", tags = "7, 13")]
    #[serde(flatten)]
    pub value: Option<HeaderMatch>,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderMatch {
    #[prost(bool, tag = "7")]
    PresentMatch(bool),
    #[prost(message, tag = "13")]
    StringMatch(StringMatcher),
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct PathMatcher {
    #[prost(oneof = "PathRule", tags = "1")]
    #[serde(flatten)]
    pub rule: Option<PathRule>,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PathRule {
    #[prost(message, tag = "1")]
    Path(StringMatcher),
}

/// `xds.type.matcher.v3.Matcher`.
#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct Matcher {
    #[prost(message, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matcher_tree: Option<MatcherTree>,
    #[prost(message, optional, boxed, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_no_match: Option<Box<OnMatch>>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct MatcherTree {
    #[prost(message, optional, tag = "1")]
    pub input: Option<TypedExtension>,
    #[prost(message, optional, tag = "4")]
    pub custom_match: Option<TypedExtension>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct OnMatch {
    #[prost(message, optional, tag = "2")]
    pub action: Option<TypedExtension>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct IpMatcher {
    #[prost(message, repeated, tag = "1")]
    pub range_matchers: Vec<IpRangeMatcher>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct IpRangeMatcher {
    #[prost(message, repeated, tag = "1")]
    pub ranges: Vec<CidrRange>,
    #[prost(message, optional, tag = "2")]
    pub on_match: Option<OnMatch>,
    #[prost(bool, tag = "3")]
    #[serde(skip_serializing_if = "is_default")]
    pub exclusive: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct SourceIpInput {}

/// Per-filter configuration by filter name.
pub type PerFilter = BTreeMap<String, super::Any>;
