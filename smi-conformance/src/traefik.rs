//! Traefik: one proxy per node, configured through the file that it watches.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use smi_core::backend::{Backend as _, Capabilities, ProxyTarget};
use smi_core::compile::PortRanges;
use smi_core::eval::{Decide, Distribution, Outcome, Payload, Request, eval};
use smi_core::hub::names::{Namespaced, Port};
use smi_core::ir::{EncodedSlashes, Ir, ListenerKey};
use smi_traefik::sim::{Simulator, path};
use smi_traefik::{Provider, Traefik, TraefikConfig, TraefikOptions};

use crate::call::Call;
use crate::loopback::client::{self, Client};
use crate::loopback::{Network, port};
use crate::node::{LISTENERS, ask, listener_ranges};
use crate::observe::Observation;
use crate::subject::{Counting, Declared, Instead, LiveProxy, Refusal, Subject};

const WAIT: Duration = Duration::from_secs(10);
/// The loop that switches entry points takes microseconds, and longer where there is much else to do.
const SWITCH: Duration = Duration::from_millis(100);
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The backend.
#[derive(Clone, Debug, Default)]
pub struct TraefikNode {
    options: TraefikOptions,
}

impl TraefikNode {
    /// Options of its renderer.
    #[must_use]
    pub fn options(&self) -> &TraefikOptions {
        &self.options
    }
}

const DECLARED: &[Declared] = &[
    // Traefik decodes some escapes before it matches, and patterns that could tell refuse them.
    Declared {
        name: "escape refused",
        lacks: None,
        concerns: |_, request, _| match &request.payload {
            Payload::Http(http) => path::received(&http.target).is_some_and(|p| path::matched(&p) != p),
            Payload::Tcp { .. } | Payload::Udp { .. } => false,
        },
        instead: Instead::Refusal(Refusal::Forbidden),
    },
    // Traefik's rules know methods in upper case only, so matches that name another grant nothing.
    Declared {
        name: "method in lower case refused",
        lacks: None,
        concerns: |_, request, _| match &request.payload {
            Payload::Http(http) => http.method.bytes().any(|b| b.is_ascii_lowercase()),
            Payload::Tcp { .. } | Payload::Udp { .. } => false,
        },
        instead: Instead::Refusal(Refusal::Forbidden),
    },
    // A last dot segment takes its slash along, what stands in a segment that is removed is not looked at, and where a byte should have
    // been escaped the whole path is escaped anew. Whatever comes of it is matched and forwarded.
    Declared {
        name: "path tidied otherwise",
        lacks: None,
        concerns: |_, request, _| tidied(request).is_some(),
        instead: Instead::Spelled(tidied),
    },
    // Traefik looks for a router before it looks at the path.
    Declared {
        name: "404 for 400",
        lacks: None,
        concerns: |ir, request, expected| {
            *expected == Distribution::certain(Outcome::BadRequest) && unknown_host(ir, request)
        },
        instead: Instead::Refusal(Refusal::NotFound),
    },
];

/// The request with the path that Traefik makes of it, where that is another one.
fn tidied(request: &Request) -> Option<Request> {
    let mut request = request.clone();
    let Payload::Http(http) = &mut request.payload else { return None };
    let (path, query) = match http.target.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (http.target.as_str(), String::new()),
    };
    let received = path::received(path).filter(|received| received != path)?;
    http.target = received + &query;
    Some(request)
}

/// Whether the request would be 404 with a sound path.
fn unknown_host(ir: &Ir, request: &Request) -> bool {
    let mut sound = request.clone();
    if let Payload::Http(http) = &mut sound.payload {
        http.target = "/".into();
    }
    eval(ir, &sound).distribution() == Distribution::certain(Outcome::NotFound)
}

impl Subject for TraefikNode {
    type Config = TraefikConfig;

    fn name(&self) -> String {
        "traefik node".into()
    }

    fn capabilities(&self) -> Capabilities {
        Traefik { options: self.options.clone() }.capabilities(&ProxyTarget::Node)
    }

    fn declared(&self) -> &'static [Declared] {
        DECLARED
    }

    fn render(&self, ir: &Ir) -> anyhow::Result<TraefikConfig> {
        Ok(Traefik { options: self.options.clone() }.render(ir, &ProxyTarget::Node).output)
    }

    fn simulate(&self, ir: &Ir, config: &TraefikConfig, call: &Call) -> Option<Distribution> {
        Some(Simulator::new(config, ir).decide(&call.request))
    }
}

/// A running Traefik. It ends with its owner.
#[derive(Debug)]
pub struct LiveTraefik {
    binary: PathBuf,
    child: Child,
    folder: PathBuf,
    subject: TraefikNode,
    network: Network,
    client: Client,
    /// First of the listen ports: HTTP, TCP, UDP, ready.
    base: u16,
    slashes: EncodedSlashes,
}

