//! A running Envoy, which ends with its owner.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::loopback::client;

const WAIT: Duration = Duration::from_secs(20);

/// A running Envoy.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
    admin: SocketAddr,
}

impl Process {
    /// Starts Envoy with a file and waits until it is live.
    ///
    /// # Errors
    /// When it ends or does not get ready; what it logged is in the text.
    pub fn start(binary: &Path, file: &Path, admin: u16) -> anyhow::Result<Self> {
        let mut process = Self::spawn(binary, file, admin)?;
        process.wait_live()?;
        Ok(process)
    }

    /// Starts Envoy with a file and does not wait.
    ///
    /// # Errors
    /// When it does not start.
    pub fn spawn(binary: &Path, file: &Path, admin: u16) -> anyhow::Result<Self> {
        let log = file.with_extension("log");
        // No draining: what a listener of the world before let through would be answered as that world says.
        let child = Command::new(binary)
            .args(["-l", "error", "--concurrency", "1", "--disable-hot-restart", "--drain-time-s", "0", "-c"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log)?)
            .spawn()
            .with_context(|| format!("cannot start `{}`", binary.display()))?;
        Ok(Self { child, log, admin: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), admin) })
    }

    /// Waits until it is live.
    ///
    /// # Errors
    /// When it ends or does not get ready.
    pub fn wait_live(&mut self) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            if client::get(self.admin, "/ready").is_ok_and(|(status, _)| status == 200) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("Envoy ended: {status}: {}", self.log());
            }
            ensure!(start.elapsed() < WAIT, "Envoy is not ready in time: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What the admin interface answers.
    ///
    /// # Errors
    /// When it does not.
    pub fn admin(&self, path: &str) -> anyhow::Result<String> {
        Ok(client::get(self.admin, path)?.1)
    }

    /// The end of what it logged.
    #[must_use]
    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<String> = text.lines().rev().take(5).map(|l| l.chars().take(2000).collect()).collect();
        lines.join(" | ")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
