//! Callers.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, ErrorKind, Read, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use smi_core::eval::HttpRequest;

use crate::observe::Observation;

/// How long an answer may take.
const WAIT: Duration = Duration::from_secs(10);
/// Datagrams on their way at the same time.
const TOGETHER: u64 = 100;

/// Connections that callers keep, by caller and listener.
#[derive(Debug, Default)]
pub struct Client {
    connections: BTreeMap<(IpAddr, SocketAddr), BufReader<TcpStream>>,
}

impl Client {
    /// Forgets all connections.
    pub fn clear(&mut self) {
        self.connections.clear();
    }

    /// Sends an HTTP request.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn http(
        &mut self,
        caller: IpAddr,
        to: SocketAddr,
        http: &HttpRequest,
    ) -> anyhow::Result<Observation> {
        let text = request_text(http);
        let mut last = None;
        // A connection that was kept may have been closed in the meantime.
        for _ in 0..3 {
            let mut reader = match self.connections.remove(&(caller, to)) {
                Some(reader) => reader,
                None => reader(connect(caller, to)?)?,
            };
            let sent = reader.get_mut().write_all(text.as_bytes()).map_err(anyhow::Error::from);
            match sent.and_then(|()| response(&mut reader, &http.method)) {
                Ok(answer) => {
                    if answer.keep {
                        self.connections.insert((caller, to), reader);
                    }
                    return Ok(answer.observation());
                }
                Err(fault) => last = Some(fault),
            }
        }
        Err(last
            .unwrap_or_else(|| anyhow::anyhow!("never asked"))
            .context(format!("no answer to {} {}", http.method, http.target)))
    }
}

/// An HTTP request as it is sent.
pub(crate) fn request_text(http: &HttpRequest) -> String {
    let mut text = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", http.method, http.target, http.host);
    for (name, value) in &http.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text + "Content-Length: 0\r\n\r\n"
}

/// What comes back on a connection on which a request was sent. One that is closed without an answer is that.
///
/// # Errors
/// When an answer ends halfway.
pub(crate) fn observed(stream: impl Read, method: &str) -> anyhow::Result<Observation> {
    let mut reader = BufReader::new(stream);
    match reader.fill_buf() {
        Ok([]) => Ok(Observation::Closed),
        Ok(_) => Ok(response(&mut reader, method)?.observation()),
        Err(fault) if is_timeout(&fault) => Ok(Observation::Silence),
        // A reset, or the alert of a refused handshake.
        Err(_) => Ok(Observation::Closed),
    }
}

/// Opens a connection and reads who answers; asks first if the server waits for that.
///
/// # Errors
/// When the caller has no socket.
pub fn tcp(caller: IpAddr, to: SocketAddr, ask: bool) -> anyhow::Result<Observation> {
    let mut stream = match connect(caller, to) {
        Ok(stream) => stream,
        // Refused looks like closed.
        Err(fault) if fault.kind() == ErrorKind::ConnectionRefused => return Ok(Observation::Closed),
        Err(fault) => return Err(fault.into()),
    };
    stream.set_read_timeout(Some(Duration::from_secs(3)))?;
    if ask {
        // A refused connection may be closed already, which reading tells.
        let _ = stream.write_all(b"whoami\n");
    }
    greeted(stream)
}

/// Who answers on a connection.
///
/// # Errors
/// When it is no pod.
pub(crate) fn greeted(mut stream: impl Read) -> anyhow::Result<Observation> {
    let mut text = Vec::new();
    let mut buffer = [0_u8; 64];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                text.extend_from_slice(buffer.get(..n).unwrap_or_default());
                if text.ends_with(b"\n") {
                    break;
                }
            }
            Err(e) if is_timeout(&e) => return Ok(Observation::Silence),
            // A reset is a closed connection.
            Err(_) => break,
        }
    }
    let text = String::from_utf8_lossy(&text);
    Ok(match (text.trim().parse(), text.is_empty()) {
        (Ok(at), _) => Observation::Served(at, None),
        (Err(_), true) => Observation::Closed,
        (Err(_), false) => bail!("the pod says {text:?}"),
    })
}

