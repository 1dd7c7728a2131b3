//! Sidecars: secrets by SDS, and identities that the server checks.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use smi_xds::identity::{DevIssuer, IdentitySource as _};

use crate::setting::{Folder, asking, free_port, grant, pod, pod_and_service, serve};
use crate::support::{Running, eventually};

const XDS: &str = "spiffe://cluster.local/ns/smi-system/sa/xds";

/// A cart with a sidecar, and who calls it with a certificate.
struct Mesh {
    folder: Folder,
    base: u8,
    server: u16,
}

impl Mesh {
    fn new(name: &str, base: u8) -> Self {
        let mesh = Self { folder: Folder::new(name), base, server: free_port() };
        // An application is where its sidecar alone reaches it.
        let app = free_port();
        pod((Ipv4Addr::LOCALHOST.into(), app));
        std::fs::write(mesh.folder.0.join("ports.json"), format!("{{\"http/80\": {}}}", free_port()))
            .unwrap();
        mesh.folder.write("web.yaml", &pod_and_service("web", mesh.ip(1), None));
        mesh.folder.write("cart.yaml", &pod_and_service("cart", mesh.ip(2), Some(("http", app))));
        mesh.folder.write("grant.yaml", &grant("cart"));
        mesh
    }

    fn ip(&self, last: u8) -> IpAddr {
        Ipv4Addr::new(127, 1, self.base, last).into()
    }

    fn certificate(&self, account: &str, file: &str) -> String {
        self.folder.path(&format!("certificates/{account}/{file}"))
    }

    /// An Envoy that says it is the cart's sidecar, with the certificate of an account.
    fn sidecar(&self, account: Option<&str>) -> Running {
        let ca = self.folder.path("certificates/ca.crt");
        let mut arguments = vec!["--xds-ca", &ca, "--xds-uri", XDS];
        let files = account.map(|a| (self.certificate(a, "tls.crt"), self.certificate(a, "tls.key")));
        if let Some((certificate, key)) = &files {
            arguments.extend(["--xds-cert", certificate, "--xds-key", key]);
        }
        asking(&self.folder, "sidecar/shop/cart-0", self.server, free_port(), &arguments)
    }

    fn serve(&self, flag: &str) -> Running {
        let certificates = self.folder.path("certificates");
        serve(&self.folder, &["--listen", &format!("127.0.0.1:{}", self.server), flag, &certificates])
    }

