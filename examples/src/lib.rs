//! Small programs for the main uses of the library: `cargo run -p smi-examples --example custom_backend`.
