//! Bytes of connections that are carried as they are, from one end to the other and back.

use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;

use crate::clock;
use crate::fabric::outside::Stream;
use crate::front::handshake;
use crate::limits::{RELAY_BUFFER_BYTES, RELAY_LOOK_INTERVAL};
use crate::report::balancer_meter::Count;

/// When bytes last went by.
struct Activity(Mutex<Instant>);

impl Activity {
    fn note(&self) {
        *self.0.lock() = clock::now();
    }

    fn silence(&self) -> Duration {
        clock::now().duration_since(*self.0.lock())
    }
}

/// One way of a connection.
#[derive(Debug, Default)]
struct Way {
    /// Bytes that came.
    taken: Count,
    /// Bytes that went on.
    passed: Count,
    /// What the sender ended it with, where it speaks TLS and that was an alert.
    alert: OnceLock<u8>,
}

/// What a connection carried so far.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    up: Way,
    down: Way,
}

impl Carried {
    /// Bytes from the client, and to it.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.up.taken.read(), self.down.passed.read())
    }

    /// The alert that the client ended it with, if it did.
    pub(crate) fn alert(&self) -> Option<u8> {
        self.up.alert.get().copied()
    }
}

/// Carries bytes both ways. The end of one direction is passed on, and the other goes on; an error ends both, and silence of both for so long, and
/// that it is over, which is asked again and again.
pub(crate) async fn both_ways<C>(
    client: C,
    target: Stream,
    (idle, is_over): (Duration, impl Fn() -> bool),
    carried: &Carried,
) where
    C: AsyncRead + AsyncWrite + Unpin + Send,
{
    let activity = Activity(Mutex::new(clock::now()));
    let (client_reads, client_writes) = tokio::io::split(client);
    let (target_reads, target_writes) = tokio::io::split(target);
    let both = async {
        tokio::try_join!(
            copy(client_reads, target_writes, (&activity, &carried.up)),
            copy(target_reads, client_writes, (&activity, &carried.down)),
        )
    };
    let watching = async {
        loop {
            let left = idle.saturating_sub(activity.silence());
            if left.is_zero() || is_over() {
                return;
            }
            tokio::time::sleep(left.min(RELAY_LOOK_INTERVAL)).await;
        }
    };
    tokio::select! {
        ended = both => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke off");
            }
        }
        () = watching => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    (activity, way): (&Activity, &Way),
) -> io::Result<()> {
    let mut buffer = vec![0; RELAY_BUFFER_BYTES];
    let note_alert = |error: &io::Error| {
        if let Some(alert) = handshake::alert(error) {
            // Nothing follows one.
            let _ = way.alert.set(alert);
        }
    };
    loop {
        let read = from.read(&mut buffer).await.inspect_err(note_alert)?;
        activity.note();
        way.taken.add(read as u64);
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
        to.flush().await?;
        way.passed.add(read as u64);
        activity.note();
    }
}
