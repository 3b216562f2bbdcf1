//! What is known of one request while it lasts: what the client sent, what was found, who calls, how the integration went.
//! Variables (`variables`), parameter mappings and access logs read it; the steps of the gateway fill it in. What it leaves behind is
//! `underway`'s.
//!
//! It refers to the request's own world and is cheap to make, because each request makes one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Uri, Version};
use topology::snapshot::gateway::{Api, ApiKind, Deployed, Integration, Route, Stage};
use topology::trace::RequestId;

use super::cors::Told;
use super::refusal::Refusal;
use super::rest::context::{RestContext, Sender};
use crate::front::arrival::Arrival;
use crate::http::body::Progress;
use crate::http::framing::FramingLines;
use crate::http::hop;
use crate::http::places::Owner;
use crate::http::survey::Survey;
use crate::http1::head::UnreadableTarget;
use crate::http1::spelling::Spelling;
use crate::report::meter::Meter;
use crate::report::span::SpanContext;
use crate::world::{ApiWorld, HostNames, RealmWorld, StageWorld};

/// One request, as far as it got.
#[derive(Debug)]
pub(crate) struct Context<'w> {
    /// What stood in its headers when it came.
    pub(crate) seen: Survey,
    /// Said where its target could not be read.
    pub(crate) unreadable: Option<UnreadableTarget>,
    /// How the client spelled the names of its headers, and the lines that framed its body.
    pub(crate) spelling: Spelling,
    /// The client's method.
    pub(crate) method: Method,
    /// The client's target.
    pub(crate) uri: Uri,
    /// The client's version.
    pub(crate) version: Version,
    /// How it came.
    pub(crate) arrival: Arc<Arrival>,
    /// The client's address.
    pub(crate) peer: SocketAddr,
    /// The client's `User-Agent`.
    pub(crate) user_agent: Option<HeaderValue>,
    /// Its id.
    pub(crate) request_id: RequestId,
    /// When it came, since 1970.
    pub(crate) arrived: Duration,
    /// The custom domain name that it asked for, once found.
    pub(crate) asked: Option<Asked<'w>>,
    /// The kind of the API, once found.
    pub(crate) kind: ApiKind,
    /// Which API and stage it is for, once found.
    pub(crate) found: Option<Found<'w>>,
    /// What only requests to REST APIs have.
    pub(crate) rest: Option<Box<RestContext<'w>>>,
    /// What the request's origin is told; absent where the API has no CORS configuration.
    pub(crate) cors: Option<Told>,
    /// Who calls.
    pub(crate) caller: Caller,
    /// What the authorizer said when it refused.
    pub(crate) authorizer_error: Option<String>,
    /// How the client is asked for a better token: `www-authenticate`.
    pub(crate) challenge: Option<HeaderValue>,
    /// How the integration went.
    pub(crate) integration: Integrated<'w>,
    /// Why the gateway answered itself.
    pub(crate) refused: Option<Refusal>,
    /// How far its body got, once it is on its way.
    pub(crate) sent: Option<Arc<Progress>>,
    /// Its place in a distributed trace, where those are exported.
    pub(crate) span: Option<SpanContext>,
}

/// Which API and stage a request is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site<'w> {
    /// Where everything is looked up.
    pub(crate) realm: &'w RealmWorld,
    /// The API.
    pub(crate) api: &'w Api,
    /// What it writes on each request.
    pub(crate) api_world: &'w ApiWorld,
    /// The stage.
    pub(crate) stage: &'w Stage,
    /// What it counts.
    pub(crate) stage_world: &'w StageWorld,
    /// What the stage serves.
    pub(crate) deployed: &'w Deployed,
}

/// The custom domain name that a request asked for.
#[derive(Debug, Clone)]
pub(crate) struct Asked<'w> {
    /// The host, as backends see it: for a wildcard name the one that the client spelled.
    pub(crate) names: Cow<'w, HostNames>,
    /// The mapping key or base path that matched; empty for a catch-all.
    pub(crate) base_path: &'w str,
}

/// What was found of a request, and where its path begins.
#[derive(Debug, Clone)]
pub(crate) struct Found<'w> {
    /// The API and stage.
    pub(crate) site: Site<'w>,
    /// The route; absent while none was matched.
    pub(crate) route: Option<&'w Route>,
    /// The path as by host: with the stage, unless it is `$default`.
    pub(crate) path: ClientPath,
    /// Where the path without the stage begins.
    pub(crate) route_path_at: usize,
}

/// A path: mostly the end of the client's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClientPath {
    /// The client's path from this byte on.
    From(usize),
    /// A path put together.
    Made(Arc<str>),
}

