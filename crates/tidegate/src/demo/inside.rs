//! What the demo shows of private networks of the kernel: its services are programs inside, placed by `tidegate run`; the machine itself does not
//! reach them; the internal load balancer answers programs that its group lets in, and is silent to others.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::net::lookup_host;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::server::{own, said, spawned};
use super::stack::{PORT, SERVICES, Service, Stack};
use crate::cli::DemoCallerArgs;
use crate::client::http::{Call, ClientError, HTTP_PORT, send, url};
use crate::client::{Complaint, exit_of, to_end};
use crate::exit::Exit;
use crate::output;

/// How long a program that the load balancer lets in waits for its answer, and how long one that it does not let in is met with silence.
const PATIENCE: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_secs(2);

/// This binary to a program inside: its user may not be let into the directory that it is in.
const OWN: &str = "/proc/self/exe";

/// The way of the words of `tidegate run`: which server, and the subnet and group of the program's interface.
pub(super) struct Place<'a> {
    pub(super) api: &'a str,
    pub(super) subnet: &'a str,
    pub(super) group: &'a str,
}

impl Place<'_> {
    /// A program there.
    fn run(&self, how: &[&str], words: &[&str]) -> Result<Command, Complaint> {
        let Self { api, subnet, group } = self;
        let place = ["run", "--api", api, "--subnet", subnet, "--security-group", group];
        own(&[&place[..], how, &["--", OWN], words].concat())
    }
}

/// Starts the services, each at its own private address; they live as long as what is handed out.
pub(super) async fn start(api: &str, subnets: &[String; 2], group: &str) -> Result<Vec<Child>, Complaint> {
    let mut programs = Vec::new();
    for Service { name, address, zone, .. } in &SERVICES {
        let place = Place { api, subnet: &subnets[*zone], group };
        let port = PORT.to_string();
        let mut command = place.run(&["--ip", address, "--port", &port], &["demo-backend", name])?;
        // Ctrl-C is the demo's.
        let mut program = spawned(command.process_group(0).stdout(Stdio::piped()))?;
        let line = said(&mut program).await?.ok_or_else(|| Complaint::Refused(format!("{name} did not start")))?;
        output::line(&line);
        programs.push(program);
    }
    Ok(programs)
}

/// Tries the first service from this machine, outside the private network, wherever it is sure that no packet leaves the machine.
pub(super) async fn from_the_machine() -> Result<(), Complaint> {
    let private = SERVICES[0].address;
    let address: IpAddr = private.parse().map_err(|_| Complaint::System(format!("{private} is no address")))?;
    let target = format!("http://{private}:{PORT}/hello");
    match way_to(SocketAddr::new(address, PORT)) {
        Ok(from) => super::say(
            &format!(
                "GET {target} -> not tried: this machine has a route for {address} (from {from}), and the packet would leave it"
            ),
            false,
        ),
        Err(_) => match send(get(&target)?).await {
            Err(ClientError::Connect { source, .. }) => output::line(&format!("GET {target} -> {source}")),
            Err(other) => return Err(other.into()),
            Ok(answer) => return Err(Complaint::Refused(format!("{target} answered {}", answer.status))),
        },
    }
    Ok(())
}

/// The address that this machine would send from; an error where it has no route. A datagram socket that is connected sends nothing.
fn way_to(to: SocketAddr) -> io::Result<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(to)?;
    Ok(socket.local_addr()?.ip())
}

/// Has a program in a group that the load balancer lets in call it by its name, which must be answered.
pub(super) async fn answered(place: &Place<'_>, stack: &Stack) -> Result<(), Complaint> {
    call(place, stack, (PATIENCE, Exit::Ok)).await
}

/// Has a program in another group do the same, which must be met with silence.
pub(super) async fn met_with_silence(place: &Place<'_>, stack: &Stack) -> Result<(), Complaint> {
    call(place, stack, (SILENCE, Exit::Unreachable)).await
}

async fn call(place: &Place<'_>, stack: &Stack, (within, wanted): (Duration, Exit)) -> Result<(), Complaint> {
    let (target, within_s) = (format!("http://{}/hello", stack.balancer_name), within.as_secs().to_string());
    let mut program = spawned(&mut place.run(&[], &["demo-caller", &target, &within_s])?)?;
    let ended = program.wait().await.map_err(|error| Complaint::System(error.to_string()))?;
    match exit_of(ended) {
        Exit::Program(code) if code == wanted.code() => Ok(()),
        _ => Err(Complaint::Refused(format!("the program in {} ended otherwise: {ended}", place.group))),
    }
}

/// The hidden command: one request, by the names that are known here. It ends with 4 where there was silence.
pub(crate) fn caller(args: &DemoCallerArgs) -> Exit {
    to_end(async {
        let call = get(&args.url)?;
        let host = call.url.host().unwrap_or_default().to_owned();
        let found = lookup_host((host.as_str(), HTTP_PORT)).await;
        let found = found.map_err(|error| Complaint::Refused(format!("{host}: {error}")))?;
        let addresses: Vec<_> = found.map(|address| address.ip().to_string()).collect();
        output::line(&format!("{host} is {}", addresses.join(", ")));
        let answered = timeout(Duration::from_secs(args.within_s), send(call)).await;
        match answered {
            Ok(Ok(answer)) => {
                output::line(&format!("GET {} -> {}", args.url, answer.status));
                output::line(String::from_utf8_lossy(&answer.body).trim_end());
                Ok(if answer.status.is_success() { Exit::Ok } else { Exit::Failed })
            }
            Ok(Err(why)) => Err(why.into()),
            Err(_) => {
                output::line(&format!("GET {} -> silence for {} s", args.url, args.within_s));
                Ok(Exit::Unreachable)
            }
        }
    })
}

/// A request for what is there.
pub(super) fn get(target: &str) -> Result<Call, Complaint> {
    Ok(Call { method: Method::GET, url: url(target)?, headers: HeaderMap::new(), body: Bytes::new() })
}
