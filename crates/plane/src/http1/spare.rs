//! Memory that the next message of this thread writes over, so that a request does not allocate what the last one gave up.
//! What grew large is given back to the allocator.

use std::cell::RefCell;

use http::HeaderMap;

/// Buffers and header maps kept for each thread.
const SPARES_MAX: usize = 16;
/// Bytes of a kept buffer.
const BUFFER_BYTES_MAX: usize = 32 * 1024;
/// Lines that a kept header map has room for.
const HEADERS_MAX: usize = 64;

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
    if buffer.capacity() > 0 && buffer.capacity() <= BUFFER_BYTES_MAX {
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
    if headers.capacity() > 0 && headers.capacity() <= HEADERS_MAX {
        headers.clear();
        HEADERS.with_borrow_mut(|kept| {
            if kept.len() < SPARES_MAX {
                kept.push(headers);
            }
        });
    }
}
