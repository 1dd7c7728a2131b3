//! The rules, one per file.

use super::Context;
use crate::diag::{Code, Report};

/// A rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What it reports.
    pub code: Code,
    /// Looks for it.
    pub check: fn(&Context<'_>, &mut Report),
}

macro_rules! rules {
    ($($module:ident),* $(,)?) => {
        $(mod $module;)*

        /// Every rule.
        pub const ALL: &[Rule] = &[$(Rule { code: $module::CODE, check: $module::check }),*];

        /// Codes of all rules.
        pub const CODES: &[Code] = &[$($module::CODE),*];
    };
}

rules! {
    backend_is_root,
    default_account,
    group_empty,
    host_case,
    match_everything,
    match_shadowed,
    methods_case,
    path_sibling,
    port_of_service,
    route_unused,
    rule_matches_ignored,
    source_namespace,
    source_port,
    source_without_pods,
    split_grants_differ,
    split_of_split,
    split_service_twice,
    target_without_pods,
}

/// Declares the code of a rule.
macro_rules! code {
    ($id:literal $name:literal $severity:ident $rule:literal, $summary:literal, $explanation:literal) => {
        /// What this rule reports.
        pub(super) const CODE: $crate::diag::Code = $crate::diag::Code {
            id: $id,
            name: $name,
            severity: $crate::diag::Severity::$severity,
            summary: $summary,
            rule: $rule,
            explanation: $explanation,
        };
    };
}
use code;

#[cfg(test)]
mod tests;
