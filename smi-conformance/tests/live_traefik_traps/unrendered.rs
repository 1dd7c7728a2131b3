//! Why timeouts and mirroring are not rendered.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::mesh::traefik;
use crate::wire::{OK, WAIT, connect, head, listen, status};

/// A Traefik with a document that is not rendered, to see what a construct would do.
struct Raw {
    child: Child,
    port: u16,
}

impl Raw {
    fn start(name: &str, services: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let dynamic = folder.join("dynamic.yaml");
        let routers = "up: {entryPoints: [web], rule: 'Path(`/up`)', service: 'ping@internal', priority: 9}, s: {entryPoints: [web], rule: 'Host(`s`)', service: s, priority: 8}, plain: {entryPoints: [web], rule: 'Host(`plain`)', service: plain, priority: 7}";
        std::fs::write(&dynamic, format!("http: {{routers: {{{routers}}}, {services}}}\n")).unwrap();
        let install = folder.join("traefik.yaml");
        std::fs::write(
            &install,
            format!(
                "entryPoints: {{web: {{address: '127.0.0.1:{port}'}}}}\nping: {{manualRouting: true}}\nproviders: {{file: {{filename: '{}'}}}}\nglobal: {{checkNewVersion: false, sendAnonymousUsage: false}}\n",
                dynamic.display()
            ),
        )
        .unwrap();
        let child = Command::new(traefik())
            .arg(format!("--configFile={}", install.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let raw = Self { child, port };
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < WAIT, "Traefik did not start");
            if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                && stream.write_all(b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n").is_ok()
                && status(&mut stream) == 200
            {
                return raw;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn send(&self, text: &str) -> TcpStream {
        let mut stream = connect("127.0.0.1", self.port);
        stream.write_all(text.as_bytes()).unwrap();
        stream
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Why timeouts are a declared loss: Traefik's only one per service ends with the head of the answer, so a body may take for ever.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn a_response_header_timeout_is_no_timeout_of_a_request() {
    let port = listen("127.77.2.1", |mut stream| {
        let late_head = head(&stream).starts_with("GET /late-head");
        let pause = Duration::from_millis(600);
        if late_head {
            std::thread::sleep(pause);
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n1");
        if !late_head {
            std::thread::sleep(pause);
        }
        let _ = stream.write_all(b"2");
    });
    let servers = format!("servers: [{{url: 'http://127.77.2.1:{port}'}}]");
    let raw = Raw::start(
        "timeout",
        &format!(
            "serversTransports: {{t: {{forwardingTimeouts: {{responseHeaderTimeout: 100ms}}}}}}, services: {{s: {{loadBalancer: {{serversTransport: t, {servers}}}}}, plain: {{loadBalancer: {{{servers}}}}}}}"
        ),
    );
    assert_eq!(status(&mut raw.send("GET /late-head HTTP/1.1\r\nHost: s\r\n\r\n")), 504);
    let mut text = String::new();
    let mut stream = raw.send("GET /late-body HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n");
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("12"), "{text}");
}

/// Why mirroring is a declared loss: Traefik reads a request to its end before it forwards anything, so requests that stream would hang.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn a_mirrored_request_is_held_back_until_its_end() {
    let (arrived, arrivals) = mpsc::channel();
    let port = listen("127.77.2.1", move |mut stream| {
        head(&stream);
        arrived.send(()).unwrap();
        let mut end = Vec::new();
        while !end.ends_with(b"0\r\n\r\n") {
            let mut byte = [0];
            if stream.read_exact(&mut byte).is_err() {
                return;
            }
            end.push(byte[0]);
        }
        let _ = stream.write_all(OK);
    });
    let servers = format!("loadBalancer: {{servers: [{{url: 'http://127.77.2.1:{port}'}}]}}");
    let raw = Raw::start(
        "mirror",
        &format!(
            "services: {{s: {{mirroring: {{service: plain, mirrors: [{{name: copy, percent: 100}}]}}}}, copy: {{{servers}}}, plain: {{{servers}}}}}"
        ),
    );
    let start = |host: &str| {
        raw.send(&format!("POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"))
    };
    let _plain = start("plain");
    arrivals.recv_timeout(WAIT).unwrap();
    let mut mirrored = start("s");
    assert!(arrivals.recv_timeout(Duration::from_millis(500)).is_err(), "nothing is forwarded yet");
    mirrored.write_all(b"0\r\n\r\n").unwrap();
    arrivals.recv_timeout(WAIT).unwrap();
}
