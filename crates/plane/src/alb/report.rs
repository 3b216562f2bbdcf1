//! What a load balancer keeps of a request as it goes: counts, and where it has an access log, an entry. Without a log nothing is
//! allocated for it. A request whose client goes away before there is an answer is counted and logged with 460 (ALB user guide,
//! troubleshooting, 2026-11).

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use topology::arn::CertificateArn;
use topology::id::CertificateId;
use topology::resource::domain::stands_for;
use topology::snapshot::balancer::{Rule, TargetGroup};
use topology::snapshot::logs::LogPlace;

use super::desync::Oddity;
use super::transform::Failed;
use super::{Interrupted, Spoken, Visit};
use crate::answer::body::Body;
use crate::clock;
use crate::http::body::{Progress, RequestBody};
use crate::http::forwarding::{X_AMZN_TRACE_ID, split_port};
use crate::http::framing::{Framing, WithFraming as _};
use crate::http1::head::Unread;
use crate::report::balancer_meter::BalancerMeter;
use crate::report::entry::Entry;
use crate::report::outlet::{BalancerLine, Outlet};
use crate::report::visited::Visited;
use crate::shared::Shared;
use crate::targets::choose::Chosen;
use crate::trace::Recording;

/// The status of a request whose client closed its connection before it was answered.
const CLIENT_LEFT: u16 = 460;

/// A request at a load balancer, until it has an answer.
pub(crate) struct Report<'w> {
    meter: &'w Arc<BalancerMeter>,
    /// How far its body gets.
    sent: Option<Arc<Progress>>,
    /// What is written of it.
    entry: Option<Box<Entry>>,
    head_bytes: u64,
    /// When it came, in microseconds since its client began.
    came: u32,
    is_to_head: bool,
    /// Whether its client has a connection of its own, over which it gets an answer whatever happens.
    is_direct: bool,
    /// Whether the answer is a target's.
    is_of_target: bool,
    is_over: bool,
}

impl<'w> Report<'w> {
    /// A request that a listener just took, as it was sent.
    pub(crate) fn begin(
        shared: &Shared,
        visit: &Visit<'w>,
        request: &Request<RequestBody>,
        recording: &Recording,
    ) -> Self {
        let head = Head::of(request);
        let mut report = Self::of(shared, visit, (&head, request.body().framing()), recording);
        report.sent = request.body().progress();
        report
    }

    /// A request that a listener does not take: its answer says all that is known of it.
    pub(crate) fn refused(shared: &Shared, visit: &Visit<'w>, head: &Parts, recording: &Recording) -> Self {
        let Parts { method, uri, version, headers, .. } = head;
        let is_unread = head.extensions.get::<Unread>().is_some();
        let head = Head { method, uri, version: *version, headers, is_unread };
        Self::of(shared, visit, (&head, Framing::None), recording)
    }

