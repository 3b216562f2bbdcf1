//! What a network load balancer with an access log notes of a client's connection to a TLS listener, until the connection's end makes a line
//! of it, however it ends (NLB user guide, "Access logs for your Network Load Balancer", 2026-11). A client that a security group denies has
//! no connection on AWS, so that nothing is noted of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use topology::arn::CertificateArn;
use topology::id::{ListenerId, Realm};
use topology::net::Family;
use topology::snapshot::balancer::AlpnPolicy;
use topology::snapshot::logs::LogPlace;

use super::Entered;
use crate::carry::Carried;
use crate::clock;
use crate::front::arrival::TlsArrival;
use crate::front::{Presented, Presents};
use crate::report::decrypted::{Decrypted, Hello, Session, offered};
use crate::report::outlet::BalancerLine;
use crate::shared::Shared;
use crate::tls;

/// What is noted of a connection. Its line leaves when it is dropped.
pub(super) struct Record {
    shared: Arc<Shared>,
    place: Arc<LogPlace>,
    realm: Realm,
    listener: ListenerId,
    alpn: AlpnPolicy,
    client: SocketAddr,
    node: SocketAddr,
    /// The address that files of the node are named after.
    named: Ipv4Addr,
    began: (Duration, Instant),
    hello: OnceLock<Hello>,
    session: OnceLock<Session>,
    alert: OnceLock<u8>,
    carried: Arc<Carried>,
}

/// When a connection came: since 1970, and by the clock that only runs on.
pub(super) fn moment() -> (Duration, Instant) {
    (clock::since_epoch(), clock::now())
}

impl Record {
    /// That of a connection which came then, if its load balancer keeps one of it.
    pub(super) fn of(
        shared: &Arc<Shared>,
        entered: &Entered<'_>,
        began: (Duration, Instant),
        carried: &Arc<Carried>,
    ) -> Option<Self> {
        let (snapshot, listener) = (&entered.realm.snapshot, entered.listener);
        let place = snapshot.balancers.balancer(listener.balancer)?.logs.access.clone()?;
        listener.tls.as_ref()?;
        let interface = snapshot.fabric.interface(entered.node.interface);
        let named = interface.map_or(Ipv4Addr::UNSPECIFIED, |interface| interface.private_ip);
        let node = interface.and_then(|interface| interface.address(Family::of(entered.client.ip())));
        Some(Self {
            shared: Arc::clone(shared),
            place,
            realm: snapshot.realm.clone(),
            listener: listener.id,
            alpn: listener.stream.map_or(AlpnPolicy::None, |stream| stream.alpn),
            client: entered.client,
            node: SocketAddr::new(node.unwrap_or(named.into()), listener.port),
            named,
            began,
            hello: OnceLock::new(),
            session: OnceLock::new(),
            alert: OnceLock::new(),
            carried: Arc::clone(carried),
        })
    }

    /// The handshake came about, and this was agreed by ALPN.
    pub(super) fn shaken(&self, tls: &TlsArrival, protocol: Option<&[u8]>) {
        let TlsArrival { handshake, agreed, key_exchange, .. } = *tls;
        let protocol = protocol.map(|protocol| String::from_utf8_lossy(protocol).into_owned());
        // There is one handshake.
        let _ = self.session.set(Session { handshake, agreed, key_exchange, protocol });
    }

    /// The client ended its handshake with this alert.
    pub(super) fn alerted(&self, alert: u8) {
        // There is one handshake.
        let _ = self.alert.set(alert);
    }

    fn noted(&self, hello: tls::Hello<'_>, presented: Option<&Presented>) {
        let shown = presented.and_then(|(_, presentation)| presentation.certificate);
        let certificate = shown.map(|id| CertificateArn { realm: self.realm.clone(), id }.to_string());
        let offered = (self.alpn != AlpnPolicy::None).then(|| offered(hello.offered)).flatten();
        // There is one handshake.
        let _ = self.hello.set(Hello { certificate, name: hello.name.map(str::to_owned), offered });
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let (began, since) = self.began;
        let lasted = clock::now().duration_since(since);
        let of_handshake = self.alert.get().copied();
        let text = Decrypted {
            ended: began.saturating_add(lasted),
            balancer: &self.place.balancer,
            listener: self.listener,
            client: self.client,
            node: self.node,
            lasted,
            bytes: self.carried.bytes(),
            alert: of_handshake.or_else(|| self.carried.alert()),
            hello: self.hello.get(),
            session: self.session.get(),
            began,
        }
        .line();
        self.shared.log(BalancerLine { place: Arc::clone(&self.place), node: self.named, text });
    }
}

/// A door whose connection is noted, if it is.
pub(super) struct Noting<'c, D> {
    /// The door.
    pub(super) door: &'c D,
    /// What is noted.
    pub(super) record: Option<&'c Record>,
}

impl<D: Presents> Presents for Noting<'_, D> {
    async fn prepare(&self) {
        self.door.prepare().await;
    }

    fn present(&self, hello: tls::Hello<'_>) -> Result<Presented, String> {
        let presented = self.door.present(hello);
        if let Some(record) = self.record {
            record.noted(hello, presented.as_ref().ok());
        }
        presented
    }
}