    /// What an account hears from the cart's sidecar; nothing when there is no connection.
    fn call(&self, account: &str) -> String {
        let ca = self.folder.path("certificates/ca.crt");
        let port = std::fs::read_to_string(self.folder.0.join("manifests/cart.yaml")).unwrap();
        let port: String =
            port.split("targetPort: ").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
        let mut child = Command::new("openssl")
            .args(["s_client", "-quiet", "-alpn", "smi", "-connect", &format!("{}:15008", self.ip(2))])
            .args(["-servername", &format!("{port}.http.smi"), "-CAfile", &ca])
            .args([
                "-cert",
                &self.certificate(account, "tls.crt"),
                "-key",
                &self.certificate(account, "tls.key"),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: cart.shop.mesh\r\nConnection: close\r\n\r\n";
        let mut stdin = child.stdin.take().unwrap();
        let _ = std::io::Write::write_all(&mut stdin, request);
        let started = Instant::now();
        while child.try_wait().unwrap().is_none() && started.elapsed() < Duration::from_secs(2) {
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(stdin);
        let _ = child.kill();
        let mut heard = String::new();
        let _ = child.stdout.take().unwrap().read_to_string(&mut heard);
        let _ = child.wait();
        heard.lines().next().unwrap_or_default().trim().to_owned()
    }

    fn hears(&self, account: &str, wanted: &str) {
        eventually(&format!("{account} hears {wanted}"), || self.call(account), |heard| heard == wanted);
    }
}

#[test]
#[ignore = "needs Envoy"]
fn sidecars_have_their_certificates_from_the_development_authority() {
    let mesh = Mesh::new("authority", 11);
    let serving = mesh.serve("--dev-authority");
    eventually(
        "certificates are there",
        || mesh.certificate("shop/cart", "tls.crt"),
        |f| std::fs::exists(f).unwrap(),
    );
    let _sidecar = mesh.sidecar(Some("shop/cart"));
    mesh.hears("shop/web", "HTTP/1.1 200 OK");
    mesh.hears("shop/cart", "HTTP/1.1 403 Forbidden");
    mesh.folder.remove("grant.yaml");
    mesh.hears("shop/web", "HTTP/1.1 403 Forbidden");

    // Its pod is of another account now: what it was admitted as is over, and it is told nothing of the other's.
    mesh.folder.write("grant.yaml", &grant("cart"));
    mesh.hears("shop/web", "HTTP/1.1 200 OK");
    let cart = std::fs::read_to_string(mesh.folder.0.join("manifests/cart.yaml")).unwrap();
    mesh.folder.write("cart.yaml", &cart.replace("serviceAccountName: cart", "serviceAccountName: other"));
    serving.says("of another account now");
    mesh.hears("shop/web", "");
}

#[test]
#[ignore = "needs Envoy"]
fn sidecars_have_their_certificates_from_files_and_are_known_by_them() {
    let mesh = Mesh::new("certificates", 12);
    let issuer = DevIssuer::new("cluster.local", Duration::from_secs(3600)).unwrap();
    for account in ["smi-system/xds", "shop/cart", "shop/web"] {
        let (namespace, name) = account.split_once('/').unwrap();
        let identity = issuer.identity(&format!("spiffe://cluster.local/ns/{namespace}/sa/{name}")).unwrap();
        std::fs::create_dir_all(mesh.certificate(account, "")).unwrap();
        std::fs::write(mesh.certificate(account, "tls.crt"), &*identity.chain).unwrap();
        std::fs::write(mesh.certificate(account, "tls.key"), &*identity.key).unwrap();
    }
    std::fs::write(mesh.folder.path("certificates/ca.crt"), &*issuer.trust()[0].authorities).unwrap();
    let serving = mesh.serve("--certificates");
    // Another pod's certificate does not do, and nor does none.
    {
        let _stranger = mesh.sidecar(Some("shop/web"));
        serving.says("denied `sidecar~shop~cart-0`: `sidecar~shop~cart-0` is for `spiffe://cluster.local/ns/shop/sa/cart`");
        let _nobody = mesh.sidecar(None);
        std::thread::sleep(Duration::from_secs(1));
        assert!(!serving.said().contains("connected"), "{}", serving.said());
        assert_eq!(mesh.call("shop/web"), "");
    }
    let _sidecar = mesh.sidecar(Some("shop/cart"));
    serving.says("`sidecar~shop~cart-0` connected");
    mesh.hears("shop/web", "HTTP/1.1 200 OK");
    mesh.folder.remove("grant.yaml");
    mesh.hears("shop/web", "HTTP/1.1 403 Forbidden");
}

#[test]
#[ignore = "needs Envoy"]
fn a_node_proxy_needs_the_certificate_of_node_proxies() {
    let mesh = Mesh::new("node", 13);
    let serving = mesh.serve("--dev-authority");
    let ca = mesh.folder.path("certificates/ca.crt");
    eventually(
        "certificates are there",
        || mesh.certificate("shop/cart", "tls.crt"),
        |f| std::fs::exists(f).unwrap(),
    );
    for (account, wanted) in
        [("shop/cart", "denied `node`: `node` is for"), ("smi-system/node", "`node` connected")]
    {
        let (certificate, key) = (mesh.certificate(account, "tls.crt"), mesh.certificate(account, "tls.key"));
        let arguments = ["--xds-ca", &ca, "--xds-uri", XDS, "--xds-cert", &certificate, "--xds-key", &key];
        let _envoy = asking(&mesh.folder, "node", mesh.server, free_port(), &arguments);
        serving.says(wanted);
    }
}