    fn of(shared: &Shared, visit: &Visit<'w>, (head, framing): (&Head<'_>, Framing), recording: &Recording) -> Self {
        let log = visit.balancer.logs.access.as_ref().zip(shared.config.balancer_lines.as_ref());
        Self {
            meter: &visit.listener_world.meter,
            sent: None,
            entry: log.map(|log| entry(log, visit, head)),
            // AWS writes 0 of what is no request.
            head_bytes: if head.is_unread { 0 } else { request_head_bytes(head, framing) },
            came: recording.now_micros(),
            is_to_head: head.method == Method::HEAD,
            is_direct: visit.connection.is_some(),
            is_of_target: false,
            is_over: false,
        }
    }

    /// It has this answer of the load balancer's own, and nothing else came of it.
    pub(crate) fn answer(mut self, mut response: Response<Body>) -> Response<Body> {
        self.pass(&mut response);
        response
    }

    /// What is counted of its load balancer.
    pub(crate) fn meter(&self) -> &BalancerMeter {
        self.meter
    }

    /// It got its trace id.
    pub(crate) fn traced(&mut self, headers: &HeaderMap) {
        if let Some(entry) = &mut self.entry {
            entry.trace_id = headers.get(X_AMZN_TRACE_ID).cloned();
        }
    }

    /// What is odd about it.
    pub(crate) fn classified(&mut self, oddity: Option<Oddity>) {
        let Some(oddity) = oddity else { return };
        self.meter.noncompliant.one();
        if let Some(entry) = &mut self.entry {
            entry.class = Some(oddity.words());
        }
    }

    /// A rule was found among so many besides the default one. Those before it were evaluated, and so was it; the default one counts
    /// as none.
    pub(crate) fn ruled(&mut self, rule: Option<&Rule>, rules: &[Rule]) {
        let priority = rule.and_then(|rule| rule.priority);
        let evaluated = match priority {
            Some(priority) => rules.partition_point(|one| one.priority.is_some_and(|other| other <= priority)),
            None => rules.len().saturating_sub(1),
        };
        self.meter.evaluated(evaluated);
        if let Some(entry) = &mut self.entry {
            entry.rule = Some(priority.unwrap_or(0));
        }
    }

    /// Host and URI, for [`Self::rewrote`] to compare with.
    pub(crate) fn before_rewriting(&self, request: &Request<RequestBody>) -> Option<(Option<HeaderValue>, String)> {
        self.entry.as_ref().map(|_| (request.headers().get(HOST).cloned(), request.uri().to_string()))
    }

    /// The rule's transforms were applied, or could not be.
    pub(crate) fn rewrote(
        &mut self,
        before: Option<(Option<HeaderValue>, String)>,
        request: &Request<RequestBody>,
        outcome: Result<(), Failed>,
    ) {
        let (Some(entry), Some((host, uri))) = (&mut self.entry, before) else { return };
        entry.transform = Some(match outcome {
            Ok(()) => "TransformSuccess",
            Err(Failed::Host) => "TransformInvalidHost",
            Err(Failed::Url) => "TransformInvalidPath",
            Err(Failed::TooLong) => "TransformBufferTooSmall",
        });
        if outcome.is_ok() {
            entry.actions.push("rewrite");
            entry.new_host = request.headers().get(HOST).filter(|now| host.as_ref() != Some(*now)).cloned();
            entry.new_uri = Some(request.uri().to_string()).filter(|now| *now != uri);
        }
    }

    /// What the rule's action is.
    pub(crate) fn acts(&mut self, action: &'static str) {
        if let Some(entry) = &mut self.entry {
            entry.actions.push(action);
        }
    }

    /// What its rule asks could not be answered, or was answered so that it is refused.
    pub(crate) fn failed(&mut self, error: &'static str) {
        if let Some(entry) = &mut self.entry {
            entry.error = Some(error);
        }
    }

    /// The load balancer answers with this redirect, or with a page because it is none.
    pub(crate) fn redirected(&mut self, response: &Response<Body>) {
        match response.headers().get(LOCATION) {
            Some(location) => {
                self.meter.redirects.one();
                if let Some(entry) = &mut self.entry {
                    entry.redirect = Some(location.clone());
                }
            }
            None if response.status().as_u16() == 507 => self.meter.redirects_too_long.one(),
            None => {}
        }
    }

    /// A group was chosen, but it has no target.
    pub(crate) fn grouped(&mut self, group: &TargetGroup) {
        if let Some(entry) = &mut self.entry {
            entry.group = Some(group.arn.clone());
        }
    }

    /// A target was chosen.
    pub(crate) fn chose(&mut self, chosen: &Chosen<'_>) {
        if chosen.fails_open {
            chosen.meter.failed_open.one();
        }
        if chosen.is_unstuck {
            chosen.meter.non_sticky.one();
        }
        self.grouped(chosen.group);
        if let Some(entry) = &mut self.entry {
            entry.target = Some(SocketAddr::new(chosen.target.address, chosen.target.port));
        }
    }

    /// A target answered: the request was sent on so many microseconds after the client began, and its answer came so many later.
    pub(crate) fn answered(&mut self, chosen: &Chosen<'_>, status: u16, (sent_on, took): (u32, u32)) {
        self.is_of_target = true;
        chosen.meter.answered(status, Duration::from_micros(took.into()));
        self.sent_on(sent_on, Some(took));
        if let Some(entry) = &mut self.entry {
            entry.target_status = Some(status);
        }
    }

    /// A request was sent on, and an answer came so many microseconds later, or none in time.
    pub(crate) fn sent_on(&mut self, sent_on: u32, took: Option<u32>) {
        if let Some(entry) = &mut self.entry {
            entry.request_time = Some(sent_on.saturating_sub(self.came));
            entry.target_time = took;
        }
    }

    /// It has an answer, whose body settles the rest, or none.
    pub(crate) fn end(mut self, served: Result<Response<Body>, Interrupted>) -> Result<Response<Body>, Interrupted> {
        match served {
            Ok(mut response) => {
                self.pass(&mut response);
                Ok(response)
            }
            Err(interrupted) => {
                self.cut(match interrupted {
                    // The gateway gave up, and closes.
                    Interrupted::TimedOut | Interrupted::Silent(_) if !self.is_direct => CLIENT_LEFT,
                    interrupted => interrupted.status(),
                });
                Err(interrupted)
            }
        }
    }

    fn pass(&mut self, response: &mut Response<Body>) {
        self.is_over = true;
        let status = response.status().as_u16();
        if !self.is_of_target {
            self.meter.answered(status);
        }
        let head_bytes = response_head_bytes(response);
        self.meter.bytes.add(self.head_bytes.saturating_add(head_bytes));
        if let Some(entry) = &mut self.entry {
            entry.status = status;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                entry.spoken = if entry.spoken == "http" { "ws" } else { "wss" };
            }
            entry.head_bytes = (self.head_bytes, head_bytes);
        }
        let sent = self.sent.take();
        match response.body().here() {
            // Nothing is left to be settled.
            Some(bytes) if self.entry.is_none() && sent.as_ref().is_none_or(|sent| sent.is_done()) => {
                let body = if self.is_to_head { 0 } else { bytes };
                self.meter.bytes.add(sent.map_or(0, |sent| sent.bytes()).saturating_add(body));
            }
            _ => response.body_mut().leaves(Box::new(Visited::new(self.meter, sent, self.entry.take()))),
        }
    }

    /// There is no answer: the status says why.
    fn cut(&mut self, status: u16) {
        self.is_over = true;
        self.meter.answered(status);
        self.meter.bytes.add(self.head_bytes);
        if let Some(entry) = &mut self.entry {
            entry.status = status;
            entry.head_bytes = (self.head_bytes, 0);
        }
        drop(Visited::new(self.meter, self.sent.take(), self.entry.take()));
    }
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.cut(CLIENT_LEFT);
        }
    }
}

