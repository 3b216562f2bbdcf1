//! The sockets of a resolver. Each question sees the newest world.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;
use topology::id::{Realm, VpcId};
use topology::names;

use super::message::{self, Carrier};
use crate::limits::{ACCEPT_PAUSE, DNS_CONNECTION_TIMEOUT, DNS_CONNECTIONS_MAX, DNS_QUESTION_BYTES_MAX};
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
}

impl Place {
    /// The names of a VPC.
    pub(crate) fn new(shared: Weak<Shared>, realm: Realm, vpc: VpcId) -> Self {
        Self { shared, realm, vpc, turn: AtomicUsize::new(0) }
    }

    fn answer(&self, question: &[u8], carrier: Carrier) -> Option<Vec<u8>> {
        let world = self.shared.upgrade()?.world.load_full();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        message::answer(question, carrier, |name| names::find(&world.snapshot, (&self.realm, self.vpc), name, turn))
    }
}

/// Answers on both sockets until it is dropped.
pub(crate) async fn serve(place: Arc<Place>, (datagrams, connections): (UdpSocket, TcpListener)) {
    tokio::join!(task::watched(answer_datagrams(&place, &datagrams)), task::watched(accept(&place, &connections)));
}

async fn answer_datagrams(place: &Place, socket: &UdpSocket) {
    // What is longer than a question is cut, and then no question.
    let mut question = [0; DNS_QUESTION_BYTES_MAX];
    loop {
        match socket.recv_from(&mut question).await {
            Ok((length, asker)) => answer_datagram(place, socket, (&question[..length], asker)).await,
            // An answer to an asker who is gone comes back as an error of the next read.
            Err(error) => {
                tracing::debug!(%error, "a question cannot be read");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer_datagram(place: &Place, socket: &UdpSocket, (question, asker): (&[u8], SocketAddr)) {
    if let Some(answer) = place.answer(question, Carrier::Datagram) {
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
        let Some(answer) = place.answer(&question[..length], Carrier::Stream) else { return Ok(()) };
        let length = u16::try_from(answer.len()).map_err(|_| io::ErrorKind::InvalidData)?;
        let whole = [&length.to_be_bytes(), answer.as_slice()].concat();
        timeout(DNS_CONNECTION_TIMEOUT, stream.write_all(&whole)).await??;
    }
}
