//! A server within a process of somebody else's: for tests in Rust. Its threads are its own, and it is met as any other: over its ports.

use std::future::Future;
use std::io;
use std::thread::JoinHandle;

use clap::Parser;
use http::HeaderMap;
use serde_json::Value;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::cli::{Cli, Command};
use crate::client::{self, Complaint, attachment};
use crate::config::{self, Config, Fabric};
use crate::serve::{self, Chosen, Ends, StartError};

/// Words of `tidegate up` that an embedded server is started with, unless its caller says another.
const WORDS: [(&str, &str); 4] =
    [("--api", "127.0.0.1:0"), ("--public", "127.0.0.1:0"), ("--public-tls", "127.0.0.1:0"), ("--fabric", "proxy")];

/// Why there is no server, or why it did not do what it was asked; one sentence for the person who reads a test's output.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct NoServer(String);

impl From<Complaint> for NoServer {
    fn from(complaint: Complaint) -> Self {
        Self(complaint.to_string())
    }
}

impl From<StartError> for NoServer {
    fn from(error: StartError) -> Self {
        Self(error.to_string())
    }
}

impl From<io::Error> for NoServer {
    fn from(error: io::Error) -> Self {
        Self(format!("the system gives no thread: {error}"))
    }
}

/// A server of this process: in memory, on free ports of 127.0.0.1, by the proxy engine. It ends when it is dropped.
///
/// Its methods wait for an answer, on the thread that calls them, and may be called from within a runtime too. Any number of servers stand beside one another.
///
/// ```
/// use tidegate::Server;
///
/// # fn main() -> Result<(), tidegate::NoServer> {
/// let server = Server::start()?;
/// // AWS's SDKs meet it by these; so do Terraform, the AWS CLI and every program that a test starts.
/// let endpoint = &server.env()[0];
/// assert_eq!((endpoint.0, endpoint.1.as_str()), ("AWS_ENDPOINT_URL", server.api()));
/// // A private address is served by a program of this machine, until the server ends.
/// let attached = server.attach("172.31.0.10:8080", "127.0.0.1:9000", None, &[])?;
/// assert_eq!(attached["private_ip"], "172.31.0.10");
/// server.reset()
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    api: String,
    ends: Ends,
    client: client::Server,
    account: String,
    region: String,
    runtime: Handle,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts one.
    ///
    /// # Errors
    /// A port, a thread or randomness that this machine does not give.
    pub fn start() -> Result<Self, NoServer> {
        Self::with(&[])
    }

    /// Starts one with further words of `tidegate up`, such as `["--timeouts-blocked-connect", "300ms"]`. The environment and configuration files play no part.
    ///
    /// # Errors
    /// Words that `tidegate up` does not take; those of the kernel's fabric, which needs a process of its own; what this machine does not give.
    pub fn with(words: &[&str]) -> Result<Self, NoServer> {
        let config = configuration(words)?;
        let (account, region) = (config.account.to_string(), config.region.to_string());
        let (told, begun) = std::sync::mpsc::channel();
        let (end, ended) = oneshot::channel();
        let thread = std::thread::Builder::new().name("tidegate".to_owned()).spawn(move || {
            let begun = begin(config);
            match begun {
                Err(error) => drop(told.send(Err(error))),
                Ok((runtime, running)) => {
                    let _ = told.send(Ok((runtime.handle().clone(), running.ends())));
                    // Told to, or left alone.
                    let _ = runtime.block_on(ended);
                    runtime.block_on(running.stop());
                    runtime.shutdown_background();
                }
            }
        })?;
        let gone = |_| NoServer("the server's thread ended before it served".to_owned());
        let (runtime, ends) = begun.recv().map_err(gone)??;
        let api = ends.api_url();
        let client = client::Server::at(&api);
        Ok(Self { api, ends, client, account, region, runtime, end: Some(end), thread: Some(thread) })
    }

    /// The URL of AWS's APIs, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn api(&self) -> &str {
        &self.api
    }

    /// The URL of the public listener; `None` with `--public none`.
    #[must_use]
    pub fn public(&self) -> Option<String> {
        self.ends.public_url()
    }

    /// The URL of the public listener with TLS; `None` with `--public-tls none`.
    #[must_use]
    pub fn public_tls(&self) -> Option<String> {
        self.ends.public_tls_url()
    }

    /// Where a stage of an API answers; the path begins with `/`. The stage is `$default` of most HTTP APIs, and has a name in every REST API.
    #[must_use]
    pub fn url(&self, api: &str, stage: &str, path: &str) -> String {
        let stage = if stage == "$default" { String::new() } else { format!("/{stage}") };
        format!("{}/_aws/execute-api/{api}{stage}{path}", self.api)
    }

    /// Variables by which AWS's SDKs and tools meet this server, by name: the endpoint, the region and credentials.
    #[must_use]
    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.api.clone()),
            ("TIDEGATE_API", self.api.clone()),
            ("AWS_REGION", self.region.clone()),
            ("AWS_DEFAULT_REGION", self.region.clone()),
            ("AWS_ACCESS_KEY_ID", self.account.clone()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ]
    }

    /// Lets a program of this machine serve a private address, as `tidegate attach` does: `ADDRESS:PORT` of a subnet and `HOST:PORT`. The VPC is needed where
    /// several hold the address; without groups it has the default group of its VPC. What became of it: `interface`, `private_ip`, `port`, `vpc`, `subnet`, `host`.
    ///
    /// # Errors
    /// What `tidegate attach` says.
    pub fn attach(&self, private: &str, host: &str, vpc: Option<&str>, groups: &[&str]) -> Result<Value, NoServer> {
        let (client, private, host) = (self.client.clone(), private.to_owned(), host.to_owned());
        let vpc = vpc.map(str::to_owned);
        let groups: Vec<String> = groups.iter().map(|&group| group.to_owned()).collect();
        self.waited(async move {
            let wish = attachment(&client, (&private, &host), vpc.as_deref(), &groups).await?;
            Ok(client.attach(&wish).await?.json())
        })
    }

    /// Which hop of a request decided, by which rule, and what would let it through: the object of `tidegate explain --output json`. The id is an answer's
    /// `apigw-requestid`, `x-amzn-requestid` or `x-amz-apigw-id`.
    ///
    /// # Errors
    /// An id that this server does not know.
    pub fn explain(&self, request_id: &str) -> Result<Value, NoServer> {
        let (client, id) = (self.client.clone(), request_id.to_owned());
        self.waited(async move { Ok(client.explained(&id, HeaderMap::new()).await?.json()) })
    }

    /// Forgets everything, and keeps the ports.
    ///
    /// # Errors
    /// A server that does not answer.
    pub fn reset(&self) -> Result<(), NoServer> {
        let client = self.client.clone();
        self.waited(async move { client.forget().await.map(|_| Value::Null) }).map(|_| ())
    }

    /// Moves its clock on, and does what is due then.
    ///
    /// # Errors
    /// More than a year at once.
    pub fn tick(&self, seconds: u32) -> Result<(), NoServer> {
        let client = self.client.clone();
        self.waited(async move { client.ticked(i64::from(seconds)).await.map(|_| Value::Null) }).map(|_| ())
    }

    /// On the server's own threads, so that it may be waited for within another runtime.
    fn waited(
        &self,
        asked: impl Future<Output = Result<Value, Complaint>> + Send + 'static,
    ) -> Result<Value, NoServer> {
        let (told, answer) = std::sync::mpsc::channel();
        self.runtime.spawn(async move {
            // Whoever asked waits for it.
            let _ = told.send(asked.await);
        });
        let gone = |_| NoServer("the server has ended".to_owned());
        Ok(answer.recv().map_err(gone)??)
    }
}

