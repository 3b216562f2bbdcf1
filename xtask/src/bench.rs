//! What the whole chain costs beside nginx -> nginx and HAProxy -> HAProxy, and with a JWT and a rate limit beside HAProxy's
//! same job, and over TLS beside one nginx: CPU time per request, requests per second,
//! latencies; and what the program costs by itself: ready time, memory, the time of a write to its effect.
//!
//! All chains run at once and are loaded in turn, round by round and every other round backwards, so that a noisy machine is noisy for all;
//! what is told of one chain beside another is the median of what the rounds say, each by itself. Proxies share
//! core 0, load and backend core 1. Needs Linux, `taskset`, `wrk`, `h2load`, `nginx`, `haproxy`, `openssl` and `valgrind`;
//! CI does not run it.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::bench_peer::{self, Peer};
use crate::bench_stack::{self, Beside, Guard, Server, Stack};
use crate::{Outcome, codegen, conformance, instructions, shell};

/// Rounds, and how long each chain is loaded in each.
const ROUNDS: usize = 15;
const ROUND_S: u64 = 2;
/// Connections kept open by the load.
const CONNECTIONS: usize = 64;
/// Idle connections for the memory figure.
const IDLE_CONNECTIONS: usize = 1000;
/// Requests before it: more than traces are kept.
const WARMING: usize = 10_000;
/// Starts for the ready time, writes for the time to effect.
const STARTS: usize = 9;
const WRITES: usize = 50;

/// The chain that the others are compared with.
const PLAIN: &str = "tidegate";
/// What others build the chain of.
const NGINX_TWICE: &str = "nginx -> nginx";
/// The same chain, whose private side is an agent, another process, over a link.
const LINKED: &str = "tidegate, over a link";
/// The same chain, whose targets are programs of private networks of the kernel.
const IN_KERNEL: &str = "tidegate, targets in the kernel's networks";

/// A proxy chain under test.
struct Chain {
    name: &'static str,
    url: String,
    /// Sent to every chain alike; only ours looks at it.
    host: String,
    /// Another header, where the chain asks who calls.
    header: Option<String>,
    /// What wrk runs, where it does not simply get.
    script: Option<PathBuf>,
    /// What clients speak over TLS, if they do, and to which port.
    tls: Option<(Spoken, u16)>,
    pids: Vec<u32>,
    samples: Vec<Sample>,
}

/// What clients speak over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoken {
    Http1,
    Http2,
}

/// One round of one chain.
struct Sample {
    cpu_us: f64,
    per_s: f64,
    p50_us: f64,
    p99_us: f64,
}

/// Runs everything and prints the tables; of the chains, where words are given, those whose names have one of them, and what those are told beside.
pub(crate) fn run(words: &[String]) -> Outcome {
    for tool in ["taskset", "wrk", "h2load", "nginx", "haproxy", "openssl", "valgrind"] {
        if !shell::on_path(tool) {
            let packages = "util-linux, wrk, nghttp2-client, nginx, haproxy, openssl, valgrind";
            return Err(format!("bench needs {tool} (Debian: {packages})"));
        }
    }
    let root = codegen::root();
    let binary = binary(&root)?;
    let python = conformance::python(&root)?;
    bench_stack::in_scratch("bench", |dir| measure(&root, (&binary, &python), words, dir))
}

/// The program that is measured: `TIDEGATE_BIN`, or what is released.
fn binary(root: &Path) -> Result<PathBuf, String> {
    if let Some(given) = std::env::var_os("TIDEGATE_BIN") {
        return Ok(PathBuf::from(given));
    }
    shell::run(shell::cargo().args(["build", "--profile", "dist", "--package", "tidegate"]).current_dir(root))?;
    Ok(conformance::target(root).join("dist/tidegate"))
}

