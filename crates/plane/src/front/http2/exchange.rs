//! One stream of a connection: the service has its request, then its answer is sent as its client takes it (RFC 9113, section 8.1). The
//! sweep ends an answer that its client does not take, so that nobody who reads nothing holds a target's connection, or memory that
//! others wait for.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::header::DATE;
use http::{HeaderMap, Response};
use http_body::Body as _;

use super::super::flow::{READ_SWEEPS, REQUEST_SWEEPS};
use crate::answer::body::{self, Body};
use crate::http::body::BodyFault;
use crate::http::{date, hop};
use crate::spare::Lodged;

/// A stream from its request to the end of its answer.
pub(super) enum Exchange<F: 'static> {
    /// The service has the request.
    Call(Lodged<F>, SendResponse<Bytes>),
    /// The answer is being sent.
    Answer(Answer),
}

/// An answer, its head sent.
pub(super) struct Answer {
    stream: SendStream<Bytes>,
    body: Body,
    /// A piece that the client has no room for yet, and whether it is the last.
    piece: Option<(Bytes, bool)>,
    /// The sweep in which the client was last offered a piece; `None` while the target has nothing more for now.
    offered: Option<u32>,
    begun: u32,
}

impl<F> Exchange<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>> + 'static,
{
    /// Goes on until it waits, in this sweep. It is over when that is ready: sent whole, or not wanted any more.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, now: u32) -> Poll<()> {
        loop {
            match self {
                Self::Call(call, reply) => {
                    let Poll::Ready(Ok(response)) = Pin::new(call).poll(cx) else {
                        // Of a client that wants no answer any more, or is gone, there is nothing to know but that.
                        return reply.poll_reset(cx).map(drop);
                    };
                    let Some(answer) = Answer::begin(reply, response, now) else { return Poll::Ready(()) };
                    *self = Self::Answer(answer);
                }
                Self::Answer(answer) => return answer.poll(cx, now),
            }
        }
    }

    /// Ends it for a fault of this end.
    pub(super) fn fail(&mut self) {
        match self {
            Self::Call(_, reply) => reply.send_reset(Reason::INTERNAL_ERROR),
            Self::Answer(answer) => answer.stream.send_reset(Reason::INTERNAL_ERROR),
        }
    }

    /// Ends an answer that stands still for too long, or lasts for too long; `true` if it is over.
    pub(super) fn give_up(&mut self, now: u32) -> bool {
        let Self::Answer(answer) = self else { return false };
        let is_overdue = answer.is_overdue(now);
        if is_overdue {
            answer.body.broke(BodyFault::ClientSilent);
            answer.stream.send_reset(Reason::INTERNAL_ERROR);
        }
        is_overdue
    }
}

impl Answer {
    /// Sends the head; `None` if that is all.
    fn begin(reply: &mut SendResponse<Bytes>, response: Response<Body>, now: u32) -> Option<Self> {
        let (mut parts, body) = body::for_http2(response).into_parts();
        hop::strip_for_http2(&mut parts.headers);
        parts.headers.entry(DATE).or_insert_with(|| date::with(Clone::clone));
        let is_whole = body.is_end_stream();
        match reply.send_response(Response::from_parts(parts, ()), is_whole) {
            Ok(stream) if !is_whole => Some(Self { stream, body, piece: None, offered: Some(now), begun: now }),
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(%error, "an answer could not be sent over HTTP/2");
                reply.send_reset(Reason::INTERNAL_ERROR);
                None
            }
        }
    }

    /// Sends what the client has room for.
    fn poll(&mut self, cx: &mut Context<'_>, now: u32) -> Poll<()> {
        loop {
            if self.piece.is_some() {
                // A stream that takes no more was reset.
                let Some(()) = ready!(self.poll_room(cx)) else { break };
            }
            if let Some((piece, is_last)) = self.piece.take() {
                let sent = self.stream.send_data(piece, is_last);
                if is_last || sent.is_err() {
                    break;
                }
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => {
                    self.offered = None;
                    return self.stream.poll_reset(cx).map(drop);
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(piece) => {
                        // As little as makes the connection look for room: the piece asks for the rest.
                        self.stream.reserve_capacity(1);
                        self.piece = Some((piece, self.body.is_end_stream()));
                        self.offered = Some(now);
                    }
                    Err(trailers) => {
                        self.end(trailers.into_trailers().unwrap_or_default());
                        break;
                    }
                },
                Poll::Ready(Some(Err(_))) => {
                    self.stream.send_reset(Reason::INTERNAL_ERROR);
                    break;
                }
                Poll::Ready(None) => self.piece = Some((Bytes::new(), true)),
            }
        }
        Poll::Ready(())
    }

    /// Waits until the client has room for some of the piece; an empty one needs none. `None` if there never will be.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        if self.piece.as_ref().is_some_and(|(piece, _)| piece.is_empty()) || self.stream.capacity() > 0 {
            return Poll::Ready(Some(()));
        }
        Poll::Ready(ready!(self.stream.poll_capacity(cx)).and_then(Result::ok).map(drop))
    }

    fn end(&mut self, trailers: HeaderMap) {
        // Nothing more needs room.
        self.stream.reserve_capacity(0);
        if let Err(error) = self.stream.send_trailers(trailers) {
            tracing::debug!(%error, "trailers could not be sent over HTTP/2");
            self.stream.send_reset(Reason::INTERNAL_ERROR);
        }
    }

    fn is_overdue(&self, now: u32) -> bool {
        let stands = self.offered.is_some_and(|offered| now.saturating_sub(offered) > READ_SWEEPS);
        stands || now.saturating_sub(self.begun) > REQUEST_SWEEPS
    }
}