/// What was asked.
struct Head<'r> {
    method: &'r Method,
    uri: &'r Uri,
    version: Version,
    headers: &'r HeaderMap,
    /// Whether it could not be read: the rest says nothing.
    is_unread: bool,
}

impl<'r> Head<'r> {
    fn of(request: &'r Request<RequestBody>) -> Self {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        Self { method, uri, version: request.version(), headers, is_unread: false }
    }

    fn is_grpc(&self) -> bool {
        self.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
    }
}

fn entry((place, lines): (&Arc<LogPlace>, &Outlet<BalancerLine>), visit: &Visit<'_>, head: &Head<'_>) -> Box<Entry> {
    let (_, client, socket) = visit.client;
    let fabric = &visit.realm.snapshot.fabric;
    let node = fabric.interface(visit.node.interface).map_or(Ipv4Addr::UNSPECIFIED, |node| node.private_ip);
    let (domain, certificate) = presented(visit);
    let session = visit.connection.and_then(|connection| connection.tls.as_ref());
    Box::new(Entry {
        place: Arc::clone(place),
        lines: lines.clone(),
        node,
        spoken: match visit.listener.tls {
            None => "http",
            Some(_) if head.version != Version::HTTP_2 => "https",
            Some(_) if head.is_grpc() => "grpcs",
            Some(_) => "h2",
        },
        agreed: session.map(|session| session.agreed),
        connection: visit.connection.map(|connection| connection.id),
        client: SocketAddr::new(client, socket.port()),
        target: None,
        request_time: None,
        target_time: None,
        status: 0,
        target_status: None,
        head_bytes: (0, 0),
        request_line: request_line(visit, head),
        user_agent: head.headers.get(USER_AGENT).cloned(),
        group: None,
        trace_id: None,
        domain,
        certificate,
        rule: None,
        created: clock::since_epoch(),
        actions: Vec::new(),
        redirect: None,
        error: None,
        class: None,
        new_host: None,
        new_uri: None,
        transform: None,
    })
}

