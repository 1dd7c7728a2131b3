//! Certificates that others write: `ca.crt`, and `NAMESPACE/SERVICEACCOUNT/tls.crt` with `tls.key`.
//!
//! Invariant: a pair is taken over as a whole, once it is sound: key and certificate belong together, are valid now, come from `ca.crt` and
//! are of the SPIFFE ID their place says. Until then the pair before stays in use, so that half-written files do no harm.
//! Faults: all pairs below a folder that cannot be read stay as they were; only a folder that can be read tells which of them are gone.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::{Identity, IdentityError, IdentitySource, Trust, check, roots};

/// A folder of certificates.
#[derive(Debug)]
pub struct FileSource {
    folder: PathBuf,
    domain: Arc<str>,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct State {
    authorities: Option<Arc<str>>,
    identities: BTreeMap<String, Identity>,
}

impl FileSource {
    /// The certificates of a trust domain in a folder, and what is wrong with them.
    #[must_use]
    pub fn open(folder: impl Into<PathBuf>, domain: &str) -> (Self, Vec<IdentityError>) {
        let source = Self {
            folder: folder.into(),
            domain: domain.into(),
            state: Mutex::default(),
            changes: watch::Sender::new(0),
        };
        let faults = source.reload();
        (source, faults)
    }

    /// Reads the folder again; call it when files may have changed. What is faulty stays as it was.
    pub fn reload(&self) -> Vec<IdentityError> {
        let mut faults = Vec::new();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let authorities =
            match read(&self.folder.join("ca.crt")).and_then(|pem| roots("ca.crt", &pem).map(|_| pem)) {
                Ok(pem) => Some(pem),
                Err(fault) => {
                    faults.push(fault);
                    state.authorities.clone()
                }
            };
        let Accounts { found, hidden } = self.accounts(&mut faults);
        let is_hidden = |id: &str| hidden.iter().any(|below| id.starts_with(below));
        let mut identities = state.identities.clone();
        identities.retain(|id, _| is_hidden(id));
        for (id, folder) in found {
            let read = read_pair(&folder).and_then(|identity| {
                let authorities = authorities.as_deref().unwrap_or_default();
                check(&identity, &id, authorities).map(|()| identity)
            });
            let identity = match read {
                Ok(identity) => Some(identity),
                Err(fault) => {
                    faults.push(fault);
                    state.identities.get(&id).cloned()
                }
            };
            identities.extend(identity.map(|identity| (id, identity)));
        }
        let new = State { authorities, identities };
        if *state != new {
            *state = new;
            drop(state);
            self.changes.send_modify(|n| *n += 1);
        }
        faults
    }

    /// Folders of accounts, in order.
    fn accounts(&self, faults: &mut Vec<IdentityError>) -> Accounts {
        let mut accounts = Accounts::default();
        let mut listed = |folder: &Path, below: &str| {
            folders(folder).unwrap_or_else(|e| {
                faults.push(IdentityError::unusable(folder.display(), e));
                accounts.hidden.push(below.to_owned());
                Vec::new()
            })
        };
        let root = format!("spiffe://{}/ns/", self.domain);
        for (namespace, folder) in listed(&self.folder, &root) {
            let below = format!("{root}{namespace}/sa/");
            let found = listed(&folder, &below);
            accounts.found.extend(found.into_iter().map(|(name, folder)| (below.clone() + &name, folder)));
        }
        accounts
    }
}

/// What the folders say.
#[derive(Default)]
struct Accounts {
    /// SPIFFE IDs and their folders.
    found: Vec<(String, PathBuf)>,
    /// What the IDs below folders that cannot be read begin with.
    hidden: Vec<String>,
}

impl IdentitySource for FileSource {
    fn identity(&self, spiffe_id: &str) -> Result<Identity, IdentityError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.identities.get(spiffe_id).cloned().ok_or_else(|| IdentityError::Unknown(spiffe_id.to_owned()))
    }

    fn trust(&self) -> Vec<Trust> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let trust = |authorities| Trust { domain: Arc::clone(&self.domain), authorities };
        state.authorities.clone().map(trust).into_iter().collect()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// Certificate and key of one moment: the certificate is the same after the key was read.
fn read_pair(folder: &Path) -> Result<Identity, IdentityError> {
    let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    let chain = read(&certificate)?;
    let identity = Identity { key: read(&key)?, chain };
    if read(&certificate)? == identity.chain {
        Ok(identity)
    } else {
        Err(IdentityError::unusable(certificate.display(), "it is being written"))
    }
}

fn read(path: &Path) -> Result<Arc<str>, IdentityError> {
    std::fs::read_to_string(path).map(Into::into).map_err(|e| IdentityError::unusable(path.display(), e))
}

/// Folders in a folder, by name; hidden ones, such as Kubernetes' `..data`, are left out. What cannot be looked at may be a folder.
fn folders(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && may_be_folder(&entry.path()) {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

fn may_be_folder(path: &Path) -> bool {
    match std::fs::metadata(path) {
        Ok(meta) => meta.is_dir(),
        // Gone since its folder was listed; a link to nothing is still there.
        Err(_) => !std::fs::symlink_metadata(path).is_err_and(|e| e.kind() == io::ErrorKind::NotFound),
    }
}
