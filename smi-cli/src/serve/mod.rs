//! `smi serve xds`: keeps proxies equal to a folder of manifests.
//!
//! Shape: `watch` notices changes of files, `texts` holds those that can be read, `world` turns them into what each proxy should have,
//! `nodes` tells who may have what, `files` writes for proxies that watch files, `authority` certifies for development; this module is the
//! loop around them.
//! Faults: an object with an error is compiled as always, so that it narrows, and spoils no other: what is revoked beside it is revoked.
//! A file that cannot be read stays as it was, and so does all that is below a folder that cannot be read.

mod authority;
mod files;
mod nodes;
mod texts;
mod watch;
mod world;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use smi_core::hub::names::{Namespaced, SpiffeId};
use smi_core::ir::Ir;
use smi_envoy::Envoy;
use smi_xds::{FileSource, IdentitySource, Server, ServerOptions, Store, Tls};
use tokio::net::TcpListener;

use crate::envoy::ProxyFlags;
use crate::{input, options, port_table};

/// Keeps proxies equal to a folder of manifests.
#[derive(Debug, Subcommand)]
pub(crate) enum ServeVerb {
    /// Serve Envoys by xDS: state of the world and incremental, aggregated or not.
    Xds(Box<XdsArgs>),
}

/// Arguments of `smi serve xds`.
#[derive(Debug, Args)]
pub(crate) struct XdsArgs {
    #[command(flatten)]
    input: input::Files,
    #[command(flatten)]
    options: options::CompileFlags,
    /// Address to serve at.
    #[arg(long, default_value = "127.0.0.1:18000", value_name = "HOST:PORT")]
    listen: SocketAddr,
    /// Address that node proxies bind to; all when absent.
    #[arg(long)]
    bind: Option<IpAddr>,
    /// Do not check certificates of pods that speak TLS.
    #[arg(long)]
    insecure_pod_tls: bool,
    /// Write files for a node proxy that watches them, instead of serving; it starts with DIR/bootstrap.json.
    #[arg(long, value_name = "DIR", conflicts_with = "listen")]
    files: Option<PathBuf>,
    /// Port of the proxy's admin interface on the loopback address, in files; 0: none.
    #[arg(long, default_value_t = 9901, requires = "files")]
    admin_port: u16,
    /// Certificates: DIR/ca.crt, and DIR/NAMESPACE/ACCOUNT/tls.crt with tls.key. Clients have to present theirs, and sidecars are sent
    /// their own.
    #[arg(long, value_name = "DIR", group = "tls", conflicts_with_all = ["files", "dev_authority"])]
    certificates: Option<PathBuf>,
    /// Be the authority, for development: writes such a folder for all service accounts, and renews it.
    #[arg(long, value_name = "DIR", group = "tls", conflicts_with = "files")]
    dev_authority: Option<PathBuf>,
    /// How long certificates of the development authority are valid, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400, requires = "dev_authority")]
    lifetime: u64,
    /// Service account of this server's certificate.
    #[arg(long, value_name = "NAMESPACE/NAME", default_value = "smi-system/xds", requires = "tls")]
    account: Namespaced,
    /// Service account of the node proxies' certificates.
    #[arg(long, value_name = "NAMESPACE/NAME", default_value = "smi-system/node", requires = "tls")]
    node_account: Namespaced,
    #[command(flatten)]
    proxy: ProxyFlags,
}

/// The IR that is served, for those who decide on nodes.
type Shared = Arc<Mutex<Option<Arc<Ir>>>>;

/// Interval at which files are looked at; a change counts when it is the same twice.
const LOOK: Duration = Duration::from_millis(100);

pub(crate) fn run(verb: &ServeVerb) -> anyhow::Result<ExitCode> {
    let ServeVerb::Xds(args) = verb;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(serve(args))?;
    Ok(ExitCode::SUCCESS)
}

/// Tells the operator something.
fn say(text: impl std::fmt::Display) {
    let _ = writeln!(anstream::stderr(), "smi: {text}");
}

/// Where certificates come from, and what has to be done for them now and then.
enum Certificates {
    None,
    Files(Arc<FileSource>),
    Dev(authority::Authority),
}

impl Certificates {
    fn open(args: &XdsArgs, trust_domain: &str) -> anyhow::Result<Self> {
        Ok(match (&args.certificates, &args.dev_authority) {
            (Some(folder), _) => {
                let own = folder.join(args.account.to_string());
                for file in [folder.join("ca.crt"), own.join("tls.crt"), own.join("tls.key")] {
                    std::fs::metadata(&file).with_context(|| {
                        format!("no certificate of this server: cannot read `{}`", file.display())
                    })?;
                }
                let (source, faults) = FileSource::open(folder, trust_domain);
                faults.iter().for_each(|fault| say(format_args!("certificates: {fault}")));
                Self::Files(Arc::new(source))
            }
            (None, Some(folder)) => {
                let lifetime = Duration::from_secs(args.lifetime.max(60));
                Self::Dev(authority::Authority::open(folder, trust_domain, lifetime)?)
            }
            (None, None) => Self::None,
        })
    }

    fn source(&self) -> Option<Arc<dyn IdentitySource>> {
        match self {
            Self::None => None,
            Self::Files(source) => Some(Arc::clone(source) as Arc<dyn IdentitySource>),
            Self::Dev(authority) => Some(Arc::clone(&authority.issuer) as Arc<dyn IdentitySource>),
        }
    }
}

