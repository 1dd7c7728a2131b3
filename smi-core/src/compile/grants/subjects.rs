//! Who may call, and whose pods (S23, S27, S28).

use std::collections::HashMap;

use super::Pass;
use crate::compile::codes;
use crate::compile::workloads::{Destination, is_usable};
use crate::diag::suggest::closest;
use crate::diag::{Diagnostic, FieldPath};
use crate::hub::names::{Name, Namespace, Namespaced, SpiffeId, of_namespace};
use crate::hub::{Subject, TrafficTarget};
use crate::ir::{Field, Origin, Principal, SourceGrant};

/// Identities of service accounts, of which TrafficTargets name most again and again.
#[derive(Default)]
pub(super) struct Identities(HashMap<Namespaced, SpiffeId>);

impl Identities {
    fn of(&mut self, account: Namespaced, trust_domain: &str) -> SpiffeId {
        let identity = |account: &Namespaced| SpiffeId::for_account(trust_domain, account);
        self.0.entry(account).or_insert_with_key(identity).clone()
    }
}

impl Pass<'_> {
    pub(super) fn destination(&mut self, target: &TrafficTarget) -> Option<Destination> {
        let inert = "so the TrafficTarget allows nothing";
        let Some(subject) = &target.destination else {
            let path = self.destination_path();
            self.fault(codes::TARGET_DESTINATION, path, format!("there is no destination, {inert}"), None);
            return None;
        };
        // SPEC: S23. Absent means the TrafficTarget's own; another one is not accepted.
        if let Some(namespace) =
            subject.namespace.as_ref().filter(|n| !n.is_empty() && ***n != *self.name.namespace.as_str())
        {
            let path = self.destination_path().field("namespace");
            let message = format!(
                "the destination is in namespace `{namespace}`, not in the TrafficTarget's own, {inert}"
            );
            let help = Some(format!("move the TrafficTarget to namespace `{namespace}`"));
            self.fault(codes::TARGET_DESTINATION, path, message, help);
            return None;
        }
        let name =
            Namespaced { namespace: self.name.namespace.clone(), name: Name::new(subject.name.clone()) };
        if let Some(group) = subject.foreign_group() {
            let path = self.destination_path().field("group");
            self.unknown_group(path, group, inert);
            return None;
        }
        match &*subject.kind {
            "ServiceAccount" => Some(Destination::Account(account(name))),
            "IdentityBinding" => {
                let Some(binding) = self.hub.bindings.get(&name) else {
                    let path = self.destination_path().field("name");
                    self.missing_binding(path, &name, inert);
                    return None;
                };
                match &binding.service_account {
                    _ if !is_usable(binding) => None,
                    Some(account) => Some(Destination::Account(Namespaced {
                        namespace: name.namespace,
                        name: Name::new(account.clone()),
                    })),
                    None if binding.pod_labels.is_some() => Some(Destination::Binding(name)),
                    None => {
                        let path = self.destination_path().field("name");
                        let message = format!("the IdentityBinding `{}` selects no pods, {inert}", name.name);
                        let help = Some("a destination needs `podLabelSelector` or `serviceAccount`".into());
                        self.fault(codes::TARGET_DESTINATION, path, message, help);
                        None
                    }
                }
            }
            kind => {
                let path = self.destination_path().field("kind");
                self.unknown_kind(path, kind, &["ServiceAccount", "IdentityBinding"], inert);
                None
            }
        }
    }

    pub(super) fn sources(&mut self, subjects: &[Subject]) -> Vec<SourceGrant> {
        let mut out: Vec<SourceGrant> = Vec::with_capacity(subjects.len());
        for (place, subject) in subjects.iter().enumerate() {
            let field = Field::Item(self.fields.sources, place);
            let origin = Origin::field(self.object.clone(), field.clone());
            self.principals(subject, &field, |principal| {
                out.push(SourceGrant { principal, origin: origin.clone() });
            });
        }
        // The first mention of each; the order of those that are equal is kept.
        out.sort_by(|a, b| a.principal.cmp(&b.principal));
        out.dedup_by(|again, first| again.principal == first.principal);
        out
    }

    fn principals(&mut self, subject: &Subject, field: &Field, mut found: impl FnMut(Principal)) {
        // SPEC: S23. A source without namespace is in the TrafficTarget's own.
        let namespace = match &subject.namespace {
            Some(n) if !n.is_empty() => Namespace::new(n.clone()),
            _ => self.name.namespace.clone(),
        };
        let trust_domain = &self.options.settings.trust_domain;
        let name = Namespaced { namespace, name: Name::new(subject.name.clone()) };
        if let Some(group) = subject.foreign_group() {
            self.unknown_group(field.path().field("group"), group, "so the source is nobody");
            return;
        }
        match &*subject.kind {
            "ServiceAccount" => found(Principal::Identity(self.identities.of(account(name), trust_domain))),
            "IdentityBinding" => {
                let Some(binding) = self.hub.bindings.get(&name) else {
                    self.missing_binding(field.path().field("name"), &name, "so the source is nobody");
                    return;
                };
                if !is_usable(binding) {
                    return;
                }
                if let Some(account) = &binding.service_account {
                    let account =
                        Namespaced { namespace: name.namespace.clone(), name: Name::new(account.clone()) };
                    found(Principal::Identity(self.identities.of(account, trust_domain)));
                }
                if binding.pod_labels.as_ref().is_some_and(|l| !l.is_empty()) {
                    found(Principal::Binding(name));
                }
                for (place, text) in binding.spiffe_ids.iter().flatten().enumerate() {
                    let at = FieldPath::root().fields(&["spec", "schemes", "spiffeIdentities"]).index(place);
                    let id = SpiffeId::parse(text);
                    let accepted = id.clone().or_else(|| SpiffeId::parse(&format!("spiffe://{text}")));
                    if id.is_none() {
                        let message = match &accepted {
                            Some(id) => format!("`{text}` has no scheme and is read as `{id}`"),
                            None => format!("`{text}` is not a SPIFFE ID and names nobody"),
                        };
                        self.report.push(Diagnostic::new(
                            codes::SPIFFE_FORM,
                            &binding.object_ref(),
                            at,
                            message,
                        ));
                    }
                    accepted.into_iter().for_each(|id| found(Principal::Identity(id)));
                }
            }
            // SPEC: S27. A source of unknown kind is nobody; the others stay. Case: access/s27-empty-and-unknown.
            kind => {
                let at = field.path().field("kind");
                let known = ["ServiceAccount", "IdentityBinding"];
                self.unknown_kind(at, kind, &known, "so the source is nobody");
            }
        }
    }

    fn unknown_group(&mut self, path: FieldPath, group: &str, effect: &str) {
        let help = Some("leave `group` out, or write `access.smi-spec.io`".to_owned());
        self.fault(codes::UNKNOWN_KIND, path, format!("the group `{group}` is unknown, {effect}"), help);
    }

    fn missing_binding(&mut self, path: FieldPath, name: &Namespaced, effect: &str) {
        let known = of_namespace(&self.hub.bindings, &name.namespace).map(|(name, _)| name.as_str());
        let help = closest(name.name.as_str(), known).map(|n| format!("did you mean `{n}`?"));
        self.fault(
            codes::SUBJECT_MISSING,
            path,
            format!("there is no IdentityBinding `{name}`, {effect}"),
            help,
        );
    }
}

// SPEC: S28. An empty service account is `default`.
fn account(name: Namespaced) -> Namespaced {
    if name.name.as_str().is_empty() { Namespaced { name: Name::from("default"), ..name } } else { name }
}