fn measure(root: &Path, (binary, python): (&Path, &Path), words: &[String], dir: &Path) -> Outcome {
    let mut out = String::new();
    let backend = Peer::nginx_backend(dir)?;
    let certificate = bench_peer::certificate(dir)?;
    let server = Server::start(binary, dir)?;
    let stack = bench_stack::build(root, (binary, python), &server, (&backend.address(), dir))?;
    let nginx = Peer::pair("nginx", dir, &backend.address())?;
    let haproxy = Peer::pair("haproxy", dir, &backend.address())?;
    let guard = Guard::start(root, python, &server, dir)?;
    let guarded = Peer::guarded_pair(dir, &backend.address(), &guard)?;
    let posted = bench_stack::rest(root, python, &server, dir)?;
    let single = Peer::single(dir, &backend.address(), None)?;
    let with_tls = Peer::single(dir, &backend.address(), Some(&certificate))?;
    let (tls_backend, http2_backend) = (Peer::tls_backend(dir, &certificate)?, Peer::http2_backend(dir)?);
    let towards_tls = Peer::towards_tls(dir, &tls_backend.address())?;
    let towards_http2 = Peer::towards_http2(dir, &http2_backend.address(), &certificate)?;
    let backends = (dir, &*tls_backend.address(), &*http2_backend.address());
    let (cookie, socket) = bench_stack::kinds(root, (binary, python), &server, backends)?;
    let cookie = format!("Cookie: {cookie}");
    let secure = server.url("public_tls").trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok());
    let secure: u16 = secure.ok_or("the server has no port for TLS")?;
    let over = |spoken, name, (port, pids): (u16, Vec<u32>)| {
        Chain::new(name, ("/hello", &stack.host), pids).over(spoken, port)
    };
    let by_route = |name, route: &str| {
        let url = stack.url.replace("/hello", &format!("/{route}"));
        Chain::new(name, (&url, &stack.host), vec![server.pid()])
    };
    let bearer = format!("Authorization: Bearer {}", guard.told("token"));
    let networks = dir.join("kernel");
    std::fs::create_dir_all(&networks).map_err(|e| e.to_string())?;
    let in_kernel = Server::start_in_kernel(binary, &networks)?;
    let kernel_stack = bench_stack::build(root, (binary, python), &in_kernel, (&backend.address(), &networks))?;
    let inside = Beside::inside(root, (binary, python), &in_kernel, &networks)?;
    let far = dir.join("link");
    std::fs::create_dir_all(&far).map_err(|e| e.to_string())?;
    let gateway = Server::start_with_link(binary, &far)?;
    let linked_stack = bench_stack::build(root, (binary, python), &gateway, (&backend.address(), &far))?;
    let linked = Beside::linked(root, (binary, python), &gateway, &far)?;
    let mut chains = vec![
        Chain::new(PLAIN, (&stack.url, &stack.host), vec![server.pid()]),
        Chain::of("nginx, one hop", &stack.host, std::slice::from_ref(&single)),
        Chain::of(NGINX_TWICE, &stack.host, &nginx),
        Chain::new(LINKED, (&linked_stack.url, &linked_stack.host), vec![gateway.pid(), linked.pid()?]),
        Chain::of("haproxy -> haproxy", &stack.host, &haproxy),
        by_route("tidegate, JWT and throttle", "guarded").with(&bearer),
        Chain::of("haproxy, JWT and rate -> haproxy", &stack.host, &guarded).with(&bearer),
        Chain::new("tidegate, REST POST of 1 KiB", (&posted.url("plain"), &posted.host), vec![server.pid()])
            .posting(&posted.script),
        Chain::new(
            "tidegate, REST POST checked by a model",
            (&posted.url("checked"), &posted.host),
            vec![server.pid()],
        )
        .posting(&posted.script),
        over(Spoken::Http1, "tidegate, HTTP/1.1 over TLS", (secure, vec![server.pid()])),
        over(Spoken::Http1, "nginx, one hop, HTTP/1.1 over TLS", (with_tls.port, with_tls.pids())),
        over(Spoken::Http2, "tidegate, HTTP/2 over TLS", (secure, vec![server.pid()])),
        over(Spoken::Http2, "nginx, one hop, HTTP/2 over TLS", (with_tls.port, with_tls.pids())),
        Chain::new(IN_KERNEL, (&kernel_stack.url, &kernel_stack.host), vec![in_kernel.pid()]),
        by_route("tidegate, 4 rules", "four"),
        by_route("tidegate, 1,000 rules", "many"),
        by_route("tidegate, a regular expression", "regex"),
        by_route("tidegate, a sticky group", "sticky").with(&cookie),
        by_route("tidegate, a target with TLS", "https"),
        Chain::of("nginx, one hop, a target with TLS", &stack.host, std::slice::from_ref(&towards_tls)),
        over(Spoken::Http2, "tidegate, HTTP/2 over TLS to a target with HTTP/2", (socket, vec![server.pid()])),
        over(
            Spoken::Http2,
            "nginx, one hop, HTTP/2 over TLS to a target with HTTP/2",
            (towards_http2.port, towards_http2.pids()),
        ),
    ];
    let is_meant = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let pairs = || MULTIPLES.iter().chain(&ADDITIONS);
    chains
        .retain(|chain| is_meant(chain.name) || pairs().any(|(ours, theirs)| *theirs == chain.name && is_meant(ours)));
    // Before there is memory that a load gave back.
    let per_connection = idle_cost(&server, &stack)?;
    let mut order: Vec<usize> = (0..chains.len()).collect();
    for round in 0..=ROUNDS {
        for at in &order {
            let sample = chains[*at].load()?;
            // The first round warms up.
            if round > 0 {
                chains[*at].samples.push(sample);
            }
        }
        order.reverse();
    }
    table(&mut out, &chains);
    comparisons(&mut out, &chains);
    let rest = server.resident_kib()?;
    let effect = bench_stack::time_to_effect(&server, &stack, WRITES)?;
    let agent_rest = bench_stack::resident_kib(linked.pid()?)?;
    drop((server, inside, in_kernel, linked, gateway));
    let ready = ready_time(binary, dir)?;
    let _ = writeln!(out, "memory after load: {:.1} MiB; per idle connection: {per_connection:.1} KiB", rest / 1024.0);
    let _ = writeln!(out, "memory of an agent after load: {:.1} MiB", agent_rest / 1024.0);
    let fresh = Server::start(binary, dir)?.resident_kib()?;
    let _ = writeln!(out, "memory at rest: {:.1} MiB; ready in {ready:.1} ms (median of {STARTS})", fresh / 1024.0);
    let _ = writeln!(out, "an API write is in effect within {effect:.2} ms (median of {WRITES})");
    out.push_str(&instructions::lines(root, binary)?);
    std::io::stdout().write_all(out.as_bytes()).map_err(|e| e.to_string())
}

