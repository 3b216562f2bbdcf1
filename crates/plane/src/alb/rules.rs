//! A request as `topology::matcher` asks of it: everything is known.

use std::cell::OnceCell;
use std::net::IpAddr;

use http::Request;
use http::header::HOST;
use topology::matcher::{self, Head};
use topology::snapshot::balancer::{Listener, Rule};

use crate::http::body::RequestBody;
use crate::http::framing::{FramingLines, WithFraming as _};

/// A whole request, and who sent it.
struct Whole<'r> {
    request: &'r Request<RequestBody>,
    /// Made when a rule asks for the headers.
    lines: OnceCell<FramingLines>,
    source: IpAddr,
}

impl Whole<'_> {
    fn lines(&self) -> &FramingLines {
        self.lines.get_or_init(|| self.request.body().framing().lines())
    }
}

impl Head for Whole<'_> {
    fn method(&self) -> Option<&str> {
        Some(self.request.method().as_str())
    }

    fn host(&self) -> Option<&[u8]> {
        Some(self.request.headers().get(HOST).map_or(&b""[..], |host| host.as_bytes()))
    }

    fn path(&self) -> Option<&str> {
        Some(self.request.uri().path())
    }

    fn query(&self) -> Option<&str> {
        Some(self.request.uri().query().unwrap_or_default())
    }

    fn any_value(&self, name: &str, fits: &dyn Fn(&[u8]) -> bool) -> Option<bool> {
        let mut values = self.request.headers().get_all(name).iter().chain(self.lines().named(name));
        Some(values.any(|value| fits(value.as_bytes())))
    }

    fn source(&self) -> Option<IpAddr> {
        Some(self.source)
    }
}

/// The rule of a request that came from `source`.
pub(crate) fn find<'w>(listener: &'w Listener, request: &Request<RequestBody>, source: IpAddr) -> Option<&'w Rule> {
    matcher::find(&listener.rules, &Whole { request, lines: OnceCell::new(), source })
}
