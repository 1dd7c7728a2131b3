//! The control plane of this repository, serving one long-running Envoy.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use smi_envoy::Resources;
use smi_xds::kind::SECRET;
use smi_xds::{ByNodeId, Reference, Resource, Server, ServerOptions, Snapshot, Store, linked};
use tokio::sync::watch;

const WAIT: Duration = Duration::from_secs(20);

/// Versions of a type, added up as the server does.
pub(super) type Sums = BTreeMap<String, (usize, u128)>;

/// A running ADS server.
#[derive(Debug)]
pub(crate) struct Control {
    // Before the runtime, so that the server ends first.
    _stop: watch::Sender<bool>,
    _runtime: tokio::runtime::Runtime,
    store: Arc<Store>,
    server: Server,
    /// Where it listens, on this machine only.
    pub port: u16,
}

impl Control {
    /// Starts a server.
    ///
    /// # Errors
    /// When it has no port.
    pub fn start() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let store = Arc::new(Store::default());
        let server = Server::new(Arc::clone(&store), ByNodeId::default(), ServerOptions::default());
        let listener = runtime.block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let port = listener.local_addr()?.port();
        let (stop, stopped) = watch::channel(false);
        let serving = server.clone();
        runtime.spawn(async move { serving.serve(listener, None, stopped).await });
        Ok(Self { _stop: stop, _runtime: runtime, store, server, port })
    }

    /// Publishes what the proxies of a group should have: what [`Control::wait`] waits for.
    #[must_use]
    pub(super) fn publish(&self, group: &str, resources: impl IntoIterator<Item = Resource>) -> Sums {
        let mut resources = linked(resources);
        // A secret that nothing names is never asked for, and would be waited for in vain.
        let named: BTreeSet<Reference> = resources.iter().flat_map(Resource::depends_on).cloned().collect();
        resources.retain(|r| {
            r.type_url().as_str() != SECRET
                || named.contains(&Reference::new(r.type_url().clone(), r.name().clone()))
        });
        let snapshot = Snapshot::new(resources);
        let mut sums = Sums::new();
        for resource in snapshot.iter() {
            let sum = sums.entry(resource.type_url().to_string()).or_default();
            sum.0 += 1;
            sum.1 = sum.1.wrapping_add(number(&resource.version().to_string()));
        }
        self.store.set(group, snapshot);
        sums
    }

    /// Waits until the one client of each group has accepted all of it and nothing else.
    ///
    /// # Errors
    /// When one refuses something, or takes too long.
    pub(super) fn wait(&self, wanted: &BTreeMap<String, Sums>) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            let clients = self.server.clients();
            let mut have: BTreeMap<String, Sums> = BTreeMap::new();
            let mut current = true;
            for client in &clients {
                let sums = have.entry(client.client.group.to_string()).or_default();
                for topic in &client.topics {
                    let (count, version) = topic.accepted;
                    if count > 0 {
                        sums.insert(topic.type_url.to_string(), (count, number(&version.to_string())));
                    }
                    current &= topic.is_settled();
                    if let Some(parked) = topic.parked.first() {
                        bail!("Envoy refuses {}: {}", parked.name, parked.message);
                    }
                }
            }
            if current && have == *wanted {
                return Ok(());
            }
            if start.elapsed() > WAIT {
                let topics: Vec<_> = clients.iter().flat_map(|c| &c.topics).collect();
                bail!("Envoy has not accepted it in time: {wanted:?}, {topics:?}");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// What a proxy was rendered, as the server serves it.
pub(super) fn resources(resources: &Resources) -> Vec<Resource> {
    let one = |r: smi_envoy::Resource| {
        let origins: Vec<String> = r.origins.iter().map(ToString::to_string).collect();
        Resource::new(r.kind.type_url().as_str(), r.name.as_str(), &r.encoded).with_origins(origins)
    };
    resources.iter().map(one).collect()
}

fn number(version: &str) -> u128 {
    u128::from_str_radix(version, 16).context("versions are hexadecimal").unwrap_or_default()
}