async fn serve(args: &XdsArgs) -> anyhow::Result<()> {
    args.input.can_be_watched()?;
    let options = args.options.options()?;
    let trust_domain = options.settings.trust_domain.to_string();
    let certificates = Certificates::open(args, &trust_domain)?;
    let spiffe = |account| SpiffeId::for_account(&trust_domain, account).to_string();
    let (own, node) = (spiffe(&args.account), spiffe(&args.node_account));
    if let Certificates::Dev(authority) = &certificates {
        authority.write([own.as_str(), node.as_str()])?;
    }
    let store = Arc::new(Store::default());
    let shared = Arc::new(Mutex::new(None));
    let mut proxies = args.proxy.options(args.insecure_pod_tls);
    proxies.listen = args.bind.unwrap_or(proxies.listen);
    let envoy = Envoy { options: proxies };
    let mut world =
        world::Proxies::new(envoy, options, Arc::clone(&store), Arc::clone(&shared), certificates.source());
    let mut folder = args.files.as_ref().map(|at| files::Folder::new(at, args.admin_port)).transpose()?;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut serving = None;
    if folder.is_none() {
        let listener = TcpListener::bind(args.listen)
            .await
            .with_context(|| format!("cannot listen at {}", args.listen))?;
        let tls = match certificates.source() {
            Some(source) => Some(Tls::mutual(source, &own).context("no certificate of this server")?),
            None => None,
        };
        let secure = if tls.is_some() { "with mutual TLS" } else { "in clear" };
        say(format_args!("serving xDS at {} {secure}", listener.local_addr()?));
        let placement = nodes::Placed { shared: Arc::clone(&shared), node_proxy: node };
        let server = Server::observed(
            Arc::clone(&store),
            placement,
            ServerOptions::default(),
            Box::new(nodes::Reporter { shared: Arc::clone(&shared) }),
        );
        serving = Some(tokio::spawn(async move { server.serve(listener, tls, stopped).await }));
    }
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut files = watch::Watch::default();
    let mut upkeep = Upkeep::default();
    let mut demand = store.demand();
    let mut issued = certificates.source().map(|source| source.changes());
    let end = ended()?;
    tokio::pin!(end);
    loop {
        tokio::select! {
            signal = &mut end => {
                say(format_args!("{signal}: ending"));
                break;
            }
            _ = looks.tick() => tokio::task::block_in_place(|| {
                upkeep.look(args, &mut files, &mut world, &mut folder, &certificates);
            }),
            Ok(()) = demand.changed() => tokio::task::block_in_place(|| world.render_new_sidecars()),
            true = changed(&mut issued) => tokio::task::block_in_place(|| world.render_sidecars()),
        }
    }
    let _ = stop.send(true);
    if let Some(serving) = serving {
        serving.await?;
    }
    Ok(())
}

async fn changed(issued: &mut Option<tokio::sync::watch::Receiver<u64>>) -> bool {
    if let Some(issued) = issued
        && issued.changed().await.is_ok()
    {
        return true;
    }
    std::future::pending().await
}

/// The signal that asks for the end.
fn ended() -> anyhow::Result<impl Future<Output = &'static str>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(async move {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
        "interrupted"
    })
}

/// What is written now and then. None of it may fail for good: a disk that is full is not full for ever.
#[derive(Default)]
struct Upkeep {
    rounds: u32,
    /// Whether what is served is still to be written, and certificates that were renewed.
    due: bool,
    stale: bool,
    /// Said before, and not again until they change.
    troubles: BTreeMap<&'static str, String>,
}

impl Upkeep {
    /// Looks at the files, and does what follows.
    fn look(
        &mut self,
        args: &XdsArgs,
        files: &mut watch::Watch,
        world: &mut world::Proxies,
        folder: &mut Option<files::Folder>,
        certificates: &Certificates,
    ) {
        self.rounds = self.rounds.wrapping_add(1);
        let second = self.rounds.is_multiple_of(10);
        let mut fresh = false;
        if files.changed(&args.input) {
            match world.reload(&args.input) {
                Ok(update) => {
                    fresh = update.served;
                    if update.unread {
                        files.retry();
                    }
                }
                Err(error) => say(format_args!("error: {error:#}")),
            }
        }
        if fresh || (second && self.due) {
            let table = args.options.port_table.as_ref();
            let written = [
                table.map_or(Ok(()), |path| port_table::write(path, world.port_table())),
                folder.as_mut().map_or(Ok(()), |folder| folder.publish(world)),
                match certificates {
                    Certificates::Dev(authority) => {
                        authority.write(world.accounts().iter().map(String::as_str))
                    }
                    Certificates::None | Certificates::Files(_) => Ok(()),
                },
            ];
            self.due = !self.went_well("published", written.into_iter().collect());
        }
        if !second {
            return;
        }
        let settled = folder.as_mut().map_or(Ok(()), files::Folder::settle);
        self.went_well("settled", settled);
        match certificates {
            Certificates::None => {}
            Certificates::Files(source) => world.complain(source.reload()),
            Certificates::Dev(authority) => {
                self.stale |= authority.issuer.renew(SystemTime::now());
                if self.stale {
                    self.stale = !self.went_well("renewed", authority.rewrite());
                }
            }
        }
    }

    fn went_well(&mut self, what: &'static str, result: anyhow::Result<()>) -> bool {
        let Err(error) = result else {
            self.troubles.remove(what);
            return true;
        };
        let trouble = format!("{error:#}; trying again");
        if self.troubles.get(what) != Some(&trouble) {
            say(format_args!("error: {trouble}"));
            self.troubles.insert(what, trouble);
        }
        false
    }
}

/// What several tasks look at.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