impl Chain {
    fn new(name: &'static str, (url, host): (&str, &str), pids: Vec<u32>) -> Self {
        Self {
            name,
            url: url.to_owned(),
            host: host.to_owned(),
            header: None,
            script: None,
            tls: None,
            pids,
            samples: Vec::new(),
        }
    }

    fn of(name: &'static str, host: &str, peers: &[Peer]) -> Self {
        let pids = peers.iter().flat_map(|peer| peer.pids()).collect();
        Self::new(name, (&format!("http://{}/hello", peers[0].address()), host), pids)
    }

    fn with(mut self, header: &str) -> Self {
        self.header = Some(header.to_owned());
        self
    }

    fn posting(mut self, script: &Path) -> Self {
        self.script = Some(script.to_owned());
        self
    }

    fn over(mut self, spoken: Spoken, port: u16) -> Self {
        self.tls = Some((spoken, port));
        self
    }

    fn load(&self) -> Result<Sample, String> {
        if let Some((spoken, port)) = self.tls {
            return self.load_over_tls(spoken, port);
        }
        let before = self.cpu_ticks()?;
        let text = shell::output(
            Command::new("taskset")
                .args(["-c", "1", "wrk", "-t1", "--latency"])
                .arg(format!("-c{CONNECTIONS}"))
                .arg(format!("-d{ROUND_S}s"))
                .args(["-H", &format!("Host: {}", self.host)])
                .args(self.header.iter().flat_map(|header| ["-H", header]))
                .args(self.script.iter().flat_map(|script| [OsStr::new("-s"), script.as_os_str()]))
                .arg(&self.url),
        )?;
        let ticks = self.cpu_ticks()? - before;
        if text.contains("Non-2xx") || text.contains("Socket errors") {
            return Err(format!("{}: not every request passed\n{text}", self.name));
        }
        let requests = requests(&text).ok_or_else(|| format!("{}: wrk said\n{text}", self.name))?;
        Ok(Sample {
            cpu_us: ticks * 1e6 / TICKS_PER_S / requests,
            per_s: requests / ROUND_S as f64,
            p50_us: percentile(&text, "50%"),
            p99_us: percentile(&text, "99%"),
        })
    }

