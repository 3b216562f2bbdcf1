//! Whether this machine can carry private networks, found by building a tiny one: looking at settings tells too little, since some systems
//! let the first step succeed and refuse the second.

/// One step of an examination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is about.
    pub name: &'static str,
    /// Whether it succeeded.
    pub is_ok: bool,
    /// What came of it.
    pub detail: String,
    /// What would mend it, where it failed.
    pub remedy: Option<String>,
}

#[cfg(target_os = "linux")]
pub use linux::examine;

/// Tells of the one step that there is on other systems.
#[cfg(not(target_os = "linux"))]
pub fn examine(tell: &mut dyn FnMut(Step)) -> bool {
    let remedy = Some("use the proxy engine (--fabric proxy), or a Linux machine".to_owned());
    tell(Step { name: "system", is_ok: false, detail: "this system is not Linux".to_owned(), remedy });
    false
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
    use std::time::Duration;

    use rustix::io::Errno;
    use topology::id::{NetworkInterfaceId, SecurityGroupId, SubnetId};
    use topology::net::{Direction, Ipv4Net};
    use topology::ruleset::{Area, Door, Gate, Ruleset, Span};

    use super::Step;
    use crate::cable::CableNumber;
    use crate::failure::{Failure, Wanted};
    use crate::namespace::{Inside, Namespace};
    use crate::network::{Network, Plug};
    use crate::privilege::{self, Stranger};
    use crate::remedy::{self, Machine};
    use crate::ruleset::Cables;

    /// Addresses of documentation (RFC 5737), which no network has.
    const BLOCK: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 2, 0), 24);
    const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
    const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 11);
    /// The port that the rules let through, and one that they do not.
    const OPEN: u16 = 80;
    const SHUT: u16 = 81;
    /// How long a connection may take: it crosses no network but this machine's.
    const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);
    /// How long silence is listened to; what is let through by mistake comes at once.
    const SILENCE: Duration = Duration::from_millis(50);

    /// Builds a private network of two interfaces, tells of each step, and stops at the first that fails. Says whether none did.
    ///
    /// The process ends up in namespaces that it cannot leave, and must have one thread when this begins: it is for a process of its own.
    pub fn examine(tell: &mut dyn FnMut(Step)) -> bool {
        let mut told = Told { tell, machine: Machine::of_this() };
        build(&mut told).is_some()
    }

    struct Told<'a> {
        tell: &'a mut dyn FnMut(Step),
        machine: Machine,
    }

    impl Told<'_> {
        /// Tells what came of a step, and goes on with its value if it succeeded.
        fn step<T>(&mut self, name: &'static str, detail: &str, outcome: Result<T, Failure>) -> Option<T> {
            let remedy = |failure: &Failure| Some(remedy::of(name, failure.errno(), &self.machine));
            let step = match &outcome {
                Ok(_) => Step { name, is_ok: true, detail: detail.to_owned(), remedy: None },
                Err(failure) => Step { name, is_ok: false, detail: failure.to_string(), remedy: remedy(failure) },
            };
            (self.tell)(step);
            outcome.ok()
        }
    }

    fn build(told: &mut Told<'_>) -> Option<()> {
        if privilege::is_enough() {
            told.step("user_namespace", "not needed: the process has CAP_NET_ADMIN and CAP_SYS_ADMIN", Ok(()))?;
        } else {
            let stranger = told.step("user_namespace", "made", Stranger::enter())?;
            told.step("identity", "root inside, the same user outside", stranger.become_root())?;
        }
        let made = Inside::start().and_then(|inside| Ok((Network::new(&inside, &[BLOCK])?, inside)));
        let (mut network, inside) = told.step("network_namespaces", "made, and entered by a thread", made)?;
        let linked = plug(&mut network, 0, CLIENT);
        let linked = linked.and_then(|client| Ok((client, plug(&mut network, 1, SERVER)?)));
        let (client, server) = told.step("interfaces", "two interfaces with addresses and routes", linked)?;
        told.step("forwarding", "a router forwards between them", network.forward())?;
        let detail = "an nftables table with intervals, a verdict map and connection tracking";
        let (ruleset, cables) = rules();
        told.step("rules", detail, network.enforce(&ruleset, &cables))?;
        let listening = inside.run(&server, || [OPEN, SHUT].map(listen)).and_then(|[open, shut]| Ok((open?, shut?)));
        let connected = listening.and_then(|listeners| {
            inside.run(&client, || connect(OPEN, CONNECT_TIME_MAX).wanted("connect through the rules"))??;
            Ok(listeners)
        });
        let _listeners = told.step("connection", "what a rule lets through arrives", connected)?;
        let silent = inside.run(&client, || connect(SHUT, SILENCE)).and_then(|outcome| match outcome {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(()),
            Err(error) => Err(error).wanted("meet silence where no rule lets through"),
            Ok(_) => Err(Failure::to("keep out what no rule lets through", Errno::ISCONN)),
        });
        told.step("silence", "what no rule lets through meets silence", silent)
    }

    fn plug(network: &mut Network, nth: usize, address: Ipv4Addr) -> Result<Namespace, Failure> {
        let cable = CableNumber::nth(nth).ok_or_else(|| Failure::to("number a cable", Errno::OVERFLOW))?;
        network.add(Plug { cable, address, gateway: GATEWAY })
    }

    fn listen(port: u16) -> Result<TcpListener, Failure> {
        TcpListener::bind((SERVER, port)).wanted("listen in a network namespace")
    }

    fn connect(port: u16, time_max: Duration) -> io::Result<TcpStream> {
        TcpStream::connect_timeout(&SocketAddr::from((SERVER, port)), time_max)
    }

    /// The client reaches one port of the server.
    fn rules() -> (Ruleset, Cables) {
        let [client, server] = [0, 1].map(NetworkInterfaceId::from_bits);
        let (subnet, group) = (SubnetId::from_bits(0), SecurityGroupId::from_bits(0));
        let door = |interface, address, groups| Door {
            interface,
            address,
            gateway: GATEWAY,
            subnet,
            groups,
            routes: Vec::new(),
            exits: Vec::new(),
        };
        let open = Area { from: OPEN, to: OPEN, span: Span::one(CLIENT) };
        let gate = Gate {
            group,
            direction: Direction::Ingress,
            tcp: vec![open],
            udp: Vec::new(),
            icmp: Vec::new(),
            protocols: Vec::new(),
            with: Vec::new(),
        };
        let doors = vec![door(client, CLIENT, None), door(server, SERVER, Some(vec![group]))];
        let cables = [client, server].into_iter().enumerate();
        let cables = cables.filter_map(|(nth, interface)| Some((interface, CableNumber::nth(nth)?))).collect();
        (
            Ruleset { doors, gates: vec![gate.into()], ..Ruleset::default() },
            Cables { doors: cables, ..Cables::default() },
        )
    }
}
