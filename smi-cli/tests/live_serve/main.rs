//! `smi serve xds` keeps real Envoys equal to a folder of manifests. Needs `SMI_ENVOY`, `curl` and `openssl`; binds loopback addresses as
//! pods.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test"
)]

mod setting;
mod sidecars;
#[path = "../support/mod.rs"]
mod support;

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::Path;

use setting::{Folder, answers, asking, envoy, free_port, get, grant, pod, pod_and_service, serve};
use support::eventually;

/// A shop with one pod of each: who calls, and who is called by name.
struct Shop {
    folder: Folder,
    base: u8,
    /// Where node proxies take HTTP.
    entry: u16,
}

impl Shop {
    fn new(name: &str, base: u8) -> Self {
        let shop = Self { folder: Folder::new(name), base, entry: free_port() };
        std::fs::write(shop.folder.0.join("ports.json"), format!("{{\"http/80\": {}}}", shop.entry)).unwrap();
        shop.folder.write("web.yaml", &pod_and_service("web", shop.ip(1), None));
        shop.add("cart", 2);
        shop.folder.write("cart-grant.yaml", &grant("cart"));
        shop
    }

    fn ip(&self, last: u8) -> IpAddr {
        Ipv4Addr::new(127, 1, self.base, last).into()
    }

    /// A service whose pod answers at this address.
    fn add(&self, name: &str, last: u8) {
        pod((self.ip(last), 8080));
        self.folder
            .write(&format!("{name}.yaml"), &pod_and_service(name, self.ip(last), Some(("http", 8080))));
    }

    /// Waits for the answer that `web` gets.
    fn answers(&self, name: &str, wanted: &str) {
        answers(self.ip(1), self.entry, &format!("{name}.shop.mesh"), wanted);
    }

    fn served(&self, last: u8) -> String {
        format!("pod {} 200", self.ip(last))
    }
}

const DENIED: &str = "RBAC: access denied 403";

#[test]
#[ignore = "needs Envoy"]
fn changes_are_pushed_and_mistakes_hold_nothing_else_back() {
    let shop = Shop::new("changes", 1);
    let server = free_port();
    let serving = serve(&shop.folder, &["--listen", &format!("127.0.0.1:{server}")]);
    let _envoy = asking(&shop.folder, "node", server, free_port(), &[]);
    shop.answers("cart", &shop.served(2));
    // A change is pushed: a grant that goes, a service that comes.
    shop.folder.remove("cart-grant.yaml");
    shop.answers("cart", DENIED);
    shop.add("stock", 3);
    shop.folder.write("stock-grant.yaml", &grant("stock"));
    shop.answers("stock", &shop.served(3));

    // An object with an error is reported, closes what it is about, and holds back nothing else.
    shop.folder.write("cart-grant.yaml", &grant("cart"));
    shop.answers("cart", &shop.served(2));
    serving.listen();
    shop.folder.write("stock-grant.yaml", &grant("stock").replace("/.*", "'('"));
    shop.folder.remove("cart-grant.yaml");
    shop.answers("cart", DENIED);
    shop.answers("stock", DENIED);
    serving.says("of-stock");
    serving.says("everything else is served");

    // A file that cannot be read stays as it was, and holds back nothing either.
    shop.folder.write("stock-grant.yaml", &grant("stock"));
    shop.folder.write("cart-grant.yaml", &grant("cart"));
    shop.answers("cart", &shop.served(2));
    shop.answers("stock", &shop.served(3));
    serving.listen();
    shop.folder.write("stock.yaml", "kind: Service: [");
    shop.folder.remove("cart-grant.yaml");
    shop.answers("cart", DENIED);
    assert_eq!(get(shop.ip(1), shop.entry, "stock.shop.mesh"), shop.served(3));
    serving.says("stock.yaml` cannot be read and stays as it was");

    // A folder that cannot be read keeps everything, and is read as soon as it can be.
    let away = shop.folder.0.join("away");
    std::fs::rename(shop.folder.0.join("manifests"), &away).unwrap();
    serving.says("manifests` cannot be read and stays as it was");
    assert_eq!(get(shop.ip(1), shop.entry, "stock.shop.mesh"), shop.served(3));
    std::fs::remove_file(away.join("stock-grant.yaml")).unwrap();
    std::fs::rename(away, shop.folder.0.join("manifests")).unwrap();
    shop.answers("stock", DENIED);
}

#[test]
#[ignore = "needs Envoy"]
fn nothing_is_served_before_everything_could_be_read_once() {
    let shop = Shop::new("start", 2);
    shop.folder.write("more.yaml", "a: b: c");
    let server = free_port();
    let serving = serve(&shop.folder, &["--listen", &format!("127.0.0.1:{server}")]);
    serving.says("nothing is served before everything can be read");
    shop.folder.remove("more.yaml");
    let _envoy = asking(&shop.folder, "node", server, free_port(), &[]);
    shop.answers("cart", &shop.served(2));
}

