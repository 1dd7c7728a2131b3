//! Diagnostics and reports.

use std::borrow::Cow;
use std::fmt;

use super::{Code, FieldPath, Severity, Span, printable};
use crate::hub::names::{Name, Namespace, Namespaced};

/// Which object is meant: group, version, kind, namespace, name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct ObjectRef {
    /// API group, empty for the core group.
    pub group: Cow<'static, str>,
    /// Version as the object was written, `v1alpha4`; empty when unknown.
    pub version: Cow<'static, str>,
    /// `TrafficSplit`.
    pub kind: Cow<'static, str>,
    /// Empty for objects without a namespace.
    pub namespace: Namespace,
    /// `metadata.name`.
    pub name: Name,
}

impl ObjectRef {
    /// A reference to a namespaced object of a group and version known at compile time.
    #[must_use]
    pub fn new(group: &'static str, version: &'static str, kind: &'static str, name: &Namespaced) -> Self {
        Self {
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            kind: Cow::Borrowed(kind),
            namespace: name.namespace.clone(),
            name: name.name.clone(),
        }
    }

    /// Namespace and name.
    #[must_use]
    pub fn namespaced(&self) -> Namespaced {
        Namespaced { namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.as_str().is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// Another place that explains a finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Related {
    /// What stands there.
    pub message: String,
    /// The object.
    pub object: Option<ObjectRef>,
    /// The field in it.
    pub path: FieldPath,
    /// The place in the text, where it is known without the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
}

/// One change of a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Edit {
    /// The field that is set, added or removed, or the item of a list.
    pub path: FieldPath,
    /// The new value as JSON text (`"app"`, `80`), which is YAML too; `None`: it is removed.
    pub value: Option<String>,
}

/// A change that a tool can make.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Fix {
    /// What the change does, in the imperative: ``replace with `cart` ``.
    pub title: String,
    /// The edits, all in the diagnostic's own object.
    pub edits: Vec<Edit>,
    /// Whether the change keeps or narrows what the policy allows, so that it can be applied without asking.
    pub safe: bool,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Diagnostic {
    /// What kind of finding.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// The object, where there is one.
    pub object: Option<ObjectRef>,
    /// The field.
    pub path: FieldPath,
    /// The place in the text for findings that loading made (syntax, duplicate keys), where object and path do not suffice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// Lower-case start, no full stop, user text in backticks, one line.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Other places that explain it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
    /// A change that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// A finding about a field of an object, with the code's own severity.
    #[must_use]
    pub fn new(code: Code, object: &ObjectRef, path: FieldPath, message: impl Into<String>) -> Self {
        Self::general(code, message).with_object(object.clone()).with_path(path)
    }

    /// A finding that is about no object in particular.
    #[must_use]
    pub fn general(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity,
            object: None,
            path: FieldPath::root(),
            span: None,
            message: message.into(),
            help: None,
            related: Vec::new(),
            fix: None,
        }
    }

    /// The same, about this object.
    #[must_use]
    pub fn with_object(mut self, object: ObjectRef) -> Self {
        self.object = Some(object);
        self
    }

    /// The same, at this field.
    #[must_use]
    pub fn with_path(mut self, path: FieldPath) -> Self {
        self.path = path;
        self
    }

    /// The same, at this place of a text.
    #[must_use]
    pub fn with_span(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// The same with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with another place that explains it.
    #[must_use]
    pub fn with_related(mut self, message: impl Into<String>, object: &ObjectRef, path: FieldPath) -> Self {
        self.related.push(Related {
            message: message.into(),
            object: Some(object.clone()),
            path,
            span: None,
        });
        self
    }

    /// The same with a change that mends it.
    #[must_use]
    pub fn with_fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }
}

/// One line, with nothing in it that could steer a terminal ([`printable`]).
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]: ", self.severity, self.code)?;
        if let Some(object) = &self.object {
            write!(f, "{}: ", printable(&object.to_string()))?;
        }
        if !self.path.is_root() {
            write!(f, "{}: ", printable(&self.path.to_string()))?;
        }
        f.write_str(&printable(&self.message))
    }
}

/// Findings of one or more stages.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Report {
    /// In the order in which they were found until [`Report::sort`] is called.
    pub diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// No findings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Adds those of another stage.
    pub fn append(&mut self, mut other: Self) {
        self.diagnostics.append(&mut other.diagnostics);
    }

    /// Orders by object, path, code and text and removes repetitions, so that the order of the input cannot be seen (S35).
    pub fn sort(&mut self) {
        self.diagnostics.sort_by(|a, b| {
            (&a.object, &a.path, a.code.id, a.span, &a.message)
                .cmp(&(&b.object, &b.path, b.code.id, b.span, &b.message))
        });
        self.diagnostics.dedup();
    }

    /// The worst severity.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.diagnostics.iter().map(|d| d.severity).max()
    }

    /// Whether any finding is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.worst() == Some(Severity::Error)
    }

    /// How many have this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == severity).count()
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter()
    }
}
