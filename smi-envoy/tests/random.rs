//! Random worlds render to configurations without findings, with stable bytes, that a real Envoy takes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::process::Command;

use proptest::prelude::*;
use smi_core::backend::{Backend, ProxyTarget};
use smi_core::compile::{CompileOptions, MeshMode, compile};
use smi_core::load::{Input, Limits, load};
use smi_core::testing::world;
use smi_envoy::lint::lint;
use smi_envoy::{Envoy, EnvoyConfig};

fn rendered(text: &str, mode: MeshMode) -> EnvoyConfig {
    let world = load(&[Input::new("world.yaml", text)], &Limits::default());
    let mut options = CompileOptions::default();
    options.mode = mode;
    let ir = compile(&world.hub, &world.cluster, &options).ir;
    Envoy::default().render(&ir, &ProxyTarget::Node).output
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_found_and_bytes_are_stable(text in world()) {
        for mode in [MeshMode::Enforce, MeshMode::Permissive] {
            let once = rendered(&text, mode.clone());
            prop_assert_eq!(lint(&once.resources), []);
            let again = rendered(&text, mode);
            prop_assert_eq!(once.static_bootstrap().protobuf(), again.static_bootstrap().protobuf());
            prop_assert_eq!(once.static_bootstrap().json().unwrap(), again.static_bootstrap().json().unwrap());
        }
    }

    #[test]
    #[ignore = "needs Envoy"]
    fn a_real_envoy_takes_it(text in world()) {
        let envoy = std::env::var_os("SMI_ENVOY").expect("set SMI_ENVOY to Envoy's binary");
        let file = std::env::temp_dir().join(format!("smi-envoy-random-{}.json", std::process::id()));
        for mode in [MeshMode::Enforce, MeshMode::Permissive] {
            std::fs::write(&file, rendered(&text, mode).static_bootstrap().json().unwrap()).unwrap();
            let run = Command::new(&envoy).args(["--mode", "validate", "-l", "error", "-c"]).arg(&file).output().unwrap();
            prop_assert!(run.status.success(), "{}\n{}", text, String::from_utf8_lossy(&run.stderr));
        }
        std::fs::remove_file(&file).unwrap();
    }
}
