//! Requests that could be read in two ways, as far as they can still reach a listener, and what becomes of them (ALB user guide,
//! "Desync mitigation mode", 2026-11).

use http::{Method, Request};
use topology::reason::Reason;
use topology::snapshot::attributes::DesyncMode;

use crate::http::body::RequestBody;
use crate::http::framing::{Framing, WithFraming as _};

/// A request that the listener answers with a page.
pub(crate) struct Rejected {
    /// The status.
    pub(crate) status: u16,
    /// Why.
    pub(crate) reason: Reason,
}

/// Whether the connection to the target may be used again afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Care {
    /// It may.
    Keep,
    /// The request was ambiguous: it may not.
    Close,
}

/// How suspicious a request is, of what can still reach a listener (ALB user guide, desync mitigation mode, 2026-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Not at all.
    Compliant,
    /// `Content-Length: 0` where there is no body.
    ZeroLength,
    /// `Content-Length` where no body means anything.
    Length,
    /// The same with `Transfer-Encoding`.
    Coding,
}

impl Class {
    /// The class and the reason as access logs write them.
    pub(crate) const fn words(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Compliant => None,
            Self::ZeroLength => Some(("Acceptable", "GetHeadZeroContentLength")),
            Self::Length => Some(("Ambiguous", "UndefinedContentLengthSemantics")),
            Self::Coding => Some(("Ambiguous", "UndefinedTransferEncodingSemantics")),
        }
    }
}

/// How suspicious this one is.
pub(super) fn class(request: &Request<RequestBody>) -> Class {
    let bodyless = request.method() == Method::GET || request.method() == Method::HEAD;
    match request.body().framing() {
        Framing::Length(0) if bodyless => Class::ZeroLength,
        Framing::Length(_) if bodyless => Class::Length,
        Framing::Chunked if bodyless => Class::Coding,
        Framing::None | Framing::Length(_) | Framing::Chunked | Framing::Switched => Class::Compliant,
    }
}

/// What the load balancer's mode makes of it.
pub(super) fn care(mode: DesyncMode, class: Class) -> Result<Care, Rejected> {
    match (mode, class) {
        (DesyncMode::Monitor, _) | (_, Class::Compliant) | (DesyncMode::Defensive, Class::ZeroLength) => Ok(Care::Keep),
        (DesyncMode::Defensive, Class::Length | Class::Coding) => Ok(Care::Close),
        (DesyncMode::Strictest, Class::ZeroLength | Class::Length | Class::Coding) => {
            Err(Rejected { status: 400, reason: Reason::DesyncBlocked })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn desync_table() {
        let rows: &[(Method, &'static [u8], Class)] = &[
            (Method::GET, b"", Class::ZeroLength),
            (Method::GET, b"abc", Class::Length),
            (Method::HEAD, b"abc", Class::Length),
            (Method::POST, b"abc", Class::Compliant),
        ];
        for (method, body, expected) in rows {
            let mut body = RequestBody::empty().replaced(bytes::Bytes::from_static(body));
            assert!(body.framing() != Framing::None || *expected == Class::ZeroLength);
            body.tell_length();
            let mut request = Request::new(body);
            *request.method_mut() = method.clone();
            assert_eq!(class(&request), *expected, "{method}");
        }
        assert_eq!(class(&Request::new(RequestBody::empty())), Class::Compliant);
    }
}