    /// `h2load` tells no percentiles that are like wrk's, so that there are none.
    fn load_over_tls(&self, spoken: Spoken, port: u16) -> Result<Sample, String> {
        let before = self.cpu_ticks()?;
        let text = shell::output(
            Command::new("taskset")
                .args(["-c", "1", "h2load", "-t1", "-m1"])
                .arg(format!("-c{CONNECTIONS}"))
                .arg(format!("-D{ROUND_S}"))
                .arg(format!("--connect-to=127.0.0.1:{port}"))
                .args((spoken == Spoken::Http1).then_some("--h1"))
                .arg(format!("https://{}{}", self.host, self.url)),
        )?;
        let ticks = self.cpu_ticks()? - before;
        let counted = |what: &str| {
            let line = text.lines().find(|line| line.starts_with("requests:"))?;
            let count = line.split(", ").find_map(|part| part.trim().strip_suffix(what))?;
            count.trim().parse::<f64>().ok()
        };
        let requests = counted("succeeded").filter(|count| *count > 0.0 && counted("failed") == Some(0.0));
        let requests = requests.ok_or_else(|| format!("{}: h2load said\n{text}", self.name))?;
        let (per_s, none) = (requests / ROUND_S as f64, f64::NAN);
        Ok(Sample { cpu_us: ticks * 1e6 / TICKS_PER_S / requests, per_s, p50_us: none, p99_us: none })
    }

    fn cpu_ticks(&self) -> Result<f64, String> {
        self.pids.iter().map(|pid| cpu_ticks(*pid)).sum()
    }

    fn median(&self, of: fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(of).collect())
    }
}

/// Linux counts CPU time in hundredths of a second.
const TICKS_PER_S: f64 = 100.0;

/// User and system time of a process, in ticks.
fn cpu_ticks(pid: u32) -> Result<f64, String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|e| e.to_string())?;
    // The second field is the name in parentheses and may hold spaces.
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<f64> = rest.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
    Ok(fields.get(11).unwrap_or(&0.0) + fields.get(12).unwrap_or(&0.0))
}

