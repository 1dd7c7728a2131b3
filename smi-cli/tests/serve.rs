//! `smi serve xds` and `smi check` over folders in which something is always wrong. No proxy is needed: it writes files.
#![expect(clippy::unwrap_used, reason = "a test")]
#![cfg(unix)]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use support::{Running, eventually};

/// A folder that goes with the test: `in` for manifests, `out` for the files of a proxy.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("smi-serve-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("in")).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Replaces a manifest as an editor does: whole.
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path("fresh"), text).unwrap();
        std::fs::rename(self.path("fresh"), self.path("in").join(name)).unwrap();
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.path("in").join(name)).unwrap();
    }

    fn link(&self, to: &str, name: &str) {
        std::os::unix::fs::symlink(to, self.path("in").join(name)).unwrap();
    }

    fn smi(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smi"));
        command.args(arguments).current_dir(&self.0);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.smi(arguments).output().unwrap()
    }

    /// Writes the files of `in` to `out`.
    fn serve(&self, arguments: &[&str]) -> Running {
        let mut command = self.smi(&["serve", "xds", "in", "--files", "out"]);
        Running::start(command.args(arguments))
    }

    /// Waits until the proxy's clusters name a service, or no longer do.
    fn serves(&self, name: &str, wanted: bool) {
        let clusters = || std::fs::read_to_string(self.path("out/clusters.json")).unwrap_or_default();
        eventually(&format!("{name}: {wanted}"), clusters, |text| text.contains(name) == wanted);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn service(name: &str, protocol: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{selector: {{app: {name}}}, ports: [{{name: {protocol}, port: 80}}]}}\n"
    )
}

/// A pod of an account of its name.
fn pod(name: &str, address: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}}}\nspec: {{serviceAccountName: {name}, containers: [{{name: c}}]}}\nstatus: {{phase: Running, podIP: {address}, conditions: [{{type: Ready, status: 'True'}}]}}\n"
    )
}

fn table(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default().split_whitespace().collect()
}

#[test]
fn what_cannot_be_read_holds_nothing_else_back() {
    let folder = Folder::new("links");
    folder.write("cart.yaml", &service("cart", "http"));
    folder.write("stock.yaml", &service("stock", "http"));
    let serving = folder.serve(&[]);
    folder.serves("stock", true);
    // Becomes a link to nothing, and others change.
    folder.remove("stock.yaml");
    folder.link("nowhere", "stock.yaml");
    folder.write("orders.yaml", &service("orders", "http"));
    folder.serves("orders", true);
    serving.says("`in/stock.yaml` cannot be read and stays as it was: No such file");
    folder.serves("stock", true);
    // It is said once, and its end is noticed.
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(serving.count("stays as it was"), 1);
    folder.remove("stock.yaml");
    folder.serves("stock", false);
    serving.says("no findings any more");
}

