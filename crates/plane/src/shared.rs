//! What every task of the plane shares: the one swap, the kept connections, the traces, the configuration and the way
//! upward for facts.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::time::Instant;
use topology::id::{AgentId, VpcId};
use topology::observed::Fact;
use topology::snapshot::fabric::Fabric;
use topology::trace::Run;

use crate::fabric::engine::Engine;
use crate::fabric::lanes::Lanes;
use crate::fabric::outside::{Egress, Outside};
use crate::fabric::stream::Home;
use crate::http::places::Places;
use crate::identity::Identity;
use crate::identity::signature::SignatureJudge;
use crate::limits::{BLOCKED_LINK_TIMEOUT, CLIENT_CONNECTIONS_MAX, TARGET_CONNECT_TIMEOUT};
use crate::report::outlet::{BalancerLine, LogLine, Outlet};
use crate::report::span::RequestSpan;
use crate::targets::seal::UserSeal;
use crate::targets::signer::Signer;
use crate::targets::sticky::{CookieKey, Seal};
use crate::tls::presented::Development;
use crate::tls::verify::Trust;
use crate::tls::{Issuer, Prover};
use crate::turn::Turns;
use crate::usage::{Meters, UsageKeeper};
use crate::world::World;

/// How the plane behaves where AWS leaves a choice.
#[derive(Debug, Clone, Default)]
pub struct PlaneConfig {
    /// How long a connection that is dropped stays silent (`timeouts.blocked_connect`). Unset, as AWS: about 9 s for a
    /// link, 10 s for an ALB.
    pub blocked_connect: Option<Duration>,
    /// Who issues certificates for invoke hosts, in development mode only.
    pub development: Option<Issuer>,
    /// Who proves names to an authority at the public listener with TLS, where one is asked by ACME.
    pub prover: Option<Prover>,
    /// Whether the development header `x-tidegate-trace` is left out (`strict_wire`).
    pub strict_wire: bool,
    /// Who judges signatures of routes with `AWS_IAM`; without one such routes let nobody in.
    pub signatures: Option<Arc<dyn SignatureJudge>>,
    /// What may be reached outside the private networks.
    pub egress: Egress,
    /// Whether the account's quota of requests is enforced (`quotas = "aws"`).
    pub account_throttle: bool,
    /// Keeps counts of usage against quotas durably; without it they are only reported.
    pub usage: Option<Arc<dyn UsageKeeper>>,
    /// Where user pools are, instead of AWS (`cognito.endpoint`): the issuer of a pool is this and its id.
    pub cognito_endpoint: Option<String>,
    /// Open client connections of one listener, where the process has descriptors for fewer than there may be.
    pub client_connections_max: Option<usize>,
    /// Who opens sockets for listeners; unset, none is opened.
    pub binder: Binder,
    /// The address of this machine where clients on the internet enter listeners of internet-facing load balancers (`listen.balancers`);
    /// unset, they enter none.
    pub internet: Option<Ipv4Addr>,
    /// The run of the server, which the ids of requests carry.
    pub run: Run,
    /// What cookies of load balancers are sealed with, so that they outlive a restart; without it by a key of this run.
    pub cookie_key: Option<CookieKey>,
    /// Who carries connections in private networks.
    pub engine: Engine,
    /// The step of the examination at which this machine's kernel turned out not to carry them, where it would have been taken.
    pub kernel_refused_at: Option<String>,
    /// Which agent this process is; unset, it is a gateway.
    pub agent: Option<AgentId>,
    /// Takes lines of access logs; without it none is written.
    pub lines: Option<Outlet<LogLine>>,
    /// Takes lines of logs of load balancers; without it none is written.
    pub balancer_lines: Option<Outlet<BalancerLine>>,
    /// Takes spans; without it none is made.
    pub spans: Option<Outlet<RequestSpan>>,
}

impl PlaneConfig {
    pub(crate) fn blocked_link(&self) -> Duration {
        self.blocked_connect.unwrap_or(BLOCKED_LINK_TIMEOUT)
    }

