//! `tidegate publish -f FILE`: a file says all that is to be published. What has to be done for it is shown, and done once that is confirmed: all
//! of it, or nothing. Services are judged one by one by the same rules as those of the command line.

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};
use topology::id::HostName;

use super::calls::Calls;
use super::carry::{self, Done};
use super::public::{self, Kind};
use super::wish::{self, Wish};
use super::{private, remove};
use crate::cli::{Form, PublishArgs};
use crate::client::aws::Aws;
use crate::client::{Complaint, Server, host_address};
use crate::exit::Exit;
use crate::output;

/// Bytes of a file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Services of a file: each has a VPC and a load balancer of its own.
const SERVICES_MAX: usize = 200;

/// What a file holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    services: Vec<Service>,
}

/// A service, in the words of the command line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Service {
    host: String,
    to: String,
    path: Option<String>,
    jwt_issuer: Option<String>,
    #[serde(default)]
    audience: Several,
    #[serde(default)]
    scope: Several,
    rate: Option<f64>,
    burst: Option<u32>,
    #[serde(default)]
    api_key: bool,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    #[serde(default)]
    acme: bool,
    #[serde(default)]
    cors: Several,
    health: Option<String>,
}

/// One text, or a list of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Several {
    One(String),
    List(Vec<String>),
}

impl Default for Several {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl From<Several> for Vec<String> {
    fn from(several: Several) -> Self {
        match several {
            Several::One(text) => vec![text],
            Several::List(texts) => texts,
        }
    }
}

/// What is done for a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Create,
    Change,
    Keep,
    Remove,
}

impl Action {
    const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Keep => "keep",
            Self::Remove => "remove",
        }
    }
}

/// Shows what has to be done, and does it.
pub(super) async fn publish(args: &PublishArgs, file: &Path) -> Result<Exit, Complaint> {
    let wishes = read(file)?;
    let server = Server::of(&args.server)?;
    let plan = plan(&server, &wishes).await?;
    let is_json = args.server.output == Some(Form::Json);
    if !is_json {
        plan.iter().for_each(|(host, action)| output::line(&format!("{:<8} {host}", action.word())));
    }
    let told = |services: &[Value], is_done: bool| {
        let plan = plan.iter().map(|(host, action)| json!({ "host": host.as_str(), "action": action.word() }));
        output::json(&json!({ "plan": plan.collect::<Vec<_>>(), "applied": is_done, "services": services }));
    };
    let is_done = plan.values().all(|action| *action == Action::Keep);
    if !is_done && !args.yes && !is_confirmed()? {
        if is_json {
            told(&[], false);
        }
        return Err(Complaint::Usage("nothing was changed; --yes carries it out".to_owned()));
    }
    let wishes: Vec<Wish> = wishes.into_iter().filter(|wish| plan.get(&wish.host) != Some(&Action::Keep)).collect();
    let services = all(&server, wishes).await?;
    let mut calls = Calls::by(Aws::of(&server).await);
    for (host, _) in plan.iter().filter(|(_, action)| **action == Action::Remove) {
        remove::all(&mut calls, &server, host).await?;
    }
    if is_json {
        told(&services, true);
    } else {
        output::line("all is as the file says");
    }
    Ok(Exit::Ok)
}