#[test]
fn what_could_never_be_read_may_close_a_namespace() {
    let folder = Folder::new("incomplete");
    folder.write("cart.yaml", &(service("cart", "http") + &pod("cart", "10.0.0.1")));
    let routes = || std::fs::read_to_string(folder.path("out/routes/http%2F80.json")).unwrap_or_default();
    let rules = |text: &str| text.matches("\"shadow_rules\"").count();
    let serving = folder.serve(&["--enforce-label", "mesh=enforce"]);
    // Counted, not denied.
    eventually("it is open", routes, |text| rules(text) == 1);
    let closed = |name: &str, until: &str| {
        eventually(&format!("{name} closes it"), routes, |text| !text.is_empty() && rules(text) == 0);
        serving.says(&format!("`in/{name}` cannot be read and is not there until it can be read{until}\n"));
        serving.says("access is enforced in every namespace of which nothing is known");
    };
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  labels: {mesh: enforce";
    folder.write("ns.yaml", namespace);
    closed("ns.yaml", "");
    folder.write("ns.yaml", &(namespace.replace("enforce", "open") + "}\n"));
    eventually("it says otherwise", routes, |text| rules(text) == 1);
    // Known as it is, it says nothing else.
    serving.listen();
    folder.write("ns.yaml", namespace);
    serving.says("`in/ns.yaml` cannot be read and stays as it was\n");
    assert_eq!(rules(&routes()), 1);
    folder.remove("ns.yaml");
    serving.says("no findings any more");
    serving.listen();
    folder.link("nowhere", "link.yaml");
    closed("link.yaml", ": No such file or directory (os error 2)");
    folder.remove("link.yaml");
    eventually("it is open again", routes, |text| rules(text) == 1);
}

#[test]
fn check_tells_of_what_cannot_be_read_and_of_the_rest_and_render_does_nothing_without_it() {
    let folder = Folder::new("check");
    folder.write("bad.yaml", "kind: [\n");
    folder.link("nowhere", "gone.yaml");
    let check = folder.run(&["check", "in", "--output", "short"]);
    let found = String::from_utf8(check.stdout).unwrap();
    assert_eq!(check.status.code(), Some(1), "{found}");
    assert!(found.contains("error[SMI0001]"), "{found}");
    assert!(found.contains("error[SMI0013]: cannot read `in/gone.yaml`: No such file"), "{found}");
    folder.write("bad.yaml", &service("cart", "http"));
    // Alone it is an error as well, in every form.
    for form in ["human", "json", "sarif", "github"] {
        let check = folder.run(&["check", "in", "--output", form]);
        assert_eq!(check.status.code(), Some(1), "{form}");
        assert!(String::from_utf8(check.stdout).unwrap().contains("SMI0013"), "{form}");
    }
    for arguments in [
        &["render", "--backend", "envoy", "in", "--port-table", "ports.json"][..],
        &["compile", "in"],
        &["explain", "in", "--to", "cart.shop"],
        &["convert", "in", "--to", "split.smi-spec.io/v1alpha1"],
    ] {
        let output = folder.run(arguments);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("cannot read `in/gone.yaml`"), "{said}");
    }
    assert!(!folder.path("ports.json").exists());
}

#[test]
fn a_folder_without_manifests_is_told() {
    let folder = Folder::new("nothing");
    std::fs::write(folder.path("in/notes.txt"), "").unwrap();
    let check = folder.run(&["check", "in"]);
    assert_eq!(check.status.code(), Some(0));
    assert_eq!(String::from_utf8(check.stderr).unwrap(), "note: no manifests in `in`\n");
}

#[test]
fn what_can_be_read_only_once_cannot_be_watched() {
    let folder = Folder::new("stdin");
    assert!(Command::new("mkfifo").arg(folder.path("pipe")).status().unwrap().success());
    for path in ["-", "pipe"] {
        let output = folder.run(&["serve", "xds", path, "in"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("`{path}` is neither a file nor a folder")), "{said}");
    }
}

#[test]
fn findings_are_told_when_they_change() {
    let folder = Folder::new("findings");
    let split = "apiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {name: s, namespace: shop}\nspec: {service: nobody, backends: [{service: cart, weight: 1}]}\n";
    folder.write("split.yaml", split);
    folder.write("cart.yaml", &service("cart", "http"));
    let serving = folder.serve(&[]);
    serving.says("everything else is served");
    folder.write("stock.yaml", &service("stock", "http"));
    folder.serves("stock", true);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(serving.count("everything else is served"), 1);
    folder.write("split.yaml", &split.replace("nobody", "cart"));
    serving.says("no findings any more");
}

#[test]
fn what_cannot_be_written_is_written_as_soon_as_it_can_be() {
    let folder = Folder::new("full");
    folder.write("cart.yaml", &service("cart", "http"));
    // A folder that is not empty cannot be replaced by a file, as nothing can on a disk that is full.
    for name in ["out/clusters.json/x", "ports.json/x"] {
        std::fs::create_dir_all(folder.path(name)).unwrap();
    }
    let mut serving = folder.serve(&[]);
    serving.says("error: cannot write `out/clusters.json`");
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(serving.count("error: cannot write"), 1);
    assert!(!serving.has_ended());
    std::fs::remove_dir_all(folder.path("out/clusters.json")).unwrap();
    folder.serves("cart", true);
    let left: Vec<_> = std::fs::read_dir(folder.path("out")).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(left.iter().all(|path| path.extension().is_none_or(|e| e != "new")), "{left:?}");
}