fn requests(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.contains(" requests in "))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A percentile of wrk's, in microseconds.
fn percentile(text: &str, which: &str) -> f64 {
    let line = text.lines().map(str::trim).find(|line| line.starts_with(which));
    let value = line.and_then(|line| line.split_whitespace().nth(1)).unwrap_or("0us");
    let split = value.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(value.len());
    let (number, unit) = value.split_at(split);
    let scale = match unit {
        "us" => 1.0,
        "ms" => 1e3,
        _ => 1e6,
    };
    number.parse::<f64>().unwrap_or(0.0) * scale
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn table(out: &mut String, chains: &[Chain]) {
    let _ = writeln!(out, "| chain | CPU us/req (min-max) | x nginx -> nginx | req/s | p50 us | p99 us |");
    let _ = writeln!(out, "| --- | --- | --- | --- | --- | --- |");
    for chain in chains {
        let cpu = chain.median(|s| s.cpu_us);
        let least = chain.samples.iter().map(|s| s.cpu_us).fold(f64::INFINITY, f64::min);
        let most = chain.samples.iter().map(|s| s.cpu_us).fold(0.0, f64::max);
        let _ = writeln!(
            out,
            "| {} | {cpu:.1} ({least:.1}-{most:.1}) | {:.2} | {:.0} | {:.0} | {:.0} |",
            chain.name,
            beside(chains, (chain.name, NGINX_TWICE), |ours, theirs| ours / theirs).1,
            chain.median(|s| s.per_s),
            chain.median(|s| s.p50_us),
            chain.median(|s| s.p99_us)
        );
    }
}

/// Which chains are told as a multiple of which.
const MULTIPLES: [(&str, &str); 9] = [
    (PLAIN, NGINX_TWICE),
    (LINKED, NGINX_TWICE),
    (PLAIN, "nginx, one hop"),
    ("tidegate, JWT and throttle", "haproxy, JWT and rate -> haproxy"),
    ("tidegate, HTTP/1.1 over TLS", "nginx, one hop, HTTP/1.1 over TLS"),
    ("tidegate, HTTP/2 over TLS", "nginx, one hop, HTTP/2 over TLS"),
    ("tidegate, 1,000 rules", "tidegate, 4 rules"),
    ("tidegate, a target with TLS", "nginx, one hop, a target with TLS"),
    ("tidegate, HTTP/2 over TLS to a target with HTTP/2", "nginx, one hop, HTTP/2 over TLS to a target with HTTP/2"),
];

/// What is told as so many microseconds over what.
const ADDITIONS: [(&str, &str); 6] = [
    (IN_KERNEL, PLAIN),
    (LINKED, PLAIN),
    ("tidegate, JWT and throttle", PLAIN),
    ("tidegate, REST POST checked by a model", "tidegate, REST POST of 1 KiB"),
    ("tidegate, a regular expression", PLAIN),
    ("tidegate, a sticky group", PLAIN),
];

/// What one chain costs beside another, by `of` two samples of the same round: the lower quartile, the median and the upper quartile of all rounds.
fn beside(chains: &[Chain], (ours, theirs): (&str, &str), of: fn(f64, f64) -> f64) -> (f64, f64, f64) {
    let samples = |name: &str| {
        let found = chains.iter().find(|chain| chain.name == name);
        found.into_iter().flat_map(|chain| &chain.samples).map(|sample| sample.cpu_us)
    };
    let mut values: Vec<f64> = samples(ours).zip(samples(theirs)).map(|(ours, theirs)| of(ours, theirs)).collect();
    values.sort_by(f64::total_cmp);
    let at = |quarter: usize| values.get(values.len() * quarter / 4).copied().unwrap_or(f64::NAN);
    (at(1), at(2), at(3))
}

/// What is told of two chains that were both measured.
fn comparisons(out: &mut String, chains: &[Chain]) {
    for pair @ (ours, theirs) in MULTIPLES {
        let (low, middle, high) = beside(chains, pair, |ours, theirs| ours / theirs);
        if middle.is_finite() {
            let _ = writeln!(out, "{ours}: {middle:.2} x {theirs} (half of the rounds {low:.2} to {high:.2})");
        }
    }
    for pair @ (more, less) in ADDITIONS {
        let (low, middle, high) = beside(chains, pair, |more, less| more - less);
        if middle.is_finite() {
            let _ = writeln!(out, "{more}: {middle:+.1} us over {less} (half of the rounds {low:+.1} to {high:+.1})");
        }
    }
}

/// KiB of memory for each idle keep-alive connection that has carried one request. What requests themselves leave, such as traces, is there
/// before.
fn idle_cost(server: &Server, stack: &Stack) -> Result<f64, String> {
    let target = stack.url.trim_start_matches("http://");
    let (address, path) = target.split_once('/').unwrap_or((target, ""));
    let head = format!("GET /{path} HTTP/1.1\r\nHost: {}\r\n\r\n", stack.host);
    let connect = || TcpStream::connect(address).map_err(|e| e.to_string());
    let ask = |stream: &mut TcpStream| {
        stream.write_all(head.as_bytes()).map_err(|e| e.to_string())?;
        let mut answer = [0; 4096];
        stream.read(&mut answer).map(drop).map_err(|e| e.to_string())
    };
    let mut first = connect()?;
    for _ in 0..WARMING {
        ask(&mut first)?;
    }
    let before = server.resident_kib()?;
    let mut idle = Vec::new();
    for _ in 0..IDLE_CONNECTIONS {
        let mut stream = connect()?;
        ask(&mut stream)?;
        idle.push(stream);
    }
    Ok((server.resident_kib()? - before) / IDLE_CONNECTIONS as f64)
}

fn ready_time(binary: &Path, dir: &Path) -> Result<f64, String> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let start = Instant::now();
        let server = Server::start(binary, dir)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        drop(server);
    }
    Ok(median(times))
}