fn read(file: &Path) -> Result<Vec<Wish>, Complaint> {
    let wrong = |why: String| Complaint::Usage(format!("{}: {why}", file.display()));
    let length = std::fs::metadata(file).map_err(|error| wrong(error.to_string()))?.len();
    if length > FILE_BYTES_MAX {
        return Err(wrong(format!("is longer than {FILE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let directory = file.parent().unwrap_or(Path::new("."));
    judge(&text, directory).map_err(|problems| wrong(problems.join("\ntidegate: ")))
}

/// The services of a file's text; paths in it begin at its directory.
fn judge(text: &str, directory: &Path) -> Result<Vec<Wish>, Vec<String>> {
    let document = control::ahead::document(text).map_err(|why| vec![why])?;
    let listed: Listed = serde_json::from_value(Value::Object(document)).map_err(|error| vec![error.to_string()])?;
    if listed.services.len() > SERVICES_MAX {
        return Err(vec![format!("lists more than {SERVICES_MAX} services")]);
    }
    let (mut wishes, mut problems) = (Vec::<Wish>::new(), Vec::new());
    for service in listed.services {
        let host = service.host.clone();
        match wish::judge(&words(service, directory)) {
            Ok(wish) if wishes.iter().any(|other| other.host == wish.host) => {
                problems.push(format!("{host}: is listed more than once"));
            }
            Ok(wish) => wishes.push(wish),
            Err(found) => problems.extend(found.into_iter().map(|problem| format!("{host}: {problem}"))),
        }
    }
    if problems.is_empty() { Ok(wishes) } else { Err(problems) }
}

fn words(service: Service, directory: &Path) -> PublishArgs {
    PublishArgs {
        host: Some(service.host),
        to: Some(service.to),
        path: service.path,
        jwt_issuer: service.jwt_issuer,
        audience: service.audience.into(),
        scope: service.scope.into(),
        rate: service.rate,
        burst: service.burst,
        api_key: service.api_key,
        cert: service.cert.map(|path| directory.join(path)),
        key: service.key.map(|path| directory.join(path)),
        acme: service.acme,
        cors: service.cors.into(),
        health: service.health,
        ..PublishArgs::default()
    }
}

/// What has to be done for each host, by its name.
async fn plan(server: &Server, wishes: &[Wish]) -> Result<BTreeMap<HostName, Action>, Complaint> {
    let calls = Calls::by(Aws::of(server).await);
    let standing = public::published(&calls).await?;
    let mut plan = BTreeMap::new();
    for (host, _) in &standing {
        plan.insert(host.clone(), Action::Remove);
    }
    for wish in wishes {
        let to = host_address(&wish.to).await?;
        let (whole, _) = carry::whole(wish.clone())?;
        let known = standing.iter().filter(|(host, _)| *host == wish.host);
        let is_same = known.clone().any(|(_, api)| api.kind == Kind::of(wish) && api.version == whole.version);
        let action = match (known.count(), private::vpc(&calls, &wish.host).await?) {
            (0, _) | (_, None) => Action::Create,
            (_, Some(vpc)) if is_same && private::served(server, &vpc).await? == Some(to) => Action::Keep,
            _ => Action::Change,
        };
        plan.insert(wish.host.clone(), action);
    }
    Ok(plan)
}

/// Carries out all of them; where one fails, those before it are taken back.
async fn all(server: &Server, wishes: Vec<Wish>) -> Result<Vec<Value>, Complaint> {
    let mut done: Vec<Done> = Vec::new();
    for wish in wishes {
        match carry::carry_out(server, wish).await {
            Ok(one) => done.push(one),
            Err(why) => {
                for one in done.into_iter().rev() {
                    if let Err(also) = one.revert(server).await {
                        output::complaint(&format!("not all could be taken back: {also}"));
                    }
                }
                return Err(Complaint::Refused(format!("nothing was changed: {why}")));
            }
        }
    }
    let mut told = Vec::new();
    for one in done {
        told.push(one.settle(server).await.0);
    }
    Ok(told)
}

/// Asks the person at the terminal; without one it was not confirmed.
fn is_confirmed() -> Result<bool, Complaint> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    output::complaint("Type yes to carry this out");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(|error| Complaint::System(error.to_string()))?;
    Ok(answer.trim() == "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_the_command_line_says() {
        let text = "services:\n- host: a.example.com\n  to: 127.0.0.1:1\n  audience: x\n  jwt-issuer: https://i\n  scope: [r, w]\n  rate: 5\n- {host: b.example.com, to: 'h:2', cert: c.pem, key: /k.pem}\n";
        let wishes = judge(text, Path::new("/etc")).unwrap();
        let jwt = wishes[0].jwt.clone().unwrap();
        assert_eq!(
            (jwt.audience, jwt.scopes, wishes[0].limit),
            (vec!["x".to_owned()], vec!["r".to_owned(), "w".to_owned()], Some((5.0, 5)))
        );
        assert_eq!(wishes[1].certificate, Some(("/etc/c.pem".into(), "/k.pem".into())));
    }

    #[test]
    fn a_slip_is_told_and_all_of_them_are() {
        let of = |text: &str| judge(text, Path::new(".")).unwrap_err();
        assert!(of("services:\n- host: a.example.com\n  to: x:1\n  raet: 5\n")[0].contains("raet"));
        assert!(of("services: [")[0].contains("line") || !of("services: [")[0].is_empty());
        let text = "services:\n- {host: a.example.com, to: 'x:1', rate: 0}\n- {host: '*', to: 'x:1'}\n- {host: b.example.com, to: 'x:1'}\n- {host: B.example.com, to: 'x:1'}\n";
        let problems = of(text);
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(
            problems[0].starts_with("a.example.com: --rate") && problems[2].contains("more than once"),
            "{problems:?}"
        );
    }
}
