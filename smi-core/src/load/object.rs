//! Trees → objects: which kind a document is, and who decodes it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::codes;
use super::de::{self, DeError, Place};
use super::kinds;
use super::source::Part;
use super::tree::{Kind, Node, repeated_key};
use super::unknown;
use crate::api::AnyObject;
use crate::cluster::{self, Addresses, ClusterObject, PodId};
use crate::diag::{Code, Diagnostic, FieldPath, ObjectRef, Related, Report, Segment, Span};
use crate::hub::names::{Name, Namespace};

/// What was read so far.
pub(super) struct Objects {
    pub(super) places: BTreeMap<ObjectRef, Part>,
    /// Of objects that are not taken.
    pub(super) refused: BTreeMap<ObjectRef, Part>,
    /// Whether something was left out of which not even the name is known.
    pub(super) lost: bool,
    pub(super) smi: Vec<AnyObject>,
    pub(super) cluster: Vec<ClusterObject>,
    pub(super) report: Report,
}

/// A document or an item of a list.
#[derive(Clone, Copy)]
struct Item<'n, 'a> {
    node: &'n Node<'a>,
    part: Part,
    api_version: &'n str,
    kind: &'n str,
}

/// The items of a list of objects, and the version and kind that they may leave out. `None`: it is no such list.
#[must_use]
pub fn listed<'n, 'a>(
    node: &'n Node<'a>,
    api_version: &'n str,
    kind: &'n str,
) -> Option<(&'n Node<'a>, Option<(&'n str, &'n str)>)> {
    let is_read = |kind: &str| AnyObject::is_known(api_version, kind) || cluster::is_read(api_version, kind);
    // Other kinds may be called lists too, but what they list is not known here.
    let of = kind.strip_suffix("List").filter(|of| !is_read(kind) && (of.is_empty() || is_read(of)))?;
    // A plain `List` says nothing of its items.
    Some((node.get("items")?, (!of.is_empty()).then_some((api_version, of))))
}

impl Objects {
    pub(super) fn new(report: Report) -> Self {
        let (places, refused) = (BTreeMap::new(), BTreeMap::new());
        Self { places, refused, lost: false, smi: Vec::new(), cluster: Vec::new(), report }
    }

    /// Reads the objects of a document.
    pub(super) fn document(&mut self, root: &Node<'_>, part: Part, input: &str) {
        if root.is_null() {
            return;
        }
        if is_kustomization(root, input) {
            let message =
                "the kustomization is not built, so the objects beside it may differ from what is applied";
            let diagnostic = self.at(codes::KUSTOMIZATION, root.caret(None), part, message);
            self.report.push(diagnostic.with_help("read the output of `kubectl kustomize` instead"));
            return;
        }
        if let Some((api_version, kind)) = self.type_meta(root, part, None) {
            self.item(&Item { node: root, part, api_version, kind });
        }
    }

    /// Reads an object, or the objects of a list.
    fn item(&mut self, item: &Item<'_, '_>) {
        let Item { node, part, api_version, kind } = *item;
        match listed(node, api_version, kind) {
            Some((items, defaults)) => self.list(items, part, defaults),
            None => self.object(item),
        }
    }

    fn list(&mut self, items: &Node<'_>, part: Part, defaults: Option<(&str, &str)>) {
        if !matches!(items.kind, Kind::Seq(_)) && !items.is_null() {
            self.push(codes::NOT_AN_OBJECT, items.caret(None), part, "`items` is not a list");
            return;
        }
        for node in items.items() {
            let part = Part { item: Some((node.start, node.end)), ..part };
            if let Some((api_version, kind)) = self.type_meta(node, part, defaults) {
                self.item(&Item { node, part, api_version, kind });
            }
        }
    }

