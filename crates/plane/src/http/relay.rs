//! The body of a request on its way from the client's connection, which reads it, to whoever carries it on. One piece is under
//! way at a time, and none is read before it is wanted: that is the back-pressure.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;

use crate::http::body::BodyFault;

/// What is shared.
#[derive(Debug)]
struct Between {
    piece: Option<Frame<Bytes>>,
    end: Option<Result<(), BodyFault>>,
    /// Whether the reader waits for a piece.
    wanted: bool,
    /// Whether the reader is gone.
    gone: bool,
    reader: Option<Waker>,
    feeder: Option<Waker>,
}

/// The connection's side.
#[derive(Debug)]
pub(crate) struct Feed(Arc<Mutex<Between>>);

/// The reader's side.
#[derive(Debug)]
pub(crate) struct Fed {
    between: Arc<Mutex<Between>>,
    left: Option<u64>,
    is_over: bool,
}

/// What the reader's side wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// A piece.
    Piece,
    /// Nothing now.
    Nothing,
    /// Nothing any more.
    Gone,
}

/// Both sides of a body; `length` is its length, where that is known.
pub(crate) fn relay(length: Option<u64>) -> (Feed, Fed) {
    let between = Between { piece: None, end: None, wanted: false, gone: false, reader: None, feeder: None };
    let between = Arc::new(Mutex::new(between));
    (Feed(Arc::clone(&between)), Fed { between, left: length, is_over: false })
}

impl Feed {
    /// Hears what the reader wants; the task is woken when that changes.
    pub(crate) fn wish(&self, cx: &Context<'_>) -> Wish {
        let mut between = self.0.lock();
        if between.gone {
            return Wish::Gone;
        }
        if between.piece.is_none() && between.wanted {
            return Wish::Piece;
        }
        remember(&mut between.feeder, cx);
        Wish::Nothing
    }

    /// Whether the reader has taken what there was.
    pub(crate) fn has_room(&self) -> bool {
        self.0.lock().piece.is_none()
    }

    /// Hands a piece over, which may be the last. A reader in the task of `cx` is not woken: it is polled next anyway.
    pub(crate) fn data(&self, bytes: Bytes, is_last: bool, cx: Option<&Context<'_>>) {
        let end = is_last.then_some(Ok(()));
        self.put(Some(Frame::data(bytes)), end, cx);
    }

    /// Hands the trailers over and ends the body.
    pub(crate) fn trailers(&self, trailers: HeaderMap, cx: Option<&Context<'_>>) {
        self.put(Some(Frame::trailers(trailers)), Some(Ok(())), cx);
    }

    /// Ends the body: after the last piece, or before its time.
    pub(crate) fn end(&self, how: Result<(), BodyFault>, cx: Option<&Context<'_>>) {
        self.put(None, Some(how), cx);
    }

    fn put(&self, piece: Option<Frame<Bytes>>, end: Option<Result<(), BodyFault>>, cx: Option<&Context<'_>>) {
        let mut between = self.0.lock();
        if piece.is_some() {
            between.piece = piece;
        }
        between.end = between.end.or(end);
        between.wanted = false;
        let reader = between.reader.take();
        drop(between);
        if let Some(reader) = reader
            && !cx.is_some_and(|cx| reader.will_wake(cx.waker()))
        {
            reader.wake();
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.end(Err(BodyFault::ClientGone), None);
    }
}

fn remember(place: &mut Option<Waker>, cx: &Context<'_>) {
    if place.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
        *place = Some(cx.waker().clone());
    }
}

impl Body for Fed {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let mut between = self.between.lock();
        let piece = between.piece.take();
        let end = between.end;
        let feeder = if piece.is_none() && end.is_none() {
            between.wanted = true;
            remember(&mut between.reader, cx);
            between.feeder.take()
        } else {
            None
        };
        drop(between);
        feeder.into_iter().for_each(Waker::wake);
        let fault = match (&piece, end) {
            (Some(_), Some(Err(_))) | (_, None) => None,
            (_, Some(Ok(()))) => {
                self.is_over = true;
                None
            }
            (None, Some(Err(fault))) => {
                self.is_over = true;
                Some(fault)
            }
        };
        match (piece, fault) {
            (Some(frame), _) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.left = self.left.map(|left| left.saturating_sub(bytes));
                Poll::Ready(Some(Ok(frame)))
            }
            (None, Some(fault)) => Poll::Ready(Some(Err(fault))),
            (None, None) if self.is_over => Poll::Ready(None),
            (None, None) => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            Some(left) => SizeHint::with_exact(left),
            None => SizeHint::default(),
        }
    }
}

impl Drop for Fed {
    fn drop(&mut self) {
        let mut between = self.between.lock();
        between.gone = true;
        let feeder = between.feeder.take();
        drop(between);
        feeder.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::Pin;

    use super::*;

    async fn next(fed: &mut Fed) -> Option<Result<Bytes, BodyFault>> {
        let frame = poll_fn(|cx| Pin::new(&mut *fed).poll_frame(cx)).await?;
        Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
    }

    #[tokio::test]
    async fn nothing_is_read_before_it_is_wanted() {
        let (feed, mut fed) = relay(Some(4));
        let wish = || poll_fn(|cx| Poll::Ready(feed.wish(cx)));
        assert_eq!(wish().await, Wish::Nothing);
        let feeding = async {
            while wish().await != Wish::Piece {
                tokio::task::yield_now().await;
            }
            feed.data(Bytes::from_static(b"ab"), false, None);
            assert_eq!(wish().await, Wish::Nothing);
            feed.end(Ok(()), None);
        };
        let ((), first) = tokio::join!(feeding, next(&mut fed));
        assert_eq!(first, Some(Ok(Bytes::from_static(b"ab"))));
        assert_eq!(next(&mut fed).await, None);
    }

    #[tokio::test]
    async fn a_feed_that_is_dropped_is_a_client_that_went_away() {
        let (feed, mut fed) = relay(None);
        feed.data(Bytes::from_static(b"ab"), false, None);
        drop(feed);
        assert_eq!(next(&mut fed).await, Some(Ok(Bytes::from_static(b"ab"))));
        assert_eq!(next(&mut fed).await, Some(Err(BodyFault::ClientGone)));
        assert_eq!(next(&mut fed).await, None);
    }

    #[tokio::test]
    async fn a_reader_that_is_gone_wants_nothing() {
        let (feed, fed) = relay(None);
        drop(fed);
        assert_eq!(poll_fn(|cx| Poll::Ready(feed.wish(cx))).await, Wish::Gone);
    }
}
