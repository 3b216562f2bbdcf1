//! Memory that the next message of this thread writes over, so that a request does not allocate what the last one gave up.
//! What grew large is given back to the allocator.

use std::cell::RefCell;

use http::HeaderMap;

use crate::limits::{SPARE_BUFFER_BYTES_MAX, SPARE_HEADERS_MAX, SPARES_MAX};

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static HEADERS: RefCell<Vec<HeaderMap>> = const { RefCell::new(Vec::new()) };
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