impl Drop for Server {
    /// Lets requests under way end, as `tidegate down` does.
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            let _ = end.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn configuration(words: &[&str]) -> Result<Config, NoServer> {
    let is_said = |name: &str| words.iter().any(|word| word.split('=').next() == Some(name));
    let mut all = vec!["tidegate", "up"];
    all.extend(WORDS.iter().filter(|(name, _)| !is_said(name)).flat_map(|&(name, value)| [name, value]));
    if !is_said("--data-dir") && !is_said("--ephemeral") {
        all.push("--ephemeral");
    }
    all.extend(words);
    let parsed = Cli::try_parse_from(all).map_err(|error| NoServer(error.to_string()))?;
    let Command::Up(args) = parsed.command else {
        return Err(NoServer("these are no words of tidegate up".to_owned()));
    };
    let problems =
        |found: Vec<config::Problem>| NoServer(found.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
    let config = config::load(&args, [], None).map_err(problems)?;
    if config.fabric != Fabric::Proxy {
        return Err(NoServer("the kernel's fabric needs a process of its own: tidegate up --fabric kernel".to_owned()));
    }
    Ok(config)
}

fn begin(config: Config) -> Result<(tokio::runtime::Runtime, serve::Running), NoServer> {
    let runtime = serve::runtime()?;
    let running = runtime.block_on(serve::start(config, Chosen::by_wish(plane::Engine::Proxy)))?;
    Ok((runtime, running))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_that_are_none_and_the_kernel_s_are_refused_in_a_sentence() {
        for (words, wanted) in [
            (&["--no-such-word"][..], "--no-such-word"),
            (&["--region", "nowhere land"], "region"),
            (&["--fabric", "kernel"], "needs a process of its own"),
            (&["--fabric=auto"], "needs a process of its own"),
        ] {
            let refused = Server::with(words).unwrap_err().to_string();
            assert!(refused.contains(wanted), "{words:?}: {refused}");
        }
    }

    #[test]
    fn two_servers_stand_beside_one_another_and_end_when_they_are_dropped() {
        let (one, other) = (Server::start().unwrap(), Server::with(&["--region", "eu-west-1"]).unwrap());
        assert_ne!(one.api(), other.api());
        assert!(one.public().is_some() && one.public_tls().is_some());
        assert!(other.env().contains(&("AWS_REGION", "eu-west-1".to_owned())));
        let attached = one.attach("172.31.0.10:8080", "127.0.0.1:9", None, &[]).unwrap();
        assert_eq!((&attached["private_ip"], &attached["port"]), (&json!("172.31.0.10"), &json!(8080)));
        assert!(one.attach("10.9.9.9:8080", "127.0.0.1:9", None, &[]).unwrap_err().to_string().contains("10.9.9.9"));
        assert!(one.explain("no-id").is_err());
        one.tick(60).unwrap();
        one.reset().unwrap();
        let place = one.api().trim_start_matches("http://").to_owned();
        std::net::TcpStream::connect(&place).unwrap();
        drop(one);
        assert!(std::net::TcpStream::connect(&place).is_err());
    }

    #[tokio::test]
    async fn it_may_be_asked_within_a_runtime() {
        let server = Server::start().unwrap();
        assert!(server.url("a1", "$default", "/x").ends_with("/_aws/execute-api/a1/x"));
        assert!(server.url("a1", "dev", "/x").ends_with("/_aws/execute-api/a1/dev/x"));
        server.reset().unwrap();
    }
}
