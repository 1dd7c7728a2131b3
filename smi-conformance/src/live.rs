//! A real Traefik with pods and callers on loopback addresses.
//!
//! One listener on every address plays all pods: the address at which a connection arrives is the pod's. Callers bind to their own
//! address before they connect, so the proxy sees who calls. Everything stops with its owner.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use smi_core::eval::{Caller, HttpRequest, Payload, Request};
use smi_core::hub::names::Port;
use smi_core::ir::{Ir, ListenerKey};
use smi_traefik::config::install::{EntryPoint, Install};
use smi_traefik::{TraefikConfig, TraefikOptions};

use crate::world::Ports;

const WAIT: Duration = Duration::from_secs(10);

/// What a caller sees.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Observation {
    /// A pod answered; for HTTP with the request target that it received.
    Served(SocketAddr, Option<String>),
    /// A status of the proxy's own.
    Status(u16),
    /// The connection was closed without a byte.
    Closed,
    /// Nothing happened in time.
    Silence,
}

/// A running Traefik.
#[derive(Debug)]
pub struct Live {
    child: Child,
    folder: PathBuf,
    /// Where pods listen.
    pub ports: Ports,
    /// First listen port of HTTP and of TCP; eight of each.
    pub listen: (u16, u16),
    ready: u16,
    connections: BTreeMap<(IpAddr, u16), BufReader<TcpStream>>,
}

impl Live {
    /// Starts pods and Traefik.
    pub fn start(binary: &Path) -> anyhow::Result<Self> {
        let any = Ipv4Addr::UNSPECIFIED;
        let mut pods = [0_u16; 3];
        for (place, port) in pods.iter_mut().enumerate() {
            let listener = TcpListener::bind((any, 0))?;
            *port = listener.local_addr()?.port();
            let http = place < 2;
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    std::thread::spawn(move || if http { answer(stream) } else { greet(stream) });
                }
            });
        }
        let base = free_block(17)?;
        let folder = std::env::temp_dir().join(format!("smi-conform-{}-{base}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let ready = base + 16;
        let live_listen = (base, base + 8);
        let mut install = smi_traefik_install(&folder, ready, live_listen);
        install.providers.providers_throttle_duration = "20ms";
        std::fs::write(folder.join("dynamic.yaml"), "http:\n  routers: {}\n".replace("{}", "\n    start: {entryPoints: [ready], rule: 'Path(`/start`)', service: 'ping@internal', priority: 1}"))?;
        let text = serde_json::to_string(&install)?;
        std::fs::write(folder.join("traefik.yaml"), text)?;
        let child = Command::new(binary)
            .arg(format!("--configFile={}", folder.join("traefik.yaml").display()))
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(folder.join("log"))?)
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start `{}`", binary.display()))?;
        let ports = Ports { http: pods[0], other: pods[1], tcp: pods[2] };
        let mut live =
            Self { child, folder, ports, listen: live_listen, ready, connections: BTreeMap::new() };
        live.wait("/start")?;
        Ok(live)
    }

    /// Options of the renderer that fit the running proxy.
    #[must_use]
    pub fn options(&self) -> TraefikOptions {
        let mut options = TraefikOptions::default();
        options.bind = Some(Ipv4Addr::LOCALHOST.into());
        options.ready_port = self.ready;
        options.api = true;
        options
    }

    /// Loads a configuration and waits until it holds; fails when Traefik finds a fault in it.
    pub fn load(&mut self, config: &TraefikConfig) -> anyhow::Result<()> {
        self.connections.clear();
        let work = self.folder.join("next");
        std::fs::write(&work, serde_json::to_string(&config.dynamic)?)?;
        std::fs::rename(&work, self.folder.join("dynamic.yaml"))?;
        self.wait(&format!("/config/{}", config.hash))?;
        let (_, body) = self.get("/api/overview")?;
        let overview: serde_json::Value = serde_json::from_str(&body)?;
        for (layer, part) in [
            ("http", "routers"),
            ("http", "services"),
            ("http", "middlewares"),
            ("tcp", "routers"),
            ("tcp", "services"),
        ] {
            for kind in ["errors", "warnings"] {
                let count =
                    overview.pointer(&format!("/{layer}/{part}/{kind}")).and_then(serde_json::Value::as_u64);
                ensure!(count == Some(0), "Traefik reports {kind} in {layer} {part}: {overview}");
            }
        }
        Ok(())
    }

    fn wait(&mut self, path: &str) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            if self.get(path).is_ok_and(|(status, _)| status == 200) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("Traefik ended: {status}: {}", self.log());
            }
            ensure!(start.elapsed() < WAIT, "Traefik did not answer {path} in time: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log"))
            .unwrap_or_default()
            .lines()
            .rev()
            .take(5)
            .collect::<Vec<_>>()
            .join(" | ")
    }

    fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.ready))?;
        let mut reader = ready(stream)?;
        reader.get_mut().write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())?;
        response(&mut reader, "GET")
    }

    /// Sends a request and tells what came back.
    pub fn observe(&mut self, ir: &Ir, request: &Request) -> anyhow::Result<Observation> {
        let Caller::Address(caller) = request.caller else { bail!("live callers have addresses") };
        match &request.payload {
            Payload::Http(http) => {
                let Some(listen) = ir.listeners.entries.get(&ListenerKey::Http(http.port)) else {
                    return Ok(Observation::Status(404));
                };
                self.http(caller, *listen, http)
            }
            Payload::Tcp { service, port } => {
                let Some(listen) = ir.listeners.entries.get(&ListenerKey::Tcp(service.clone(), *port)) else {
                    return Ok(Observation::Closed);
                };
                let mut stream = connect(caller, listen.get())?;
                let mut text = Vec::new();
                let mut buffer = [0_u8; 64];
                loop {
                    match stream.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(n) => {
                            text.extend_from_slice(&buffer[..n]);
                            if text.ends_with(b"\n") {
                                break;
                            }
                        }
                        Err(e)
                            if matches!(
                                e.kind(),
                                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                            ) =>
                        {
                            return Ok(Observation::Silence);
                        }
                        // A reset is a closed connection.
                        Err(_) => break,
                    }
                }
                let text = String::from_utf8_lossy(&text);
                Ok(text.trim().parse().map_or(Observation::Closed, |at| Observation::Served(at, None)))
            }
            Payload::Udp { .. } => bail!("UDP is not asked live"),
        }
    }

    fn http(&mut self, caller: IpAddr, listen: Port, http: &HttpRequest) -> anyhow::Result<Observation> {
        let mut text = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", http.method, http.target, http.host);
        for (name, value) in &http.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        let key = (caller, listen.get());
        // A connection that was kept may have been closed in the meantime.
        for _ in 0..2 {
            let mut reader = match self.connections.remove(&key) {
                Some(reader) => reader,
                None => ready(connect(caller, listen.get())?)?,
            };
            let sent = reader.get_mut().write_all(text.as_bytes());
            if let Ok((status, body)) =
                sent.map_err(anyhow::Error::from).and_then(|()| response(&mut reader, &http.method))
            {
                if status != 400 {
                    self.connections.insert(key, reader);
                }
                return Ok(
                    match body
                        .strip_prefix("pod ")
                        .and_then(|b| b.split_once(' '))
                        .and_then(|(at, path)| Some((at.parse().ok()?, path)))
                    {
                        Some((at, path)) => Observation::Served(at, Some(path.trim().to_owned())),
                        None => Observation::Status(status),
                    },
                );
            }
        }
        bail!("no answer to {} {}", http.method, http.target)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn smi_traefik_install(folder: &Path, ready: u16, listen: (u16, u16)) -> Install {
    use smi_core::backend::{Backend as _, ProxyTarget};
    let mut options = TraefikOptions::default();
    options.bind = Some(Ipv4Addr::LOCALHOST.into());
    options.ready_port = ready;
    options.api = true;
    options.provider = smi_traefik::Provider::File(folder.join("dynamic.yaml").display().to_string());
    // What the renderer would write for an empty world, with entry points for all that may come.
    let mut install =
        smi_traefik::Traefik { options }.render(&Ir::default(), &ProxyTarget::Node).output.install;
    let http = install.entry_points.get("ready").and_then(|e| e.http.clone());
    for (kind, base) in [("http", listen.0), ("tcp", listen.1)] {
        for port in base..base + 8 {
            let entry = EntryPoint { address: format!("127.0.0.1:{port}"), http: http.clone() };
            install.entry_points.insert(format!("{kind}-{port}"), entry);
        }
    }
    install
}

/// The first of so many neighbouring ports that are free now.
fn free_block(count: u16) -> anyhow::Result<u16> {
    for _ in 0..50 {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let free = |p: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, p)).is_ok();
        if first.checked_add(count).is_some_and(|end| (first..end).all(free)) {
            return Ok(first);
        }
    }
    bail!("no {count} neighbouring ports are free")
}

