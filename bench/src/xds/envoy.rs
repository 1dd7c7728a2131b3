//! A real Envoy: when it has everything, and when it has accepted a change.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use smi_core::backend::{Backend as _, ProxyTarget};
use smi_core::compile::{CompileOptions, compile};
use smi_core::load::{Limits, load};
use smi_envoy::{AdsServer, Envoy, EnvoyOptions};
use smi_xds::kind::{CLUSTER, ENDPOINT, LISTENER};
use smi_xds::{ByNodeId, Protocol, Server, ServerOptions, Store, node};

use super::{cluster, form, world};

pub(super) struct Running(pub(super) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Milliseconds until an Envoy has everything, and until it has accepted one changed cluster, warmed.
pub(super) fn measure(binary: &Path, size: usize, protocol: Protocol) -> anyhow::Result<(f64, f64)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let store = Arc::new(Store::default());
    store.set(node::NODES, world(size));
    let server = Server::new(Arc::clone(&store), ByNodeId::default(), ServerOptions::default());
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let mut ads = AdsServer::new("127.0.0.1", listener.local_addr()?.port());
    ads.state_of_the_world = protocol == Protocol::Sotw;
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let serving = server.clone();
    runtime.spawn(async move { serving.serve(listener, None, stopped).await });
    let empty = load(&[], &Limits::default());
    let compiled = compile(&empty.hub, &empty.cluster, &CompileOptions::default());
    let mut options = EnvoyOptions::default();
    options.admin_port = Some(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
    let config = Envoy { options }.render(&compiled.ir, &ProxyTarget::Node).output;
    let file =
        std::env::temp_dir().join(format!("smi-bench-xds-{}-{}.pb", form(protocol), std::process::id()));
    std::fs::write(&file, config.ads_bootstrap(&ads).protobuf())?;
    let has = |wanted: u64| {
        server.clients().iter().any(|client| {
            let accepted = |kind: &str| {
                client
                    .topics
                    .iter()
                    .any(|t| t.type_url.as_str() == kind && t.is_settled() && t.counts.acks > 0)
            };
            client.sequence == wanted && accepted(CLUSTER) && accepted(ENDPOINT) && accepted(LISTENER)
        })
    };
    let wait = |wanted: u64| -> anyhow::Result<f64> {
        let started = Instant::now();
        while !has(wanted) {
            anyhow::ensure!(started.elapsed() < Duration::from_secs(60), "Envoy does not accept it");
            std::thread::sleep(Duration::from_micros(500));
        }
        Ok(started.elapsed().as_secs_f64() * 1000.0)
    };
    let child = Command::new(binary)
        .args(["-l", "off", "--concurrency", "1", "--use-dynamic-base-id", "-c"])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start `{}`", binary.display()))?;
    let _running = Running(child);
    let ready = wait(1)?;
    let mut change = f64::MAX;
    for round in 0..3_u32 {
        let before = store.get(node::NODES).map_or(0, |p| p.sequence());
        store.edit(node::NODES, vec![cluster(size / 2, 7000 + round)], &[]);
        change = change.min(wait(before + 1)?);
    }
    anyhow::ensure!(change < 10_000.0, "Envoy waited for an assignment");
    let _ = std::fs::remove_file(&file);
    Ok((ready, change))
}
