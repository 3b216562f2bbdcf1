//! What the whole chain costs beside nginx -> nginx and HAProxy -> HAProxy, and with a JWT and a rate limit beside HAProxy's
//! same job, and over TLS beside one nginx: CPU time per request, requests per second,
//! latencies; and what the program costs by itself: ready time, memory, the time of a write to its effect.
//!
//! All chains run at once and are loaded in turn, round by round, so that a noisy machine is noisy for all. Proxies share
//! core 0, load and backend core 1. Needs Linux, `taskset`, `wrk`, `h2load`, `nginx`, `haproxy`, `openssl` and `valgrind`;
//! CI does not run it.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::bench_stack::{self, Guard, Server, Stack};
use crate::{Outcome, codegen, conformance, instructions, shell};

/// Rounds, and how long each chain is loaded in each.
const ROUNDS: usize = 7;
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

/// Runs everything and prints the tables.
pub(crate) fn run() -> Outcome {
    for tool in ["taskset", "wrk", "h2load", "nginx", "haproxy", "openssl", "valgrind"] {
        if !shell::on_path(tool) {
            let packages = "util-linux, wrk, nghttp2-client, nginx, haproxy, openssl, valgrind";
            return Err(format!("bench needs {tool} (Debian: {packages})"));
        }
    }
    let root = codegen::root();
    let binary = binary(&root)?;
    let python = conformance::python(&root)?;
    bench_stack::in_scratch("bench", |dir| measure(&root, &binary, &python, dir))
}

/// The program that is measured: `TIDEGATE_BIN`, or what is released.
fn binary(root: &Path) -> Result<PathBuf, String> {
    if let Some(given) = std::env::var_os("TIDEGATE_BIN") {
        return Ok(PathBuf::from(given));
    }
    shell::run(shell::cargo().args(["build", "--profile", "dist", "--package", "tidegate"]).current_dir(root))?;
    Ok(conformance::target(root).join("dist/tidegate"))
}

fn measure(root: &Path, binary: &Path, python: &Path, dir: &Path) -> Outcome {
    let mut out = String::new();
    let backend = Peer::nginx_backend(dir)?;
    let server = Server::start(binary, dir)?;
    let stack = bench_stack::build(root, (binary, python), &server, (&backend.address(), dir))?;
    let nginx = Peer::pair("nginx", dir, &backend.address())?;
    let haproxy = Peer::pair("haproxy", dir, &backend.address())?;
    let guard = Guard::start(root, python, &server, dir)?;
    let guarded = Peer::guarded_pair(dir, &backend.address(), &guard)?;
    let posted = bench_stack::rest(root, python, &server, dir)?;
    let single = Peer::single(dir, &backend.address(), None)?;
    let with_tls = Peer::single(dir, &backend.address(), Some(&certificate(dir)?))?;
    let secure = server.url("public_tls").trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok());
    let secure: u16 = secure.ok_or("the server has no port for TLS")?;
    let over = |spoken, name, (port, pids): (u16, Vec<u32>)| {
        Chain::new(name, ("/hello", &stack.host), pids).over(spoken, port)
    };
    let bearer = format!("Authorization: Bearer {}", guard.told("token"));
    let mut chains = vec![
        Chain::new("tidegate", (&stack.url, &stack.host), vec![server.pid()]),
        Chain::of("nginx -> nginx", &stack.host, &nginx),
        Chain::of("haproxy -> haproxy", &stack.host, &haproxy),
        Chain::new(
            "tidegate, JWT and throttle",
            (&stack.url.replace("/hello", "/guarded"), &stack.host),
            vec![server.pid()],
        )
        .with(&bearer),
        Chain::of("haproxy, JWT and rate -> haproxy", &stack.host, &guarded).with(&bearer),
        Chain::new("tidegate, REST POST of 1 KiB", (&posted.url("plain"), &posted.host), vec![server.pid()])
            .posting(&posted.script),
        Chain::new(
            "tidegate, REST POST checked by a model",
            (&posted.url("checked"), &posted.host),
            vec![server.pid()],
        )
        .posting(&posted.script),
        Chain::of("nginx, one hop", &stack.host, std::slice::from_ref(&single)),
        over(Spoken::Http1, "tidegate, HTTP/1.1 over TLS", (secure, vec![server.pid()])),
        over(Spoken::Http1, "nginx, one hop, HTTP/1.1 over TLS", (with_tls.port, with_tls.pids())),
        over(Spoken::Http2, "tidegate, HTTP/2 over TLS", (secure, vec![server.pid()])),
        over(Spoken::Http2, "nginx, one hop, HTTP/2 over TLS", (with_tls.port, with_tls.pids())),
    ];
    // Before there is memory that a load gave back.
    let per_connection = idle_cost(&server, &stack)?;
    for round in 0..=ROUNDS {
        for chain in &mut chains {
            let sample = chain.load()?;
            // The first round warms up.
            if round > 0 {
                chain.samples.push(sample);
            }
        }
    }
    table(&mut out, &chains);
    guarded_lines(&mut out, &chains);
    let rest = server.resident_kib()?;
    let effect = bench_stack::time_to_effect(&server, &stack, WRITES)?;
    drop(server);
    let ready = ready_time(binary, dir)?;
    let _ = writeln!(out, "memory after load: {:.1} MiB; per idle connection: {per_connection:.1} KiB", rest / 1024.0);
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
    let reference = chains.get(1).map_or(f64::NAN, |chain| chain.median(|s| s.cpu_us));
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
            cpu / reference,
            chain.median(|s| s.per_s),
            chain.median(|s| s.p50_us),
            chain.median(|s| s.p99_us)
        );
    }
}

