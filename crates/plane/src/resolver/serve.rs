//! The sockets of a resolver. Each question sees the newest world.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;
use topology::id::{Realm, VpcId};
use topology::names::{self, Found};

use super::message::{self, Carrier};
use crate::clock;
use crate::limits::{
    ACCEPT_PAUSE, DNS_CONNECTION_TIMEOUT, DNS_CONNECTIONS_MAX, DNS_FORWARD_TIMEOUT, DNS_FORWARDED_MAX,
    DNS_QUESTION_BYTES_MAX,
};
use crate::shared::Shared;
use crate::task;

/// Whose names are asked for.
#[derive(Debug)]
pub(crate) struct Place {
    /// Whoever serves must not keep it.
    shared: Weak<Shared>,
    realm: Realm,
    vpc: VpcId,
    /// How many questions there were.
    turn: AtomicUsize,
    /// Places for those that are asked outside, however they came: others' names are resolved by the same machine.
    outside: Arc<Semaphore>,
}

impl Place {
    /// The names of a VPC.
    pub(crate) fn new(shared: Weak<Shared>, realm: Realm, vpc: VpcId) -> Self {
        Self { shared, realm, vpc, turn: AtomicUsize::new(0), outside: Arc::new(Semaphore::new(DNS_FORWARDED_MAX)) }
    }

    /// What private networks know of a question.
    fn answer(&self, question: &[u8], carrier: Carrier) -> Answer {
        let Some(shared) = self.shared.upgrade() else { return Answer::Known(None) };
        let world = shared.world.load_full();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut beyond = None;
        let answer = message::answer(question, carrier, |name| {
            let found = names::find(&world.snapshot, (&self.realm, self.vpc), name, turn);
            beyond = (found == Some(Found::Beyond)).then(|| name.to_owned());
            found
        });
        match beyond.filter(|_| shared.config.egress.has_ways_out) {
            Some(name) => Answer::Beyond(name),
            None => Answer::Known(answer),
        }
    }

    /// Leave to ask outside; `None` where as many are asked as may be.
    fn leave(&self) -> Option<OwnedSemaphorePermit> {
        let leave = Arc::clone(&self.outside).try_acquire_owned().ok();
        if leave.is_none() {
            tracing::debug!(vpc = %self.vpc, "a name is not asked for outside: as many are as may be");
        }
        leave
    }

    /// The answer with what this machine's resolver says of a name.
    async fn answer_beyond(
        &self,
        _leave: OwnedSemaphorePermit,
        (question, carrier): (&[u8], Carrier),
        name: &str,
    ) -> Option<Vec<u8>> {
        let shared = self.shared.upgrade()?;
        let asked = shared.beyond.addresses(name, clock::now() + DNS_FORWARD_TIMEOUT).await;
        let found = asked.map_or_else(
            |error| {
                tracing::debug!(%error, vpc = %self.vpc, "a name is not answered for outside");
                Found::Failed
            },
            Found::Addresses,
        );
        message::answer(question, carrier, |_name| Some(found))
    }

    /// The answer, whoever knows it.
    async fn answer_whole(&self, question: &[u8], carrier: Carrier) -> Option<Vec<u8>> {
        match self.answer(question, carrier) {
            Answer::Known(answer) => answer,
            Answer::Beyond(name) => match self.leave() {
                Some(leave) => self.answer_beyond(leave, (question, carrier), &name).await,
                None => message::answer(question, carrier, |_name| Some(Found::Failed)),
            },
        }
    }
}

/// What comes of a question.
enum Answer {
    /// This, or nothing.
    Known(Option<Vec<u8>>),
    /// This machine's resolver is to be asked for the name.
    Beyond(String),
}

/// Answers on both sockets until it is dropped.
pub(crate) async fn serve(place: Arc<Place>, (datagrams, connections): (UdpSocket, TcpListener)) {
    let datagrams = Arc::new(datagrams);
    tokio::join!(task::watched(answer_datagrams(&place, &datagrams)), task::watched(accept(&place, &connections)));
}

async fn answer_datagrams(place: &Arc<Place>, socket: &Arc<UdpSocket>) {
    // What is longer than a question is cut, and then no question.
    let mut question = [0; DNS_QUESTION_BYTES_MAX];
    let mut forwarded = JoinSet::new();
    loop {
        while forwarded.try_join_next().is_some() {}
        match socket.recv_from(&mut question).await {
            Ok((length, asker)) => match place.answer(&question[..length], Carrier::Datagram) {
                Answer::Known(answer) => send(socket, answer, asker).await,
                // Without leave it is left out: who asks asks again.
                Answer::Beyond(name) => {
                    if let Some(leave) = place.leave() {
                        let (place, socket) = (Arc::clone(place), Arc::clone(socket));
                        let question = question[..length].to_vec();
                        forwarded.spawn(task::watched(async move {
                            let asked = (&question[..], Carrier::Datagram);
                            send(&socket, place.answer_beyond(leave, asked, &name).await, asker).await;
                        }));
                    }
                }
            },
            // An answer to an asker who is gone comes back as an error of the next read.
            Err(error) => {
                tracing::debug!(%error, "a question cannot be read");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn send(socket: &UdpSocket, answer: Option<Vec<u8>>, asker: SocketAddr) {
    if let Some(answer) = answer {
        // Who is gone asks no more, and who is not asks again.
        if let Err(error) = socket.send_to(&answer, asker).await {
            tracing::debug!(%error, %asker, "an answer cannot be sent");
        }
    }
}

async fn accept(place: &Arc<Place>, listener: &TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ended = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < DNS_CONNECTIONS_MAX => match accepted {
                Ok((stream, _)) => {
                    let place = Arc::clone(place);
                    connections.spawn(task::watched(async move {
                        // However a connection ends, nobody waits for it.
                        let _ = answer_stream(&place, stream).await;
                    }));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection to a resolver");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Answers one question after the other (RFC 7766).
async fn answer_stream(place: &Place, mut stream: TcpStream) -> io::Result<()> {
    let mut question = [0; DNS_QUESTION_BYTES_MAX];
    loop {
        let asked = async {
            let length = usize::from(stream.read_u16().await?);
            let question = question.get_mut(..length).ok_or(io::ErrorKind::InvalidData)?;
            stream.read_exact(question).await?;
            io::Result::Ok(length)
        };
        let length = timeout(DNS_CONNECTION_TIMEOUT, asked).await??;
        let Some(answer) = place.answer_whole(&question[..length], Carrier::Stream).await else { return Ok(()) };
        let length = u16::try_from(answer.len()).map_err(|_| io::ErrorKind::InvalidData)?;
        let whole = [&length.to_be_bytes(), answer.as_slice()].concat();
        timeout(DNS_CONNECTION_TIMEOUT, stream.write_all(&whole)).await??;
    }
}
