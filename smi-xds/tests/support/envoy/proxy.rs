//! A running Envoy, and the folder it lives in.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use smi_envoy::AdsServer;

use super::{Shop, eventually};

/// A folder that goes with the test.
pub struct Files(PathBuf);

impl Files {
    pub fn new(name: &str, base: u8) -> Self {
        let folder = std::env::temp_dir().join(format!("smi-xds-{name}-{base}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running Envoy.
pub struct Proxy {
    child: Child,
    admin: SocketAddr,
    _files: Files,
}

impl Proxy {
    pub(super) fn start(shop: &Shop, ads: &AdsServer) -> Self {
        let binary = std::env::var_os("SMI_ENVOY")
            .expect("set SMI_ENVOY to Envoy's binary; `cargo xtask peers envoy` installs it");
        let files = Files::new("envoy", shop.base);
        std::fs::write(files.path("bootstrap.pb"), shop.config().ads_bootstrap(ads).protobuf()).unwrap();
        let child = Command::new(binary)
            .args(["-l", "error", "--concurrency", "1", "--use-dynamic-base-id", "-c"])
            .arg(files.path("bootstrap.pb"))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(files.path("log")).unwrap())
            .spawn()
            .unwrap();
        Self { child, admin: (Ipv4Addr::LOCALHOST, shop.admin()).into(), _files: files }
    }

    fn ask(&self, path: &str) -> String {
        let answer = || -> Option<String> {
            let mut stream = TcpStream::connect(self.admin).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
            stream
                .write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes())
                .ok()?;
            let mut text = String::new();
            stream.read_to_string(&mut text).ok()?;
            Some(text)
        };
        answer().unwrap_or_default()
    }

    pub fn live(&self) {
        eventually("Envoy is ready", || self.ask("/ready").contains("LIVE"));
    }

    pub fn stat(&self, name: &str) -> u64 {
        let text = self.ask(&format!("/stats?filter=^{name}$"));
        let line = text.lines().find_map(|l| l.strip_prefix(&format!("{name}: ")));
        line.map_or(0, |l| l.trim().parse().unwrap())
    }

    /// Nothing was refused, and nothing was waited for in vain.
    pub fn no_faults(&self) {
        let text =
            self.ask("/stats?filter=(update_rejected|init_fetch_timeout|warming_clusters|no_cluster)$");
        assert!(text.contains("update_rejected"), "{text}");
        for line in text.lines().filter(|l| l.contains(": ") && l.contains('_')) {
            assert!(line.trim().ends_with(": 0"), "{line}");
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
