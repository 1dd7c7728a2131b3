//! `smi render --backend envoy`.

use anyhow::Context as _;
use clap::{ArgMatches, Args, ValueEnum};
use smi_core::backend::{Backend as _, ProxyTarget};
use smi_core::ir::Ir;
use smi_envoy::{AdsServer, AdsTls, Certificates, Envoy, target_of};

use super::{File, RenderArgs, Rendering, is_given};
use crate::envoy::ProxyFlags;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Yaml,
    Json,
    Pb,
}

/// Flags of this backend.
#[derive(Debug, Args)]
#[group(id = "envoy")]
#[command(next_help_heading = "Envoy")]
pub(crate) struct Flags {
    /// The proxy: `node`, or `sidecar/NAMESPACE/POD`.
    #[arg(long, default_value = "node", value_parser = target)]
    target: ProxyTarget,
    /// Form of the file that the proxy starts with; `pb` is protobuf.
    #[arg(long, value_enum, default_value_t = Format::Yaml)]
    format: Format,
    /// Print what a proxy starts with that gets everything else from the ADS server at HOST:PORT.
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:18000", require_equals = true, conflicts_with_all = ["install", "watched"])]
    xds: Option<String>,
    /// Id that the proxy presents to the ADS server; that of its target when absent.
    #[arg(long, requires = "xds")]
    node_id: Option<String>,
    /// Speak TLS with the ADS server, whose certificates are trusted.
    #[arg(long, value_name = "FILE", requires = "xds")]
    xds_ca: Option<String>,
    /// Certificate for the ADS server.
    #[arg(long, value_name = "FILE", requires_all = ["xds_ca", "xds_key"])]
    xds_cert: Option<String>,
    /// Key of that certificate.
    #[arg(long, value_name = "FILE", requires = "xds_cert")]
    xds_key: Option<String>,
    /// The URI that the ADS server's certificate must name, `spiffe://…`.
    #[arg(long, value_name = "URI", requires = "xds_ca")]
    xds_uri: Option<String>,
    /// The DNS name that the ADS server's certificate must name.
    #[arg(long, value_name = "NAME", requires = "xds_ca")]
    xds_name: Option<String>,
    /// Write files that the proxy watches; needs `--out`.
    #[arg(long, requires = "out", conflicts_with = "install")]
    watched: bool,
    /// The folder in which the proxy finds the files that it watches, if it is not that of `--out`.
    #[arg(long, value_name = "DIR", requires = "watched")]
    watched_at: Option<String>,
    #[command(flatten)]
    proxy: ProxyFlags,
    /// Sidecars: file with the pod's certificate, unless a control plane serves it.
    #[arg(long, value_name = "FILE", default_value = "/etc/smi/tls/tls.crt")]
    cert: String,
    /// Sidecars: file with its key.
    #[arg(long, value_name = "FILE", default_value = "/etc/smi/tls/tls.key")]
    key: String,
    /// Sidecars: file with the trusted certificates.
    #[arg(long, value_name = "FILE", default_value = "/etc/smi/tls/ca.crt")]
    trust: String,
    /// Port of the admin interface on the loopback address; 0: none.
    #[arg(long, default_value_t = 9901)]
    admin_port: u16,
}

fn target(text: &str) -> Result<ProxyTarget, String> {
    target_of(&text.replace('/', "~")).ok_or_else(|| "neither `node` nor `sidecar/NAMESPACE/POD`".to_owned())
}

/// What one flag makes of another that clap cannot tell.
pub(super) fn check_flags(flags: &Flags, given: &ArgMatches) -> anyhow::Result<()> {
    anyhow::ensure!(
        !flags.watched || flags.format == Format::Json || !is_given(given, "format"),
        "files of `--watched` are JSON; leave `--format` out"
    );
    Ok(())
}

pub(super) fn render(args: &RenderArgs, ir: &Ir) -> anyhow::Result<Rendering> {
    let flags = &args.envoy;
    let mut options = flags.proxy.options(args.insecure_pod_tls);
    if let Some(bind) = args.bind {
        options.listen = bind;
        options.sidecar.listen = bind;
    }
    if flags.xds.is_none() {
        options.sidecar.certificates = Certificates::Files {
            certificate: flags.cert.clone(),
            key: flags.key.clone(),
            trust: flags.trust.clone(),
        };
    }
    options.admin_port = Some(flags.admin_port).filter(|port| *port != 0);
    let rendered = Envoy { options }.render(ir, &flags.target);
    if let (true, Some(out)) = (flags.watched, &args.out) {
        let at = match &flags.watched_at {
            Some(at) => at.clone(),
            None => std::path::absolute(out)?.display().to_string(),
        };
        let files = rendered.output.watched_files(&at).into_iter();
        let files = files.map(|f| File { name: f.name, bytes: f.text.into_bytes(), install: false });
        return Ok(Rendering { files: files.collect(), report: rendered.report });
    }
    let bootstrap = match &flags.xds {
        Some(server) => rendered.output.ads_bootstrap(&ads(flags, server)?),
        None => rendered.output.static_bootstrap(),
    };
    let (name, bytes) = match flags.format {
        Format::Yaml => ("envoy.yaml", bootstrap.yaml()?.into_bytes()),
        Format::Json => ("envoy.json", bootstrap.json()?.into_bytes()),
        Format::Pb => ("envoy.pb", bootstrap.protobuf()),
    };
    let file = File { name: name.into(), bytes, install: false };
    Ok(Rendering { files: vec![file], report: rendered.report })
}

fn ads(flags: &Flags, server: &str) -> anyhow::Result<AdsServer> {
    let parts = server.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = parts.with_context(|| format!("`{server}` is not HOST:PORT"))?;
    // An IPv6 address stands in brackets here, and without them in the configuration.
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let mut ads = AdsServer::new(host, port);
    ads.node_id.clone_from(&flags.node_id);
    ads.tls = flags.xds_ca.as_ref().map(|ca| AdsTls {
        ca_file: ca.clone(),
        certificate: flags.xds_cert.clone().zip(flags.xds_key.clone()),
        server_uri: flags.xds_uri.clone(),
        server_name: flags.xds_name.clone(),
    });
    Ok(ads)
}
