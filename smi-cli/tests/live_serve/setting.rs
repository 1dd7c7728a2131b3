//! A folder of manifests, `smi serve xds` over it, and a real Envoy that it keeps.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Running, eventually};

/// A folder that goes with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("smi-live-serve-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("manifests")).unwrap();
        Self(folder)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// Replaces a manifest as an editor does: whole.
    pub fn write(&self, name: &str, text: &str) {
        let (fresh, path) = (self.0.join("fresh"), self.0.join("manifests").join(name));
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(fresh, path).unwrap();
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.0.join("manifests").join(name)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

pub fn smi() -> Command {
    Command::new(env!("CARGO_BIN_EXE_smi"))
}

/// `smi serve xds` over a folder.
pub fn serve(folder: &Folder, arguments: &[&str]) -> Running {
    let running = Running::start(
        smi()
            .args(["serve", "xds", "--bind", "127.0.0.1", "--port-table", &folder.path("ports.json")])
            .args(arguments)
            .arg(folder.path("manifests")),
    );
    running.says(if arguments.contains(&"--files") { "files written" } else { "serving xDS at" });
    running
}

/// Envoy with a file; it is not waited for.
pub fn envoy(file: &Path) -> Running {
    let binary =
        std::env::var_os("SMI_ENVOY").expect("set SMI_ENVOY to Envoy's binary (`cargo xtask peers envoy`)");
    Running::start(
        Command::new(binary)
            .args(["-l", "error", "--concurrency", "1", "--use-dynamic-base-id", "-c"])
            .arg(file),
    )
}

/// An Envoy that asks the server at a port.
pub fn asking(folder: &Folder, target: &str, server: u16, admin: u16, arguments: &[&str]) -> Running {
    let file = folder.0.join(format!("{}-{admin}.json", target.replace('/', "-")));
    let output = smi()
        .args(["render", "--backend", "envoy", "--format", "json", "--target", target])
        .args([&format!("--xds=127.0.0.1:{server}"), "--admin-port", &admin.to_string()])
        .args(arguments)
        .arg(folder.path("manifests"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(&file, output.stdout).unwrap();
    envoy(&file)
}

pub fn curl(arguments: &[&str]) -> String {
    let output = Command::new("curl")
        .args(["-s", "--noproxy", "*", "--max-time", "3", "-w", " %{http_code}"])
        .args(arguments)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Body and status of a request from an address to a listener of a node proxy.
pub fn get(from: IpAddr, port: u16, host: &str) -> String {
    curl(&[
        "--interface",
        &from.to_string(),
        "-H",
        &format!("Host: {host}"),
        &format!("http://127.0.0.1:{port}/"),
    ])
}

/// Waits for the answer of a request.
pub fn answers(from: IpAddr, port: u16, host: &str, wanted: &str) {
    eventually(&format!("{host} answers {wanted}"), || get(from, port, host), |seen| seen == wanted);
}

/// A server that says where it is.
pub fn pod(at: (IpAddr, u16)) {
    let listener = TcpListener::bind(at).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut seen = Vec::new();
                let mut buffer = [0; 4096];
                while !seen.windows(4).any(|w| w == b"\r\n\r\n") {
                    match stream.read(&mut buffer) {
                        Ok(0) | Err(_) => return,
                        Ok(n) => seen.extend_from_slice(&buffer[..n]),
                    }
                }
                let body = format!("pod {}", stream.local_addr().unwrap().ip());
                let head =
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all((head + &body).as_bytes());
            });
        }
    });
}

/// A pod, and a service of its own name for it when a port is given.
pub fn pod_and_service(name: &str, ip: IpAddr, port: Option<(&str, u16)>) -> String {
    let mut text = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}-0, namespace: shop, labels: {{app: {name}}}}}\nspec: {{serviceAccountName: {name}, containers: [{{name: app}}]}}\n\
         status: {{phase: Running, podIP: {ip}, conditions: [{{type: Ready, status: \"True\"}}]}}\n"
    );
    if let Some((protocol, port)) = port {
        text += &format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{selector: {{app: {name}}}, ports: [{{name: {protocol}, port: 80, targetPort: {port}}}]}}\n"
        );
    }
    text
}

/// Lets `web` call another.
pub fn grant(to: &str) -> String {
    format!(
        "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {{name: of-{to}, namespace: shop}}\nspec: {{matches: [{{name: all, pathRegex: /.*}}]}}\n---\n\
         apiVersion: specs.smi-spec.io/v1alpha4\nkind: TCPRoute\nmetadata: {{name: of-{to}, namespace: shop}}\n---\n\
         apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {{name: web-to-{to}, namespace: shop}}\nspec:\n  \
         destination: {{kind: ServiceAccount, name: {to}, namespace: shop}}\n  \
         rules: [{{kind: HTTPRouteGroup, name: of-{to}}}, {{kind: TCPRoute, name: of-{to}}}]\n  sources: [{{kind: ServiceAccount, name: web, namespace: shop}}]\n"
    )
}
