//! The commands that talk to a server: only what AWS's own CLI cannot do. They hold no state and decide nothing about AWS.

mod agents;
mod attach;
pub(crate) mod aws;
mod clock;
#[cfg(target_os = "linux")]
mod door;
mod env;
mod explain;
pub(crate) mod http;
mod keys;
mod logs;
mod netns;
mod open;
mod run;
mod status;
mod wait;

use std::future::Future;
use std::time::Duration;

use ::http::header::{CONTENT_TYPE, HeaderValue};
use ::http::{HeaderMap, Method, Uri};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;
use topology::id::{AccountId, Region};

pub(crate) use agents::{agent, agents};
pub(crate) use attach::{attach, attachment, detach, host as host_address};
pub(crate) use clock::{reset, tick};
pub(crate) use env::env;
pub(crate) use explain::explain;
pub(crate) use logs::logs;
pub(crate) use netns::{become_inside, netns};
pub(crate) use open::open;
pub(crate) use run::{become_first, become_program, end, exit_of, run, tied};
pub(crate) use status::{attachments, status};
pub(crate) use wait::wait;

use crate::cli::ServerArgs;
use crate::config::{DEVELOPMENT, duration};
use crate::exit::Exit;
use crate::output;
use crate::wishes::{AttachWish, DetachWish, ExplainWish, IssueWish, RealmWish, TickWish};
use http::{Answer, Call, ClientError};
use keys::Keys;

/// Why a command did not do what it was asked.
#[derive(Debug, Error)]
pub(crate) enum Complaint {
    /// The words cannot be right.
    #[error("{0}")]
    Usage(String),
    /// The server is not there, or does not answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server refused.
    #[error("{0}")]
    Refused(String),
    /// An AWS service refused.
    #[error("{operation}: {code}: {message}")]
    Aws {
        /// What was asked.
        operation: String,
        /// AWS's code of the refusal.
        code: String,
        /// What it says.
        message: String,
    },
    /// This machine refused.
    #[error("{0}")]
    System(String),
}

impl Complaint {
    const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Client(ClientError::Url(_)) => Exit::Usage,
            Self::Client(_) | Self::Refused(_) | Self::Aws { .. } | Self::System(_) => Exit::Failed,
        }
    }
}

/// Runs a command to its end, on one thread.
pub(crate) fn to_end(command: impl Future<Output = Result<Exit, Complaint>>) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complaint(&error.to_string());
            return Exit::Failed;
        }
    };
    let ended = runtime.block_on(command);
    runtime.shutdown_background();
    ended.unwrap_or_else(|complaint| {
        output::complaint(&complaint.to_string());
        complaint.exit()
    })
}

/// The server that a command talks to.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    base: String,
    realm: RealmWish,
    keys: Option<Keys>,
}

impl Server {
    /// Judges the words about the server.
    pub(crate) fn of(args: &ServerArgs) -> Result<Self, Complaint> {
        let base = http::url(&args.api)?;
        let (scheme, authority) = (base.scheme_str().unwrap_or_default(), base.authority());
        let authority = authority.map(|authority| authority.as_str()).unwrap_or_default();
        let account = args.account.as_deref().map(|text| parsed::<AccountId>("--account", text)).transpose()?;
        let region = args.region.as_deref().map(region_named).transpose()?;
        Ok(Self {
            base: format!("{scheme}://{authority}"),
            realm: RealmWish { account, region },
            keys: Keys::of_shell(),
        })
    }

    /// The server at this URL, with its own account and region.
    pub(crate) fn at(base: &str) -> Self {
        Self { base: base.to_owned(), realm: RealmWish::default(), keys: None }
    }

    /// Attaches an address.
    pub(crate) async fn attach(&self, wish: &AttachWish) -> Result<Answer, Complaint> {
        taken(self.post("attach", wish).await?)
    }

    /// What the server holds: only the account and region that were named, if any were.
    pub(crate) async fn status(&self) -> Result<Value, Complaint> {
        self.list("status", "realms").await
    }

    /// What the server tells at a path, and of the list in it only what is of the account and region that were named, if any were.
    async fn list(&self, path: &str, list: &str) -> Result<Value, Complaint> {
        let mut body = taken(self.get(path, HeaderMap::new()).await?)?.json();
        let account = self.realm.account.map(|account| account.to_string());
        let region = self.realm.region.as_ref().map(ToString::to_string);
        let is = |value: &Value, wanted: &Option<String>| wanted.is_none() || value.as_str() == wanted.as_deref();
        if let Some(told) = body[list].as_array_mut() {
            told.retain(|one| is(&one["account_id"], &account) && is(&one["region"], &region));
        }
        Ok(body)
    }

