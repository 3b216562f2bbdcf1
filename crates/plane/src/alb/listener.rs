//! What a listener does itself: it refuses what an ALB refuses, completes the headers, and answers by rule.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, SERVER};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use topology::reason::Reason;
use topology::snapshot::balancer::{Balancer, FixedResponse, Redirect};
use topology::verdict::End;

use super::desync::{self, Care, Rejected};
use super::report::Report;
use super::{Spoken, Visit};
use crate::answer::body::Body;
use crate::answer::pages;
use crate::http::body::RequestBody;
use crate::http::forwarding::{self, Client, XffPolicy, split_port};
use crate::limits::REDIRECT_LOCATION_BYTES_MAX;
use crate::world::header_of;

/// Takes a request in that came at this time since 1970, with its headers as the target will see them. One that is refused has its trace id
/// too.
pub(crate) fn receive(
    visit: &Visit<'_>,
    request: &mut Request<RequestBody>,
    (arrived, report): (Duration, &mut Report<'_>),
) -> Result<Care, Rejected> {
    visit.listener_world.mtls_headers.clear(request.headers_mut());
    forwarding::insert_trace_self(request.headers_mut(), arrived);
    report.traced(request.headers());
    if visit.listener.tls.is_some() && visit.spoken == Spoken::Plain {
        return Err(Rejected { status: 400, reason: Reason::TlsPlainToTlsPort });
    }
    if request.method() == Method::TRACE {
        return Err(Rejected { status: 405, reason: Reason::MalformedRequest });
    }
    let attributes = &visit.balancer.attributes;
    let oddity = desync::oddity(request, visit.spelling);
    report.classified(oddity);
    let care = desync::care(attributes.desync, oddity)?;
    let headers = request.headers_mut();
    if attributes.drop_invalid_headers && drop_invalid(headers) {
        report.meter().dropped_headers.one();
    }
    let policy = XffPolicy { mode: attributes.xff_mode, client_port: attributes.xff_client_port };
    let (end, address, &socket) = visit.client;
    let known = match end {
        // Written beforehand are those of IPv4.
        End::Interface(interface) if address.is_ipv4() => visit.realm.address(interface),
        End::Interface(_) | End::Address(_) => None,
    };
    let written = known.map_or_else(|| Cow::Owned(header_of(address)), Cow::Borrowed);
    let client = Client { address: &written, socket };
    let world = visit.listener_world;
    forwarding::write_x_forwarded(headers, policy, client, (&world.proto, &world.port))
        .map_err(|_too_many| Rejected { status: 463, reason: Reason::MalformedRequest })?;
    let tls = visit.connection.and_then(|connection| connection.tls.as_ref());
    if attributes.tls_headers {
        world.tls_headers.write(headers, tls.map(|tls| tls.agreed));
    }
    world.mtls_headers.write(tls.and_then(|tls| tls.asked.as_ref()), headers);
    rewrite_host(headers, visit.balancer, visit.listener.port);
    Ok(care)
}

/// Says whether there were any.
fn drop_invalid(headers: &mut HeaderMap) -> bool {
    let valid = |name: &HeaderName| name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let invalid: Vec<HeaderName> = headers.keys().filter(|name| !valid(name)).cloned().collect();
    for name in &invalid {
        headers.remove(name);
    }
    !invalid.is_empty()
}

/// On port 80 the port goes, on others it is added; the name is in lower case.
fn rewrite_host(headers: &mut HeaderMap, balancer: &Balancer, port: u16) {
    if balancer.attributes.preserve_host {
        return;
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or(&balancer.dns_name);
    let (name, has_port) = split_port(host);
    let known = port == 80 || port == 443;
    if known != has_port && !host.bytes().any(|byte| byte.is_ascii_uppercase()) && headers.contains_key(HOST) {
        return;
    }
    let wanted = match (known, has_port) {
        (true, false) | (false, true) => host.to_ascii_lowercase(),
        (true, true) => name.to_ascii_lowercase(),
        (false, false) => format!("{}:{port}", name.to_ascii_lowercase()),
    };
    if let Ok(value) = HeaderValue::try_from(wanted) {
        headers.insert(HOST, value);
    }
}

/// A fixed response.
pub(crate) fn fixed(fixed: &FixedResponse) -> Response<Body> {
    let body = Bytes::copy_from_slice(fixed.body.as_bytes());
    let mut response = Response::new(Body::full(body));
    // Checked to be 2XX, 4XX or 5XX when it was written.
    *response.status_mut() = StatusCode::from_u16(fixed.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(SERVER, pages::ALB_SERVER);
    let kind = fixed.content_type.as_deref().unwrap_or("text/plain");
    if let Ok(kind) = HeaderValue::try_from(format!("{kind}; charset=utf-8")) {
        headers.insert(CONTENT_TYPE, kind);
    }
    response
}

/// A redirect; the port is always written out, as ALBs do.
pub(crate) fn redirect(redirect: &Redirect, visit: &Visit<'_>, request: &Request<RequestBody>) -> Response<Body> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let now = Now {
        protocol: if visit.listener.tls.is_some() { "https" } else { "http" },
        host: split_port(host).0,
        port: visit.listener.port,
        path: request.uri().path().strip_prefix('/').unwrap_or_default(),
        query: request.uri().query().unwrap_or_default(),
    };
    let protocol = now.fill(&redirect.protocol).to_ascii_lowercase();
    let mut location = format!("{protocol}://{}:{}", now.fill(&redirect.host), now.fill(&redirect.port));
    location.push_str(&now.fill(&redirect.path));
    let query = now.fill(&redirect.query);
    if !query.is_empty() {
        location.push('?');
        location.push_str(&query);
    }
    if location.len() > REDIRECT_LOCATION_BYTES_MAX {
        return pages::alb(507);
    }
    match HeaderValue::try_from(location) {
        Ok(location) => pages::redirect(redirect.status, location),
        Err(_) => pages::alb(500),
    }
}

/// What the variables of a redirect stand for.
struct Now<'r> {
    protocol: &'static str,
    host: &'r str,
    port: u16,
    path: &'r str,
    query: &'r str,
}

impl Now<'_> {
    fn fill(&self, template: &str) -> String {
        let mut out = String::with_capacity(template.len() + 32);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("#{") {
            out.push_str(before);
            let Some((name, tail)) = after.split_once('}') else {
                rest = &rest[before.len()..];
                break;
            };
            match name {
                "protocol" => out.push_str(self.protocol),
                "host" => out.push_str(self.host),
                // Writing to a String cannot fail.
                "port" => _ = write!(out, "{}", self.port),
                "path" => out.push_str(self.path),
                "query" => out.push_str(self.query),
                _ => _ = write!(out, "#{{{name}}}"),
            }
            rest = tail;
        }
        out.push_str(rest);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_variables_table() {
        let now = Now { protocol: "http", host: "a.example", port: 80, path: "x/y", query: "q=1" };
        let rows = [
            ("#{protocol}", "http"),
            ("/#{path}", "/x/y"),
            ("/new/#{path}", "/new/x/y"),
            ("#{host}.new:#{port}", "a.example.new:80"),
            ("#{query}&b=2", "q=1&b=2"),
            ("#{unknown}", "#{unknown}"),
            ("open #{", "open #{"),
        ];
        for (template, expected) in rows {
            assert_eq!(now.fill(template), expected, "{template}");
        }
    }
}
