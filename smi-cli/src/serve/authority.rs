//! An authority for development: certificates of all service accounts as files, so that proxies can connect with theirs.
//!
//! Invariant: an authority that is there is never replaced, not even half of one or one that cannot be read, as what it certified would be
//! worth nothing.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use smi_core::hub::names::{is_dns_label, is_dns_subdomain};
use smi_xds::{DevIssuer, Identity, IdentitySource as _};

use super::lock;
use crate::output::{replace, replace_secret};

/// The authority and its folder.
pub(super) struct Authority {
    pub(super) issuer: Arc<DevIssuer>,
    folder: PathBuf,
    written: Mutex<BTreeSet<String>>,
}

impl Authority {
    /// Goes on with the authority of a folder, or starts one where there is none.
    pub(super) fn open(folder: &Path, domain: &str, lifetime: Duration) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
        let (certificate, key) = (folder.join("ca.crt"), folder.join("ca.key"));
        let issuer = match (part(&certificate, &key)?, part(&key, &certificate)?) {
            (Some(certificate), Some(key)) => DevIssuer::resume(domain, lifetime, &certificate, &key)
                .with_context(|| format!("cannot go on with the authority in `{}`", folder.display()))?,
            (None, None) => {
                let issuer = DevIssuer::new(domain, lifetime)?;
                let Identity { chain, key: pem } = issuer.authority();
                replace_secret(&key, pem.as_bytes())?;
                replace(&certificate, chain.as_bytes())?;
                issuer
            }
            (Some(_), None) => return Err(half(&key, &certificate)),
            (None, Some(_)) => return Err(half(&certificate, &key)),
        };
        Ok(Self { issuer: Arc::new(issuer), folder: folder.to_owned(), written: Mutex::default() })
    }

    /// Writes certificates of these SPIFFE IDs; one that cannot be written holds back no other.
    pub(super) fn write<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> anyhow::Result<()> {
        ids.into_iter().map(|id| self.write_one(id)).fold(Ok(()), Result::and)
    }

    fn write_one(&self, id: &str) -> anyhow::Result<()> {
        let account = id.split_once("/ns/").and_then(|(_, account)| account.split_once("/sa/"));
        // They name folders.
        let Some((namespace, name)) = account.filter(|(ns, name)| is_dns_label(ns) && is_dns_subdomain(name))
        else {
            return Ok(());
        };
        let Identity { chain, key } = self.issuer.identity(id)?;
        let folder = self.folder.join(namespace).join(name);
        replace_secret(&folder.join("tls.key"), key.as_bytes())?;
        replace(&folder.join("tls.crt"), chain.as_bytes())?;
        lock(&self.written).insert(id.to_owned());
        Ok(())
    }

    /// Writes anew what was written before.
    pub(super) fn rewrite(&self) -> anyhow::Result<()> {
        let ids = lock(&self.written).clone();
        self.write(ids.iter().map(String::as_str))
    }
}

/// A file of the authority, if it is there.
fn part(file: &Path, other: &Path) -> anyhow::Result<Option<String>> {
    // A link to nothing is there: what it leads to may come back.
    if std::fs::symlink_metadata(file).is_err_and(|e| e.kind() == ErrorKind::NotFound) {
        return Ok(None);
    }
    let text = std::fs::read_to_string(file).with_context(|| {
        let (file, other) = (file.display(), other.display());
        format!("cannot read `{file}`: make it readable, or move it and `{other}` away for a new authority")
    })?;
    Ok(Some(text))
}

fn half(missing: &Path, there: &Path) -> anyhow::Error {
    let (missing, there) = (missing.display(), there.display());
    anyhow::anyhow!(
        "`{missing}` is missing beside `{there}`: put it back, or move the other away for a new authority"
    )
}
