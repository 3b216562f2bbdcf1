//! The gateway's end: who connects was found to be an agent; its control lane is driven here, and the connections that it dials are taken
//! in.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::server::TlsStream;
use topology::id::{AgentId, Realm, VpcId};

use super::{LaneError, SESSION_URI, Streams};
use crate::fabric::lanes::{AgentLane, Held};
use crate::limits::{
    LINK_AGENT_MESSAGE_BYTES_MAX, LINK_DEAD_AFTER, LINK_GREETING_TIMEOUT, LINK_REFUSED_RETRY, LINK_SLICE_BYTES,
    LINK_WINDOW_BYTES,
};
use crate::link::message::{CALLS, FactTold, Frames, Hello, LinesTold, Refusal, Slice, SliceRow, framed};
use crate::link::session::{AgentEvent, GatewaySession, Over};
use crate::shared::Shared;
use crate::task;

/// An agent that its certificate tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentName {
    /// Its realm.
    pub realm: Realm,
    /// Which one.
    pub agent: AgentId,
    /// The VPC that it carries.
    pub vpc: VpcId,
    /// The generation of its certificate.
    pub generation: u64,
}

/// What a later answer is.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Who knows what agents are told, and takes what they say.
pub trait Office: Send + Sync + 'static {
    /// What an agent was told of its VPC.
    type Told: Default + Send;

    /// The newest revision, as it changes.
    fn revisions(&self) -> watch::Receiver<u64>;

    /// What the state of the agent's VPC has become since it was told last, with the revision that it is of; it counts as told. It may take
    /// long, and is called where that harms nobody.
    fn news(&self, name: &AgentName, told: &mut Self::Told) -> (u64, Vec<SliceRow>);

    /// Why the agent may not carry, by what is in effect now.
    fn shut_out(&self, name: &AgentName) -> Option<&'static str>;

    /// By what cookies of the load balancers of this VPC are sealed, in Base64.
    fn cookie_key(&self, vpc: VpcId) -> String;

    /// An agent came, and what program it is.
    fn came(&self, name: &AgentName, hello: &Hello);

    /// It is gone: what it saw counts no more.
    fn gone(&self, name: &AgentName);

    /// What an agent saw.
    fn saw(&self, name: &AgentName, facts: Vec<FactTold>);

    /// Lines of an agent's logs. A message that came before is not taken again.
    fn log(&self, name: &AgentName, lines: LinesTold);

    /// Carries out a call.
    fn call(&self, name: &AgentName, path: String, body: String) -> Later<(u16, String)>;

    /// Makes another certificate, with its generation.
    fn renew(&self, name: &AgentName, csr: String) -> Later<Result<(String, u64), Refusal>>;

    /// Two programs are this agent at once: it is to be shut out until somebody decides.
    fn copied(&self, name: &AgentName);
}

/// Takes in a connection that carries requests, which an agent dialled.
pub(crate) fn take(shared: &Shared, agent: AgentId, stream: TlsStream<TcpStream>, held: Held) {
    match shared.lanes.agent(agent) {
        Some(lane) => lane.admit(stream, held),
        None => {
            tracing::debug!(%agent, "an agent without a control lane dialled");
            drop(task::spawn(farewell(stream, held)));
        }
    }
}

/// Ends a connection in order, within a deadline: whoever dialled may read nothing.
async fn farewell(mut stream: TlsStream<TcpStream>, held: Held) {
    // It is closed all the same.
    let _ = tokio::time::timeout(LINK_GREETING_TIMEOUT, stream.shutdown()).await;
    drop(held);
}

