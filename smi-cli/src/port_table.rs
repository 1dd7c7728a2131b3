//! The port table as a file: `{"http/80": 5000, "tcp/data/db/5432": 10000}`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use smi_core::hub::names::{Namespaced, Port};
use smi_core::ir::{ListenerKey, PortTable};

/// Reads a table; a file that does not exist is an empty one.
pub(crate) fn read(path: &Path) -> anyhow::Result<PortTable> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(PortTable::default()),
        other => other.with_context(|| format!("cannot read `{}`", path.display()))?,
    };
    let map: BTreeMap<String, u16> =
        serde_json::from_str(&text).with_context(|| format!("`{}` is not a port table", path.display()))?;
    let mut table = PortTable::default();
    for (key, listen) in map {
        let entry = key_of(&key).zip(Port::new(listen));
        let (key, listen) =
            entry.with_context(|| format!("`{key}: {listen}` is not an entry of a port table"))?;
        table.entries.insert(key, listen);
    }
    Ok(table)
}

/// Writes a table.
pub(crate) fn write(path: &Path, table: &PortTable) -> anyhow::Result<()> {
    let map: BTreeMap<String, u16> = table.entries.iter().map(|(k, p)| (k.to_string(), p.get())).collect();
    let text = serde_json::to_string_pretty(&map)?;
    std::fs::write(path, text + "\n").with_context(|| format!("cannot write `{}`", path.display()))
}

fn key_of(text: &str) -> Option<ListenerKey> {
    let port = |text: &str| text.parse().ok().and_then(Port::new);
    let parts: Vec<&str> = text.split('/').collect();
    match parts.as_slice() {
        ["http", number] => Some(ListenerKey::Http(port(number)?)),
        ["tcp", namespace, name, number] => {
            Some(ListenerKey::Tcp(Namespaced::new(*namespace, *name), port(number)?))
        }
        ["udp", namespace, name, number] => {
            Some(ListenerKey::Udp(Namespaced::new(*namespace, *name), port(number)?))
        }
        _ => None,
    }
}
