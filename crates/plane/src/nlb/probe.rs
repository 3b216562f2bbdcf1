//! Probes of application load balancers that are targets: a request of the node's that enters the load balancer within this process, judged
//! by its groups like any other.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::time::Instant;
use topology::id::Realm;
use topology::net::Family;
use topology::observed::{Fact, Unhealthy};
use topology::snapshot::RealmSnapshot;
use topology::snapshot::balancer::LeadsTo;
use topology::verdict::End;

use crate::alb::{self, Spoken, Visit};
use crate::fabric::dial::{self, Destination};
use crate::fabric::engine::Engine;
use crate::fabric::flow::FlowBook;
use crate::http1::spelling::Spelling;
use crate::limits::REQUEST_TIMEOUT;
use crate::report::outlet::BalancerLine;
use crate::shared::Shared;
use crate::targets::health::{BalancerProbe, Newest, Probing, request};
use crate::trace::Recording;

/// What probers see of the plane.
pub(crate) struct Lookout(pub(crate) Arc<Shared>);

impl Newest for Lookout {
    fn realm(&self, realm: &Realm) -> Option<Arc<RealmSnapshot>> {
        let world = self.0.world.load();
        world.realm(realm).map(|found| Arc::clone(&found.snapshot))
    }

    fn flows(&self) -> Arc<FlowBook> {
        Arc::clone(&self.0.world.load().flows)
    }

    fn engine(&self) -> Engine {
        self.0.config.engine.clone()
    }

    fn now(&self) -> Instant {
        self.0.identity.instant()
    }

    fn report(&self, fact: Fact) {
        self.0.observer.report(fact);
    }

    fn log(&self, line: BalancerLine) {
        self.0.log(line);
    }

    fn probe_balancer<'p>(&'p self, probe: BalancerProbe<'p>) -> Probing<'p> {
        Box::pin(ask(&self.0, probe))
    }
}

/// Asks the load balancer; the caller's timeout ends it.
async fn ask(shared: &Arc<Shared>, probe: BalancerProbe<'_>) -> Result<u16, Unhealthy> {
    let failed = Unhealthy::FailedHealthChecks;
    let world = shared.world.load_full();
    let realm = world.realm(probe.realm).ok_or(failed)?;
    let balancers = &realm.snapshot.balancers;
    let group = balancers.group_by_id(probe.group).and_then(|index| balancers.group(index)).ok_or(failed)?;
    let Some(LeadsTo::Balancer(Some(index))) = group.stream.as_ref().map(|stream| stream.leads_to) else {
        return Err(failed);
    };
    let target = balancers.listener(index).ok_or(failed)?.balancer;
    let mut listeners = balancers.listeners.iter().filter(|listener| listener.balancer == target);
    let listener = listeners.find(|listener| listener.port == probe.port).ok_or(failed)?;
    let at = balancers.listener_by_id(listener.id).and_then(|index| realm.listener(index));
    let balancer = balancers.balancer(target).filter(|balancer| balancer.active).ok_or(failed)?;
    let of_group = group.balancer.and_then(|index| balancers.balancer(index)).ok_or(failed)?;
    let (Some((_, listener_world)), Some(asks)) = (at, &group.health_check.asks) else { return Err(failed) };
    if listener.tls.is_some() != asks.is_secure {
        return Err(failed);
    }
    let from = of_group.nodes.first().ok_or(failed)?;
    let fabric = &realm.snapshot.fabric;
    let own = fabric.interface(from.interface).map(|interface| IpAddr::from(interface.private_ip)).ok_or(failed)?;
    let node = balancer.nodes_near(Some(&from.zone)).next().ok_or(failed)?;
    let Ok(permit) =
        dial::ask(realm.net(), from.interface, Destination::Interface(node.interface, Family::Ipv4), listener.port)
    else {
        // Dropped without a word.
        return std::future::pending().await;
    };
    let to = fabric.interface(node.interface).map_or(Ipv4Addr::UNSPECIFIED, |node| node.private_ip);
    let mut request = request(to.into(), listener.port, &asks.path).ok_or(failed)?;
    let mut recording = Recording::begin(&shared.home.traces, world.snapshot.revision, "GET", &asks.path);
    let peer = SocketAddr::from((own, 0));
    let unsent = Spelling::default();
    let visit = Visit {
        realm,
        listener,
        listener_world,
        balancer,
        node,
        client: (End::Interface(from.interface), own, &peer),
        timeout: REQUEST_TIMEOUT,
        spoken: if asks.is_secure { Spoken::Tls(None) } else { Spoken::Plain },
        connection: None,
        spelling: &unsent,
        leave: permit.leave(),
    };
    let served = Box::pin(alb::serve(shared, &visit, &mut request, &mut recording)).await;
    served
        .map(|response| response.status().as_u16())
        .map_err(|interrupted| Unhealthy::ResponseCodeMismatch(interrupted.status()))
}
