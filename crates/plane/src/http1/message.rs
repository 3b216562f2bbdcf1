//! A message on its way out, in either role: a head that is written, and a body that is framed behind it as it comes. What is small
//! goes out together; a large piece goes out as it is.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::io::{AsyncRead, AsyncWrite};

use super::encode::Encoder;
use super::spare;
use super::wire::Wire;
use crate::limits::{COPIED_BYTES_MAX, GATHERED_BYTES_MAX};

/// What is left to send of a message.
#[derive(Debug)]
pub(crate) struct Message<B> {
    /// Written and not yet sent.
    text: Vec<u8>,
    body: B,
    encoder: Encoder,
    /// Whether nothing more comes of the body.
    is_over: bool,
}

/// Why no more of a body was gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gathered {
    /// There is enough to send, or nothing more comes.
    Enough,
    /// The body has nothing more for now.
    Waiting,
    /// The body broke off, or is not what its head says.
    Broken,
}

impl<B> Message<B> {
    /// A message whose head is written.
    pub(crate) const fn new(head: Vec<u8>, encoder: Encoder, body: B) -> Self {
        let is_over = encoder.is_full();
        Self { text: head, body, encoder, is_over }
    }

    /// Whether all of it was given to the wire.
    pub(crate) const fn is_sent(&self) -> bool {
        self.is_over && self.text.is_empty()
    }

    /// Whether there is something to send now.
    pub(crate) const fn has_text(&self) -> bool {
        !self.text.is_empty()
    }

    /// Sends what was gathered. What could not be given to the wire at all is still here after an error.
    pub(crate) fn send<S>(&mut self, cx: &mut Context<'_>, wire: &mut Wire<S>, large: Bytes) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let close = if large.is_empty() { b"" } else { self.encoder.close() };
        wire.send(cx, &self.text, large)?;
        spare::keep_buffer(std::mem::take(&mut self.text));
        if close.is_empty() { Ok(()) } else { wire.send(cx, close, Bytes::new()) }
    }
}

impl<B: Default> Message<B> {
    /// Lets go of a body that is over, before its last bytes leave.
    pub(crate) fn settle(&mut self) {
        if self.is_over {
            self.body = B::default();
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Message<B> {
    /// Writes what the body has now behind the text. A large piece comes back as it is.
    pub(crate) fn gather(&mut self, cx: &mut Context<'_>) -> (Bytes, Gathered) {
        if self.text.capacity() == 0 {
            self.text = spare::buffer();
        }
        while !self.is_over && self.text.len() < GATHERED_BYTES_MAX {
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return (Bytes::new(), Gathered::Waiting),
                Poll::Ready(Some(Err(_))) => return (Bytes::new(), Gathered::Broken),
                Poll::Ready(Some(Ok(frame))) => Some(frame),
                Poll::Ready(None) => None,
            };
            let data = match frame.map(Frame::into_data) {
                Some(Ok(data)) if data.is_empty() => continue,
                Some(Ok(data)) => self.encoder.open(data.len(), &mut self.text).map(|()| Some(data)),
                trailers_or_end => {
                    let trailers = trailers_or_end.and_then(Result::err).and_then(|frame| frame.into_trailers().ok());
                    self.is_over = true;
                    self.encoder.end(trailers.as_ref(), &mut self.text).map(|()| None)
                }
            };
            let Ok(data) = data else { return (Bytes::new(), Gathered::Broken) };
            self.is_over |= self.encoder.is_full();
            match data {
                Some(data) if data.len() > COPIED_BYTES_MAX => return (data, Gathered::Enough),
                Some(data) => {
                    self.text.extend_from_slice(&data);
                    self.text.extend_from_slice(self.encoder.close());
                }
                None => {}
            }
        }
        (Bytes::new(), Gathered::Enough)
    }
}

impl<B> Drop for Message<B> {
    fn drop(&mut self) {
        spare::keep_buffer(std::mem::take(&mut self.text));
    }
}
