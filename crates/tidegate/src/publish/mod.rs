//! `tidegate publish`, `unpublish` and `published`: a service of somebody who needs no AWS, behind a name, a gateway, a link and a load
//! balancer. All of it is built by the server's AWS calls; there is no other way from here to what it holds. All or nothing: what fails half
//! way is taken back.

mod calls;
mod document;
mod private;
mod public;
mod remove;
mod told;
mod wish;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use topology::id::HostName;

use crate::cli::{Form, PublishArgs, ServerArgs, UnpublishArgs};
use crate::client::aws::Aws;
use crate::client::{Complaint, Server, host_address};
use crate::exit::Exit;
use crate::output;
use calls::Calls;
use private::{Private, Undo};
use public::{Api, Kind, Pem};
use told::Told;
use wish::Wish;

/// How long the service may take to accept a connection before anything is built.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
/// Bytes of a file of certificates or of a key.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// Publishes a service, or changes how it is published.
pub(crate) async fn publish(args: &PublishArgs) -> Result<Exit, Complaint> {
    let wish = wish::judge(args).map_err(|problems| Complaint::Usage(problems.join("\ntidegate: ")))?;
    let server = Server::of(&args.server)?;
    let (told, lines) = carry_out(&server, wish).await?;
    match args.server.output {
        Some(Form::Json) => output::json(&told),
        Some(Form::Table) | None => lines.iter().for_each(|line| output::line(line)),
    }
    Ok(Exit::Ok)
}

/// Builds or changes, and takes back what was done when something fails. Told for programs, and for people.
async fn carry_out(server: &Server, wish: Wish) -> Result<(Value, Vec<String>), Complaint> {
    let to = host_address(&wish.to).await?;
    answers(to).await?;
    let (wish, given) = whole(wish)?;
    let wish = &wish;
    let mut calls = Calls::by(Aws::of(server).await);
    let domain = public::domain(&calls, &wish.host).await?;
    if domain.as_ref().is_some_and(|domain| !public::is_published(domain, &wish.host)) {
        return Err(Complaint::Refused(format!("{}: that domain name is there, and was not published", wish.host)));
    }
    let pem = match (given, &domain) {
        (Some(pem), _) => Some(pem),
        (None, Some(_)) => None,
        (None, None) => Some(issued(server, &wish.host).await?),
    };
    let is_new = private::vpc(&calls, &wish.host).await?.is_none() && domain.is_none();
    let mut undo = Vec::new();
    let made = change(&mut calls, server, (wish, to, pem.as_ref()), &mut undo).await;
    match made {
        Ok((private, api, key)) => {
            let urls = urls(server, wish, &api).await?;
            let calls = calls.made().to_vec();
            let told = Told { wish, to, private: &private, api: &api, key, urls, calls };
            Ok((told.json(), told.lines()))
        }
        Err(why) => {
            let undone = match is_new {
                true => remove::all(&mut calls, server, &wish.host).await.map(drop),
                false => take_back(&mut calls, server, undo).await,
            };
            let host = &wish.host;
            Err(match undone {
                Ok(()) => Complaint::Refused(format!("{host} stays as it was: {why}")),
                Err(also) => Complaint::Refused(format!(
                    "{why}; and not all could be taken back: {also}; `tidegate unpublish {host}` takes away what is left"
                )),
            })
        }
    }
}

/// The wish with its version, and the certificate that its files hold.
fn whole(wish: Wish) -> Result<(Wish, Option<Pem>), Complaint> {
    let given = wish.certificate.as_ref().map(|(cert, key)| pem(cert, key)).transpose()?;
    let certificate = given.as_ref().map(|pem| pem.certificate.clone()).unwrap_or_default();
    Ok((wish.versioned(&certificate), given))
}

async fn change(
    calls: &mut Calls,
    server: &Server,
    (wish, to, pem): (&Wish, SocketAddr, Option<&Pem>),
    undo: &mut Vec<Undo>,
) -> Result<(Private, Api, Option<String>), Complaint> {
    let private = private::build((calls, server), (wish, to), undo).await?;
    private::ready(calls, &private, to).await?;
    let standing = public::apis(calls, &wish.host).await?;
    let same = standing.iter().find(|api| api.kind == Kind::of(wish));
    let api = public::api(calls, (wish, &private), same, undo).await?;
    let is_changed = same.is_none_or(|known| known.version != wish.version);
    public::name(calls, (wish, &api), (pem, is_changed), undo).await?;
    let key = match api.kind {
        Kind::Http => None,
        Kind::Rest => {
            let key = public::tagged(calls, "/apikeys?includeValues=true", &wish.host).await?;
            key.and_then(|key| key["value"].as_str().map(str::to_owned))
        }
    };
    // The name leads to the new API by now: what is left of the old one disturbs nobody, and the next publication takes it away.
    for old in standing.iter().filter(|old| old.id != api.id) {
        if let Err(why) = remove::beside(calls, &wish.host, old).await {
            output::complaint(&format!("the API {}, which nothing leads to any more, is still there: {why}", old.id));
        }
    }
    Ok((private, api, key))
}

