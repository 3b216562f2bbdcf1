//! A message on its way out, in either role: a head that is written, and a body that is framed behind it as it comes. What is small
//! goes out together; a large piece goes out as it is.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::io::{AsyncRead, AsyncWrite};

use super::encode::Encoder;
use super::wire::Wire;
use crate::limits::{COPIED_BYTES_MAX, GATHERED_BYTES_MAX};
use crate::spare;

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

    /// The body, as far as it was not sent.
    pub(crate) const fn body(&self) -> &B {
        &self.body
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

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::http::framing::{Framing, WithFraming as _};
    use crate::http1::tests::{Body as Answer, Played, Step, Taking};

    fn body(pieces: &[&'static [u8]]) -> Answer {
        let step = |piece: &&'static [u8]| match *piece {
            b"" => Step::Pauses,
            data => Step::Gives(Frame::data(Bytes::from_static(data))),
        };
        Answer::played(pieces.iter().map(step))
    }

    static LARGE: [u8; COPIED_BYTES_MAX + 1] = [b'x'; COPIED_BYTES_MAX + 1];

    #[test]
    fn what_is_small_goes_together_and_what_is_large_as_it_is() {
        use Gathered::{Broken, Enough, Waiting};
        let chunked = || Encoder::Chunked(Vec::new());
        type Row<'a> = (&'a str, Encoder, &'a [&'static [u8]], &'a str, usize, Gathered);
        let rows: [Row<'_>; 10] = [
            ("all of it", Encoder::Length(4), &[b"ab", b"cd"], "head abcd", 0, Enough),
            ("in chunks", chunked(), &[b"ab", b"c"], "head 2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 0, Enough),
            ("what is there", chunked(), &[b"ab", b"", b"c"], "head 2\r\nab\r\n", 0, Waiting),
            ("a large piece", Encoder::Length(LARGE.len() as u64), &[&LARGE], "head ", LARGE.len(), Enough),
            ("a large chunk", chunked(), &[b"a", &LARGE, b"b"], "head 1\r\na\r\n2001\r\n", LARGE.len(), Enough),
            ("nothing of what has none", Encoder::Bodyless, &[b"a"], "head ", 0, Enough),
            ("too much", Encoder::Length(3), &[b"ab", b"cd"], "head ab", 0, Broken),
            ("too little", Encoder::Length(5), &[b"ab", b"cd"], "head abcd", 0, Broken),
            ("until the end", Encoder::UntilClose, &[b"ab", b"cd"], "head abcd", 0, Enough),
            ("nothing yet", Encoder::Length(1), &[b""], "head ", 0, Waiting),
        ];
        for (name, encoder, pieces, text, large, gathered) in rows {
            let mut message = Message::new(b"head ".to_vec(), encoder, body(pieces));
            let got = message.gather(&mut Context::from_waker(Waker::noop()));
            assert_eq!((got.0.len(), got.1), (large, gathered), "{name}");
            assert_eq!(std::str::from_utf8(&message.text).unwrap(), text, "{name}");
        }
    }

    #[test]
    fn a_message_is_sent_when_all_of_it_was_given_to_the_wire() {
        let stream = Played::new(Vec::new(), Taking::ALL);
        let (mut wire, waker) = (Wire::new(stream.clone()), Waker::noop());
        let cx = &mut Context::from_waker(waker);
        let pieces: &[&'static [u8]] = &[b"a", &LARGE, b"b"];
        let mut message = Message::new(b"head ".to_vec(), Encoder::Chunked(Vec::new()), body(pieces));
        let mut rounds = 0;
        while !message.is_sent() {
            let (large, gathered) = message.gather(cx);
            assert!(gathered == Gathered::Enough && (message.has_text() || !large.is_empty()));
            message.settle();
            message.send(cx, &mut wire, large).unwrap();
            rounds += 1;
        }
        let large = std::str::from_utf8(&LARGE).unwrap();
        let expected = format!("head 1\r\na\r\n2001\r\n{large}\r\n1\r\nb\r\n0\r\n\r\n");
        assert_eq!((String::from_utf8(stream.taken()).unwrap(), rounds), (expected, 2));
        assert_eq!(message.body.framing(), Framing::None, "the body is let go of");
    }
}