/// The server name that was asked for, where a certificate is for it, and the ARN of the certificate that was presented.
fn presented(visit: &Visit<'_>) -> (Option<String>, Option<String>) {
    let (Some(tls), Spoken::Tls(name)) = (&visit.listener.tls, visit.spoken) else { return (None, None) };
    if let Some(session) = visit.connection.and_then(|connection| connection.tls.as_ref()) {
        let domain = name.filter(|name| session.names.iter().any(|own| stands_for(own, name)));
        return (domain.map(str::to_owned), session.certificate.map(|id| arn(visit, id)));
    }
    let now = clock::moment(clock::since_epoch());
    let Some(certificate) = tls.certificate(name, true, now) else { return (None, None) };
    let domain = name.filter(|name| certificate.is_for(name)).map(str::to_owned);
    (domain, Some(arn(visit, certificate.id)))
}

fn arn(visit: &Visit<'_>, id: CertificateId) -> String {
    CertificateArn { realm: visit.realm.snapshot.realm.clone(), id }.to_string()
}

/// `GET http://host:port/uri HTTP/1.1`: the URI as it was sent, the port the listener's. Of what is no request, as AWS's logs were seen to have it since
/// 2020, `- http://host:port- -` with the load balancer's own name.
fn request_line(visit: &Visit<'_>, head: &Head<'_>) -> Vec<u8> {
    let scheme = if visit.listener.tls.is_some() { "https" } else { "http" };
    let host = head.headers.get(HOST).map_or(visit.balancer.dns_name.as_bytes(), HeaderValue::as_bytes);
    let uri = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let port = visit.listener.port;
    let mut line = format!("{} {scheme}://", head.method).into_bytes();
    line.extend_from_slice(without_port(host));
    let rest = if head.is_unread { format!(":{port}- -") } else { format!(":{port}{uri} {:?}", head.version) };
    line.extend_from_slice(rest.as_bytes());
    line
}

/// A host without its port, if it has one.
fn without_port(host: &[u8]) -> &[u8] {
    let end = std::str::from_utf8(host).map_or(host.len(), |host| split_port(host).0.len());
    &host[..end]
}

/// Bytes of a request's head as HTTP/1.1 writes it, which is how this process's own parts would speak to each other.
fn request_head_bytes(head: &Head<'_>, framing: Framing) -> u64 {
    let target = head.uri.path_and_query().map_or(1, |target| target.as_str().len());
    let line = head.method.as_str().len() + target + "  HTTP/1.1\r\n".len();
    (line + header_bytes(head.headers) + framing.line_bytes()) as u64
}

/// The same of an answer's.
fn response_head_bytes(response: &Response<Body>) -> u64 {
    let reason = response.status().canonical_reason().map_or(0, str::len);
    let line = "HTTP/1.1 200 \r\n".len() + reason;
    (line + header_bytes(response.headers()) + response.body().line_bytes()) as u64
}

/// Of the lines that do not frame, and of the one that ends them.
fn header_bytes(headers: &HeaderMap) -> usize {
    let line = |name: &HeaderName, value: &HeaderValue| name.as_str().len() + ": ".len() + value.len() + "\r\n".len();
    headers.iter().map(|(name, value)| line(name, value)).sum::<usize>() + "\r\n".len()
}