    /// `apiVersion` and `kind`; `None` after a diagnostic.
    fn type_meta<'n>(
        &mut self,
        node: &'n Node<'_>,
        part: Part,
        defaults: Option<(&'n str, &'n str)>,
    ) -> Option<(&'n str, &'n str)> {
        let Kind::Map(entries) = &node.kind else {
            self.push(codes::NOT_AN_OBJECT, node.caret(None), part, "this is not an object");
            return None;
        };
        // What kind a document is with two `kind`s depends on the reader.
        if let Some((first, second)) = repeated_key(entries)
            && matches!(second.key.as_ref(), "apiVersion" | "kind")
        {
            let message = format!("the key `{}` stands twice", second.key);
            let mut diagnostic =
                self.at(codes::REPEATED_KEY, (second.key_start, second.key_end), part, message);
            diagnostic.related.push(first_key(part, (first.key_start, first.key_end)));
            self.lose(diagnostic.with_help("is a line `---` missing between two objects?"));
            return None;
        }
        let mut field = |name: &str, default: Option<&'n str>| match node.entry(name) {
            Some(entry) if !entry.value.is_null() => {
                let text = entry.value.as_str().filter(|text| !text.is_empty());
                if text.is_none() {
                    let message = format!("`{name}` is not a string");
                    self.push(codes::NOT_AN_OBJECT, entry.value.caret(Some(entry)), part, message);
                }
                text
            }
            _ => {
                if default.is_none() {
                    let message = format!("a document without `{name}`");
                    self.push(codes::NOT_AN_OBJECT, node.caret(None), part, message);
                }
                default
            }
        };
        let api_version = field("apiVersion", defaults.map(|d| d.0))?;
        let kind = field("kind", defaults.map(|d| d.1))?;
        Some((api_version, kind))
    }

    fn object(&mut self, item: &Item<'_, '_>) {
        if AnyObject::is_known(item.api_version, item.kind) {
            self.smi_object(item);
        } else if let Some(unknown) = kinds::unknown(item.api_version, item.kind) {
            let entry = item.node.entry(unknown.field);
            let place = entry.map_or_else(|| item.node.caret(None), |e| e.value.caret(Some(e)));
            let path = FieldPath::root().field(unknown.field);
            let diagnostic = self.at(codes::UNKNOWN_KIND, place, item.part, unknown.message);
            let diagnostic = diagnostic.with_object(item.object_ref()).with_path(path);
            self.report.push(diagnostic.with_help(unknown.help));
            self.lost |= cluster::nearly_read(item.api_version, item.kind).is_some();
        } else {
            self.cluster_object(item);
        }
    }

    fn smi_object(&mut self, item: &Item<'_, '_>) {
        let (result, notes) =
            de::decode(item.node, |d| AnyObject::decode(item.api_version, item.kind, d).transpose());
        match result {
            // `is_known` was asked before.
            Ok(None) => {}
            Ok(Some(object)) => {
                let name = object.object_ref();
                let complete = !notes.unknown.iter().any(|f| unknown::restricts(item.kind, &f.place.path));
                for field in notes.unknown {
                    self.report.push(unknown::finding(&name, item.part, field));
                }
                self.report
                    .diagnostics
                    .extend(notes.null.into_iter().filter_map(|p| null_field(item, &name, p)));
                if complete {
                    self.places.entry(name).or_insert(item.part);
                    self.smi.push(object);
                } else {
                    self.refused.entry(name).or_insert(item.part);
                }
            }
            Err(error) => self.refuse(item, codes::MALFORMED, &error),
        }
    }

    fn cluster_object(&mut self, item: &Item<'_, '_>) {
        // Fields that are not read are the API server's business.
        let (result, _) =
            de::decode(item.node, |d| cluster::decode(item.api_version, item.kind, d).transpose());
        match result {
            // Somebody else's kind.
            Ok(None) => {}
            Ok(Some(decoded)) => {
                let name =
                    decoded.object.as_ref().map_or_else(|| item.object_ref(), ClusterObject::object_ref);
                if decoded.object.is_some() {
                    self.places.entry(name).or_insert(item.part);
                } else {
                    self.refused.entry(name).or_insert(item.part);
                    self.unclear(item);
                }
                self.cluster.extend(decoded.object);
                self.report.append(decoded.report);
            }
            Err(error) => {
                self.refuse(item, cluster::codes::MALFORMED, &error);
                self.unclear(item);
            }
        }
    }

    /// What has to be known of an object that cannot be read, so that its absence opens nothing.
    fn unclear(&mut self, item: &Item<'_, '_>) {
        let name = item.object_ref();
        match (&*name.group, &*name.kind) {
            ("", "Namespace") if name.name.as_str().is_empty() => self.lost = true,
            ("", "Namespace") => {
                self.cluster.push(ClusterObject::UnclearNamespace(Namespace::from(name.name.as_str())));
            }
            // SPEC: S29. Its address may be another pod's too, which then is not the only one that has it. Test:
            // s29_the_address_of_a_pod_that_cannot_be_read_is_nobodys.
            ("", "Pod") => {
                let id = PodId::pod(name.namespaced());
                self.cluster.push(ClusterObject::UnclearPod { id, addresses: item.pod_addresses() });
            }
            _ => {}
        }
    }

    /// Reports an object that cannot be decoded.
    fn refuse(&mut self, item: &Item<'_, '_>, code: Code, error: &DeError) {
        let object = item.object_ref();
        self.refused.entry(object.clone()).or_insert(item.part);
        let code = if error.first_key().is_some() { codes::REPEATED_KEY } else { code };
        let mut diagnostic = Diagnostic::general(code, error.message()).with_object(object);
        let (start, end) = match error.place() {
            Some(place) => {
                diagnostic = diagnostic.with_path(place.path.clone());
                (place.start, place.end)
            }
            None => item.node.caret(None),
        };
        diagnostic = diagnostic.with_span(Span { source: item.part.source, start, end });
        if let Some(help) = error.advice() {
            diagnostic = diagnostic.with_help(help);
        }
        diagnostic.related.extend(error.first_key().map(|place| first_key(item.part, place)));
        self.report.push(diagnostic);
    }

    fn at(&self, code: Code, (start, end): (u32, u32), part: Part, message: impl Into<String>) -> Diagnostic {
        Diagnostic::general(code, message).with_span(Span { source: part.source, start, end })
    }

    fn push(&mut self, code: Code, place: (u32, u32), part: Part, message: impl Into<String>) {
        let diagnostic = self.at(code, place, part, message);
        self.lose(diagnostic);
    }

    /// Reports what is left out without its name being known.
    pub(super) fn lose(&mut self, diagnostic: Diagnostic) {
        self.lost = true;
        self.report.push(diagnostic);
    }
}