async fn take_back(calls: &mut Calls, server: &Server, undo: Vec<Undo>) -> Result<(), Complaint> {
    let mut first = Ok(());
    for step in undo.into_iter().rev() {
        let done = match step {
            Undo::Call(operation, input) => calls.remove(operation, input).await,
            Undo::Attach(wish) => server.attach(&wish).await.map(drop),
        };
        // The others are taken back all the same.
        first = first.and(done);
    }
    first
}

/// Nothing is built for a service that is not there.
async fn answers(to: SocketAddr) -> Result<(), Complaint> {
    let none = |why: String| Complaint::Refused(format!("nothing answers at {to}: {why}; nothing was changed"));
    match tokio::time::timeout(ANSWERS_WITHIN, TcpStream::connect(to)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(none(error.to_string())),
        Err(_) => Err(none(format!("not within {ANSWERS_WITHIN:?}"))),
    }
}

fn pem(certificate: &Path, key: &Path) -> Result<Pem, Complaint> {
    let read = |path: &Path| {
        let wrong = |why: String| Complaint::Usage(format!("{}: {why}", path.display()));
        let length = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
        if length > PEM_BYTES_MAX {
            return Err(wrong(format!("is longer than {PEM_BYTES_MAX} bytes")));
        }
        std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))
    };
    Ok(Pem { certificate: read(certificate)?, key: read(key)? })
}

/// A certificate of the server's development authority.
async fn issued(server: &Server, host: &HostName) -> Result<Pem, Complaint> {
    if server.is_development().await == Some(false) {
        let text = "a server in gateway mode has no development authority: --cert and --key name the certificate";
        return Err(Complaint::Usage(text.to_owned()));
    }
    let issued = server.issue(host.as_str()).await?;
    let text = |name: &str| issued[name].as_str().unwrap_or_default().to_owned();
    Ok(Pem { certificate: text("certificate"), key: text("private_key") })
}

/// Where it answers: by its name, and by the API's own.
async fn urls(server: &Server, wish: &Wish, api: &Api) -> Result<Vec<String>, Complaint> {
    let told = server.status().await?;
    let path = wish.path.trim_start_matches('/');
    let mut urls = Vec::new();
    for realm in told["realms"].as_array().into_iter().flatten() {
        let list = |name: &str| realm[name].as_array().into_iter().flatten();
        let by_name = list("domains").filter(|one| one["domain_name"] == wish.host.as_str());
        urls.extend(by_name.filter_map(|one| Some(format!("{}{path}", one["url"].as_str()?))));
        for url in list("urls").filter(|url| url["api"] == api.id.as_str()) {
            urls.extend(
                ["url", "by_path"].into_iter().filter_map(|name| Some(format!("{}{path}", url[name].as_str()?))),
            );
        }
    }
    Ok(urls)
}

/// Takes all of it away.
pub(crate) async fn unpublish(args: &UnpublishArgs) -> Result<Exit, Complaint> {
    let host = wish::host(&args.host).map_err(Complaint::Usage)?;
    let server = Server::of(&args.server)?;
    let mut calls = Calls::by(Aws::of(&server).await);
    if !remove::all(&mut calls, &server, &host).await? {
        return Err(Complaint::Refused(format!("{host} is not published")));
    }
    match args.server.output {
        Some(Form::Json) => output::json(&json!({ "host": host.as_str(), "calls": calls.made() })),
        Some(Form::Table) | None => output::line(&format!("{host} is published no more, and nothing of it is left.")),
    }
    Ok(Exit::Ok)
}

/// Lists what is published.
pub(crate) async fn published(args: &ServerArgs) -> Result<Exit, Complaint> {
    let server = Server::of(args)?;
    let calls = Calls::by(Aws::of(&server).await);
    let told = server.status().await?;
    let mut found = Vec::new();
    for (host, api) in public::published(&calls).await? {
        let vpc = private::vpc(&calls, &host).await?;
        let to = match &vpc {
            Some(vpc) => private::served(&server, vpc).await?,
            None => None,
        };
        let realms = told["realms"].as_array().into_iter().flatten();
        let mut domains = realms.flat_map(|realm| realm["domains"].as_array().into_iter().flatten());
        let url = domains.find(|one| one["domain_name"] == host.as_str()).map(|one| one["url"].clone());
        found.push(json!({
            "host": host.as_str(), "to": to, "url": url, "api": api.id, "stage": api.kind.stage(),
            "guard": public::guard(&calls, &api).await?,
        }));
    }
    if args.output == Some(Form::Json) {
        output::json(&json!({ "published": found }));
        return Ok(Exit::Ok);
    }
    if found.is_empty() {
        output::complaint("nothing is published");
    }
    for one in &found {
        let text = |name: &str| one[name].as_str().unwrap_or("-").to_owned();
        output::line(&format!("{} to {}, guarded by {}: {}", text("host"), text("to"), text("guard"), text("url")));
    }
    Ok(Exit::Ok)
}
