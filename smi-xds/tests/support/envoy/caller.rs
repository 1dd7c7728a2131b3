//! An HTTP client with an address of its own, which keeps its connection as callers do.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

/// An HTTP client that keeps its connection, as callers do.
pub struct Caller {
    from: IpAddr,
    to: SocketAddr,
    stream: Option<TcpStream>,
}

impl Caller {
    pub fn new(from: IpAddr, to: SocketAddr) -> Self {
        Self { from, to, stream: None }
    }

    fn connect(&self) -> Option<TcpStream> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind((self.from, 0).into()).unwrap();
            let stream = socket.connect(self.to).await.ok()?.into_std().unwrap();
            stream.set_nonblocking(false).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            Some(stream)
        })
    }

    /// Status and body.
    pub fn get(&mut self, host: &str, path: &str) -> Option<(u16, String)> {
        // A proxy may end a connection between two requests: HTTP clients then take a new one.
        let kept = self.stream.is_some();
        match self.try_get(host, path) {
            None if kept => {
                self.stream = None;
                self.try_get(host, path)
            }
            answer => answer,
        }
    }

    fn try_get(&mut self, host: &str, path: &str) -> Option<(u16, String)> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).ok()?;
        let mut seen = Vec::new();
        let mut buffer = [0; 4096];
        let end = loop {
            if let Some(end) = seen.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read(&mut buffer).ok()? {
                0 => return None,
                n => seen.extend_from_slice(&buffer[..n]),
            }
        };
        let head = String::from_utf8_lossy(&seen[..end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length: usize = head
            .lines()
            .find_map(|l| l.strip_prefix("content-length: "))
            .map_or(0, |l| l.trim().parse().unwrap());
        while seen.len() < end + length {
            match stream.read(&mut buffer).ok()? {
                0 => return None,
                n => seen.extend_from_slice(&buffer[..n]),
            }
        }
        if !head.contains("connection: close") {
            self.stream = Some(stream);
        }
        Some((status, String::from_utf8_lossy(&seen[end..]).into_owned()))
    }
}
