//! Streams of one connection beside each other, and what the sweep does to a client that does nothing.

use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use h2::client::{self, SendRequest};
use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadBuf};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::super::connection::Spoken;
use super::super::flow::READ_SWEEPS;
use super::super::watch::Connections;
use super::*;
use crate::http::places::{Owner, Places};

/// One end of a pipe that counts what is written to it in one piece.
struct Counted(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A connection that is served. Its service answers `/panic` not at all, `/large` with a body that is larger than a client's window, and
/// everything else once it is told to. It counts its calls, and how many there were at a time.
struct Served {
    connections: Arc<Connections>,
    told: Arc<Notify>,
    writes: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    task: JoinHandle<io::Result<()>>,
}

/// A call under way.
struct Call(Arc<AtomicUsize>);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

const STREAMS: usize = CLIENT_STREAMS_MAX as usize;

/// A window's worth and two pieces more.
const LARGE: usize = 3 * HELD_PIECE_BYTES;

fn serve() -> (Served, DuplexStream) {
    let (client, server) = tokio::io::duplex(1 << 20);
    let (connections, told) = (Arc::<Connections>::default(), Arc::new(Notify::new()));
    let (writes, calls) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let watch = Watch::new(&connections, Spoken::Http2, Duration::from_secs(3600));
    let (telling, calling) = (Arc::clone(&told), Arc::clone(&calls));
    let (alive, most) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let at_most = Arc::clone(&most);
    let every_place = Arc::new(Places::new(LARGE as u64));
    let service = move |request: Request<SentBody>, _| {
        let (telling, places) = (Arc::clone(&telling), Arc::clone(&every_place));
        calling.fetch_add(1, Ordering::Relaxed);
        at_most.fetch_max(alive.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        let call = Call(Arc::clone(&alive));
        async move {
            let _call = call;
            let body = match request.uri().path() {
                "/panic" => panic!("on purpose"),
                "/large" => {
                    let mut place = places.begin(Owner::new(None, Ipv4Addr::LOCALHOST.into()));
                    place.grow_to(LARGE).await.unwrap();
                    Body::held(vec![0; LARGE].into(), place)
                }
                _ => {
                    telling.notified().await;
                    Body::full(Bytes::from_static(b"told"))
                }
            };
            Ok(Response::new(body))
        }
    };
    let mut connection = Connection::new(Counted(server, Arc::clone(&writes)), service, Arc::clone(&watch));
    let (known, mut is_known) = (Arc::clone(&connections), false);
    let task = tokio::spawn(poll_fn(move |cx| {
        if !std::mem::replace(&mut is_known, true) {
            known.enter(cx.waker(), &watch);
        }
        Pin::new(&mut connection).poll(cx)
    }));
    (Served { connections, told, writes, calls, most, task }, client)
}

impl Served {
    /// Lets so many sweeps pass, each seen by the connection.
    async fn sweep(&self, times: u32) {
        for _ in 0..times {
            self.connections.sweep();
            tokio::task::yield_now().await;
        }
    }

    /// Waits until so many requests were with the service.
    async fn called(&self, times: usize) {
        while self.calls.load(Ordering::Relaxed) < times {
            tokio::task::yield_now().await;
        }
    }
}

async fn client(stream: DuplexStream) -> SendRequest<Bytes> {
    let (asking, connection) = client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    asking
}

/// Sends a request, and gives what its answer can be waited for by.
async fn ask(asking: &SendRequest<Bytes>, path: &str) -> client::ResponseFuture {
    let request = Request::get(format!("http://a.example{path}")).body(()).unwrap();
    asking.clone().ready().await.unwrap().send_request(request, true).unwrap().0
}

#[tokio::test]
async fn a_stream_that_panics_ends_alone() {
    let (served, stream) = serve();
    let asking = client(stream).await;
    let before = task::panics();
    let (waiting, broken) = (ask(&asking, "/").await, ask(&asking, "/panic").await);
    assert_eq!(broken.await.unwrap_err().reason(), Some(Reason::INTERNAL_ERROR));
    assert_eq!(task::panics(), before + 1);
    served.told.notify_waiters();
    let mut answer = waiting.await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.body_mut().data().await.unwrap().unwrap(), "told");
    let next = ask(&asking, "/").await;
    served.called(3).await;
    served.told.notify_waiters();
    assert_eq!(next.await.unwrap().status(), StatusCode::OK, "its place is used again");
}

#[tokio::test]
async fn streams_that_are_reset_leave_their_places_to_others() {
    let (served, stream) = serve();
    let asking = client(stream).await;
    for round in 1..=3 {
        let mut asked = Vec::new();
        for _ in 0..STREAMS {
            asked.push(ask(&asking, "/").await);
        }
        served.called(round * STREAMS).await;
        // What is let go of is reset; the next are asked before this end has seen that.
    }
    let last = ask(&asking, "/").await;
    served.called(3 * STREAMS + 1).await;
    served.told.notify_waiters();
    assert_eq!(last.await.unwrap().status(), StatusCode::OK);
    assert_eq!(served.most.load(Ordering::Relaxed), STREAMS);
}

#[tokio::test]
async fn answers_that_are_ready_together_leave_in_one_write() {
    let (served, stream) = serve();
    let asking = client(stream).await;
    let mut asked = Vec::new();
    for _ in 0..20 {
        asked.push(ask(&asking, "/").await);
    }
    served.called(20).await;
    // Nothing is under way but them: what was written in answer to settings is.
    tokio::task::yield_now().await;
    let before = served.writes.load(Ordering::Relaxed);
    served.told.notify_waiters();
    for answer in asked {
        let mut answer = answer.await.unwrap();
        assert_eq!(answer.headers()["content-length"], "4");
        assert!(answer.headers().contains_key("date"));
        assert_eq!(answer.body_mut().data().await.unwrap().unwrap(), "told");
    }
    assert_eq!(served.writes.load(Ordering::Relaxed), before + 1);
}

#[tokio::test]
async fn an_answer_that_its_client_does_not_take_is_ended_and_its_neighbours_are_not() {
    let (served, stream) = serve();
    let asking = client(stream).await;
    let large = ask(&asking, "/large").await.await.unwrap();
    let waiting = ask(&asking, "/").await;
    served.called(2).await;
    let (_, mut body) = large.into_parts();
    // It comes up to the window, which is never made larger.
    served.sweep(READ_SWEEPS).await;
    let mut taken = 0;
    while taken < 65_535 {
        taken += body.data().await.unwrap().unwrap().len();
    }
    assert!(poll_fn(|cx| Poll::Ready(body.poll_data(cx).is_pending())).await, "it is not ended yet");
    served.sweep(1).await;
    assert_eq!(body.data().await.unwrap().unwrap_err().reason(), Some(Reason::INTERNAL_ERROR));
    served.told.notify_waiters();
    assert_eq!(waiting.await.unwrap().status(), StatusCode::OK);
}

/// The kind and the payload of the next frame that is no setting and no window.
async fn frame(stream: &mut DuplexStream) -> (u8, Vec<u8>) {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).await.unwrap();
        if !matches!(head[3], SETTINGS | WINDOW_UPDATE) {
            return (head[3], payload);
        }
    }
}

const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

#[tokio::test]
async fn a_silent_client_is_pinged_and_given_up_on_when_it_leaves_one_unanswered() {
    let (served, mut stream) = serve();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    // Its settings were seen when there is nothing more to do.
    while served.writes.load(Ordering::Relaxed) < 2 {
        tokio::task::yield_now().await;
    }
    for _ in 0..2 {
        served.sweep(PING_SWEEPS).await;
        let (kind, payload) = frame(&mut stream).await;
        assert_eq!(kind, PING);
        let acknowledged = [&b"\0\0\x08\x06\x01\0\0\0\0"[..], &payload].concat();
        stream.write_all(&acknowledged).await.unwrap();
        tokio::task::yield_now().await;
    }
    served.sweep(PING_SWEEPS + PONG_SWEEPS).await;
    assert_eq!(frame(&mut stream).await.0, PING);
    assert_eq!(frame(&mut stream).await.0, GOAWAY);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
    assert!(served.task.await.unwrap().is_ok());
}
