//! What `smi render --backend traefik --static --out DIR` writes is all that a real Traefik needs. Needs `SMI_TRAEFIK`.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// The status that a request for a service gets; nothing while nobody listens.
fn status(port: u16, host: &str) -> String {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.split(' ').nth(1).unwrap_or_default().to_owned())
    };
    ask().unwrap_or_default()
}

#[test]
#[ignore = "needs Traefik"]
fn the_folder_is_all_that_it_starts_with() {
    let traefik =
        std::env::var_os("SMI_TRAEFIK").expect("set SMI_TRAEFIK to Traefik's binary (`cargo xtask peers`)");
    let folder = std::env::temp_dir().join(format!("smi-live-traefik-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (entry, ready) = (free_port(), free_port());
    std::fs::write(folder.join("ports.json"), format!("{{\"http/80\": {entry}}}")).unwrap();
    std::fs::write(
        folder.join("shop.yaml"),
        "apiVersion: v1\nkind: Service\nmetadata: {name: cart, namespace: shop}\nspec: {ports: [{name: http, port: 80}]}\n",
    )
    .unwrap();
    // By a relative path, and started elsewhere.
    let render = Command::new(env!("CARGO_BIN_EXE_smi"))
        .args(["render", "--backend", "traefik", "--static", "--out", "out", "--bind", "127.0.0.1"])
        .args(["--port-table", "ports.json", "--ready-port", &ready.to_string(), "shop.yaml"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(render.status.success(), "{}", String::from_utf8_lossy(&render.stderr));
    let mut proxy = Command::new(traefik)
        .arg(format!("--configFile={}", folder.join("out/traefik.yaml").display()))
        .current_dir("/")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The Service has no endpoints; without routers it would be 404.
    let started = Instant::now();
    let mut seen = String::new();
    while seen != "503" && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(100));
        seen = status(entry, "cart.shop.mesh");
    }
    let other = status(entry, "stock.shop.mesh");
    let _ = proxy.kill();
    let _ = proxy.wait();
    std::fs::remove_dir_all(folder).unwrap();
    assert_eq!((seen.as_str(), other.as_str()), ("503", "404"));
}
