//! How a client asks the server for the namespace of an interface.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use kernel::{Doorway, Unopened};
use topology::id::NetworkInterfaceId;

use super::Complaint;
use crate::given::unix_address;

/// How long the server may take to hand a namespace over.
const HANDING_TIME_MAX: Duration = Duration::from_secs(10);

/// Asks at a door: the path of a socket, or `@` and the name of one that has no file.
pub(super) fn ask(door: &str, interface: NetworkInterfaceId) -> Result<Doorway, Complaint> {
    let connected = unix_address(door).and_then(|address| UnixStream::connect_addr(&address));
    let asked = connected.and_then(|mut stream| {
        stream.set_read_timeout(Some(HANDING_TIME_MAX))?;
        writeln!(stream, "{interface}")?;
        Ok(stream)
    });
    let stream = asked.map_err(|error| Complaint::System(format!("{door}: {error}")))?;
    Doorway::receive(stream).map_err(|unopened| match unopened {
        Unopened::Refused(why) => Complaint::Refused(why),
        Unopened::Failed(failure) => Complaint::System(failure.to_string()),
    })
}