    pub(crate) fn client_connections_max(&self) -> usize {
        self.client_connections_max.map_or(CLIENT_CONNECTIONS_MAX, |max| max.clamp(1, CLIENT_CONNECTIONS_MAX))
    }

    pub(crate) fn blocked_target(&self) -> Duration {
        self.blocked_connect.unwrap_or(TARGET_CONNECT_TIMEOUT)
    }
}

/// Opens sockets of the host, for listeners that are entered through one.
#[derive(Clone)]
pub struct Binder(Arc<dyn Fn(SocketAddr) -> io::Result<TcpListener> + Send + Sync>);

impl Binder {
    /// A binder that calls `bind` within the plane's runtime.
    pub fn new(bind: impl Fn(SocketAddr) -> io::Result<TcpListener> + Send + Sync + 'static) -> Self {
        Self(Arc::new(bind))
    }

    pub(crate) fn bind(&self, host: SocketAddr) -> io::Result<TcpListener> {
        (self.0)(host)
    }
}

impl Default for Binder {
    /// One that opens none.
    fn default() -> Self {
        Self::new(|_| Err(io::ErrorKind::Unsupported.into()))
    }
}

impl fmt::Debug for Binder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Binder")
    }
}

/// Takes facts. It is called from traffic, so it must not wait.
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(Fact) + Send + Sync>);

impl Observer {
    /// An observer that calls `take` with each fact.
    pub fn new(take: impl Fn(Fact) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    pub(crate) fn report(&self, fact: Fact) {
        (self.0)(fact);
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

/// Shared by every task.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The one swap.
    pub(crate) world: ArcSwap<World>,
    /// Kept upstream connections, and the newest traces.
    pub(crate) home: Home,
    /// The connections of agents.
    pub(crate) lanes: Lanes,
    /// The way to everything outside the private networks.
    pub(crate) outside: Arc<Outside>,
    /// The same for private networks with a way out, so that programs there take no turn of a request's.
    pub(crate) beyond: Outside,
    /// The configuration.
    pub(crate) config: PlaneConfig,
    /// Whom the gateway trusts as a TLS client of listeners.
    pub(crate) trust: Trust,
    /// Certificates of the development mode.
    pub(crate) development: Option<Arc<Development>>,
    /// The way upward.
    pub(crate) observer: Observer,
    /// When it began: rate limits count from here.
    pub(crate) born: Instant,
    /// Who vouches for callers.
    pub(crate) identity: Arc<Identity>,
    /// What API keys use of usage plans.
    pub(crate) usage: Meters,
    /// Places for bodies whose signature is verified.
    pub(crate) signed_bodies: Arc<Places>,
    /// Places for bodies of requests that are read ahead.
    pub(crate) mapped_requests: Arc<Places>,
    /// Places for bodies of answers that are read ahead: apart, or requests that wait for answers could take them all.
    pub(crate) mapped_answers: Arc<Places>,
    /// Places for whole bodies of requests to REST APIs, and as many of answers.
    pub(crate) whole_requests: Arc<Places>,
    /// The same of answers.
    pub(crate) whole_answers: Arc<Places>,
    /// Turns for work that takes long.
    pub(crate) turns: Turns,
    /// Seals who is logged in at load balancers.
    pub(crate) user_seal: UserSeal,
    /// Signs what targets are told of them.
    pub(crate) signer: Signer,
    /// Seals cookies of load balancers.
    pub(crate) seal: Seal,
}

impl Shared {
    /// Whether it is agents that carry a VPC, and this process is none of them.
    pub(crate) fn is_carried_by_agents(&self, fabric: &Fabric, vpc: VpcId) -> bool {
        self.config.agent.is_none() && !fabric.agents_of(vpc).is_empty()
    }

    /// Takes a line of a load balancer's log. It does not wait.
    pub(crate) fn log(&self, line: BalancerLine) {
        if let Some(lines) = &self.config.balancer_lines {
            lines.offer(line);
        }
    }
}
