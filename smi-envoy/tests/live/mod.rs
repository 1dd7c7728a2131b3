//! What live tests share: pods, Envoy, requests.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, of which each uses a part"
)]

pub(crate) mod app;
pub(crate) mod mesh;
pub(crate) mod world;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use smi_core::eval::Outcome;
use smi_core::ir::Ir;

pub(crate) fn envoy() -> PathBuf {
    std::env::var_os("SMI_ENVOY").expect("set SMI_ENVOY to Envoy's binary (`cargo xtask peers envoy`)").into()
}

pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("smi-envoy-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A process that ends with the test.
pub(crate) struct Running {
    child: Child,
    admin: u16,
}

impl Running {
    pub(crate) fn of(child: Child) -> Self {
        Self { child, admin: 0 }
    }

    /// The sum of an Envoy's counters whose names end so.
    pub(crate) fn count(&self, end: &str) -> u64 {
        let stats = curl(&[&format!("http://127.0.0.1:{}/stats?usedonly", self.admin)]);
        let values = stats.lines().filter_map(|line| line.split_once(": "));
        values.filter(|(name, _)| name.ends_with(end)).map(|(_, value)| value.parse::<u64>().unwrap()).sum()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn serve_tcp(at: SocketAddr, answer: Option<&'static str>) {
    let listener = TcpListener::bind(at).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                if let Some(banner) = answer {
                    let _ = stream.write_all(banner.as_bytes());
                    return;
                }
                let mut seen = Vec::new();
                let mut buffer = [0; 4096];
                while !seen.windows(4).any(|w| w == b"\r\n\r\n") {
                    match stream.read(&mut buffer) {
                        Ok(0) | Err(_) => return,
                        Ok(n) => seen.extend_from_slice(&buffer[..n]),
                    }
                }
                let body = format!("pod {}", at.ip());
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
            });
        }
    });
}

pub(crate) fn serve(ir: &Ir) {
    for (key, pool) in &ir.pools {
        for endpoint in pool.ready() {
            let at = endpoint.socket();
            if at.port() == 5353 {
                let socket = UdpSocket::bind(at).unwrap();
                std::thread::spawn(move || {
                    let mut buffer = [0; 512];
                    while let Ok((n, from)) = socket.recv_from(&mut buffer) {
                        let _ = socket.send_to(&buffer[..n], from);
                    }
                });
            } else if TcpListener::bind(at).is_ok() {
                serve_tcp(at, (key.service.name.as_str() == "db").then_some("banner"));
            }
        }
    }
}

/// An address of the loopback interface and a port of it that is free.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts Envoy and waits until it is ready.
pub(crate) fn start(file: &Path, admin: u16) -> Running {
    let child = Command::new(envoy())
        .args(["-l", "error", "--concurrency", "1", "--use-dynamic-base-id", "-c"])
        .arg(file)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let running = Running { child, admin };
    for _ in 0..100 {
        if curl(&[&format!("http://127.0.0.1:{admin}/ready")]).contains("LIVE") {
            return running;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("Envoy does not get ready");
}

pub(crate) fn curl(arguments: &[&str]) -> String {
    let out = Command::new("curl")
        .args(["-s", "--noproxy", "*", "--max-time", "2"])
        .args(arguments)
        .stdin(Stdio::piped())
        .output()
        .unwrap();
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// What can be seen of an outcome: the status, and the pods that may have answered.
pub(crate) fn visible(ir: &Ir, outcome: &Outcome) -> BTreeSet<String> {
    let status = |s: &str| BTreeSet::from([s.to_owned()]);
    match outcome {
        Outcome::BadRequest => status("400"),
        Outcome::NotFound => status("404"),
        Outcome::Forbidden => status("403"),
        Outcome::Unavailable => status("503"),
        Outcome::Served(pool, workload) => ir.pools[pool]
            .ready()
            .filter(|e| e.workload == *workload)
            .map(|e| format!("200 pod {}", e.address))
            .collect(),
    }
}