/// A service with its pod, and what lets callers with these accounts in.
fn granted(name: &str, protocol: &str, address: &str, callers: &[&str]) -> String {
    let (kind, spec) = match protocol {
        "http" => ("HTTPRouteGroup", "{matches: [{name: all, pathRegex: '/.*'}]}"),
        _ => ("TCPRoute", "{}"),
    };
    let sources: Vec<String> =
        callers.iter().map(|caller| format!("{{kind: ServiceAccount, name: {caller}}}")).collect();
    service(name, protocol)
        + &pod(name, address)
        + &format!(
            "---\napiVersion: specs.smi-spec.io/v1alpha4\nkind: {kind}\nmetadata: {{name: {name}, namespace: shop}}\nspec: {spec}\n---\napiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{destination: {{kind: ServiceAccount, name: {name}}}, rules: [{{kind: {kind}, name: {name}}}], sources: [{}]}}\n",
            sources.join(", ")
        )
}

#[test]
fn a_file_that_cannot_be_written_holds_back_no_other_and_opens_nothing() {
    let folder = Folder::new("stuck");
    let read = |name: &str| std::fs::read_to_string(folder.path("out").join(name)).unwrap_or_default();
    let routes = || read("routes/http%2F80.json");
    // What callers of a host find, as text.
    let host = |name: &str| {
        let tree: serde_json::Value = serde_json::from_str(&routes()).unwrap_or_default();
        let hosts = tree.pointer("/resources/0/virtual_hosts").and_then(serde_json::Value::as_array);
        let named = hosts.into_iter().flatten().find(|host| host["name"] == format!("{name}.shop.mesh"));
        named.map(ToString::to_string).unwrap_or_default()
    };
    for (name, address) in [("web", "10.0.0.1"), ("other", "10.0.0.2")] {
        folder.write(&format!("{name}.yaml"), &pod(name, address));
    }
    folder.write("cart.yaml", &granted("cart", "http", "10.0.0.3", &["web"]));
    folder.write("stock.yaml", &granted("stock", "http", "10.0.0.4", &["web"]));
    folder.write("db.yaml", &granted("db", "tcp", "10.0.0.5", &["web"]));
    folder.write("log.yaml", &granted("log", "tcp", "10.0.0.6", &["web"]).replace("port: 80", "port: 81"));
    let serving = folder.serve(&[]);
    let listens = |service: &str| read("listeners.json").contains(&format!("shop/{service}"));
    eventually("all are there", || read("listeners.json"), |_| listens("db") && listens("log"));
    assert!(host("cart").contains("10.0.0.1") && host("stock").contains("10.0.0.1"), "{}", routes());

    // Something stands in the way of the files of two services, whose pods move; another grant is revoked.
    let endpoints = std::fs::read_dir(folder.path("out/endpoints")).unwrap();
    let stuck: Vec<PathBuf> = endpoints
        .map(|entry| entry.unwrap().path())
        .filter(|path| ["shop~stock~", "shop~db~"].iter().any(|of| path.to_string_lossy().contains(of)))
        .collect();
    assert_eq!(stuck.len(), 2, "{stuck:?}");
    for path in &stuck {
        std::fs::create_dir_all(path.with_extension("json.new").join("x")).unwrap();
    }
    let before = host("stock");
    folder.write("stock.yaml", &granted("stock", "http", "10.0.0.14", &["web"]));
    folder.write("db.yaml", &granted("db", "tcp", "10.0.0.15", &["web"]));
    folder.write("cart.yaml", &granted("cart", "http", "10.0.0.3", &["other"]));
    folder.remove("log.yaml");
    serving.says("error: cannot write `out/endpoints/shop~");
    eventually(
        "it is revoked",
        || host("cart"),
        |host| !host.contains("10.0.0.1\"") && host.contains("10.0.0.2"),
    );
    eventually("its listener goes", || read("listeners.json"), |_| !listens("log"));
    assert!(listens("db"));
    assert_eq!(host("stock"), before, "what stays the same is served");

    // What would change is closed: pods in the old files may be others'.
    folder.write("stock.yaml", &granted("stock", "http", "10.0.0.14", &["other"]));
    folder.write("db.yaml", &granted("db", "tcp", "10.0.0.15", &["other"]));
    eventually(
        "it is closed",
        || host("stock"),
        |host| host.contains("\"status\":503") && !host.contains("10.0.0"),
    );
    eventually("its listener is closed", || read("listeners.json"), |_| !listens("db"));
    serving.says(", and 1 more; closed until then: `stock.shop.mesh` and 1 more; trying again");
    assert!(host("cart").contains("10.0.0.2") && read("listeners.json").contains("http/80"));
    assert!(stuck.iter().all(|path| !std::fs::read_to_string(path).unwrap().contains("10.0.0.1")));

    for path in &stuck {
        std::fs::remove_dir_all(path.with_extension("json.new")).unwrap();
    }
    eventually("it is open", || host("stock"), |host| host.contains("10.0.0.2"));
    eventually("its listener is open", || read("listeners.json"), |_| listens("db"));
    assert!(stuck.iter().all(|path| std::fs::read_to_string(path).unwrap().contains("10.0.0.1")));
}

