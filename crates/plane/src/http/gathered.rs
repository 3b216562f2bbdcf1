//! Bodies that are read before they go on: whole, or their beginning for a mapping to look into. Whatever pieces the sender made of
//! a body, it is kept in one buffer that grows as bytes arrive, and its place in memory with it. Nothing of the body is lost or put
//! in another order.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::body::BodyFault;
use super::places::{NoPlace, Place};
use crate::limits::{HELD_BODY_IDLE_TIMEOUT, WHOLE_BODY_TIMEOUT};

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It ended early.
    Broke(BodyFault),
    /// There was no place for it in time.
    NoPlace,
}

impl From<BodyFault> for Unread {
    fn from(fault: BodyFault) -> Self {
        Self::Broke(fault)
    }
}

impl From<NoPlace> for Unread {
    fn from(NoPlace: NoPlace) -> Self {
        Self::NoPlace
    }
}

/// A sender's patience: how long it may be silent, and how long all of it may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    idle: Duration,
    whole: Duration,
}

impl Patience {
    /// With a client whose body is kept in memory, and who is owed an answer within this time.
    pub(crate) fn with_client(whole: Duration) -> Self {
        Self { idle: HELD_BODY_IDLE_TIMEOUT, whole: whole.min(WHOLE_BODY_TIMEOUT) }
    }
}

/// Reads a client's body to its end, up to so many bytes. Trailers are not kept.
pub(crate) async fn whole<B>(
    mut body: B,
    bytes_max: u64,
    (place, patience): (&mut Place, Patience),
) -> Result<Bytes, Unread>
where
    B: HttpBody<Data = Bytes, Error = BodyFault> + Unpin,
{
    let reading = read(&mut body, bytes_max, (place, patience.idle));
    let read = tokio::time::timeout(patience.whole, reading).await.map_err(|_elapsed| BodyFault::ClientSilent)?;
    read?.ok_or(Unread::Broke(BodyFault::TooLarge))
}

/// Reads an answer's body to its end, whose stream has its own patience; `None` for one that is larger than this.
pub(crate) async fn whole_answer<B>(mut body: B, bytes_max: u64, place: &mut Place) -> Result<Option<Bytes>, Unread>
where
    B: HttpBody<Data = Bytes, Error = BodyFault> + Unpin,
{
    read(&mut body, bytes_max, (place, Duration::MAX)).await
}

/// Reads to the end; `None` if there is more than this.
async fn read<B>(body: &mut B, bytes_max: u64, (place, idle): (&mut Place, Duration)) -> Result<Option<Bytes>, Unread>
where
    B: HttpBody<Data = Bytes, Error = BodyFault> + Unpin,
{
    let mut text = BytesMut::new();
    while let Some(frame) = next(body, idle).await? {
        let Ok(data) = frame.into_data() else { continue };
        let length = text.len() + data.len();
        if length as u64 > bytes_max {
            return Ok(None);
        }
        place.grow_to(length).await?;
        // Copied: a piece of one byte may hold on to all that was read with it.
        text.extend_from_slice(&data);
    }
    Ok(Some(text.freeze()))
}

/// What comes next of a body whose sender may not be silent for long.
async fn next<B>(body: &mut B, idle: Duration) -> Result<Option<Frame<Bytes>>, BodyFault>
where
    B: HttpBody<Data = Bytes, Error = BodyFault> + Unpin,
{
    let coming = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx));
    if idle == Duration::MAX {
        return coming.await.transpose();
    }
    tokio::time::timeout(idle, coming).await.map_err(|_elapsed| BodyFault::ClientSilent)?.transpose()
}

/// A body whose beginning was read.
#[derive(Debug)]
pub(crate) struct Gathered<B> {
    /// What was looked into, then what had come behind it.
    ahead: [Bytes; 2],
    trailers: Option<HeaderMap>,
    rest: B,
    /// Its place among those that may be, until what was read ahead has gone on.
    place: Option<Place>,
}

