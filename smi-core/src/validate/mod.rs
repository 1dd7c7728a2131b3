//! Advice: findings that do not change what a policy means.
//!
//! Shape: one rule per file below [`rules`], each with its code; [`validate`] runs all of them over one [`Context`], which holds the
//! look-ups that several rules need, so that cost stays linear. What changes the meaning is reported by the compiler.
//! Source: `docs/semantics.md`, wherever it says lint or warning, and what people get wrong in practice.

mod context;
pub mod rules;

pub use context::Context;

use crate::cluster::Cluster;
use crate::compile::CompileOptions;
use crate::diag::Report;
use crate::hub::Hub;
use crate::ir::Ir;

/// Runs every rule.
#[must_use]
pub fn validate(hub: &Hub, cluster: &Cluster, ir: &Ir, options: &CompileOptions) -> Report {
    let context = Context::new(hub, cluster, ir, options);
    let mut report = Report::new();
    for rule in rules::ALL {
        (rule.check)(&context, &mut report);
    }
    report.sort();
    report
}
