//! Every example runs.

use std::process::Command;

#[test]
fn examples_run() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    for (name, part) in [
        ("validate_file", "SMI0302"),
        ("explain_request", "9/10 shop/cart-v1:80"),
        ("render_traefik", "HostSNI(`*`)"),
        ("custom_backend", "shop/cart-v1:80=9 shop/cart-v2:80=1"),
    ] {
        let output = Command::new(&cargo)
            .args(["run", "-q", "-p", "smi-examples", "--example", name])
            .current_dir(root)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && text.contains(part),
            "{name}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