#[test]
fn clusters_linger_also_after_a_restart() {
    let folder = Folder::new("restart");
    let read = |name: &str| std::fs::read_to_string(folder.path("out").join(name)).unwrap();
    folder.write("cart.yaml", &granted("cart", "http", "10.0.0.1", &["cart"]));
    folder.write("stock.yaml", &granted("stock", "http", "10.0.0.2", &["cart"]));
    {
        let _serving = folder.serve(&[]);
        eventually("it listens", || folder.path("out/listeners.json").exists(), |there| *there);
    }
    folder.remove("stock.yaml");
    let named = |name: &str| read(name).contains("shop~stock~");
    assert!(named("clusters.json") && named("routes/http%2F80.json"));
    let _serving = folder.serve(&[]);
    // The cluster goes after what routes to it, and leaves a proxy time to notice.
    let mut gone = None;
    let both = || (named("clusters.json"), named("routes/http%2F80.json"));
    eventually(
        "it is gone",
        || (),
        |()| {
            let (cluster, routed) = both();
            assert!(cluster || !routed, "requests are sent nowhere");
            if !routed {
                gone.get_or_insert_with(Instant::now);
            }
            !cluster
        },
    );
    assert!(gone.unwrap().elapsed() > Duration::from_secs(3), "{gone:?}");
    assert!(named("endpoints/shop~stock~80~http~shop%2Fstock~80.json"));
    assert!(read("clusters.json").contains("shop~cart~"));
}

#[test]
fn ports_are_kept_for_services_that_are_away() {
    let folder = Folder::new("ports");
    let ports = folder.path("ports.json");
    folder.write("cart.yaml", &service("cart", "http"));
    folder.write("db.yaml", &service("db", "tcp"));
    let both = "{\"http/80\":5000,\"tcp/shop/db/80\":10000}";
    {
        let _serving = folder.serve(&["--port-table", "ports.json"]);
        eventually("the table is written", || table(&ports), |now| now == both);
        folder.remove("db.yaml");
        folder.serves("shop/db", false);
        folder.write("more.yaml", &service("more", "http").replace("80", "81"));
        eventually("it grows", || table(&ports), |now| now.contains("http/81"));
        assert!(table(&ports).contains("tcp/shop/db/80\":10000"), "{}", table(&ports));
    }
    folder.remove("more.yaml");
    // `render` keeps them as well, also while a document cannot be read.
    std::fs::write(&ports, both).unwrap();
    folder.write("db.yaml", "kind: [\n");
    let render = ["render", "--backend", "envoy", "in", "--port-table", "ports.json"];
    assert_eq!(folder.run(&render).status.code(), Some(1));
    assert_eq!(table(&ports), both);
    // A link to the table stays one.
    std::fs::rename(&ports, folder.path("elsewhere.json")).unwrap();
    std::os::unix::fs::symlink("elsewhere.json", &ports).unwrap();
    folder.write("db.yaml", &service("stock", "tcp").replace("80", "82"));
    assert_eq!(folder.run(&render).status.code(), Some(0));
    assert!(std::fs::symlink_metadata(&ports).unwrap().is_symlink());
    // Nobody gets the port of one that is away.
    let three = "{\"http/80\":5000,\"tcp/shop/db/80\":10000,\"tcp/shop/stock/82\":10001}";
    assert_eq!(table(&folder.path("elsewhere.json")), three);
}