impl ClientPath {
    /// The path; `/` where nothing is left.
    pub(crate) fn of<'a>(&'a self, uri: &'a Uri) -> &'a str {
        rooted(match self {
            Self::From(at) => uri.path().get(*at..).unwrap_or_default(),
            Self::Made(path) => path,
        })
    }
}

/// The same path, or `/` for an empty one.
pub(crate) fn rooted(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

/// Who calls, as an authorizer found.
#[derive(Debug, Clone, Default)]
pub(crate) enum Caller {
    /// Nobody was asked.
    #[default]
    Anyone,
    /// The bearer of a verified token; its claims as text.
    Token(Arc<BTreeMap<String, String>>),
    /// A principal that signed the request.
    Principal(Arc<Principal>),
}

/// Who signed a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    /// The account.
    pub(crate) account: String,
    /// The id of the principal.
    pub(crate) id: String,
    /// Its ARN.
    pub(crate) arn: String,
}

/// How the integration went.
#[derive(Debug, Clone, Default)]
pub(crate) struct Integrated<'w> {
    /// The integration, once the request was mapped for it.
    pub(crate) named: Option<&'w Integration>,
    /// When the request was sent on, in microseconds since it came.
    pub(crate) sent_micros: u32,
    /// The status it answered.
    pub(crate) status: Option<u16>,
    /// How long it took to the head of its answer, in microseconds.
    pub(crate) took_micros: Option<u32>,
}

impl<'w> Context<'w> {
    /// A request that just came. What its sender meant for the connection alone leaves its headers, before anything judges them.
    pub(crate) fn new(
        (method, uri, version): (Method, Uri, Version),
        (headers, spelling): (&mut HeaderMap, Spelling),
        arrival: Arc<Arrival>,
        (request_id, arrived): (RequestId, Duration),
    ) -> Self {
        let seen = Survey::of(headers, spelling.lines());
        hop::strip_before_judging(headers, &seen);
        Self {
            seen,
            unreadable: None,
            spelling,
            method,
            uri,
            version,
            peer: arrival.peer,
            arrival,
            asked: None,
            user_agent: headers.get(USER_AGENT).cloned(),
            request_id,
            arrived,
            kind: ApiKind::Http,
            found: None,
            rest: None,
            cors: None,
            caller: Caller::default(),
            authorizer_error: None,
            challenge: None,
            integration: Integrated::default(),
            refused: None,
            sent: None,
            span: None,
        }
    }

    /// The meter of its route, where that has one of its own.
    pub(crate) fn route_meter(&self) -> Option<Arc<Meter>> {
        let found = self.found.as_ref()?;
        let meters = &found.site.stage_world.route_meters;
        // Nothing is looked for where no route has one.
        let route = found.route.filter(|_| !meters.is_empty())?;
        let at = found.site.deployed.routes.iter().position(|other| std::ptr::eq(other, route))?;
        meters.get(at)?.clone()
    }

    /// The host that the client asked for.
    pub(crate) fn host<'a>(&'a self, headers: &'a HeaderMap) -> &'a str {
        match headers.get(HOST) {
            Some(host) => host.to_str().unwrap_or_default(),
            None => self.uri.authority().map_or("", |authority| authority.as_str()),
        }
    }

    /// The lines that framed its body, which are not among its headers.
    pub(crate) const fn lines(&self) -> &FramingLines {
        self.spelling.lines()
    }

    /// The path with the stage, as far as one was found.
    pub(crate) fn path(&self) -> &str {
        self.found.as_ref().map_or_else(|| self.uri.path(), |found| found.path.of(&self.uri))
    }

    /// The path without the stage.
    pub(crate) fn route_path(&self) -> &str {
        let at = self.found.as_ref().map_or(0, |found| found.route_path_at);
        rooted(self.path().get(at..).unwrap_or_default())
    }

    /// Whose memory its bodies take.
    pub(crate) fn owner(&self) -> Owner {
        Owner::new(self.found.as_ref().map(|found| found.site.api.id), self.peer.ip())
    }

    /// Whether it is no client's request, but a trial.
    pub(crate) fn is_trial(&self) -> bool {
        self.rest.as_ref().is_some_and(|rest| rest.sender == Sender::Trial)
    }

    /// What the request's host is called towards backends and in variables: never the local name of an invoke URL.
    pub(crate) fn names(&self) -> Option<&HostNames> {
        match &self.asked {
            Some(asked) => Some(&asked.names),
            None => self.found.as_ref().map(|found| &found.site.api_world.names),
        }
    }
}
