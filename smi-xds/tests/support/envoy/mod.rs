//! A small shop behind a real Envoy, and the server that keeps it.
//!
//! - `shop`: what there is to serve · `caller`: who calls · `mesh`: the server · `proxy`: Envoy · `tls`: what it serves with a certificate

#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test file uses a part")]

mod caller;
mod mesh;
mod proxy;
mod shop;
mod tls;

pub use caller::Caller;
pub use mesh::Mesh;
pub use proxy::{Files, Proxy};
pub use shop::Shop;
pub use tls::{served_certificate, tls_listener};

use std::time::{Duration, Instant};

pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(25) {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("never: {what}");
}
