//! What follows a switch of protocols at a listener's socket: how long it is kept while neither side, or one alone, speaks.

use std::time::Duration;

use plane::{Binder, PlaneConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use topology::reason::Reason;

use crate::estate::{BALANCER, realm};
use crate::scene::{Backend, OK, Scene, bind, header, let_pass};

/// A target that agrees to every switch and sends back what it is sent, but on `/listening` nothing, and on `/speaking` a byte every 30 s too.
async fn target() -> Backend {
    Backend::scripted(|mut conn, _| async move {
        let Some(head) = conn.head().await else { return };
        if header(&head, "upgrade").is_none() {
            return conn.send(OK).await;
        }
        conn.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").await;
        let mut piece = [0; 64];
        loop {
            let read = tokio::time::timeout(Duration::from_secs(30), conn.stream.read(&mut piece)).await;
            match read {
                Ok(Ok(0) | Err(_)) => return,
                Ok(Ok(length)) if !head.contains("/listening") => {
                    conn.send(&piece[..length]).await;
                }
                Err(_) if head.contains("/speaking") => conn.send("!").await,
                Ok(Ok(_)) | Err(_) => {}
            }
        }
    })
    .await
}

/// A connection that was switched.
struct Switched {
    stream: TcpStream,
    scene: Scene,
    request: String,
}

impl Switched {
    /// Through a load balancer with this time-out.
    async fn at(path: &str, idle_s: u32) -> Self {
        let backend = target().await;
        let config = PlaneConfig { binder: Binder::new(bind), ..PlaneConfig::default() };
        let mut scene = Scene::configured(config, &backend, |chain| {
            let balancer = chain.estate.load_balancers.edit(&BALANCER).unwrap();
            balancer.attributes.set("idle_timeout.timeout_seconds", &idle_s.to_string()).unwrap();
        })
        .await;
        let socket = scene.plane.offer_socket((&realm(), None), "127.0.0.1:0".parse().unwrap()).unwrap();
        scene.change(|chain| chain.listen(socket));
        let mut stream = TcpStream::connect(socket).await.unwrap();
        // The system would hold the second byte back until the first one is acknowledged, in real time.
        stream.set_nodelay(true).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        let request = header(&answer, "x-tidegate-request-id").unwrap();
        Self { stream, scene, request }
    }

    /// Sends a byte and lets the plane see it: as long as something is ready, the paused clock stands.
    async fn send(&mut self) {
        self.stream.write_all(b"?").await.unwrap();
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    }

    /// Whether the connection is there after so long a silence of the client's; what came is thrown away.
    async fn is_open_after(&mut self, silence: Duration) -> bool {
        let_pass(silence).await;
        let mut came = [0; 1024];
        loop {
            match self.stream.try_read(&mut came) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
            }
        }
    }

    fn reason(&self) -> Option<Reason> {
        self.scene.plane.traces().find(self.request.parse().unwrap()).unwrap().reason
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_kept_for_the_idle_timeout_and_no_longer() {
    for (idle_s, kept_s) in [(60, 59), (4_000, 3_600), (4_000, 3_999), (1, 0)] {
        let mut switched = Switched::at("/", idle_s).await;
        switched.send().await;
        assert_eq!(switched.stream.read_u8().await.unwrap(), b'?', "{idle_s}");
        assert!(switched.is_open_after(Duration::from_secs(kept_s)).await, "{kept_s} s of {idle_s}");
        switched.send().await;
        assert_eq!(switched.stream.read_u8().await.unwrap(), b'?', "it carries after {kept_s} s of {idle_s}");
        assert_eq!(switched.reason(), None);
        assert!(!switched.is_open_after(Duration::from_secs(u64::from(idle_s) + 1)).await, "{idle_s}");
        assert_eq!(switched.reason(), Some(Reason::TargetTimeout));
    }
}

#[tokio::test(start_paused = true)]
async fn either_side_alone_keeps_it() {
    let mut switched = Switched::at("/speaking", 60).await;
    assert!(switched.is_open_after(Duration::from_secs(3_600)).await, "the target speaks");
    let mut switched = Switched::at("/listening", 60).await;
    for _ in 0..60 {
        switched.send().await;
        assert!(switched.is_open_after(Duration::from_secs(59)).await, "the client speaks");
    }
}

/// The silence begins with the last byte, whichever side sent it and whenever.
#[tokio::test(start_paused = true)]
async fn the_silence_begins_with_the_clients_last_byte() {
    for before_s in [1, 30, 59] {
        let mut switched = Switched::at("/listening", 60).await;
        assert!(switched.is_open_after(Duration::from_secs(before_s)).await);
        switched.send().await;
        assert!(switched.is_open_after(Duration::from_secs(59)).await, "{before_s}");
        assert!(!switched.is_open_after(Duration::from_secs(2)).await, "61 s after a byte at {before_s} s");
    }
}
