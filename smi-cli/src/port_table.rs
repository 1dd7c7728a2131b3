//! The port table as a file: `{"http/80": 5000, "tcp/data/db/5432": 10000}`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use smi_core::hub::names::{Namespaced, Port};
use smi_core::ir::{ListenerKey, PortTable};

use crate::output;

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
    // A link stays one.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    output::replace(&path, (text + "\n").as_bytes())
}

/// The table for the next time: ports in use stay, and entries of services that are not there now are for when they come back (S37), as
/// long as nobody else has their port.
pub(crate) fn kept(used: &PortTable, before: PortTable) -> PortTable {
    let taken: BTreeSet<_> = used.entries.iter().map(|(key, port)| (key.transport(), *port)).collect();
    let mut table = used.clone();
    for (key, port) in before.entries {
        if !taken.contains(&(key.transport(), port)) {
            table.entries.entry(key).or_insert(port);
        }
    }
    table
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

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[(&str, u16)]) -> PortTable {
        let entry = |(key, port): &(&str, u16)| (key_of(key).unwrap(), Port::new(*port).unwrap());
        PortTable { entries: entries.iter().map(entry).collect() }
    }

    #[test]
    fn entries_of_services_that_are_away_stay_unless_their_port_is_taken() {
        let before = table(&[
            ("http/80", 1),
            ("tcp/shop/db/80", 2),
            ("udp/shop/dns/53", 3),
            ("tcp/shop/old/80", 4),
            ("http/81", 5),
        ]);
        let used = table(&[("http/80", 1), ("tcp/shop/new/80", 4), ("tcp/shop/more/80", 3), ("http/81", 6)]);
        let wanted = table(&[
            ("http/80", 1),
            ("http/81", 6),
            ("tcp/shop/db/80", 2),
            ("tcp/shop/more/80", 3),
            ("tcp/shop/new/80", 4),
            ("udp/shop/dns/53", 3),
        ]);
        assert_eq!(kept(&used, before), wanted);
    }
}
