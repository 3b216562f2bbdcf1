//! Certificates of ACM, imported or requested, with their chain and key: what listeners and custom domain names present.

mod known;
mod pem;
mod request;
mod service;
mod shown;

pub(crate) use known::{arn, found, users_in};
pub(crate) use pem::{read, valid_until};
pub(crate) use request::wish;