    /// Undoes an attachment.
    pub(crate) async fn detach(&self, wish: &DetachWish) -> Result<Answer, Complaint> {
        taken(self.post("detach", wish).await?)
    }

    /// A certificate for a name, and its key, of its development authority.
    pub(crate) async fn issue(&self, name: &str) -> Result<Value, Complaint> {
        Ok(taken(self.post("ca", &IssueWish { names: vec![name.to_owned()] }).await?)?.json())
    }

    /// The certificate of its development authority.
    pub(crate) async fn authority(&self) -> Result<String, Complaint> {
        let answer = self.get("ca", HeaderMap::new()).await?;
        if !answer.status.is_success() {
            return Err(refused(&answer));
        }
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// What the server tells of a request.
    pub(crate) async fn explained(&self, id: &str, headers: HeaderMap) -> Result<Answer, Complaint> {
        taken(self.get(&format!("explain/{id}"), headers).await?)
    }

    /// What the server tells of a request that it carries out now.
    pub(crate) async fn ask(&self, wish: &ExplainWish) -> Result<Answer, Complaint> {
        taken(self.post("explain", wish).await?)
    }

    /// Moves its clock on by so many seconds.
    pub(crate) async fn ticked(&self, seconds: i64) -> Result<Answer, Complaint> {
        taken(self.post("tick", &TickWish { seconds }).await?)
    }

    /// Forgets everything that it holds.
    pub(crate) async fn forget(&self) -> Result<Answer, Complaint> {
        taken(self.post("reset", &serde_json::json!({})).await?)
    }

    /// The server's URL, without a path.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Whose resources are meant.
    pub(crate) fn realm(&self) -> &RealmWish {
        &self.realm
    }

    fn url(&self, path: &str) -> Result<Uri, ClientError> {
        http::url(&format!("{}/_tidegate/{path}", self.base))
    }

    async fn get(&self, path: &str, headers: HeaderMap) -> Result<Answer, Complaint> {
        let call = Call { method: Method::GET, url: self.url(path)?, headers, body: Bytes::new() };
        Ok(http::send(self.signed(call)).await?)
    }

    /// Whether the server believes any credentials; `None` where no server answers.
    pub(crate) async fn is_development(&self) -> Option<bool> {
        let call =
            Call { method: Method::GET, url: self.url("health").ok()?, headers: HeaderMap::new(), body: Bytes::new() };
        let health = http::send(call).await.ok()?.json();
        Some(health["mode"].as_str()? == DEVELOPMENT)
    }

    /// The call as the shell's keys sign it. A server in development mode learns from it whose account and region are meant.
    fn signed(&self, call: Call) -> Call {
        match &self.keys {
            Some(keys) => keys.signed(call),
            None => call,
        }
    }

    fn posting(&self, path: &str, wish: &impl Serialize) -> Result<Call, Complaint> {
        let body = serde_json::to_vec(wish).map_err(|error| Complaint::System(error.to_string()))?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(self.signed(Call { method: Method::POST, url: self.url(path)?, headers, body: body.into() }))
    }

    async fn post(&self, path: &str, wish: &impl Serialize) -> Result<Answer, Complaint> {
        Ok(http::send(self.posting(path, wish)?).await?)
    }
}

fn region_named(text: &str) -> Result<Region, Complaint> {
    Region::named(text).map_err(|_| Complaint::Usage(format!("--region {text}: is no region name such as us-east-1")))
}

/// A word of the command line that is a time.
pub(crate) fn span(name: &str, text: &str) -> Result<Duration, Complaint> {
    duration(text).ok_or_else(|| Complaint::Usage(format!("{name} {text}: is no duration such as 90s or 2m")))
}

/// A word of the command line as what it must be.
fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str, text: &str) -> Result<T, Complaint> {
    text.parse().map_err(|error| Complaint::Usage(format!("{name} {text}: {error}")))
}

/// An answer that is no refusal.
fn taken(answer: Answer) -> Result<Answer, Complaint> {
    if answer.status.is_success() { Ok(answer) } else { Err(refused(&answer)) }
}

/// What the server says when it refuses; an ambiguity is the words' fault.
fn refused(answer: &Answer) -> Complaint {
    let body = answer.json();
    let message = body["message"].as_str().map_or_else(
        || format!("the server answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body).trim()),
        str::to_owned,
    );
    match body["code"].as_str() {
        Some("AMBIGUOUS" | "MALFORMED") => Complaint::Usage(message),
        _ => Complaint::Refused(message),
    }
}
