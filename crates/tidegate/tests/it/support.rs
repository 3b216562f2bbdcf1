//! A real server on free ports, raw requests, and the commands as a shell runs them. Nothing here sleeps: readiness is a
//! line on standard output, an end is the end of a pipe.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The binary, without the settings and the keys of whoever runs the tests.
pub(crate) fn tidegate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    for (name, _) in std::env::vars_os() {
        if ["TIDEGATE_", "AWS_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    // Whatever machine this is.
    command.env("TIDEGATE_FABRIC", "proxy");
    command
}

/// The binary, by a shell that does this first, in a mount namespace of its own.
pub(crate) fn after(words: &str) -> Command {
    let mut command = Command::new("unshare");
    let script = format!("{words} && exec \"$@\"");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_tidegate")]);
    command
}

/// A running server.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) ready: Value,
    pub(crate) log: PathBuf,
    _scratch: TempDir,
}

impl Server {
    /// In memory, with further flags.
    pub(crate) fn ephemeral(flags: &[&str]) -> Self {
        Self::start(&[&["--ephemeral"], flags].concat(), "")
    }

    /// In a data directory.
    pub(crate) fn durable(directory: &Path) -> Self {
        Self::start(&["--data-dir", directory.to_str().unwrap()], "")
    }

    /// With a configuration file.
    pub(crate) fn configured(file: &str) -> Self {
        Self::start(&["--ephemeral"], file)
    }

    /// As a shell starts it after these words: what they set is in force for it.
    pub(crate) fn started_after(words: &str, flags: &[&str]) -> Self {
        Self::spawn(after(words), flags, "")
    }

    fn start(flags: &[&str], file: &str) -> Self {
        Self::spawn(tidegate(), flags, file)
    }

    pub(crate) fn spawn(mut command: Command, flags: &[&str], file: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let (log, config) = (scratch.path().join("log"), scratch.path().join("tidegate.toml"));
        std::fs::write(&config, file).unwrap();
        let mut child = command
            .args(["up", "--output", "json", "--api", "127.0.0.1:0", "--public", "127.0.0.1:0", "--config"])
            .arg(&config)
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let line = first_line(child.stdout.take().unwrap()).0;
        let ready = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error}: {line:?}\n{}", std::fs::read_to_string(&log).unwrap()));
        Self { child, ready, log, _scratch: scratch }
    }

    pub(crate) fn api(&self) -> &str {
        self.ready["api"].as_str().unwrap()
    }

    pub(crate) fn authority(&self) -> &str {
        self.api().strip_prefix("http://").unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "")
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        send(self.authority(), method, path, headers, body)
    }

    /// A query call, signed as development mode wants it.
    pub(crate) fn form(&self, service: &str, key: &str, body: &str) -> Reply {
        let signed = signature(service, key);
        let headers = [
            ("authorization", signed.as_str()),
            ("x-amz-date", "20260101T000000Z"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        self.send("POST", "/", &headers, body)
    }

    pub(crate) fn ec2(&self, body: &str) -> Reply {
        self.form("ec2", "test", &format!("Version=2016-11-15&Action={body}"))
    }

    pub(crate) fn elb(&self, body: &str) -> Reply {
        self.form("elasticloadbalancing", "test", &format!("Version=2015-12-01&Action={body}"))
    }

    /// A command of the binary, told where the server is.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = tidegate();
        command.args(words).env("TIDEGATE_API", self.api());
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// As `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A signal by name, by the system's own command.
pub(crate) fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap().success());
}

/// The first line, and the rest that is still to come.
pub(crate) fn first_line(out: ChildStdout) -> (String, BufReader<ChildStdout>) {
    let mut reader = BufReader::new(out);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    (line, reader)
}

pub(crate) fn signature(service: &str, key: &str) -> String {
    let scope = format!("{key}/20260101/us-east-1/{service}/aws4_request");
    format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=0")
}

/// An answer, cut into its parts.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The text of the first element of this name.
    pub(crate) fn element(&self, name: &str) -> &str {
        let text =
            || self.body.split_once(&format!("<{name}>"))?.1.split_once(&format!("</{name}>")).map(|pair| pair.0);
        text().unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.status, 200, "{self:?}");
        self
    }
}

/// One request on a connection of its own.
pub(crate) fn send(authority: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.push_str(&format!("host: {authority}\r\n"));
    }
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    // A server that refuses a body early may close before it is all sent.
    let _ = stream.write_all(body.as_bytes());
    let mut answer = Vec::new();
    // The same server may cut the connection after its answer.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

/// Asks until it is so; each question is a request or a system call, so nothing spins for long.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "it took too long until {what}");
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