fn ready(stream: TcpStream) -> anyhow::Result<BufReader<TcpStream>> {
    stream.set_read_timeout(Some(WAIT))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

fn connect(caller: IpAddr, port: u16) -> anyhow::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(caller, 0).into())?;
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(3)))?;
    Ok(stream)
}

/// Status and body; responses here always have a length.
fn response(reader: &mut BufReader<TcpStream>, method: &str) -> anyhow::Result<(u16, String)> {
    let mut line = String::new();
    ensure!(reader.read_line(&mut line)? > 0, "closed");
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).context("no status")?;
    let mut length = 0;
    let mut pod = None;
    loop {
        line.clear();
        ensure!(reader.read_line(&mut line)? > 0, "closed inside the head");
        let text = line.trim();
        if text.is_empty() {
            break;
        }
        if let Some((name, value)) = text.split_once(':') {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            }
            if name.eq_ignore_ascii_case("x-pod") {
                pod = Some(value.trim().to_owned());
            }
        }
    }
    let mut body = vec![0; if method == "HEAD" { 0 } else { length }];
    reader.read_exact(&mut body)?;
    Ok((status, pod.map_or_else(|| String::from_utf8_lossy(&body).into_owned(), |p| format!("pod {p}"))))
}

/// A pod that tells who it is and what it was asked.
fn answer(stream: TcpStream) {
    let Ok(own) = stream.local_addr() else { return };
    let mut reader = BufReader::new(stream);
    loop {
        let mut first = String::new();
        let mut line = String::new();
        let mut length = 0_u64;
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let _ = std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink());
        let target = first.split(' ').nth(1).unwrap_or_default();
        let text = format!("HTTP/1.1 200 OK\r\nX-Pod: {own} {target}\r\nContent-Length: 0\r\n\r\n");
        if reader.get_mut().write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

/// A pod whose server speaks first.
fn greet(mut stream: TcpStream) {
    if let Ok(own) = stream.local_addr() {
        let _ = stream.write_all(format!("{own}\n").as_bytes());
    }
}
