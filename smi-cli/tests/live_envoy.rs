//! What `smi render --backend envoy` prints is taken by a real Envoy, for every target, format and form.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use smi_xds::identity::{DevIssuer, IdentitySource as _};

const TARGETS: [&str; 2] = ["node", "sidecar/shop/cart-v1-1"];

/// Files of a pod's certificate, which Envoy wants to read.
fn certificates() -> [String; 3] {
    let issuer = DevIssuer::new("cluster.local", Duration::from_secs(3600)).unwrap();
    let identity = issuer.identity("spiffe://cluster.local/ns/shop/sa/cart").unwrap();
    let trust = issuer.trust();
    let folder = folder("certificates");
    [("tls.crt", &identity.chain), ("tls.key", &identity.key), ("ca.crt", &trust[0].authorities)].map(
        |(name, text)| {
            // Tests run side by side; key and certificate must be of one piece.
            let path = folder.join(format!("{:?}-{name}", std::thread::current().id()));
            std::fs::write(&path, text.as_bytes()).unwrap();
            path.to_str().unwrap().to_owned()
        },
    )
}

fn smi(arguments: &[&str]) -> Vec<u8> {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/store");
    let [cert, key, trust] = certificates();
    let output = Command::new(env!("CARGO_BIN_EXE_smi"))
        .args(["render", "--backend", "envoy"])
        .args(["--cert", &cert, "--key", &key, "--trust", &trust])
        .args(arguments)
        .arg(store)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("smi-live-envoy-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn validate(file: &Path) {
    let envoy =
        std::env::var_os("SMI_ENVOY").expect("set SMI_ENVOY to Envoy's binary (`cargo xtask peers envoy`)");
    let run =
        Command::new(envoy).args(["--mode", "validate", "-l", "error", "-c"]).arg(file).output().unwrap();
    assert!(run.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&run.stderr));
}

#[test]
#[ignore = "needs Envoy"]
fn every_target_format_and_form_validates() {
    let folder = folder("formats");
    for target in TARGETS {
        for format in ["yaml", "json", "pb"] {
            for form in ["--static", "--xds", "--xds=xds.example:18000"] {
                let file = folder.join(format!("envoy.{format}"));
                std::fs::write(&file, smi(&["--target", target, "--format", format, form])).unwrap();
                validate(&file);
            }
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
#[ignore = "needs Envoy"]
fn watched_files_validate() {
    for target in TARGETS {
        let folder = folder("watched");
        smi(&["--target", target, "--watched", "--out", folder.to_str().unwrap()]);
        validate(&folder.join("bootstrap.json"));
        assert!(folder.join("listeners.json").exists());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
