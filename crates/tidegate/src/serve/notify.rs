//! What the service manager is told: that the server serves, that it ends, and that it lives (`sd_notify` of systemd: a datagram of
//! lines to the socket that `NOTIFY_SOCKET` names). Without that variable nobody is told anything.

use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::given::unix_address;

/// Who is told, and how often it wants to hear that the server lives.
pub(crate) struct Manager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    pub(crate) watchdog: Option<Duration>,
}

impl Manager {
    /// The one that the environment names.
    pub(crate) fn of_environment() -> Self {
        let variable = |name| std::env::var(name).ok();
        let is_ours = variable("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let micros = variable("WATCHDOG_USEC").filter(|_| is_ours).and_then(|micros| micros.parse().ok());
        // Half of the time, as systemd advises, so that one that comes late is no death.
        let watchdog = micros.filter(|micros| *micros > 1).map(|micros: u64| Duration::from_micros(micros / 2));
        let Some(name) = variable("NOTIFY_SOCKET") else { return Self { socket: None, watchdog: None } };
        let socket = unix_address(&name).and_then(|address| {
            let socket = UnixDatagram::unbound()?;
            // A manager that takes nothing must not stop the server.
            socket.set_nonblocking(true)?;
            Ok((socket, address))
        });
        if let Err(error) = &socket {
            tracing::warn!(%error, name, "the service manager cannot be told anything");
        }
        Self { socket: socket.ok(), watchdog }
    }

    /// Tells a state, such as `READY=1`.
    pub(crate) fn tell(&self, state: &str) {
        let Some((socket, address)) = &self.socket else { return };
        if let Err(error) = socket.send_to_addr(state.as_bytes(), address) {
            tracing::warn!(%error, state, "the service manager was not told");
        }
    }
}
