//! Files that Envoy watches.
//!
//! Shape: `bootstrap.json`; one file for all listeners and one for all clusters; one for every route configuration, every cluster's
//! endpoints and every secret, as Envoy wants exactly one of these in what it reads.

use smi_core::backend::Artifact;

use super::{EnvoyConfig, bootstrap, reference};
use crate::config::Any;
use crate::config::bootstrap::Bootstrap;
use crate::config::discovery::{ConfigSource, DiscoveryResponse, DynamicResources};
use crate::config::types::Packed;
use crate::resources::Kind;

pub(super) fn files(config: &EnvoyConfig, folder: &str) -> Vec<Artifact> {
    let folder = folder.strip_suffix('/').unwrap_or(folder);
    let path = |name: &str| ConfigSource::path(format!("{folder}/{name}"));
    let source: reference::Source<'_> = &|kind, name| Some(path(&file_name(kind, name)));
    let resources = &config.resources;
    let bootstrap = Bootstrap {
        dynamic_resources: Some(DynamicResources {
            lds_config: Some(path("listeners.json")),
            cds_config: Some(path("clusters.json")),
            ads_config: None,
        }),
        ..bootstrap::common(&config.target, &config.options)
    };
    // What names others is written after them, so that nothing is looked for before it is there.
    let mut out = vec![Artifact { name: "bootstrap.json".into(), text: text(&bootstrap) }];
    out.extend(resources.secrets.iter().map(|(name, secret)| one(Kind::Secret, name, secret)));
    out.extend(resources.endpoints.iter().map(|(name, endpoints)| one(Kind::Endpoint, name, endpoints)));
    let clusters = resources.clusters.values().map(|cluster| reference::cluster(cluster, source));
    out.push(all("clusters.json", Kind::Cluster, clusters));
    out.extend(resources.routes.iter().map(|(name, routes)| one(Kind::Route, name, routes)));
    let listeners = resources.listeners.values().map(|listener| reference::listener(listener, source));
    out.push(all("listeners.json", Kind::Listener, listeners));
    out
}

fn one<T: Packed>(kind: Kind, name: &str, message: &T) -> Artifact {
    let response = DiscoveryResponse {
        version_info: String::new(),
        resources: vec![Any::pack(message)],
        type_url: kind.type_url(),
    };
    Artifact { name: file_name(kind, name), text: text(&response) }
}

fn all<T: Packed>(name: &str, kind: Kind, messages: impl Iterator<Item = T>) -> Artifact {
    let resources = messages.map(|m| Any::pack(&m)).collect();
    let response = DiscoveryResponse { version_info: String::new(), resources, type_url: kind.type_url() };
    Artifact { name: name.to_owned(), text: text(&response) }
}

fn text(message: &impl serde::Serialize) -> String {
    let mut out = Vec::new();
    let mut printer = serde_json::Serializer::pretty(&mut out);
    // What we render holds registered types only, so it always prints.
    if message.serialize(&mut printer).is_err() {
        out.clear();
    }
    out.push(b'\n');
    String::from_utf8(out).unwrap_or_default()
}

/// The longest part of a path that we write; file systems take 255 bytes.
const PART: usize = 200;

/// `routes/http%2F80.json`. Long names go on in folders, whose names end in `=`, which is in no name; so distinct names stay distinct.
fn file_name(kind: Kind, name: &str) -> String {
    let mut out = String::from(match kind {
        Kind::Secret => "secrets/",
        Kind::Cluster => "clusters/",
        Kind::Endpoint => "endpoints/",
        Kind::Listener => "listeners/",
        Kind::Route => "routes/",
    });
    let mut part = 0;
    for byte in name.bytes() {
        if part >= PART {
            out.push_str("=/");
            part = 0;
        }
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'+' | b'~' => {
                out.push(char::from(byte));
                part += 1;
            }
            b'.' if part > 0 => {
                out.push('.');
                part += 1;
            }
            other => {
                out.push_str(&format!("%{other:02X}"));
                part += 3;
            }
        }
    }
    out + ".json"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_distinct_and_stay_in_the_folder() {
        assert_eq!(file_name(Kind::Route, "http/80"), "routes/http%2F80.json");
        assert_eq!(file_name(Kind::Endpoint, "../x"), "endpoints/%2E.%2Fx.json");
        let long = "a".repeat(PART);
        assert_eq!(file_name(Kind::Endpoint, &long), format!("endpoints/{long}.json"));
        assert_eq!(file_name(Kind::Endpoint, &format!("{long}b")), format!("endpoints/{long}=/b.json"));
        assert_eq!(
            file_name(Kind::Endpoint, &format!("{long}=/b")),
            format!("endpoints/{long}=/%3D%2Fb.json")
        );
    }
}