/// Sends datagrams, each from a port of its own, and waits so long for the answers.
///
/// # Errors
/// When the caller has no sockets.
pub fn udp(
    caller: IpAddr,
    to: SocketAddr,
    times: u64,
    patience: Duration,
) -> anyhow::Result<Vec<Observation>> {
    let mut out = Vec::new();
    let mut left = times;
    while left > 0 {
        let together = left.min(TOGETHER);
        left -= together;
        let mut sockets = Vec::new();
        for _ in 0..together {
            let socket = UdpSocket::bind((caller, 0))?;
            socket.connect(to)?;
            socket.send(b"ask")?;
            sockets.push(socket);
        }
        let end = Instant::now() + patience;
        for socket in sockets {
            let rest = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            socket.set_read_timeout(Some(rest))?;
            let mut buffer = [0; 64];
            out.push(match socket.recv(&mut buffer) {
                Ok(n) => {
                    let text = String::from_utf8_lossy(buffer.get(..n).unwrap_or_default()).into_owned();
                    Observation::Served(text.parse().with_context(|| format!("the pod says {text:?}"))?, None)
                }
                // Nothing listens, or nothing comes.
                Err(e) if is_timeout(&e) || e.kind() == ErrorKind::ConnectionRefused => Observation::Silence,
                Err(e) => return Err(e.into()),
            });
        }
    }
    Ok(out)
}

/// `GET` from this machine's own address.
///
/// # Errors
/// When there is no answer.
pub fn get(to: SocketAddr, path: &str) -> anyhow::Result<(u16, String)> {
    let mut reader = reader(TcpStream::connect(to)?)?;
    let text = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    reader.get_mut().write_all(text.as_bytes())?;
    let answer = response(&mut reader, "GET")?;
    Ok((answer.status, answer.body))
}

fn is_timeout(fault: &std::io::Error) -> bool {
    matches!(fault.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn reader(stream: TcpStream) -> anyhow::Result<BufReader<TcpStream>> {
    stream.set_read_timeout(Some(WAIT))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// Binds to the caller's address, then connects.
pub(crate) fn connect(caller: IpAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(to), socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(caller, 0).into())?;
    socket.connect(&to.into())?;
    Ok(TcpStream::from(socket))
}

struct Answer {
    status: u16,
    body: String,
    pod: Option<(SocketAddr, String)>,
    keep: bool,
}

impl Answer {
    fn observation(self) -> Observation {
        match self.pod {
            Some((at, _)) if self.status == 101 => Observation::Tunnel(at),
            Some((at, target)) if self.status == 200 => Observation::Served(at, Some(target)),
            _ => Observation::Status(self.status),
        }
    }
}

fn response(reader: &mut BufReader<impl Read>, method: &str) -> anyhow::Result<Answer> {
    let mut line = String::new();
    ensure!(reader.read_line(&mut line)? > 0, "closed");
    let status: u16 = line.split(' ').nth(1).and_then(|s| s.parse().ok()).context("no status")?;
    let mut length = None;
    let mut chunked = false;
    let mut pod = None;
    let mut keep = !matches!(status, 101 | 400);
    loop {
        line.clear();
        ensure!(reader.read_line(&mut line)? > 0, "closed inside the head");
        let text = line.trim();
        if text.is_empty() {
            break;
        }
        let Some((name, value)) = text.split_once(':') else { continue };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = Some(value.parse::<usize>()?),
            "transfer-encoding" => chunked = true,
            "connection" => keep &= !value.eq_ignore_ascii_case("close"),
            "x-pod" => {
                let (at, target) = value.split_once(' ').unwrap_or((value, ""));
                pod = Some((at.parse()?, target.to_owned()));
            }
            _ => {}
        }
    }
    let mut body = Vec::new();
    let bodiless = method == "HEAD" || matches!(status, 101 | 204 | 304);
    if chunked && !bodiless {
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim(), 16)?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk)?;
            body.extend_from_slice(chunk.get(..size).unwrap_or_default());
            if size == 0 {
                break;
            }
        }
    } else if !bodiless {
        body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body)?;
    }
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned(), pod, keep })
}
