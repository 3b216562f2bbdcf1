//! The gateway behind its listeners.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response};

use super::{find, serve};
use crate::answer::body::Body;
use crate::front::arrival::Arrival;
use crate::front::handshake::Failed;
use crate::front::listen::Transport;
use crate::front::{Door, Manners, Presented, Presents};
use crate::guard::Guard;
use crate::http::body::SentBody;
use crate::http1::spelling::Spelling;
use crate::limits::CLIENT_HEAD_TIMEOUT;
use crate::shared::Shared;
use crate::tls::{Hello, presented};

impl Presents for Shared {
    async fn prepare(&self) {
        if let Some(development) = &self.development {
            development.prepare().await;
        }
    }

    /// What is presented for a server name: a custom domain's certificate, or in development mode one of the local authority.
    /// No domain may stand for an invoke host. An authority that asks for the proof of a name is given it.
    fn present(&self, hello: Hello<'_>) -> Result<Presented, String> {
        if let Some((name, proof)) = self.config.prover.as_ref().and_then(|prover| prover.proof(hello)) {
            return Ok((None, presented::proof(&name, &proof)?));
        }
        let Hello { name, .. } = hello;
        let invoke_host = name.filter(|name| find::is_execute_api(name));
        let world = self.world.load();
        let asked = name.filter(|_| invoke_host.is_none()).and_then(|name| world.domain(name));
        if let Some(domain) = asked.map(|found| Arc::clone(found.tls)) {
            let presentation = domain.presentation()?;
            return Ok((Some(domain), presentation));
        }
        match &self.development {
            Some(development) => Ok((None, development.presentation(invoke_host)?)),
            None if name.is_none() => Err("the client names no server".to_owned()),
            None => Err("no custom domain name has this name".to_owned()),
        }
    }
}

impl Door for Shared {
    fn manners(&self, transport: Transport) -> Manners {
        Manners {
            transport,
            takes_prior_knowledge: true,
            takes_upgrades: false,
            answers_unread: false,
            idle: CLIENT_HEAD_TIMEOUT,
        }
    }

    /// What API Gateway keeps is of requests.
    fn came(&self, _: &Arrival) -> Option<Guard> {
        None
    }

    fn failed(&self, _: SocketAddr, _: &Failed) {}

    fn serve(
        self: Arc<Self>,
        request: (Request<SentBody>, Spelling),
        arrival: Arc<Arrival>,
        busy: Option<Guard>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send + 'static {
        serve(self, request, arrival, busy)
    }
}