#[test]
fn an_authority_that_is_there_is_never_replaced() {
    let folder = Folder::new("authority");
    folder.write("cart.yaml", &service("cart", "http"));
    let arguments = ["serve", "xds", "in", "--listen", "127.0.0.1:0", "--dev-authority", "ca"];
    let files = ["ca/ca.crt", "ca/ca.key"].map(|name| folder.path(name));
    let read = || files.each_ref().map(|file| std::fs::read(file).ok());
    Running::start(&mut folder.smi(&arguments)).says("serving xDS");
    let [certificate, key] = read().map(Option::unwrap);
    Running::start(&mut folder.smi(&arguments)).says("serving xDS");
    assert_eq!(read(), [Some(certificate.clone()), Some(key.clone())], "it goes on");

    let refused = |wanted: &str| {
        let before = read();
        let mut serving = Running::start(&mut folder.smi(&arguments));
        serving.says(wanted);
        eventually("it ends", || (), |()| serving.has_ended());
        assert_eq!(read(), before, "{wanted}");
    };
    let advice = "for a new authority";
    std::fs::remove_file(&files[1]).unwrap();
    refused(&format!(
        "`ca/ca.key` is missing beside `ca/ca.crt`: put it back, or move the other away {advice}"
    ));
    // A link to nothing, and what is no text.
    let unreadable = "make it readable, or move it and `ca/ca.crt` away for a new authority";
    std::os::unix::fs::symlink("elsewhere", &files[1]).unwrap();
    refused(&format!("cannot read `ca/ca.key`: {unreadable}: No such file"));
    std::fs::remove_file(&files[0]).unwrap();
    refused(&format!("cannot read `ca/ca.key`: {unreadable}: No such file"));
    std::fs::remove_file(&files[1]).unwrap();
    std::fs::write(&files[1], b"\xff").unwrap();
    std::fs::write(&files[0], &certificate).unwrap();
    refused(&format!("cannot read `ca/ca.key`: {unreadable}: stream did not contain valid UTF-8"));
    std::fs::write(&files[1], &key).unwrap();
    std::fs::remove_file(&files[0]).unwrap();
    refused(&format!(
        "`ca/ca.crt` is missing beside `ca/ca.key`: put it back, or move the other away {advice}"
    ));
    std::fs::write(&files[0], b"nonsense").unwrap();
    refused("cannot go on with the authority in `ca`");
}

#[test]
fn a_certificate_that_cannot_be_written_holds_back_no_other() {
    let folder = Folder::new("issue");
    for (name, address) in [("a", "10.0.0.1"), ("b", "10.0.0.2")] {
        folder.write(&format!("{name}.yaml"), &pod(name, address));
    }
    std::fs::create_dir_all(folder.path("ca/shop")).unwrap();
    std::fs::write(folder.path("ca/shop/a"), "").unwrap();
    let arguments = ["serve", "xds", "in", "--listen", "127.0.0.1:0", "--dev-authority", "ca"];
    let serving = Running::start(&mut folder.smi(&arguments));
    serving.says("error: cannot write `ca/shop/a/tls.key`");
    eventually("the other is there", || folder.path("ca/shop/b/tls.crt").exists(), |there| *there);
    std::fs::remove_file(folder.path("ca/shop/a")).unwrap();
    eventually("both are there", || folder.path("ca/shop/a/tls.crt").exists(), |there| *there);
}
