//! Leases: attachments that live as long as the answer that granted them. The answer's first line says what was attached;
//! then a line comes each second. When either end goes, the connection does, the answer is dropped, and with it the lease.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use control::Attached;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use topology::id::Realm;

use super::State;
use super::answer::{Answer, BodyError};
use super::limits::HEARTBEAT;
use super::told;
use crate::mailbox::Mailbox;
use crate::wishes::AttachedAnswer;

/// Lines that wait to be sent: a client that reads none is noticed by the next beat.
const LINES_MAX: usize = 2;

/// The answer that holds a lease.
pub(crate) fn answer(state: &State, realm: Realm, attached: Attached, place: OwnedSemaphorePermit) -> Answer {
    let first = format!("{}\n", json!(AttachedAnswer::from(&attached)));
    let (lines, body) = mpsc::channel(LINES_MAX);
    tokio::spawn(beat(lines, first.into(), state.stopping.subscribe()));
    let held = Held { mailbox: state.mailbox.clone(), lease: Some((realm, attached)), _place: place };
    let mut answer = Answer::new(Lines { lines: body, _held: held }.boxed_unsync());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    answer
}

/// Sends the first line and then an empty one at each beat, until the server stops or the answer is gone.
async fn beat(lines: mpsc::Sender<Bytes>, first: Bytes, mut stopping: watch::Receiver<bool>) {
    let mut beats = tokio::time::interval(HEARTBEAT);
    let mut line = first;
    loop {
        tokio::select! {
            () = told(&mut stopping) => return,
            () = lines.closed() => return,
            _ = beats.tick() => {}
        }
        if lines.send(line).await.is_err() {
            return;
        }
        line = Bytes::from_static(b"\n");
    }
}

/// The lease itself: dropping it ends the attachment.
struct Held {
    mailbox: Mailbox,
    lease: Option<(Realm, Attached)>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Outside a runtime the whole server is going; leases do not survive a restart.
        if let (Some((realm, attached)), Ok(runtime)) = (self.lease.take(), Handle::try_current()) {
            let mailbox = self.mailbox.clone();
            runtime.spawn(async move { mailbox.release(realm, attached).await });
        }
    }
}

/// The body of the answer.
struct Lines {
    lines: mpsc::Receiver<Bytes>,
    _held: Held,
}

impl Body for Lines {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.lines.poll_recv(cx).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}