impl LiveTraefik {
    /// Starts Traefik without routes and waits until it answers.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(binary: &Path) -> anyhow::Result<Self> {
        let base = port::free_block(3 * LISTENERS + 1)?;
        let folder = std::env::temp_dir().join(format!("smi-conform-{}-{base}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let mut options = TraefikOptions::default();
        options.bind = Some(HERE);
        options.ready_port = base + 3 * LISTENERS;
        options.api = true;
        options.provider = Provider::File(folder.join("dynamic.yaml").display().to_string());
        let slashes = EncodedSlashes::Refuse;
        let child = run(binary, &folder, &options, base, slashes)?;
        let subject = TraefikNode { options };
        let (network, client) = (Network::default(), Client::default());
        let mut live =
            Self { binary: binary.to_owned(), child, folder, subject, network, client, base, slashes };
        live.wait("/ready", 404)?;
        Ok(live)
    }

    fn ready(&self) -> SocketAddr {
        SocketAddr::new(HERE, self.subject.options.ready_port)
    }

    /// Until the ready port answers so.
    fn wait(&mut self, path: &str, answer: u16) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            if client::get(self.ready(), path).is_ok_and(|(status, _)| status == answer) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("Traefik ended: {status}: {}", self.log());
            }
            ensure!(
                start.elapsed() < WAIT,
                "Traefik did not answer {path} with {answer} in time: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn log(&self) -> String {
        let text = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        text.lines().rev().take(5).collect::<Vec<_>>().join(" | ")
    }
}

fn run(
    binary: &Path,
    folder: &Path,
    options: &TraefikOptions,
    base: u16,
    slashes: EncodedSlashes,
) -> anyhow::Result<Child> {
    // What the renderer would write for an empty world, with entry points for all that may come.
    let mut ir = Ir::default();
    ir.settings.encoded_slashes = slashes;
    for number in 0..LISTENERS {
        let service = Namespaced::new("any", "any");
        let port = |n: u16| Port::new(n).context("ports are positive");
        let keys = [
            ListenerKey::Http(port(number + 1)?),
            ListenerKey::Tcp(service.clone(), port(number + 1)?),
            ListenerKey::Udp(service, port(number + 1)?),
        ];
        let ranges = listener_ranges(base);
        for (key, (first, _)) in keys.into_iter().zip([ranges.http, ranges.tcp, ranges.udp]) {
            ir.listeners.entries.insert(key, port(first + number)?);
        }
    }
    let mut install = Traefik { options: options.clone() }.render(&ir, &ProxyTarget::Node).output.install;
    install.providers.providers_throttle_duration = "20ms";
    std::fs::write(folder.join("dynamic.yaml"), "{}\n")?;
    std::fs::write(folder.join("traefik.yaml"), serde_json::to_string(&install)?)?;
    Command::new(binary)
        .arg(format!("--configFile={}", folder.join("traefik.yaml").display()))
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(folder.join("log"))?)
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start `{}`", binary.display()))
}

impl LiveProxy for LiveTraefik {
    type Subject = TraefikNode;

    fn subject(&self) -> &TraefikNode {
        &self.subject
    }

    fn ranges(&self) -> PortRanges {
        listener_ranges(self.base)
    }

    fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    fn counting(&self, _: &Payload) -> Counting {
        Counting::Rotation
    }

    /// Fails when Traefik finds a fault in it.
    fn load(&mut self, ir: &Ir, config: &TraefikConfig) -> anyhow::Result<()> {
        self.client.clear();
        if ir.settings.encoded_slashes != self.slashes {
            // What may stand encoded in a path is read once, at the start.
            self.slashes = ir.settings.encoded_slashes;
            stop(&mut self.child);
            self.child = run(&self.binary, &self.folder, &self.subject.options, self.base, self.slashes)?;
        }
        let work = self.folder.join("next");
        std::fs::write(&work, config.dynamic_json())?;
        std::fs::rename(&work, self.folder.join("dynamic.yaml"))?;
        self.wait(&format!("/config/{}", config.hash), 200)?;
        // The marker tells of its own entry point. Traefik switches all of them in one loop, in any order.
        std::thread::sleep(SWITCH);
        let (_, body) = client::get(self.ready(), "/api/overview")?;
        let overview: serde_json::Value = serde_json::from_str(&body)?;
        for (layer, part) in [
            ("http", "routers"),
            ("http", "services"),
            ("http", "middlewares"),
            ("tcp", "routers"),
            ("tcp", "services"),
            ("udp", "routers"),
            ("udp", "services"),
        ] {
            for kind in ["errors", "warnings"] {
                let count =
                    overview.pointer(&format!("/{layer}/{part}/{kind}")).and_then(serde_json::Value::as_u64);
                ensure!(count == Some(0), "Traefik reports {kind} in {layer} {part}: {overview}");
            }
        }
        Ok(())
    }

    fn observe(
        &mut self,
        ir: &Ir,
        call: &Call,
        times: u64,
        patience: Duration,
    ) -> anyhow::Result<Vec<Observation>> {
        ask(&mut self.client, &self.network, ir, call, times, patience)
    }
}

fn stop(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

impl Drop for LiveTraefik {
    fn drop(&mut self) {
        stop(&mut self.child);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
