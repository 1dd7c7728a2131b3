//! Versions to hub and back, and from version to version (S2–S4).
//!
//! Shape: [`read`](HubObject::read) takes one wire object to the hub, `write` takes it to any version and tells what
//! that version cannot say. [`convert`] joins them for one object; [`Hub::from_objects`](crate::hub::Hub::from_objects) reads many.
//! Loss: what a version cannot say is kept in an annotation on the converted object, and comes back from it (`keep`).
//! Faults: `SMI0101`–`SMI0131`.
//! Source: smi-spec, the versions' documents; the conversion of smi-sdk-go loses ports, conditions and ratios and is not followed.

pub mod codes;
mod collect;
mod keep;
mod read;
mod write;

use crate::api::{AnyObject, HeaderForm};
use crate::diag::{Diagnostic, FieldPath, Report, Severity};
use crate::hub::{IdentityBinding, PortRoute, RouteGroup, TrafficSplit, TrafficTarget};

pub use keep::ANNOTATION_PREFIX;

/// One object of the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HubObject {
    /// TrafficTarget.
    Target(TrafficTarget),
    /// IdentityBinding.
    Binding(IdentityBinding),
    /// HTTPRouteGroup.
    Group(RouteGroup),
    /// TCPRoute or UDPRoute.
    Ports(PortRoute),
    /// TrafficSplit.
    Split(TrafficSplit),
}

/// What to do about a conversion that would allow more than the object does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnWidening {
    /// The object is not converted.
    #[default]
    Refuse,
    /// It is converted to something that allows less, where the version can say such a thing; refused otherwise.
    Narrow,
}

/// How objects are converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConvertOptions {
    /// Conversions that widen, when no annotation may keep what is lost.
    pub on_widening: OnWidening,
    /// Keep what is lost in an annotation. The object itself is written narrower where the version can say such a thing; where it cannot
    /// (ports of a TCPRoute), readers that do not know the annotation see the wider object, and a diagnostic says so.
    pub annotate: bool,
    /// The form in which headers are written; `None`: the list, which the official CRD accepts, unless the object is not converted at all.
    pub header_form: Option<HeaderForm>,
}

impl Default for ConvertOptions {
    fn default() -> Self {
        Self { on_widening: OnWidening::Refuse, annotate: true, header_form: None }
    }
}

/// What a version cannot say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) kind: LossKind,
    pub(crate) path: FieldPath,
    pub(crate) message: String,
}

/// What a loss does to the meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LossKind {
    /// Spelling only.
    Respells,
    /// More is allowed, and the version has a narrower form.
    WidensOrNarrow,
    /// More is allowed, and the version has no narrower form.
    Widens,
}

/// A converted object and what was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The object in the wanted version.
    pub object: AnyObject,
    /// What is lost, or kept in an annotation.
    pub report: Report,
}

/// Why an object is not converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// The kind has no such version.
    #[error("{kind} has no version `{version}`; it has {known}")]
    NoSuchVersion {
        /// The kind.
        kind: &'static str,
        /// The wanted version.
        version: String,
        /// The versions that it has, for people.
        known: String,
    },
    /// The object cannot be read into the hub, or cannot be said in the version without allowing more.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Report),
}

/// Converts one object to another version of its kind.
///
/// # Errors
/// When the version does not exist, or the conversion would widen and the options say to refuse that.
pub fn convert(
    object: &AnyObject,
    version: &str,
    options: &ConvertOptions,
) -> Result<Converted, ConvertError> {
    let info = object.info();
    let versions = || crate::api::KINDS.iter().filter(|k| k.group == info.group && k.kind == info.kind);
    let Some(wanted) = versions().find(|k| k.version == version) else {
        let known = versions().map(|k| k.version).collect::<Vec<_>>().join(", ");
        return Err(ConvertError::NoSuchVersion { kind: info.kind, version: version.to_owned(), known });
    };
    let mut report = Report::new();
    // Whatever an earlier conversion kept aside is the better source.
    let original = keep::original(object, &mut report);
    let source = original.as_ref().unwrap_or(object);
    if source.info().version == wanted.version && options.header_form.is_none() {
        return Ok(Converted { object: source.clone(), report });
    }
    let hub = HubObject::read(source).map_err(|e| ConvertError::Refused(Report { diagnostics: vec![*e] }))?;
    let Some(hub) = hub else {
        return Ok(Converted { object: source.clone(), report });
    };
    // SPEC: S2, first principle: readers that do not know the annotation see less, not more. Test: s2_an_annotated_object_is_narrower.
    let narrow = options.annotate || options.on_widening == OnWidening::Narrow;
    let written = hub.write(source, wanted.version, options, narrow);
    let source_ref = source.object_ref();
    let worst = written.losses.iter().map(|l| l.kind).max();
    let refused = match worst {
        Some(LossKind::Widens) => !options.annotate,
        Some(LossKind::WidensOrNarrow) => !narrow,
        Some(LossKind::Respells) | None => false,
    };
    if refused {
        for loss in written.losses {
            let mut d = Diagnostic::new(loss.code(false), &source_ref, loss.path, loss.message);
            if loss.kind >= LossKind::WidensOrNarrow {
                d.severity = Severity::Error;
            }
            report.push(d);
        }
        return Err(ConvertError::Refused(report));
    }
    for loss in &written.losses {
        let mut d = Diagnostic::new(loss.code(narrow), &source_ref, loss.path.clone(), loss.message.clone());
        match loss.kind {
            LossKind::Widens => {
                d = d.with_help(
                    "an annotation keeps it; readers that do not know the annotation see more allowed",
                );
            }
            LossKind::WidensOrNarrow => {
                d = d.with_help(if options.annotate {
                    "an annotation keeps it; readers that do not know the annotation see less allowed"
                } else {
                    "the converted object allows less"
                });
            }
            LossKind::Respells => {}
        }
        report.push(d);
    }
    let mut object = written.object;
    keep::forget(&mut object);
    if options.annotate {
        keep::annotate(source, &mut object);
    }
    Ok(Converted { object, report })
}

impl Loss {
    fn code(&self, narrow: bool) -> crate::diag::Code {
        match self.kind {
            LossKind::Respells => codes::RESPELLS,
            LossKind::WidensOrNarrow if narrow => codes::NARROWS,
            LossKind::WidensOrNarrow | LossKind::Widens => codes::WIDENS,
        }
    }
}

#[cfg(test)]
mod tests;
