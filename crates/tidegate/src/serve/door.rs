//! Where namespaces of private networks are handed over to programs of the same user: a unix socket in the data directory, or, for a server that
//! keeps nothing, one that has a name and no file. Only `tidegate run` and `tidegate netns exec` ask here; a line names an interface.

use std::fs::{self, Permissions};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernel::{Doorway, Names, Namespace};
use plane::KernelEngine;
use rustix::process::geteuid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use topology::id::NetworkInterfaceId;
use topology::names::private_domain;
use topology::snapshot::Snapshot;

use super::State;
use super::limits::{DOOR_ASKING_MAX, DOOR_PAUSE, DOOR_TIMEOUT, DOOR_WORD_BYTES_MAX};
use super::told;
use crate::chance::seed;

/// The socket's file in the data directory.
const FILE: &str = "fabric.sock";

/// A door that stands open.
pub(crate) struct Door {
    listener: UnixListener,
    /// How clients call it: the path of its file, or `@` and a name.
    name: String,
    file: Option<PathBuf>,
}

impl Door {
    /// Opens it. The directory is this server's alone, so that a file by this name is one that an earlier server has left.
    ///
    /// # Errors
    /// What the system says: a path of a socket has 107 bytes at most.
    pub(crate) fn open(directory: Option<&Path>) -> io::Result<Self> {
        let Some(directory) = directory else {
            let name = format!("tidegate-{}-{:x}", std::process::id(), seed());
            let listener = std::os::unix::net::UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
            listener.set_nonblocking(true)?;
            return Ok(Self { listener: UnixListener::from_std(listener)?, name: format!("@{name}"), file: None });
        };
        let file = std::path::absolute(directory.join(FILE))?;
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&file)?;
        fs::set_permissions(&file, Permissions::from_mode(0o600))?;
        Ok(Self { listener, name: file.to_string_lossy().into_owned(), file: Some(file) })
    }

    /// How clients call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // The next server takes away what is left.
            let _ = fs::remove_file(file);
        }
    }
}

/// Answers whoever asks, until the server goes down.
pub(crate) async fn serve(state: Arc<State>, engine: Arc<KernelEngine>, door: Door) {
    let places = Arc::new(Semaphore::new(DOOR_ASKING_MAX));
    let mut stopping = state.stopping.subscribe();
    loop {
        let next = async {
            // The semaphore is never closed.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (place, door.listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = told(&mut stopping) => return,
            next = next => next,
        };
        match accepted {
            Ok((stream, _)) => {
                let (state, engine) = (Arc::clone(&state), Arc::clone(&engine));
                tokio::spawn(async move {
                    // Who takes too long, or is gone, is let go.
                    let _ = tokio::time::timeout(DOOR_TIMEOUT, answer(&state, &engine, stream)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "nobody can ask for a namespace");
                tokio::time::sleep(DOOR_PAUSE).await;
            }
        }
    }
}

async fn answer(state: &State, engine: &KernelEngine, mut stream: UnixStream) -> io::Result<()> {
    let found = match find(state, engine, &mut stream).await? {
        Ok((namespace, names)) => Doorway::to(&namespace, names).map_err(|failure| failure.to_string()),
        Err(why) => Err(why),
    };
    match found {
        Ok(doorway) => doorway.send(&stream).map_err(io::Error::other),
        Err(why) => stream.write_all(why.as_bytes()).await,
    }
}

/// The namespace that is asked for, or why it is not handed over.
async fn find(
    state: &State,
    engine: &KernelEngine,
    stream: &mut UnixStream,
) -> io::Result<Result<(Namespace, Names), String>> {
    let asker = stream.peer_cred()?.uid();
    let mut word = String::new();
    BufReader::new(stream.take(DOOR_WORD_BYTES_MAX)).read_line(&mut word).await?;
    if asker != geteuid().as_raw() {
        return Ok(Err("the private networks are another user's: ask as the user whose server it is".to_owned()));
    }
    let Ok(interface) = word.trim_end().parse::<NetworkInterfaceId>() else {
        return Ok(Err("that is no id of a network interface".to_owned()));
    };
    let Some(names) = names(&state.plane.snapshot(), interface) else {
        return Ok(Err(format!("there is no network interface {interface}")));
    };
    let nobody = || format!("nobody has the network interface {interface}, so that it is in no network of the kernel");
    Ok(engine.namespace(interface).await.ok_or_else(nobody).map(|namespace| (namespace, names)))
}

/// How names are resolved where an interface is.
fn names(snapshot: &Snapshot, interface: NetworkInterfaceId) -> Option<Names> {
    snapshot.realms.iter().find_map(|realm| {
        let fabric = &realm.fabric;
        let vpc = fabric.interface(fabric.interface_by_id(interface)?)?.vpc;
        let net = fabric.vpcs.iter().find(|net| net.id == vpc)?;
        Some(Names { resolver: net.resolver_address()?, domain: private_domain(&realm.realm.region) })
    })
}
