//! Applications that are slow, fail or hang up as they are told, and count what reaches them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// An application that listens.
#[derive(Clone)]
pub(crate) struct App(Arc<State>);

struct State {
    seen: AtomicUsize,
    faulty: AtomicBool,
}

impl App {
    /// `/slow` takes a second, `/cut` gets no answer, everything else the pod's address.
    pub(crate) fn serve(at: SocketAddr) -> Self {
        let listener = TcpListener::bind(at).unwrap();
        let app = Self(Arc::new(State { seen: AtomicUsize::new(0), faulty: AtomicBool::new(false) }));
        let served = app.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let app = served.clone();
                std::thread::spawn(move || app.answer(stream, at));
            }
        });
        app
    }

    /// How many requests it saw.
    pub(crate) fn seen(&self) -> usize {
        self.0.seen.load(Ordering::SeqCst)
    }

    /// Answers 500 to everything from now on, or no longer.
    pub(crate) fn fail(&self, faulty: bool) {
        self.0.faulty.store(faulty, Ordering::SeqCst);
    }

    fn answer(&self, mut stream: TcpStream, at: SocketAddr) {
        let mut seen = Vec::new();
        let mut buffer = [0; 4096];
        while !seen.windows(4).any(|w| w == b"\r\n\r\n") {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(n) => seen.extend_from_slice(&buffer[..n]),
            }
        }
        self.0.seen.fetch_add(1, Ordering::SeqCst);
        let asked = |path: &str| seen.starts_with(format!("GET {path}").as_bytes());
        if asked("/cut") {
            return;
        }
        if asked("/slow") {
            std::thread::sleep(Duration::from_secs(1));
        }
        let status = if self.0.faulty.load(Ordering::SeqCst) { "500 Failed" } else { "200 OK" };
        let body = format!("pod {}", at.ip());
        let length = body.len();
        let _ = write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
    }
}
