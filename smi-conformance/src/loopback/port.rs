//! Free ports, below those that the system gives to outgoing connections, so that nothing takes one between two uses.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::bail;

static CURSOR: AtomicU32 = AtomicU32::new(0);

/// The first of so many neighbouring ports that are free now, for TCP and UDP and on every address.
///
/// # Errors
/// When there are none.
pub fn free_block(count: u16) -> anyhow::Result<u16> {
    let free = |port: u16| {
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
            && UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
    };
    for _ in 0..500 {
        // Processes start at different places, so that two of them seldom look at the same port at the same time.
        let step = CURSOR.fetch_add(u32::from(count), Ordering::Relaxed);
        let offset = std::process::id().wrapping_mul(97).wrapping_add(step) % 19_000;
        let first = 12_000 + u16::try_from(offset).unwrap_or(0);
        if (first..first.saturating_add(count)).all(free) {
            return Ok(first);
        }
    }
    bail!("no {count} neighbouring ports are free")
}