/// Drives the control lane that an agent dialled, to its end. `stopping` says when the gateway goes down.
///
/// # Errors
/// Why it ended.
pub(crate) async fn drive<O: Office>(
    (shared, stopping): (&Shared, watch::Receiver<bool>),
    office: &Arc<O>,
    name: AgentName,
    stream: TlsStream<TcpStream>,
) -> Result<(), LaneError> {
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(LINK_WINDOW_BYTES).initial_connection_window_size(LINK_WINDOW_BYTES);
    let (sender, connection) = builder.handshake::<_, Bytes>(stream).await?;
    let connection = task::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a control lane ended");
        }
    });
    let driven = async {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static(SESSION_URI);
        let (response, up) = sender.ready().await?.send_request(request, false)?;
        let greeting = tokio::time::timeout(LINK_GREETING_TIMEOUT, response);
        let streams = Streams::new(up, greeting.await.map_err(|_elapsed| Over::NoGreeting)??.into_body());
        let mut driver = Driver { shared, stopping, office, streams, lane: None, told: O::Told::default(), name };
        let ended = driver.run().await;
        if let Some(lane) = driver.lane.take() {
            if matches!(ended, Err(LaneError::ShutOut(_))) {
                lane.cut();
            }
            if shared.lanes.forget(&lane) {
                office.gone(&driver.name);
            }
        }
        ended
    };
    let ended = driven.await;
    connection.abort();
    ended
}

/// One session under way.
struct Driver<'p, O: Office> {
    shared: &'p Shared,
    stopping: watch::Receiver<bool>,
    office: &'p Arc<O>,
    streams: Streams,
    lane: Option<Arc<AgentLane>>,
    told: O::Told,
    name: AgentName,
}

/// What came of something that took long.
enum Done<O: Office> {
    Answered(u64, (u16, String)),
    Renewed(Result<(String, u64), Refusal>),
    News(O::Told, u64, Vec<SliceRow>),
}

impl<O: Office> Driver<'_, O> {
    async fn run(&mut self) -> Result<(), LaneError> {
        let mut session = GatewaySession::new(self.streams.now());
        let (mut frames, mut work) = (Frames::new(LINK_AGENT_MESSAGE_BYTES_MAX), JoinSet::<Done<O>>::new());
        let (mut revisions, mut parts) = (self.office.revisions(), VecDeque::<Slice>::new());
        let (mut is_whole, mut asked, mut looks, mut was_closing, mut was_pinged) = (true, None, false, false, false);
        loop {
            while let Some(event) = session.event() {
                self.event(event, &mut session, &mut work)?;
            }
            self.check()?;
            if self.lane.is_some() && parts.is_empty() && !looks {
                let newest = *revisions.borrow_and_update();
                if asked != Some(newest) {
                    (asked, looks) = (Some(newest), true);
                    let (office, name) = (Arc::clone(self.office), self.name.clone());
                    let mut told = std::mem::take(&mut self.told);
                    work.spawn_blocking(move || {
                        let (revision, rows) = office.news(&name, &mut told);
                        Done::News(told, revision, rows)
                    });
                }
            }
            if session.wants_slice()
                && let Some(part) = parts.pop_front()
            {
                session.slice(part);
            }
            if *self.stopping.borrow_and_update() && !was_closing {
                was_closing = true;
                // What clients have sent goes on being carried until everything has ended.
                session.closing();
            }
            if let Some(message) = session.says() {
                let writing = self.streams.write(framed(&message));
                tokio::time::timeout(LINK_DEAD_AFTER, writing).await.map_err(|_elapsed| Over::Silent)??;
                continue;
            }
            if session.is_over() {
                return Err(LaneError::Ended);
            }
            let wakes_at = self.streams.at(session.wakes_at());
            let replaced = self.lane.clone();
            tokio::select! {
                read = self.streams.read() => {
                    frames.fill(&read?.ok_or(LaneError::Ended)?);
                    let now = self.streams.now();
                    while let Some(message) = frames.take()? {
                        session.hear(message, now)?;
                        self.heard()?;
                    }
                }
                done = work.join_next(), if !work.is_empty() => match done {
                    Some(Ok(Done::Answered(number, answer))) => session.answer(number, answer),
                    Some(Ok(Done::Renewed(Ok((chain, generation))))) => {
                        self.name.generation = generation;
                        session.renewed(chain, generation);
                    }
                    Some(Ok(Done::Renewed(Err(refusal)))) => session.refuse(refusal),
                    Some(Ok(Done::News(told, revision, rows))) => {
                        (self.told, looks) = (told, false);
                        if is_whole || !rows.is_empty() {
                            self.lane.iter().for_each(|lane| lane.was_sent(revision));
                            parts = in_parts(revision, is_whole, rows);
                            is_whole = false;
                        }
                    }
                    Some(Err(_)) => return Err(LaneError::State("it could not be made".to_owned())),
                    None => {}
                },
                changed = revisions.changed() => changed.map_err(|_| LaneError::Ended)?,
                changed = self.stopping.changed() => changed.map_err(|_| LaneError::Ended)?,
                () = replaced_of(replaced.as_ref()), if replaced.is_some() && !was_pinged => {
                    // Whoever is still there answers.
                    was_pinged = true;
                    session.ping();
                }
                () = tokio::time::sleep_until(wakes_at) => session.tick(self.streams.now())?,
            }
        }
    }

    /// An agent that has another session by now, of another run of its program, is heard all the same: there are two of it.
    fn heard(&self) -> Result<(), LaneError> {
        self.lane.iter().for_each(|lane| lane.was_heard());
        if self.lane.as_ref().is_some_and(|lane| lane.is_replaced_by_another()) {
            self.office.copied(&self.name);
            return Err(LaneError::ShutOut("two programs are this agent at once"));
        }
        Ok(())
    }

    fn check(&self) -> Result<(), LaneError> {
        self.office.shut_out(&self.name).map_or(Ok(()), |why| Err(LaneError::ShutOut(why)))
    }

    fn event(
        &mut self,
        event: AgentEvent,
        session: &mut GatewaySession,
        work: &mut JoinSet<Done<O>>,
    ) -> Result<(), LaneError> {
        match event {
            AgentEvent::Came(hello) => {
                self.check()?;
                self.office.came(&self.name, &hello);
                self.lane = Some(self.shared.lanes.open(self.name.agent, hello.run));
                session.welcome(env!("CARGO_PKG_VERSION").to_owned(), self.office.cookie_key(self.name.vpc));
            }
            AgentEvent::Took(revision) => tracing::debug!(agent = %self.name.agent, revision, "an agent took a state"),
            AgentEvent::Facts(facts) => self.office.saw(&self.name, facts),
            AgentEvent::Lines(lines) => {
                let number = lines.number;
                self.office.log(&self.name, lines);
                session.logged(number)?;
            }
            AgentEvent::Called { number, path, .. } if !CALLS.contains(&path.as_str()) => {
                session.answer(
                    number,
                    (404, r#"{"code":"NOT_FOUND","message":"no such call crosses a link"}"#.to_owned()),
                );
            }
            AgentEvent::Called { number, path, body } => {
                let answering = self.office.call(&self.name, path, body);
                work.spawn(async move { Done::Answered(number, answering.await) });
            }
            AgentEvent::Renews(csr) => {
                let renewing = self.office.renew(&self.name, csr);
                work.spawn(async move { Done::Renewed(renewing.await) });
            }
            AgentEvent::Draining => self.lane.iter().for_each(|lane| lane.close()),
            AgentEvent::RoundTrip(took) => {
                let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
                self.lane.iter().for_each(|lane| lane.measured(micros));
            }
            AgentEvent::Late => self.lane.iter().for_each(|lane| lane.doubt()),
        }
        Ok(())
    }
}

