//! Kinds and versions that SMI does not have, and what was probably meant.

use std::collections::BTreeSet;

use crate::api::{KINDS, KindInfo};
use crate::cluster;
use crate::diag::suggest;

/// Why a kind is unknown.
#[derive(Debug)]
pub(super) struct UnknownKind {
    /// `apiVersion` or `kind`.
    pub(super) field: &'static str,
    pub(super) message: String,
    pub(super) help: String,
}

/// Looks at a kind that is not SMI's. `None`: nothing says that it was meant to be.
pub(super) fn unknown(api_version: &str, kind: &str) -> Option<UnknownKind> {
    if let Some(near) = cluster::nearly_read(api_version, kind) {
        let message = format!("`{api_version}` has no kind `{kind}`");
        return Some(UnknownKind { field: "kind", message, help: format!("did you mean `{near}`?") });
    }
    let (group, version) = api_version.split_once('/').unwrap_or((api_version, ""));
    let groups: BTreeSet<&str> = KINDS.iter().map(|k| k.group).collect();
    let ours = group == "smi-spec.io" || group.ends_with(".smi-spec.io");
    let same_kind: Vec<&KindInfo> = KINDS.iter().filter(|k| k.kind == kind).collect();
    let newest = same_kind.iter().max_by_key(|k| k.version);
    // `TCPRoute` and `UDPRoute` are kinds of other groups too, so only a group that is nearly ours counts.
    let misspelt = suggest::closest(group, groups.iter().copied()).filter(|_| group.contains("smi"));
    if !ours && (misspelt.is_none() || same_kind.is_empty()) {
        return None;
    }
    if !groups.contains(group) {
        let help = match (newest, misspelt) {
            (Some(newest), _) => format!("write `{}/{}`", newest.group, newest.version),
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) => format!("the groups are {}", list(groups.iter().copied())),
        };
        return Some(UnknownKind {
            field: "apiVersion",
            message: format!("SMI has no group `{group}`"),
            help,
        });
    }
    let in_group = || KINDS.iter().filter(|k| k.group == group);
    if in_group().any(|k| k.kind == kind) {
        let versions = in_group().filter(|k| k.kind == kind).map(|k| k.version);
        let message = format!("{kind} has no version `{version}`");
        return Some(UnknownKind {
            field: "apiVersion",
            message,
            help: format!("its versions are {}", list(versions)),
        });
    }
    if let Some(newest) = newest {
        let message = format!("{kind} is not a kind of `{group}`");
        let help = format!("write `{}/{}`", newest.group, newest.version);
        return Some(UnknownKind { field: "apiVersion", message, help });
    }
    let kinds: BTreeSet<&str> = in_group().map(|k| k.kind).collect();
    let help = match suggest::closest(kind, kinds.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("its kinds are {}", list(kinds.iter().copied())),
    };
    Some(UnknownKind { field: "kind", message: format!("`{group}` has no kind `{kind}`"), help })
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_said() {
        let table = [
            (
                "split.smi-spec.io/v1alpha5",
                "TrafficSplit",
                "TrafficSplit has no version `v1alpha5`: its versions are `v1alpha1`, `v1alpha2`, `v1alpha3`, `v1alpha4`",
            ),
            (
                "split.smi-spec.io/v1alpha4",
                "TrafficSplitt",
                "`split.smi-spec.io` has no kind `TrafficSplitt`: did you mean `TrafficSplit`?",
            ),
            (
                "split.smi-spec.io/v1alpha4",
                "Gateway",
                "`split.smi-spec.io` has no kind `Gateway`: its kinds are `TrafficSplit`",
            ),
            (
                "specs.smi-spec.io/v1alpha4",
                "TrafficTarget",
                "TrafficTarget is not a kind of `specs.smi-spec.io`: write `access.smi-spec.io/v1alpha4`",
            ),
            (
                "splits.smi-spec.io/v1alpha4",
                "TrafficSplit",
                "SMI has no group `splits.smi-spec.io`: write `split.smi-spec.io/v1alpha4`",
            ),
            (
                "split.smi-spec.oi/v1alpha4",
                "TrafficSplit",
                "SMI has no group `split.smi-spec.oi`: write `split.smi-spec.io/v1alpha4`",
            ),
            (
                "smi-spec.io/v1",
                "Thing",
                "SMI has no group `smi-spec.io`: the groups are `access.smi-spec.io`, `metrics.smi-spec.io`, `specs.smi-spec.io`, `split.smi-spec.io`",
            ),
            (
                "split.smi-spec.io",
                "TrafficSplit",
                "TrafficSplit has no version ``: its versions are `v1alpha1`, `v1alpha2`, `v1alpha3`, `v1alpha4`",
            ),
        ];
        for (api_version, kind, wanted) in table {
            let unknown = unknown(api_version, kind).unwrap();
            assert_eq!(format!("{}: {}", unknown.message, unknown.help), wanted);
        }
        for (api_version, kind) in [
            ("gateway.networking.k8s.io/v1alpha2", "TCPRoute"),
            ("traefik.io/v1alpha1", "TraefikService"),
            ("v1", "ConfigMap"),
            ("apps/v1", "Deployment"),
        ] {
            assert!(unknown(api_version, kind).is_none(), "{api_version} {kind}");
        }
    }
}