/// What a JWT and a rate limit cost, and beside HAProxy's same job; and what a model costs.
fn guarded_lines(out: &mut String, chains: &[Chain]) {
    let [plain, _, _, guarded, peer, posted, checked, single, rest @ ..] = chains else { return };
    let cpu = |chain: &Chain| chain.median(|s| s.cpu_us);
    let _ = writeln!(
        out,
        "JWT and throttle: {:+.1} us over the chain without; {:.2} x HAProxy's same job",
        cpu(guarded) - cpu(plain),
        cpu(guarded) / cpu(peer)
    );
    let _ = writeln!(out, "a model: {:+.1} us over a REST POST of 1 KiB without", cpu(checked) - cpu(posted));
    let _ = writeln!(out, "the chain: {:.2} x one nginx", cpu(plain) / cpu(single));
    for pair in rest.chunks_exact(2) {
        if let [ours, theirs] = pair {
            let _ = writeln!(out, "{}: {:.2} x {}", ours.name, cpu(ours) / cpu(theirs), theirs.name);
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

/// nginx or HAProxy, ended by its process id when dropped.
struct Peer {
    port: u16,
    child: Child,
}

impl Peer {
    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The process and its workers.
    fn pids(&self) -> Vec<u32> {
        let pid = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        std::iter::once(pid).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect()
    }

    /// Answers everything with 1 KiB.
    fn nginx_backend(dir: &Path) -> Result<Self, String> {
        let body = "x".repeat(1024);
        Self::nginx(dir, ("backend", "1"), &format!("location / {{ return 200 '{body}'; }}"))
    }

    /// A front that forwards to a second one that forwards to the backend.
    fn pair(kind: &str, dir: &Path, backend: &str) -> Result<[Self; 2], String> {
        let start = |name: &str, to: &str| match kind {
            "nginx" => Self::nginx(dir, (name, "0"), &Self::forwarding(to)),
            _ => Self::haproxy(dir, name, (to, "")),
        };
        let back = start(&format!("{kind}-back"), backend)?;
        let front = start(&format!("{kind}-front"), &back.address())?;
        Ok([front, back])
    }

    /// One nginx in front of the backend, with this certificate and key where clients speak TLS.
    fn single(dir: &Path, backend: &str, certificate: Option<&(PathBuf, PathBuf)>) -> Result<Self, String> {
        let (name, listen) = match certificate {
            None => ("nginx-single", String::new()),
            Some((certificate, key)) => {
                let (certificate, key) = (certificate.display(), key.display());
                ("nginx-tls", format!("ssl_certificate {certificate}; ssl_certificate_key {key};"))
            }
        };
        Self::nginx_on(
            dir,
            (name, "0"),
            certificate.map_or("", |_| "ssl http2"),
            &(listen + &Self::forwarding(backend)),
        )
    }

    fn forwarding(to: &str) -> String {
        format!(
            "location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ''; \
             proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; \
             proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k; proxy_max_temp_file_size 0; }}\n}}\n\
             upstream up {{ server {to}; keepalive 128;"
        )
    }

    /// HAProxy that verifies tokens and counts requests, in front of one that does not.
    fn guarded_pair(dir: &Path, backend: &str, guard: &Guard) -> Result<[Self; 2], String> {
        let back = Self::haproxy(dir, "haproxy-guarded-back", (backend, ""))?;
        let rules = format!(
            "  stick-table type integer size 1k expire 10s store http_req_rate(1s)\n\
             \x20 http-request track-sc0 int(1)\n\
             \x20 http-request deny deny_status 429 if {{ sc0_http_req_rate gt 1000000 }}\n\
             \x20 http-request set-var(txn.alg) http_auth_bearer,jwt_header_query('$.alg')\n\
             \x20 http-request set-var(txn.iss) http_auth_bearer,jwt_payload_query('$.iss')\n\
             \x20 http-request set-var(txn.aud) http_auth_bearer,jwt_payload_query('$.aud')\n\
             \x20 http-request set-var(txn.exp) http_auth_bearer,jwt_payload_query('$.exp','int')\n\
             \x20 http-request set-var(txn.scope) http_auth_bearer,jwt_payload_query('$.scope')\n\
             \x20 http-request set-var(txn.now) date()\n\
             \x20 http-request deny deny_status 401 unless {{ var(txn.alg) -m str RS256 }}\n\
             \x20 http-request deny deny_status 401 unless {{ var(txn.iss) -m str {issuer} }}\n\
             \x20 http-request deny deny_status 401 unless {{ var(txn.aud) -m str {audience} }}\n\
             \x20 http-request deny deny_status 401 unless {{ http_auth_bearer,jwt_verify(txn.alg,\"{pem}\") -m int 1 }}\n\
             \x20 http-request deny deny_status 401 if {{ var(txn.exp),sub(txn.now) -m int lt 0 }}\n\
             \x20 http-request deny deny_status 403 unless {{ var(txn.scope) -m sub {scope} }}\n",
            issuer = guard.told("issuer"),
            audience = guard.told("audience"),
            scope = guard.told("scope"),
            pem = guard.pem.display(),
        );
        let front = Self::haproxy(dir, "haproxy-guarded-front", (&back.address(), &rules))?;
        Ok([front, back])
    }

    fn nginx(dir: &Path, named: (&str, &str), body: &str) -> Result<Self, String> {
        Self::nginx_on(dir, named, "", body)
    }

    fn nginx_on(dir: &Path, (name, core): (&str, &str), how: &str, body: &str) -> Result<Self, String> {
        let port = free_port()?;
        let home = dir.join(name);
        std::fs::create_dir_all(&home).map_err(|e| e.to_string())?;
        let file = home.join("nginx.conf");
        let text = format!(
            "worker_processes 1;\ndaemon off;\npid {home}/pid;\nerror_log {home}/error.log;\nevents {{ worker_connections 4096; }}\n\
             http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; \
             fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;\n\
             server {{ listen 127.0.0.1:{port} {how} backlog=1024; {body} }}\n}}\n",
            home = home.display()
        );
        std::fs::write(&file, text).map_err(|e| e.to_string())?;
        let peer = Self::spawn(port, Command::new("taskset").args(["-c", core, "nginx", "-c"]).arg(&file))?;
        // It listens before there is a worker, whose time is what counts.
        let start = Instant::now();
        while peer.pids().len() < 2 {
            if start.elapsed() > Duration::from_secs(10) {
                return Err(format!("{name} has no worker"));
            }
            std::thread::yield_now();
        }
        Ok(peer)
    }

    fn haproxy(dir: &Path, name: &str, (to, rules): (&str, &str)) -> Result<Self, String> {
        let port = free_port()?;
        let file = dir.join(format!("{name}.cfg"));
        let text = format!(
            "global\n  nbthread 1\n  maxconn 4096\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
             \x20 option forwardfor\n  http-reuse always\nfrontend f\n  bind 127.0.0.1:{port}\n{rules}  default_backend b\n\
             backend b\n  server s {to} pool-max-conn 256\n"
        );
        std::fs::write(&file, text).map_err(|e| e.to_string())?;
        Self::spawn(port, Command::new("taskset").args(["-c", "0", "haproxy", "-f"]).arg(&file))
    }

    fn spawn(port: u16, command: &mut Command) -> Result<Self, String> {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(|e| e.to_string())?;
        let peer = Self { port, child };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if start.elapsed() > Duration::from_secs(10) {
                return Err(format!("{command:?} does not listen"));
            }
            std::thread::yield_now();
        }
        Ok(peer)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // nginx's master ends its workers on SIGTERM, but would leave them on SIGKILL.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// A certificate for nginx, of the same kind of key as the development authority's.
fn certificate(dir: &Path) -> Result<(PathBuf, PathBuf), String> {
    let (certificate, key) = (dir.join("nginx.crt"), dir.join("nginx.key"));
    shell::run(
        Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=bench", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .stderr(Stdio::null()),
    )?;
    Ok((certificate, key))
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|e| e.to_string())
}