async fn replaced_of(lane: Option<&Arc<AgentLane>>) {
    match lane {
        Some(lane) => lane.replaced().await,
        None => std::future::pending().await,
    }
}

/// A state in parts of a bounded size; at least one.
fn in_parts(revision: u64, is_whole: bool, rows: Vec<SliceRow>) -> VecDeque<Slice> {
    let mut parts = VecDeque::from([Slice { revision, is_whole, is_last: false, rows: Vec::new() }]);
    let mut bytes = 0;
    for row in rows {
        bytes += row.key.len() + row.value.as_ref().map_or(0, String::len);
        if bytes > LINK_SLICE_BYTES && parts.back().is_some_and(|part| !part.rows.is_empty()) {
            parts.push_back(Slice { revision, is_whole: false, is_last: false, rows: Vec::new() });
            bytes = 0;
        }
        if let Some(part) = parts.back_mut() {
            part.rows.push(row);
        }
    }
    if let Some(last) = parts.back_mut() {
        last.is_last = true;
    }
    parts
}

/// Why an agent that came too soon is to come later.
#[must_use]
pub fn later(message: &str) -> Refusal {
    let retry_after_ms = u64::try_from(LINK_REFUSED_RETRY.as_millis()).ok();
    Refusal { code: "LINK_LATER".to_owned(), message: message.to_owned(), retry_after_ms }
}
