//! Memory that the next message of this thread writes over, so that a request does not allocate what the last one gave up.
//! What grew large is given back to the allocator.

use std::any::Any;
use std::cell::RefCell;
use std::pin::Pin;

use http::HeaderMap;

use crate::limits::{SPARE_BUFFER_BYTES_MAX, SPARE_HEADERS_MAX, SPARES_MAX};

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    /// For each kind of call its rooms, a `Vec<Room<F>>`.
    static ROOMS: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
    static HEADERS: RefCell<Vec<HeaderMap>> = const { RefCell::new(Vec::new()) };
}

/// Where the future of a call stands while it is under way.
pub(crate) type Room<F> = Pin<Box<Option<F>>>;

/// An empty room for a call.
pub(crate) fn room<F: 'static>() -> Room<F> {
    let kept =
        ROOMS.with_borrow_mut(|kinds| kinds.iter_mut().find_map(|kind| kind.downcast_mut::<Vec<Room<F>>>()?.pop()));
    kept.unwrap_or_else(|| Box::pin(None))
}

/// Empties a room and keeps it for the next call.
pub(crate) fn keep_room<F: 'static>(mut room: Room<F>) {
    // Before the rooms are borrowed: what a call lets go of may end others.
    room.set(None);
    ROOMS.with_borrow_mut(|kinds| {
        let known = kinds.iter_mut().find_map(|kind| kind.downcast_mut::<Vec<Room<F>>>());
        match known {
            Some(kept) if kept.len() < SPARES_MAX => kept.push(room),
            Some(_) => {}
            None => kinds.push(Box::new(vec![room])),
        }
    });
}

/// An empty buffer.
pub(crate) fn buffer() -> Vec<u8> {
    BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Keeps a buffer for the next message.
pub(crate) fn keep_buffer(mut buffer: Vec<u8>) {
    if buffer.capacity() > 0 && buffer.capacity() <= SPARE_BUFFER_BYTES_MAX {
        buffer.clear();
        BUFFERS.with_borrow_mut(|kept| {
            if kept.len() < SPARES_MAX {
                kept.push(buffer);
            }
        });
    }
}

/// An empty header map.
pub(crate) fn headers() -> HeaderMap {
    HEADERS.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Keeps a header map for the next message.
pub(crate) fn keep_headers(mut headers: HeaderMap) {
    if headers.capacity() > 0 && headers.capacity() <= SPARE_HEADERS_MAX {
        headers.clear();
        HEADERS.with_borrow_mut(|kept| {
            if kept.len() < SPARES_MAX {
                kept.push(headers);
            }
        });
    }
}
