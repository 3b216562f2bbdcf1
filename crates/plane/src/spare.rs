//! Memory that the next message of this thread writes over, so that a request does not allocate what the last one gave up.
//! What grew large is given back to the allocator.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::HeaderMap;

use crate::limits::{SPARE_BUFFER_BYTES_MAX, SPARE_HEADERS_MAX, SPARES_MAX};

/// What a thread keeps of one kind, the last first; at most [`SPARES_MAX`].
pub(crate) struct Spares<T>(RefCell<Vec<T>>);

impl<T> Spares<T> {
    /// None.
    pub(crate) const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }

    /// One of them.
    pub(crate) fn take(&self) -> Option<T> {
        self.0.borrow_mut().pop()
    }

    /// Keeps one more, where there is room.
    pub(crate) fn keep(&self, spare: T) {
        let mut kept = self.0.borrow_mut();
        if kept.len() < SPARES_MAX {
            kept.push(spare);
        }
    }
}

thread_local! {
    static BUFFERS: Spares<Vec<u8>> = const { Spares::new() };
    /// For each kind of call its rooms, `Spares<Room<F>>`.
    static ROOMS: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
    static HEADERS: Spares<HeaderMap> = const { Spares::new() };
}

/// Where the future of a call stands while it is under way.
type Room<F> = Pin<Box<Option<F>>>;

/// An empty room for a call.
fn room<F: 'static>() -> Room<F> {
    let kept = ROOMS.with_borrow(|kinds| kinds.iter().find_map(|kind| kind.downcast_ref::<Spares<Room<F>>>()?.take()));
    kept.unwrap_or_else(|| Box::pin(None))
}

/// Empties a room and keeps it for the next call.
fn keep_room<F: 'static>(mut room: Room<F>) {
    // Before the rooms are borrowed: what a call lets go of may end others.
    room.set(None);
    ROOMS.with_borrow_mut(|kinds| {
        if let Some(known) = kinds.iter().find_map(|kind| kind.downcast_ref::<Spares<Room<F>>>()) {
            return known.keep(room);
        }
        let rooms = Spares::new();
        rooms.keep(room);
        kinds.push(Box::new(rooms));
    });
}

/// A call in a room: it moves as a pointer, and gives the room back when it is over or let go of.
pub(crate) struct Lodged<F: 'static>(Option<Room<F>>);

/// Puts the call that is made here into a room: it is moved once.
pub(crate) fn lodge<F: 'static>(make: impl FnOnce() -> F) -> Lodged<F> {
    let mut room = room();
    room.set(Some(make()));
    Lodged(Some(room))
}

impl<F> Lodged<F> {
    fn leave(&mut self) {
        if let Some(room) = self.0.take() {
            keep_room(room);
        }
    }
}

impl<F: Future> Future for Lodged<F> {
    type Output = F::Output;

    /// It is not polled after it was ready; then it would wait for ever.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let call = self.0.as_mut().and_then(|room| room.as_mut().as_pin_mut());
        let done = ready!(call.map_or(Poll::Pending, |call| call.poll(cx)));
        self.leave();
        Poll::Ready(done)
    }
}

impl<F> Drop for Lodged<F> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// An empty buffer.
pub(crate) fn buffer() -> Vec<u8> {
    BUFFERS.with(Spares::take).unwrap_or_default()
}

/// Keeps a buffer for the next message.
pub(crate) fn keep_buffer(mut buffer: Vec<u8>) {
    if buffer.capacity() > 0 && buffer.capacity() <= SPARE_BUFFER_BYTES_MAX {
        buffer.clear();
        BUFFERS.with(|kept| kept.keep(buffer));
    }
}

/// An empty header map.
pub(crate) fn headers() -> HeaderMap {
    HEADERS.with(Spares::take).unwrap_or_default()
}

/// Keeps a header map for the next message.
pub(crate) fn keep_headers(mut headers: HeaderMap) {
    if headers.capacity() > 0 && headers.capacity() <= SPARE_HEADERS_MAX {
        headers.clear();
        HEADERS.with(|kept| kept.keep(headers));
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[tokio::test]
    async fn a_lodged_call_gives_its_room_back_when_it_is_over_or_let_go_of() {
        fn rooms<F: 'static>(_: impl Fn() -> F) -> usize {
            ROOMS.with_borrow(|kinds| {
                kinds
                    .iter()
                    .find_map(|kind| kind.downcast_ref::<Spares<Room<F>>>())
                    .map_or(0, |kept| kept.0.borrow().len())
            })
        }
        let held = Rc::new(());
        let call = || {
            let held = Rc::clone(&held);
            async move { Rc::strong_count(&held) }
        };
        assert_eq!((lodge(call).await, rooms(call)), (2, 1));
        let (one, other) = (lodge(call), lodge(call));
        assert_eq!((Rc::strong_count(&held), rooms(call)), (3, 0));
        drop(one);
        assert_eq!((Rc::strong_count(&held), rooms(call)), (2, 1));
        assert_eq!((other.await, rooms(call)), (2, 2));
    }
}
