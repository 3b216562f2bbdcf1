//! A plane on loopback with backends that do as they are told, and a client that sends bytes as they stand.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use plane::{Observer, Plane, PlaneConfig};
use rustls::ServerConfig;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use topology::observed::Fact;
use topology::trace::Trace;

use crate::estate::{self, Chain};

/// A backend: every connection is handed to the script.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<String>>>,
}

/// One connection to a backend.
pub(crate) struct Conn {
    pub(crate) stream: BufReader<TcpStream>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Conn {
    /// The head of the next request, or `None` when the peer closed.
    pub(crate) async fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            head.push_str(&line);
            if line == "\r\n" {
                break;
            }
        }
        self.seen.lock().unwrap().push(head.clone());
        Some(head)
    }

    /// A line of a chunked body.
    pub(crate) async fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.unwrap();
        line
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The plane may have given up on the exchange.
        let _ = self.stream.get_mut().write_all(bytes.as_ref()).await;
    }
}

impl Backend {
    /// A backend that runs `script` for each connection.
    pub(crate) async fn scripted<F, Fut>(script: F) -> Self
    where
        F: Fn(Conn, usize) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let backend =
            Self { address: listener.local_addr().unwrap(), connections: Arc::default(), seen: Arc::default() };
        let (connections, seen, script) =
            (Arc::clone(&backend.connections), Arc::clone(&backend.seen), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = connections.fetch_add(1, Ordering::SeqCst);
                let conn = Conn { stream: BufReader::new(stream), seen: Arc::clone(&seen) };
                let script = Arc::clone(&script);
                tokio::spawn(async move { script(conn, number).await });
            }
        });
        backend
    }

    /// A backend that answers every request of every connection with `answer`.
    pub(crate) async fn answering(answer: &'static str) -> Self {
        Self::scripted(move |mut conn, _| async move {
            while let Some(head) = conn.head().await {
                if let Some(length) = header(&head, "content-length") {
                    let mut body = vec![0; length.parse().unwrap()];
                    if conn.stream.read_exact(&mut body).await.is_err() {
                        return;
                    }
                }
                conn.send(answer).await;
            }
        })
        .await
    }

    /// Where it is reached within TLS: what comes there is handed on in the clear.
    pub(crate) async fn within_tls(&self, config: Arc<ServerConfig>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, behind) = (listener.local_addr().unwrap(), self.address);
        let acceptor = TlsAcceptor::from(config);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client may speak in the clear, and either may go.
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut behind = TcpStream::connect(behind).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut behind).await;
                });
            }
        });
        address
    }

    /// How many connections it accepted, probes included.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The heads of requests that are no probes.
    pub(crate) fn heads(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|head| !head.contains("ELB-HealthChecker")).cloned().collect()
    }

    /// The heads of probes.
    pub(crate) fn probes(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|head| head.contains("ELB-HealthChecker")).cloned().collect()
    }
}

/// The value of a header in a head.
pub(crate) fn header(head: &str, name: &str) -> Option<String> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// Binds the sockets of listeners.
pub(crate) fn bind(host: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(host)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// A served plane.
pub(crate) struct Scene {
    pub(crate) chain: Chain,
    pub(crate) plane: Plane,
    pub(crate) address: SocketAddr,
    pub(crate) tls: SocketAddr,
    facts: Arc<Mutex<Vec<Fact>>>,
    told: Arc<Notify>,
}

/// Whatever else a test looks at: nothing of the plane panicked in it.
impl Drop for Scene {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(plane::panics(), 0, "a task of the plane panicked");
        }
    }
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        header(&self.head, name)
    }

    /// What the development header says.
    pub(crate) fn outcome(&self) -> String {
        self.header("x-tidegate-trace").unwrap_or_default()
    }
}

impl Scene {
    /// Serves the chain as `edit` leaves it.
    pub(crate) async fn with(backend: &Backend, edit: impl FnOnce(&mut Chain)) -> Self {
        Self::configured(PlaneConfig::default(), backend, edit).await
    }

    /// The same, with a configuration.
    pub(crate) async fn configured(config: PlaneConfig, backend: &Backend, edit: impl FnOnce(&mut Chain)) -> Self {
        let mut chain = Chain::new(backend.address);
        edit(&mut chain);
        let (facts, told) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()));
        let observer = {
            let (facts, told) = (Arc::clone(&facts), Arc::clone(&told));
            Observer::new(move |fact| {
                facts.lock().unwrap().push(fact);
                told.notify_one();
            })
        };
        let plane = Plane::new(config, observer);
        plane.publish(chain.snapshot());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(plane.serve_public(listener));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tls = listener.local_addr().unwrap();
        tokio::spawn(plane.serve_public_tls(listener));
        Self { chain, plane, address, tls, facts, told }
    }

    pub(crate) async fn new(backend: &Backend) -> Self {
        Self::with(backend, |_| {}).await
    }

    /// Publishes the estate as `edit` leaves it.
    pub(crate) fn change(&mut self, edit: impl FnOnce(&mut Chain)) {
        edit(&mut self.chain);
        self.plane.publish(self.chain.snapshot());
    }

    /// Gives the listener a socket, for a plane that has a binder.
    pub(crate) fn listen(&mut self) -> SocketAddr {
        let socket = self.plane.offer_socket((&estate::realm(), None), "127.0.0.1:0".parse().unwrap()).unwrap();
        self.change(|chain| chain.listen(socket));
        socket
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes on a connection of their own and reads to its end.
    pub(crate) async fn raw(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut stream = self.connect().await;
        // The plane may answer and close before everything is written.
        let _ = stream.write_all(bytes.as_ref()).await;
        read_answer(stream).await
    }

    /// A request with these extra lines, each with its line end.
    pub(crate) async fn send(&self, request_line: &str, lines: &str) -> Answer {
        let host = estate::host();
        self.raw(&format!("{request_line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{lines}\r\n")).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), "").await
    }

    /// The trace of an answer.
    pub(crate) fn trace(&self, answer: &Answer) -> Trace {
        let id = answer.header("apigw-requestid").expect("every answer has a request id").parse().unwrap();
        self.plane.traces().find(id).expect("the trace is kept")
    }

    /// Waits for a fact.
    pub(crate) async fn fact(&self, wanted: impl Fn(&Fact) -> bool) -> Fact {
        loop {
            if let Some(fact) = self.facts.lock().unwrap().iter().find(|fact| wanted(fact)) {
                return fact.clone();
            }
            self.told.notified().await;
        }
    }

    pub(crate) fn facts(&self) -> Vec<Fact> {
        self.facts.lock().unwrap().clone()
    }
}

/// Reads an answer to the connection's end.
pub(crate) async fn read_answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    parse(&String::from_utf8_lossy(&bytes))
}

pub(crate) fn parse(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: format!("{head}\r\n"), body: body.to_owned() }
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok";

/// Lets paused time pass, timer by timer. Nothing really waits.
pub(crate) async fn let_pass(duration: std::time::Duration) {
    let until = tokio::time::Instant::now() + duration;
    tokio::time::timeout_at(until, std::future::pending::<()>()).await.unwrap_err();
}