#[test]
#[ignore = "needs Envoy"]
fn what_a_proxy_refuses_is_reported_with_the_objects_it_comes_from() {
    let shop = Shop::new("refused", 3);
    // Somebody else listens where the table puts the database.
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let table = format!("{{\"http/80\": {}, \"tcp/shop/db/80\": {port}}}", shop.entry);
    std::fs::write(shop.folder.0.join("ports.json"), table).unwrap();
    let server = free_port();
    let serving = serve(&shop.folder, &["--listen", &format!("127.0.0.1:{server}")]);
    let _envoy = asking(&shop.folder, "node", server, free_port(), &[]);
    shop.answers("cart", &shop.served(2));
    shop.folder.write("db.yaml", &pod_and_service("db", shop.ip(4), Some(("tcp", 5432))));
    shop.folder.write("db-grant.yaml", &grant("db"));
    serving.says(&format!("error: `node` refused Listener `127.0.0.1:{port}/tcp`"));
    serving.says("= from Service shop/db");
    // Others go on.
    shop.folder.remove("cart-grant.yaml");
    shop.answers("cart", DENIED);
}

/// Names of files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
#[ignore = "needs Envoy"]
fn files_follow_the_folder_and_go_with_what_they_are_of() {
    let shop = Shop::new("files", 4);
    let admin = free_port();
    let out = shop.folder.path("files");
    let _serving = serve(&shop.folder, &["--files", &out, "--admin-port", &admin.to_string()]);
    let endpoints = Path::new(&out).join("endpoints");
    let _envoy = envoy(&Path::new(&out).join("bootstrap.json"));
    shop.answers("cart", &shop.served(2));
    let before = files(&endpoints);
    assert!(!before.is_empty());

    shop.add("stock", 3);
    shop.folder.write("stock-grant.yaml", &grant("stock"));
    shop.answers("stock", &shop.served(3));
    assert!(files(&endpoints).len() > before.len());
    // A mistake elsewhere holds no revocation back here either.
    shop.folder.write("cart.yaml", "kind: Service: [");
    shop.folder.remove("stock-grant.yaml");
    shop.answers("stock", DENIED);
    assert_eq!(get(shop.ip(1), shop.entry, "cart.shop.mesh"), shop.served(2));

    shop.folder.remove("stock.yaml");
    shop.answers("stock", " 404");
    // Its files go too, some time after nothing names them, and the proxy misses nothing.
    eventually("files are removed", || files(&endpoints), |now| *now == before);
    assert_eq!(get(shop.ip(1), shop.entry, "cart.shop.mesh"), shop.served(2));
    nothing_was_refused(admin);
}

fn nothing_was_refused(admin: u16) {
    let stats =
        setting::curl(&[&format!("http://127.0.0.1:{admin}/stats?filter=update_(rejected|failure)$")]);
    let rejected: Vec<&str> = stats.lines().filter(|l| l.contains(": ") && !l.contains(": 0")).collect();
    assert!(stats.contains("update_rejected") && rejected.is_empty(), "{stats}");
}

#[test]
#[ignore = "needs Envoy"]
fn a_file_that_cannot_be_written_opens_nothing_and_a_restart_loses_nothing() {
    let shop = Shop::new("stuck", 6);
    shop.add("stock", 3);
    shop.folder.write("stock-grant.yaml", &grant("stock"));
    let admin = free_port();
    let out = shop.folder.path("files");
    let arguments = ["--files", &out, "--admin-port", &admin.to_string()];
    let serving = serve(&shop.folder, &arguments);
    let _envoy = envoy(&Path::new(&out).join("bootstrap.json"));
    shop.answers("cart", &shop.served(2));
    shop.answers("stock", &shop.served(3));

    // The pod moves, but its file cannot be written; a revocation elsewhere is.
    let endpoints = Path::new(&out).join("endpoints");
    let stock = files(&endpoints).into_iter().find(|name| name.contains("stock")).unwrap();
    let stuck = endpoints.join(stock + ".new");
    std::fs::create_dir_all(stuck.join("x")).unwrap();
    shop.add("stock", 4);
    shop.folder.remove("cart-grant.yaml");
    shop.answers("cart", DENIED);
    assert_eq!(get(shop.ip(1), shop.entry, "stock.shop.mesh"), shop.served(3));
    // A grant that changes opens nothing at the old pod, for another process neither.
    shop.folder.write("stock-grant.yaml", &grant("stock").replace("/.*", "/|/x"));
    shop.answers("stock", DENIED);
    drop(serving);
    let serving = serve(&shop.folder, &arguments);
    serving.says("closed until then: `stock.shop.mesh`");
    assert_eq!(get(shop.ip(1), shop.entry, "stock.shop.mesh"), DENIED);
    std::fs::remove_dir_all(stuck).unwrap();
    shop.answers("stock", &shop.served(4));

    // What is gone when it starts again is known for a while, and no request is sent nowhere.
    drop(serving);
    shop.folder.remove("stock.yaml");
    let _serving = serve(&shop.folder, &arguments);
    eventually(
        "it is unknown",
        || get(shop.ip(1), shop.entry, "stock.shop.mesh"),
        |seen| {
            assert!(seen == " 404" || *seen == shop.served(4), "{seen}");
            seen == " 404"
        },
    );
    nothing_was_refused(admin);
}