/// Reads up to `bytes_max` bytes ahead, in this place; the beginning comes back as one piece beside the body.
pub(crate) async fn gather<B>(
    mut body: B,
    bytes_max: usize,
    (mut place, idle): (Place, Duration),
) -> Result<(Gathered<B>, Bytes), Unread>
where
    B: HttpBody<Data = Bytes, Error = BodyFault> + Unpin,
{
    let (mut text, mut behind, mut trailers) = (BytesMut::new(), Bytes::new(), None);
    while text.len() < bytes_max {
        let Some(frame) = next(&mut body, idle).await? else { break };
        match frame.into_data() {
            Ok(mut data) => {
                behind = data.split_off(data.len().min(bytes_max - text.len()));
                place.grow_to(text.len() + data.len()).await?;
                text.extend_from_slice(&data);
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    let text = text.freeze();
    Ok((Gathered { ahead: [text.clone(), behind], trailers, rest: body, place: Some(place) }, text))
}

impl<B> Gathered<B> {
    /// What the body is the beginning of.
    pub(crate) const fn rest(&self) -> &B {
        &self.rest
    }
}

impl<B> HttpBody for Gathered<B>
where
    B: HttpBody<Data = Bytes, Error = BodyFault> + Unpin,
{
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        if let Some(piece) = self.ahead.iter_mut().find(|piece| !piece.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(piece)))));
        }
        if let Some(trailers) = self.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        self.place = None;
        Pin::new(&mut self.rest).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.iter().all(Bytes::is_empty) && self.trailers.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead: u64 = self.ahead.iter().map(|piece| piece.len() as u64).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(ahead.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper() {
            hint.set_upper(ahead.saturating_add(upper));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::future::Future as _;
    use std::net::IpAddr;
    use std::sync::Arc;

    use http_body_util::BodyExt as _;
    use tokio::time::{Instant, sleep_until};

    use super::*;
    use crate::http::places::{Owner, Places};

    fn places() -> Arc<Places> {
        Arc::new(Places::new(1024 * 1024))
    }

    fn place(places: &Arc<Places>) -> Place {
        places.begin(Owner::new(None, IpAddr::from([127, 0, 0, 1])))
    }

    /// A body that comes in these frames.
    struct InFrames(VecDeque<Frame<Bytes>>);

    impl HttpBody for InFrames {
        type Data = Bytes;
        type Error = BodyFault;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }

    fn in_pieces(text: &str, bytes: usize) -> InFrames {
        InFrames(text.as_bytes().chunks(bytes).map(|piece| Frame::data(Bytes::copy_from_slice(piece))).collect())
    }

    #[tokio::test]
    async fn what_was_read_ahead_comes_first_and_nothing_is_lost() {
        for (bytes_max, step) in [(0, 5), (1, 5), (5, 5), (100, 5), (0, 2), (3, 2), (4, 1), (100, 1)] {
            let places = places();
            let mut frames = in_pieces("hello", step);
            let trailers = HeaderMap::from_iter([(http::header::ETAG, "7".parse().unwrap())]);
            frames.0.push_back(Frame::trailers(trailers.clone()));
            let (body, text) = gather(frames, bytes_max, (place(&places), Duration::MAX)).await.unwrap();
            assert_eq!(text, &"hello"[..bytes_max.min(5)], "{bytes_max} {step}");
            assert_eq!(places.free(), 16 - usize::from(bytes_max > 0), "the place is kept with what was read");
            let whole = body.collect().await.unwrap();
            assert_eq!(whole.trailers(), Some(&trailers));
            assert_eq!(whole.to_bytes(), "hello", "{bytes_max} {step}");
            assert_eq!(places.free(), 16);
        }
    }

    #[tokio::test]
    async fn a_body_is_one_buffer_whatever_pieces_it_came_in() {
        // Each piece of one byte stands in a buffer of its own, far larger than itself.
        let large = |_| Frame::data(Bytes::from(vec![b'x'; 4096]).split_to(1));
        let places = places();
        let (body, text) =
            gather(InFrames((0..1000).map(large).collect()), 900, (place(&places), Duration::MAX)).await.unwrap();
        assert_eq!((text.len(), body.ahead[0].as_ptr(), body.ahead[1].len()), (900, text.as_ptr(), 0));
        let mut place = place(&places);
        let read = whole_answer(InFrames((0..1000).map(large).collect()), 1000, &mut place).await.unwrap().unwrap();
        assert_eq!(read.try_into_mut().map(|buffer| buffer.capacity() < 4096), Ok(true));
        let read = whole_answer(InFrames((0..1000).map(large).collect()), 999, &mut place).await;
        assert_eq!(read, Ok(None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_may_neither_fall_silent_nor_take_for_ever() {
        let places = places();
        // Sends a byte, waits, and so on for as long as it is let.
        struct Dripping(Duration, Pin<Box<tokio::time::Sleep>>);
        impl HttpBody for Dripping {
            type Data = Bytes;
            type Error = BodyFault;
            fn poll_frame(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
                std::task::ready!(self.1.as_mut().poll(cx));
                self.1 = Box::pin(sleep_until(Instant::now() + self.0));
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
            }
        }
        let second = Duration::from_secs(1);
        for (every, after) in [(HELD_BODY_IDLE_TIMEOUT + second, HELD_BODY_IDLE_TIMEOUT), (second, WHOLE_BODY_TIMEOUT)]
        {
            let (start, mut place) = (Instant::now(), place(&places));
            let body = Dripping(every, Box::pin(sleep_until(Instant::now() + every)));
            let read = whole(body, 1000, (&mut place, Patience::with_client(Duration::MAX))).await;
            assert_eq!(read, Err(Unread::Broke(BodyFault::ClientSilent)));
            assert_eq!(start.elapsed(), after);
        }
        assert_eq!(places.free(), 16);
    }
}
