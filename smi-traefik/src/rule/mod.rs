//! Traefik's rule language as a tree; the only place that quotes and escapes.
//!
//! Source: Traefik 3.7, "Rules & Priority" of HTTP and TCP routers; strings are Go string literals.

mod parse;
mod print;

pub use parse::{ParseError, parse};

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A matcher with its arguments.
    Match(Matcher, Vec<String>),
    /// Both; never fewer than two.
    And(Vec<Rule>),
    /// Either; never fewer than two.
    Or(Vec<Rule>),
    /// Whatever this does not match.
    Not(Box<Rule>),
}

/// Matchers that are emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matcher {
    /// Host, without case, port and trailing dot.
    Host,
    /// Host by regular expression.
    HostRegexp,
    /// Exact path.
    Path,
    /// Path by regular expression, searched.
    PathRegexp,
    /// Path by its start.
    PathPrefix,
    /// Method.
    Method,
    /// A line of a header by regular expression, searched.
    HeaderRegexp,
    /// Address of the peer.
    ClientIp,
    /// Server name of TLS; `*` takes everything.
    HostSni,
}

impl Matcher {
    const ALL: &'static [Self] = &[
        Self::Host,
        Self::HostRegexp,
        Self::Path,
        Self::PathRegexp,
        Self::PathPrefix,
        Self::Method,
        Self::HeaderRegexp,
        Self::ClientIp,
        Self::HostSni,
    ];

    /// The name in Traefik's language.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "Host",
            Self::HostRegexp => "HostRegexp",
            Self::Path => "Path",
            Self::PathRegexp => "PathRegexp",
            Self::PathPrefix => "PathPrefix",
            Self::Method => "Method",
            Self::HeaderRegexp => "HeaderRegexp",
            Self::ClientIp => "ClientIP",
            Self::HostSni => "HostSNI",
        }
    }
}

impl Rule {
    /// A matcher with one argument.
    #[must_use]
    pub fn one(matcher: Matcher, argument: impl Into<String>) -> Self {
        Self::Match(matcher, vec![argument.into()])
    }

    /// Whatever a rule does not match.
    #[must_use]
    pub fn negated(rule: Self) -> Self {
        match rule {
            Self::Not(inner) => *inner,
            other @ (Self::Match(..) | Self::And(_) | Self::Or(_)) => Self::Not(Box::new(other)),
        }
    }

    /// All of them; `None` when there are none, which would match everything.
    #[must_use]
    pub fn all(rules: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut flat = Vec::new();
        for rule in rules {
            match rule {
                Self::And(inner) => flat.extend(inner),
                other @ (Self::Match(..) | Self::Or(_) | Self::Not(_)) => flat.push(other),
            }
        }
        if flat.len() > 1 { Some(Self::And(flat)) } else { flat.pop() }
    }

    /// Any of them; `None` when there are none, which would match nothing.
    #[must_use]
    pub fn any(rules: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut flat = Vec::new();
        for rule in rules {
            match rule {
                Self::Or(inner) => flat.extend(inner),
                other @ (Self::Match(..) | Self::And(_) | Self::Not(_)) => flat.push(other),
            }
        }
        if flat.len() > 1 { Some(Self::Or(flat)) } else { flat.pop() }
    }
}
