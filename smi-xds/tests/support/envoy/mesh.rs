//! The server, on a runtime of its own.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use smi_envoy::{AdsServer, AdsTls};
use smi_xds::kind::{CLUSTER, LISTENER};
use smi_xds::{Placement, Server, ServerOptions, Snapshot, Store, Tls, linked, node};
use tokio::sync::watch;

use super::{Files, Proxy, Shop, eventually};

/// The server, on a runtime of its own.
pub struct Mesh {
    runtime: tokio::runtime::Runtime,
    pub store: Arc<Store>,
    placement: Arc<dyn Placement>,
    tls: Option<Tls>,
    address: SocketAddr,
    running: Option<(Server, watch::Sender<bool>, tokio::task::JoinHandle<()>)>,
}

impl Mesh {
    pub fn start(placement: impl Placement, tls: Option<Tls>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let placement: Arc<dyn Placement> = Arc::new(placement);
        let mut mesh = Self { runtime, store: Arc::default(), placement, tls, address, running: None };
        mesh.restart();
        mesh
    }

    /// A new server with an empty store, at the same address.
    pub fn restart(&mut self) {
        self.store = Arc::default();
        let placement = Arc::clone(&self.placement);
        let place = move |node: &smi_xds::wire::Node, peer: &smi_xds::Peer| placement.place(node, peer);
        let server = Server::new(Arc::clone(&self.store), place, ServerOptions::default());
        let (stop, stopped) = watch::channel(false);
        let (serving, tls, address) = (server.clone(), self.tls.clone(), self.address);
        let listener = self.runtime.block_on(async { tokio::net::TcpListener::bind(address).await.unwrap() });
        let task = self.runtime.spawn(async move { serving.serve(listener, tls, stopped).await });
        self.running = Some((server, stop, task));
    }

    pub fn stop(&mut self) {
        let (_, stop, task) = self.running.take().unwrap();
        stop.send(true).unwrap();
        self.runtime.block_on(task).unwrap();
    }

    pub fn server(&self) -> &Server {
        &self.running.as_ref().unwrap().0
    }

    pub fn set(&mut self, shop: &Shop) {
        self.store.set(node::NODES, Snapshot::new(linked(shop.resources())));
    }

    /// Waits until a client has accepted all that there is.
    pub fn settled(&self) {
        let wanted = self.store.get(node::NODES).unwrap();
        eventually("all is accepted", || {
            let clients = self.server().clients();
            let Some(client) = clients.first() else { return false };
            if client.sequence != wanted.sequence() {
                return false;
            }
            let has = |kind: &str| client.topics.iter().find(|t| t.type_url.as_str() == kind);
            // Every type that Envoy always asks for, and nothing under way.
            let complete = [CLUSTER, LISTENER].iter().all(|kind| {
                let count = wanted.snapshot().set(kind).map_or(0, smi_xds::Set::len);
                has(kind).is_some_and(|t| t.accepted.0 + t.parked.len() == count)
            });
            complete && client.topics.iter().all(|t| t.is_settled())
        });
    }

    pub fn parked(&self) -> Vec<(String, Vec<String>)> {
        let clients = self.server().clients();
        let all = clients.iter().flat_map(|c| &c.topics).flat_map(|t| &t.parked);
        all.map(|p| (p.name.to_string(), p.origins.clone())).collect()
    }

    /// Virtual hosts that are closed because a client refuses them.
    pub fn closed(&self) -> Vec<String> {
        let clients = self.server().clients();
        let all = clients.iter().flat_map(|c| &c.topics).flat_map(|t| &t.parked);
        all.flat_map(|p| p.closed.clone()).collect()
    }

    pub fn envoy(&self, shop: &Shop, id: &str, sotw: bool) -> Proxy {
        let mut ads = AdsServer::new("127.0.0.1", self.address.port());
        ads.node_id = Some(id.into());
        ads.state_of_the_world = sotw;
        Proxy::start(shop, &ads)
    }

    pub fn envoy_tls(
        &self,
        shop: &Shop,
        id: &str,
        files: &Files,
        certificate: Option<&str>,
        server: &str,
    ) -> Proxy {
        let mut ads = AdsServer::new("127.0.0.1", self.address.port());
        ads.node_id = Some(id.into());
        ads.tls = Some(AdsTls {
            ca_file: files.path("ca.crt"),
            certificate: certificate
                .map(|c| (files.path(&format!("{c}.crt")), files.path(&format!("{c}.key")))),
            server_uri: Some(server.into()),
            server_name: None,
        });
        Proxy::start(shop, &ads)
    }
}
