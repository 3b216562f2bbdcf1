//! The `Date` of answers (RFC 9110, section 6.6.1), written once a second by each thread.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use http::HeaderValue;

use crate::clock;

thread_local! {
    /// The value of this second.
    static DATE: RefCell<(u64, HeaderValue)> = const { RefCell::new((u64::MAX, HeaderValue::from_static(""))) };
}

/// Does something with the value of this second.
pub(crate) fn with<T>(work: impl FnOnce(&HeaderValue) -> T) -> T {
    let now = clock::since_epoch().as_secs();
    DATE.with_borrow_mut(|(second, value)| {
        if *second != now {
            let text = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(now));
            // What it writes is text without controls; an empty value would say nothing false.
            *value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
            *second = now;
        }
        work(value)
    })
}
