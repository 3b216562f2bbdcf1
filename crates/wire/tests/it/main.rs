//! The one integration binary of `wire`: requests as bytes, answers as bytes, signatures, hostile input.
//!
//! One file per subject; shared conversions are in `support`.

mod answers;
mod faults;
mod hostile;
mod requests;
mod resolution;
mod signatures;
mod support;
