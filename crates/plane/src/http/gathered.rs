//! The beginning of a body, read ahead so that a mapping can look into it, and the rest as it comes. Nothing of the body is
//! lost or put in another order.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::body::BodyFault;
use crate::limits::{REQUEST_BODY_BYTES_MAX, WHOLE_BODY_PIECE_BYTES};

/// A body whose beginning was read.
#[derive(Debug)]
pub(crate) struct Gathered<B> {
    ahead: VecDeque<Frame<Bytes>>,
    rest: B,
    /// Its place among those that may be, until what was read ahead has gone on.
    place: Option<OwnedSemaphorePermit>,
}

/// A place for a body that is to be read ahead; `None` when none came free in time.
pub(crate) async fn place(places: &Arc<Semaphore>, limit: Duration) -> Option<OwnedSemaphorePermit> {
    self::places(places, 1, limit).await
}

/// How many pieces of a body's memory it is counted as: by its length where that is known, else as the largest.
pub(crate) fn pieces(length: Option<u64>) -> u32 {
    let bytes = length.unwrap_or(REQUEST_BODY_BYTES_MAX).min(REQUEST_BODY_BYTES_MAX);
    u32::try_from(bytes / WHOLE_BODY_PIECE_BYTES).unwrap_or(u32::MAX).saturating_add(1)
}

/// Gives back what a place has beyond a body of this size.
pub(crate) fn shrink(mut place: OwnedSemaphorePermit, bytes: usize) -> OwnedSemaphorePermit {
    let needed = pieces(Some(bytes as u64)) as usize;
    drop(place.split(place.num_permits().saturating_sub(needed)));
    place
}

/// Waits for a place for so many pieces, no longer than the limit.
pub(crate) async fn places(places: &Arc<Semaphore>, pieces: u32, limit: Duration) -> Option<OwnedSemaphorePermit> {
    tokio::time::timeout(limit, Arc::clone(places).acquire_many_owned(pieces)).await.ok()?.ok()
}

/// Reads up to `bytes_max` bytes ahead, in this place; the beginning comes back as one piece beside the body.
pub(crate) async fn gather<B>(
    mut body: B,
    bytes_max: usize,
    place: OwnedSemaphorePermit,
) -> Result<(Gathered<B>, Bytes), BodyFault>
where
    B: HttpBody<Data = Bytes, Error = BodyFault> + Unpin,
{
    let (mut ahead, mut text) = (VecDeque::new(), BytesMut::new());
    while text.len() < bytes_max {
        let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await.transpose()? else { break };
        if let Some(data) = frame.data_ref() {
            text.extend_from_slice(data.get(..bytes_max - text.len()).unwrap_or(data));
        }
        ahead.push_back(frame);
    }
    Ok((Gathered { ahead, rest: body, place: Some(place) }, text.freeze()))
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
        match self.ahead.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => {
                self.place = None;
                Pin::new(&mut self.rest).poll_frame(cx)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead: u64 = self.ahead.iter().filter_map(Frame::data_ref).map(|data| data.len() as u64).sum();
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
    use std::convert::Infallible;

    use http_body_util::{BodyExt, Full};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_gets_no_place_waits_no_longer_than_its_limit() {
        let (places, limit) = (Arc::new(Semaphore::new(1)), Duration::from_secs(1));
        let first = place(&places, limit).await;
        assert!(first.is_some() && place(&places, limit).await.is_none());
        drop(first);
        assert!(place(&places, limit).await.is_some());
    }

    #[tokio::test]
    async fn what_was_read_ahead_comes_first_and_nothing_is_lost() {
        for bytes_max in [0, 1, 5, 100] {
            let body = Full::new(Bytes::from_static(b"hello")).map_err(|never: Infallible| match never {});
            let places = Arc::new(Semaphore::new(1));
            let kept = place(&places, Duration::from_secs(1)).await.unwrap();
            let (body, text) = gather(body, bytes_max, kept).await.unwrap();
            assert_eq!(places.available_permits(), 0, "the place is kept with what was read");
            assert_eq!(text.len(), bytes_max.min(5));
            assert_eq!(body.size_hint().exact(), Some(5));
            assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
            assert_eq!(places.available_permits(), 1);
        }
    }
}
