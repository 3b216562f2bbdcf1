//! The server under the bench and the chain that is built on it, through its own AWS endpoint with the boto3 example.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::bench::median;
use crate::shell;

/// Does something with a directory of its own. What cannot be taken away afterwards is small and among temporary files; the result
/// counts.
pub(crate) fn in_scratch<T>(name: &str, work: impl FnOnce(&Path) -> Result<T, String>) -> Result<T, String> {
    let dir = std::env::temp_dir().join(format!("tidegate-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).map_err(|e| e.to_string())?;
    let outcome = work(&dir);
    let _ = std::fs::remove_dir_all(&dir);
    outcome
}

/// The certificate of the bench and its key.
pub(crate) fn certificate_in(dir: &Path) -> [PathBuf; 2] {
    ["bench.crt", "bench.key"].map(|name| dir.join(name))
}

/// Starts a program and waits for its first line, which is empty where it ends without one.
fn speaking(command: &mut Command) -> Result<(Child, String), String> {
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|e| e.to_string())?;
    let mut line = String::new();
    let stdout = child.stdout.take().ok_or("no standard output")?;
    BufReader::new(stdout).read_line(&mut line).map_err(|e| e.to_string())?;
    Ok((child, line))
}

/// A denied connection is silent for hardly any time: what builds a stack waits for none.
const BRIEF: &str = "[timeouts]\nblocked_connect = \"1ms\"\n";

/// Nobody's private networks are the kernel's, whatever this machine can do.
const PROXY: &[&str] = &["--fabric", "proxy"];

/// A running `tidegate up` with state of its own.
pub(crate) struct Server {
    child: Child,
    ready: Value,
}

impl Server {
    /// Starts it on free ports and waits until it serves.
    pub(crate) fn start(binary: &Path, dir: &Path) -> Result<Self, String> {
        Self::start_as((&[], PROXY), BRIEF, binary, dir)
    }

    /// The same, run by another program that becomes it.
    pub(crate) fn start_under(under: &[&str], binary: &Path, dir: &Path) -> Result<Self, String> {
        Self::start_as((under, PROXY), BRIEF, binary, dir)
    }

    /// The same, with private networks of the kernel.
    pub(crate) fn start_in_kernel(binary: &Path, dir: &Path) -> Result<Self, String> {
        Self::start_as((&[], &["--fabric", "kernel"]), BRIEF, binary, dir)
    }

    /// The same, with a listener for agents. A request waits for an agent's connection as long as a denied one is silent, so that this is left
    /// as it is on AWS.
    pub(crate) fn start_with_link(binary: &Path, dir: &Path) -> Result<Self, String> {
        Self::start_as((&[], &[PROXY, &["--link", "127.0.0.1:0"]].concat()), "", binary, dir)
    }

    fn start_as((under, words): (&[&str], &[&str]), settings: &str, binary: &Path, dir: &Path) -> Result<Self, String> {
        let config = dir.join("tidegate.toml");
        std::fs::write(&config, settings).map_err(|e| e.to_string())?;
        let (child, line) = speaking(
            Command::new("taskset")
                .args(["-c", "0"])
                .args(under)
                .arg(binary)
                .args(["up", "--api", "127.0.0.1:0", "--public", "127.0.0.1:0", "--public-tls", "127.0.0.1:0"])
                .args(["--ephemeral", "--strict-wire", "--output", "json", "--config"])
                .arg(&config)
                .args(words)
                .env("TOKIO_WORKER_THREADS", "1")
                .stderr(Stdio::null()),
        )?;
        let ready = serde_json::from_str(&line).map_err(|e| format!("{e} in {line:?}"))?;
        Ok(Self { child, ready })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The member of the JSON line, for example `api`.
    pub(crate) fn url(&self, name: &str) -> &str {
        self.ready.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> Result<f64, String> {
        resident_kib(self.pid())
    }
}

/// Resident memory of a process in KiB.
pub(crate) fn resident_kib(pid: u32) -> Result<f64, String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(|e| e.to_string())?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).ok_or_else(|| "no VmRSS".to_owned())
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A guarded route of the stack, and the issuer that vouches for its callers.
pub(crate) struct Guard {
    child: Child,
    told: Value,
    /// The issuer's public key.
    pub(crate) pem: std::path::PathBuf,
}

impl Guard {
    /// Guards a route; the issuer serves until this is dropped.
    pub(crate) fn start(root: &Path, python: &Path, server: &Server, dir: &Path) -> Result<Self, String> {
        let pem = dir.join("issuer.pem");
        let (child, line) = speaking(
            Command::new(python)
                .arg(root.join("xtask/bench/guard.py"))
                .arg("--state")
                .arg(dir.join("stack.json"))
                .arg("--pem")
                .arg(&pem)
                .envs(client_env(server))
                .stdin(Stdio::piped()),
        )?;
        let told = serde_json::from_str(&line).map_err(|e| format!("{e} in {line:?}"))?;
        Ok(Self { child, told, pem })
    }

    /// What it said by this name: `token`, `issuer`, `audience`, `scope`.
    pub(crate) fn told(&self, name: &str) -> &str {
        self.told.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Programs beside a server: of its private networks, or an agent of its link.
pub(crate) struct Beside {
    child: Child,
    told: Value,
}

impl Beside {
    /// Starts programs inside private networks and waits until they are healthy; they serve until this is dropped.
    pub(crate) fn inside(root: &Path, programs: (&Path, &Path), server: &Server, dir: &Path) -> Result<Self, String> {
        Self::start((root, "inside.py"), programs, server, (dir, &[]))
    }

    /// Starts an agent with the server's targets and waits until they are healthy; it carries until this is dropped.
    pub(crate) fn linked(root: &Path, programs: (&Path, &Path), server: &Server, dir: &Path) -> Result<Self, String> {
        let gateway = server.url("link").to_owned();
        Self::start((root, "linked.py"), programs, server, (dir, &["--gateway", &gateway]))
    }

    fn start(
        (root, script): (&Path, &str),
        (binary, python): (&Path, &Path),
        server: &Server,
        (dir, words): (&Path, &[&str]),
    ) -> Result<Self, String> {
        let (child, line) = speaking(
            Command::new(python)
                .arg(root.join("xtask/bench").join(script))
                .arg("--state")
                .arg(dir.join("stack.json"))
                .arg("--binary")
                .arg(binary)
                .args(words)
                .envs(client_env(server))
                .stdin(Stdio::piped()),
        )?;
        let mut beside = Self { child, told: Value::Null };
        beside.told = serde_json::from_str(&line).map_err(|_| format!("{script} did not come up"))?;
        Ok(beside)
    }

    /// The process that it told of.
    pub(crate) fn pid(&self) -> Result<u32, String> {
        let pid = self.told.get("pid").and_then(Value::as_u64).and_then(|pid| pid.try_into().ok());
        pid.ok_or_else(|| "no process was told of".to_owned())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // It ends its programs when its input ends.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// How AWS's clients find the server.
fn client_env(server: &Server) -> [(&'static str, &str); 5] {
    [
        ("AWS_ENDPOINT_URL", server.url("api")),
        ("TIDEGATE_API", server.url("api")),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ]
}

/// What was built.
pub(crate) struct Stack {
    /// Where requests go.
    pub(crate) url: String,
    /// The Host header that names the API.
    pub(crate) host: String,
    ids: Value,
}

/// Builds the example's stack with `backend` behind its targets.
pub(crate) fn build(
    root: &Path,
    (binary, python): (&Path, &Path),
    server: &Server,
    (backend, dir): (&str, &Path),
) -> Result<Stack, String> {
    let state = dir.join("stack.json");
    shell::run(
        Command::new(python)
            .arg(root.join("examples/boto3/build.py"))
            .args(["build", "--backend", backend, "--state"])
            .arg(&state)
            .envs(client_env(server))
            .env("PATH", beside(binary)),
    )?;
    let text = std::fs::read_to_string(&state).map_err(|e| e.to_string())?;
    let ids: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    let api = ids.get("api").and_then(Value::as_str).unwrap_or_default();
    let url = format!("{}/hello", server.url("public").trim_end_matches('/'));
    let host = format!("{api}.execute-api.us-east-1.amazonaws.com");
    Ok(Stack { url, host, ids })
}

/// Puts so many rules in front of the one that takes the stack's requests.
pub(crate) fn rules(root: &Path, python: &Path, server: &Server, (dir, count): (&Path, usize)) -> Result<(), String> {
    let script = root.join("xtask/bench/rules.py");
    let mut command = Command::new(python);
    command.arg(script).arg("--state").arg(dir.join("stack.json")).args(["--rules", &count.to_string()]);
    shell::run(command.envs(client_env(server)))
}

/// Puts listeners beside the stack's, each with what a request may meet, whose targets are these two backends besides the stack's own: one
/// with TLS, one that speaks HTTP/2. Each has a route by its name: `four`, `many`, `regex`, `sticky`, `https`; the
/// one of HTTP/2 has a socket. Returns the cookie of a client of the sticky group, and the port of that socket.
pub(crate) fn kinds(
    root: &Path,
    (binary, python): (&Path, &Path),
    server: &Server,
    (dir, tls, http2): (&Path, &str, &str),
) -> Result<(String, u16), String> {
    let mut command = Command::new(python);
    let [certificate, key] = certificate_in(dir);
    command
        .arg("-B")
        .arg(root.join("xtask/bench/kinds.py"))
        .arg("--certificate")
        .arg(certificate)
        .arg("--key")
        .arg(key);
    command.arg("--state").arg(dir.join("stack.json"));
    command.args(["--public", server.url("public"), "--tls", tls, "--http2", http2]);
    let text = shell::output(command.envs(client_env(server)).env("PATH", beside(binary)))?;
    let told: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    let cookie = told.get("cookie").and_then(Value::as_str).unwrap_or_default().to_owned();
    let port = told.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    Ok((cookie, port.ok_or("no socket of a listener")?))
}

/// The search path with the binary's own directory first.
fn beside(binary: &Path) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    binary.parent().map_or(path.clone(), |dir| format!("{}:{path}", dir.display()))
}

/// A REST API beside the stack, and how it is asked.
pub(crate) struct Posted {
    base: String,
    /// The Host header that names the API.
    pub(crate) host: String,
    /// What wrk runs to post.
    pub(crate) script: PathBuf,
    /// What it posts.
    pub(crate) body: String,
}

impl Posted {
    /// Where requests of one resource go.
    pub(crate) fn url(&self, part: &str) -> String {
        format!("{}/live/{part}", self.base)
    }
}

/// Builds the REST API behind the link and load balancer of the stack.
pub(crate) fn rest(root: &Path, python: &Path, server: &Server, dir: &Path) -> Result<Posted, String> {
    let script = dir.join("post.lua");
    let text = shell::output(
        Command::new(python)
            .arg(root.join("xtask/bench/validate.py"))
            .arg("--state")
            .arg(dir.join("stack.json"))
            .arg("--script")
            .arg(&script)
            .envs(client_env(server)),
    )?;
    let told: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    let api = told.get("api").and_then(Value::as_str).unwrap_or_default();
    let base = server.url("public").trim_end_matches('/').to_owned();
    let body = told.get("body").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Posted { base, host: format!("{api}.execute-api.us-east-1.amazonaws.com"), script, body })
}

/// Milliseconds from sending a write to the first request that feels it, which follows the write's answer: the ALB's ingress
/// rule is revoked and allowed again.
pub(crate) fn time_to_effect(server: &Server, stack: &Stack, writes: usize) -> Result<f64, String> {
    let id = |name: &str| stack.ids.get(name).and_then(Value::as_str).unwrap_or_default();
    let rule = format!(
        "Version=2016-11-15&GroupId={}&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=80&IpPermissions.1.ToPort=80&IpPermissions.1.Groups.1.GroupId={}",
        id("alb_sg"),
        id("link_sg")
    );
    let mut times = Vec::new();
    for at in 0..writes {
        let (action, wanted) =
            if at % 2 == 0 { ("RevokeSecurityGroupIngress", 503) } else { ("AuthorizeSecurityGroupIngress", 200) };
        let start = Instant::now();
        let status = post(server.url("api"), &format!("Action={action}&{rule}"))?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        let felt = get(stack)?;
        if (status, felt) != (200, wanted) {
            return Err(format!("{action} answered {status} and the next request {felt}"));
        }
    }
    Ok(median(times))
}

fn post(url: &str, body: &str) -> Result<u16, String> {
    let scope = "AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/ec2/aws4_request, SignedHeaders=host;x-amz-date, Signature=0000000000000000000000000000000000000000000000000000000000000000";
    let length = body.len();
    exchange(
        url,
        "POST",
        &format!(
            "Host: localhost\r\nAuthorization: {scope}\r\nX-Amz-Date: 20261122T000000Z\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\nContent-Length: {length}\r\n\r\n{body}"
        ),
    )
}

fn get(stack: &Stack) -> Result<u16, String> {
    exchange(&stack.url, "GET", &format!("Host: {}\r\n\r\n", stack.host))
}

fn exchange(url: &str, method: &str, rest: &str) -> Result<u16, String> {
    let target = url.trim_start_matches("http://");
    let (address, path) = target.split_once('/').unwrap_or((target, ""));
    let mut stream = TcpStream::connect(address).map_err(|e| e.to_string())?;
    let head = format!("{method} /{path} HTTP/1.1\r\nConnection: close\r\n{rest}");
    stream.write_all(head.as_bytes()).map_err(|e| e.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|e| e.to_string())?;
    answer.split_whitespace().nth(1).and_then(|status| status.parse().ok()).ok_or(answer)
}