impl Item<'_, '_> {
    /// Addresses of a pod that may not be decodable, wherever they stand.
    fn pod_addresses(&self) -> Addresses {
        let statuses: Vec<&Node<'_>> = self.node.all("status").collect();
        let several =
            statuses.iter().flat_map(|s| s.all("podIPs")).flat_map(Node::items).flat_map(|i| i.all("ip"));
        let one = statuses.iter().flat_map(|s| s.all("podIP"));
        let read = |node: &Node<'_>| node.as_str()?.parse::<IpAddr>().ok();
        one.chain(several).filter_map(read).map(|address| address.to_canonical()).collect()
    }

    /// The reference of an object that may not be decodable.
    fn object_ref(&self) -> ObjectRef {
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", self.api_version));
        let meta = |field| self.node.get("metadata").and_then(|m| m.get(field)).and_then(Node::as_str);
        let namespace = match meta("namespace") {
            _ if group.is_empty() && self.kind == "Namespace" => "",
            Some(namespace) if !namespace.is_empty() => namespace,
            _ => "default",
        };
        ObjectRef {
            group: group.to_owned().into(),
            version: version.to_owned().into(),
            kind: self.kind.to_owned().into(),
            namespace: Namespace::from(namespace),
            name: Name::from(meta("name").unwrap_or_default()),
        }
    }
}

/// A field without a value. Metadata often has `creationTimestamp: null`, which tools write and nobody reads.
fn null_field(item: &Item<'_, '_>, object: &ObjectRef, place: Place) -> Option<Diagnostic> {
    let field = |at: usize| match place.path.segments().get(at) {
        Some(Segment::Field(name)) => Some(name.as_ref()),
        Some(Segment::Index(_)) | None => None,
    };
    if matches!(field(0), Some("metadata" | "status")) {
        return None;
    }
    let last = field(place.path.segments().len().saturating_sub(1)).unwrap_or_default();
    let message = format!("`{last}` has no value, as if it were not there");
    let span = Span { source: item.part.source, start: place.start, end: place.end };
    let help = "write a value, or remove the field";
    Some(Diagnostic::new(codes::NULL_FIELD, object, place.path, message).with_span(span).with_help(help))
}

fn first_key(part: Part, (start, end): (u32, u32)) -> Related {
    Related {
        message: "it stands here first".to_owned(),
        object: None,
        path: FieldPath::root(),
        span: Some(Span { source: part.source, start, end }),
    }
}

/// Kustomizations may leave out version and kind, and are known by the name of their file then.
fn is_kustomization(root: &Node<'_>, input: &str) -> bool {
    let text = |key| root.get(key).and_then(Node::as_str);
    let file = input.rsplit(['/', '\\']).next().unwrap_or(input);
    match (text("kind"), text("apiVersion")) {
        (Some("Kustomization" | "Component"), version) => {
            version.is_none_or(|v| v.starts_with("kustomize.config.k8s.io/"))
        }
        (None, None) => matches!(file, "kustomization.yaml" | "kustomization.yml" | "Kustomization"),
        _ => false,
    }
}
