//! A byte stream with what was read ahead of it and what is still to be written. An idle wire holds no buffer of its own: small
//! reads go through memory that the thread's connections share, so that only what has come is kept.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use crate::limits::{BODY_READ_BYTES, READ_BYTES};

/// Pieces that are written with one call.
const SLICES: usize = 8;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A stream and its buffers.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: S,
    /// What was read and not yet understood.
    pub(crate) input: BytesMut,
    /// What the other end did not take yet. Whoever sends waits until it is empty, so that it holds one message's piece at most.
    unsent: VecDeque<Bytes>,
    /// Whether the stream itself may hold bytes back.
    unflushed: bool,
    /// Bytes that were given to the stream since it was opened.
    written: u64,
    /// Whether a message was not sent whole.
    spoiled: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, input: BytesMut::new(), unsent: VecDeque::new(), unflushed: false, written: 0, spoiled: false }
    }

    /// Bytes that were given to the stream since it was opened.
    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    /// Reads what has come, at least one byte; zero is the end of the stream. `wanted` says how much is still to come, as far as
    /// that is known: large bodies are read in large pieces.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>, wanted: u64) -> Poll<io::Result<usize>> {
        if wanted > READ_BYTES as u64 {
            // What is left of the last piece's room is filled first.
            if self.input.capacity() - self.input.len() < READ_BYTES {
                self.input.reserve(BODY_READ_BYTES.min(usize::try_from(wanted).unwrap_or(BODY_READ_BYTES)));
            }
            return pin!(self.stream.read_buf(&mut self.input)).poll(cx);
        }
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.resize(READ_BYTES, 0);
            let mut read = ReadBuf::new(scratch);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
            self.input.extend_from_slice(read.filled());
            Poll::Ready(Ok(read.filled().len()))
        })
    }

    /// Whether an idle stream can be used again: nothing has come, not even its end, and nothing went wrong on it.
    pub(crate) fn is_quiet(&mut self) -> bool {
        if self.spoiled || !self.input.is_empty() || !self.is_flushed() {
            return false;
        }
        let mut byte = [0];
        let stream = &mut self.stream;
        let look = poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut ReadBuf::new(&mut byte)));
        // A task whose turn is over would be told that nothing has come, whatever has.
        let look = tokio::task::coop::unconstrained(look);
        pin!(look).poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Says that a message was not sent whole: the stream is never used again.
    pub(crate) const fn spoil(&mut self) {
        self.spoiled = true;
    }

    /// Gives up the room that a large message took, once nothing of it is left.
    pub(crate) fn give_up_room(&mut self) {
        if self.input.is_empty() && self.input.capacity() > READ_BYTES {
            self.input = BytesMut::new();
        }
    }

    /// Whether everything was given to the system.
    pub(crate) fn is_flushed(&self) -> bool {
        self.unsent.is_empty() && !self.unflushed
    }

    /// Sends `text`, then `data`, as far as the other end takes them now; the rest is kept for [`Self::poll_flush`].
    pub(crate) fn send(&mut self, cx: &mut Context<'_>, text: &[u8], data: Bytes) -> io::Result<()> {
        let (mut text, mut data) = (text, data);
        if self.unsent.is_empty() {
            self.unflushed = true;
            while !text.is_empty() || !data.is_empty() {
                let polled = if data.is_empty() {
                    Pin::new(&mut self.stream).poll_write(cx, text)
                } else {
                    let slices = [IoSlice::new(text), IoSlice::new(&data)];
                    Pin::new(&mut self.stream).poll_write_vectored(cx, &slices[usize::from(text.is_empty())..])
                };
                let Poll::Ready(written) = polled else { break };
                let written = written?;
                if written == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                self.written += written as u64;
                let of_text = written.min(text.len());
                text = &text[of_text..];
                data.advance(written - of_text);
            }
        }
        if !text.is_empty() {
            self.unsent.push_back(Bytes::copy_from_slice(text));
        }
        if !data.is_empty() {
            self.unsent.push_back(data);
        }
        if self.unsent.is_empty() {
            self.flush_stream(cx)?;
        }
        Ok(())
    }

    /// Sends what is kept; ready when nothing is left.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut count = 0;
            for (slice, piece) in slices.iter_mut().zip(&self.unsent) {
                *slice = IoSlice::new(piece);
                count += 1;
            }
            let mut written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &slices[..count]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written as u64;
            while let Some(piece) = self.unsent.front_mut() {
                let of_piece = written.min(piece.len());
                piece.advance(of_piece);
                written -= of_piece;
                if !piece.is_empty() {
                    break;
                }
                self.unsent.pop_front();
            }
        }
        if self.unflushed {
            self.flush_stream(cx)?;
        }
        if self.unflushed { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn flush_stream(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(flushed) => {
                self.unflushed = false;
                flushed
            }
        }
    }

    /// Says that nothing more is written.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::tests::{Choices, Event, Played, Taking};

    fn now<T>(poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
        poll(&mut Context::from_waker(Waker::noop()))
    }

    fn bytes(count: usize) -> Event {
        Event::Bytes(Bytes::from(vec![b'x'; count]))
    }

    #[test]
    fn what_is_sent_leaves_in_order_however_it_is_taken() {
        for seed in 0..50 {
            let taking = Taking { bytes_max: 1 + seed % 7, choices: Some(Choices(seed as u64)) };
            let stream = Played::new(Vec::new(), taking);
            let mut wire = Wire::new(stream.clone());
            now(|cx| wire.send(cx, b"head", Bytes::from_static(b"large piece"))).unwrap();
            now(|cx| wire.send(cx, b"\r\n", Bytes::new())).unwrap();
            let mut polls = 0;
            while now(|cx| wire.poll_flush(cx)).is_pending() {
                assert!(!wire.is_flushed() && polls < 1000);
                polls += 1;
            }
            assert_eq!(stream.taken(), b"headlarge piece\r\n");
            assert!(wire.is_flushed() && wire.written() == 17);
        }
    }

    #[test]
    fn a_stream_that_takes_nothing_any_more_is_told() {
        let mut wire = Wire::new(Played::new(Vec::new(), Taking { bytes_max: 0, choices: None }));
        let fault = now(|cx| wire.send(cx, b"head", Bytes::new())).unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::WriteZero);
    }

    #[test]
    fn what_comes_is_read_and_its_end_told() {
        let events = vec![bytes(3), Event::Pause, bytes(100_000), Event::End];
        let mut wire = Wire::new(Played::new(events, Taking::ALL));
        let fill = |wire: &mut Wire<Played>, wanted| now(|cx| wire.poll_fill(cx, wanted)).map(|filled| filled.unwrap());
        assert_eq!(fill(&mut wire, 0), Poll::Ready(3));
        assert_eq!(fill(&mut wire, 0), Poll::Pending);
        assert_eq!(fill(&mut wire, 0), Poll::Ready(READ_BYTES), "small reads go through the thread's memory");
        let Poll::Ready(large) = fill(&mut wire, 100_000) else { panic!("it is here") };
        assert!(large > READ_BYTES, "{large}");
        while fill(&mut wire, 100_000) != Poll::Ready(0) {}
        assert_eq!(wire.input.len(), 100_003);
        wire.give_up_room();
        assert!(wire.input.capacity() > READ_BYTES, "it is not empty");
        wire.input.clear();
        wire.give_up_room();
        assert_eq!(wire.input.capacity(), 0);
    }

    #[test]
    fn a_stream_is_quiet_where_nothing_came_and_nothing_went_wrong() {
        type Row<'a> = (&'a str, Vec<Event>, fn(&mut Wire<Played>), bool);
        let rows: [Row<'_>; 6] = [
            ("nothing came", Vec::new(), |_| {}, true),
            ("something came", vec![bytes(1)], |_| {}, false),
            ("its end came", vec![Event::End], |_| {}, false),
            ("something is left", Vec::new(), |wire| wire.input.extend_from_slice(b"x"), false),
            ("a message was not sent whole", Vec::new(), Wire::spoil, false),
            ("something is not sent", Vec::new(), |wire| wire.unsent.push_back(Bytes::from_static(b"x")), false),
        ];
        for (name, events, spoil, expected) in rows {
            let mut wire = Wire::new(Played::new(events, Taking::ALL));
            spoil(&mut wire);
            assert_eq!(wire.is_quiet(), expected, "{name}");
        }
    }
}
