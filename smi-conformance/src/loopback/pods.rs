//! Servers that play pods. One listener on every address plays all pods of a port: the address at which a connection arrives is the
//! pod's. They live as long as the process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};

/// Listens on every address and gives each connection a thread; the port.
pub(super) fn listen(serve: fn(TcpStream)) -> anyhow::Result<u16> {
    let port = super::port::free_block(1)?;
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    Ok(port)
}

/// A pod that tells who it is and what it was asked, and that takes up every proper offer to switch to HTTP/2.
pub(super) fn answer(stream: TcpStream) {
    let Ok(own) = stream.local_addr() else { return };
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    loop {
        let mut first = String::new();
        let mut line = String::new();
        let mut length = 0_u64;
        let (mut upgrade, mut settings) = (false, false);
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        if first.trim() == "whoami" {
            let _ = reader.get_mut().write_all(format!("{own}\n").as_bytes());
            return;
        }
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let header = line.trim().to_ascii_lowercase();
            let Some((name, value)) = header.split_once(':') else { break };
            match (name, value.trim()) {
                ("content-length", value) => length = value.parse().unwrap_or(0),
                ("upgrade", value) => upgrade |= value.contains("h2c"),
                ("http2-settings", _) => settings = true,
                _ => {}
            }
        }
        let _ = std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink());
        let target = first.split(' ').nth(1).unwrap_or_default();
        let tunnel = upgrade && settings;
        let text = if tunnel {
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nX-Pod: {own} {target}\r\n\r\n"
            )
        } else {
            format!("HTTP/1.1 200 OK\r\nX-Pod: {own} {target}\r\nContent-Length: 0\r\n\r\n")
        };
        if reader.get_mut().write_all(text.as_bytes()).is_err() || tunnel {
            return;
        }
    }
}

/// A pod whose server speaks first.
pub(super) fn greet(mut stream: TcpStream) {
    if let Ok(own) = stream.local_addr() {
        let _ = stream.write_all(format!("{own}\n").as_bytes());
    }
}

/// A pod that answers each datagram with who it is.
pub(super) fn datagrams(at: SocketAddr) -> std::io::Result<()> {
    let socket = UdpSocket::bind(at)?;
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((_, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(at.to_string().as_bytes(), from);
        }
    });
    Ok(())
}
