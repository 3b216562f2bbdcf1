//! One publication is carried out: what is there is changed in place, what fails is taken back. All of it is done by the server's AWS calls and
//! by an attachment; what is built is decided by the rooms beside this one.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;
use topology::id::HostName;

use super::calls::Calls;
use super::certificate::{self, Pem, Presented};
use super::private::{self, Private, Undo};
use super::public::{self, Api, Kind};
use super::remove;
use super::told::Told;
use super::wish::Wish;
use crate::client::aws::Aws;
use crate::client::{Complaint, Server, host_address};
use crate::output;

/// How long the service may take to accept a connection before anything is built.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
/// Bytes of a file of certificates or of a key.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// What was done for a host.
#[derive(Debug)]
pub(super) struct Done {
    /// Told for programs, and for people.
    pub(super) told: (Value, Vec<String>),
    host: HostName,
    /// How it is taken back; a host that is new goes whole.
    undo: Option<Vec<Undo>>,
    left: Left,
}

/// What another took over from.
#[derive(Debug)]
struct Left {
    apis: Vec<Api>,
    certificate: Option<String>,
}

impl Done {
    /// Ends it: what another took over from goes. It disturbs nobody, and what cannot be taken away now, the next publication takes.
    pub(super) async fn settle(self, server: &Server) -> (Value, Vec<String>) {
        let mut calls = Calls::by(Aws::of(server).await);
        if let Some(old) = &self.left.certificate
            && let Err(why) = calls.remove(certificate::delete(old).0, certificate::delete(old).1).await
        {
            output::complaint(&format!(
                "the certificate {old}, which nothing presents any more, is still there: {why}"
            ));
        }
        for old in &self.left.apis {
            if let Err(why) = remove::beside(&mut calls, &self.host, old).await {
                output::complaint(&format!(
                    "the API {}, to which nothing leads any more, is still there: {why}",
                    old.id
                ));
            }
        }
        self.told
    }

    /// Takes it back.
    pub(super) async fn revert(self, server: &Server) -> Result<(), Complaint> {
        let mut calls = Calls::by(Aws::of(server).await);
        revert(&mut calls, server, (&self.host, self.undo)).await
    }
}

async fn revert(
    calls: &mut Calls,
    server: &Server,
    (host, undo): (&HostName, Option<Vec<Undo>>),
) -> Result<(), Complaint> {
    match undo {
        None => remove::all(calls, server, host).await.map(drop),
        Some(undo) => take_back(calls, server, undo).await,
    }
}

/// Builds or changes, and takes back what was done when something fails.
pub(super) async fn carry_out(server: &Server, wish: Wish) -> Result<Done, Complaint> {
    let to = host_address(&wish.to).await?;
    answers(to).await?;
    let (wish, given) = whole(wish)?;
    let wish = &wish;
    let mut calls = Calls::by(Aws::of(server).await);
    let domain = public::domain(&calls, &wish.host).await?;
    if domain.as_ref().is_some_and(|domain| !public::is_published(domain, &wish.host)) {
        return Err(Complaint::Refused(format!("{}: that domain name is there, and was not published", wish.host)));
    }
    if wish.acme {
        certificate::askable(server, &wish.host).await?;
    }
    let pem = match (given, &domain) {
        (Some(pem), _) => Some(pem),
        (None, Some(_)) => None,
        (None, None) if wish.acme => None,
        (None, None) => Some(issued(server, &wish.host).await?),
    };
    let known = domain.as_ref().and_then(certificate::of);
    let is_new = private::vpc(&calls, &wish.host).await?.is_none() && domain.is_none();
    let mut undo = Vec::new();
    let made = change(&mut calls, server, (wish, to), (pem.as_ref(), known.as_deref()), &mut undo).await;
    let told = match made {
        Ok((private, api, key, left)) => urls(server, wish, &api).await.map(|urls| {
            let calls = calls.made().to_vec();
            let told = Told { wish, to, private: &private, api: &api, key, urls, calls };
            ((told.json(), told.lines()), left)
        }),
        Err(why) => Err(why),
    };
    // Of what is new only a certificate that nothing presents yet is not found by its name.
    let unseen: Vec<Undo> =
        if is_new { undo.extract_if(.., |step| step.is_of_certificate()).collect() } else { Vec::new() };
    let undo = Some(undo).filter(|_| !is_new);
    match told {
        Ok((told, left)) => Ok(Done { told, host: wish.host.clone(), undo, left }),
        Err(why) => {
            let host = &wish.host;
            let reverted = revert(&mut calls, server, (host, undo)).await;
            let reverted = reverted.and(take_back(&mut calls, server, unseen).await);
            Err(match reverted {
                Ok(()) => Complaint::Refused(format!("{host} stays as it was: {why}")),
                Err(also) => Complaint::Refused(format!(
                    "{why}; and not all could be taken back: {also}; `tidegate unpublish {host}` takes away what is left"
                )),
            })
        }
    }
}

/// The wish with its version, and the certificate that its files hold.
pub(super) fn whole(wish: Wish) -> Result<(Wish, Option<Pem>), Complaint> {
    let given = wish.certificate.as_ref().map(|(cert, key)| pem(cert, key)).transpose()?;
    let certificate = given.as_ref().map(|pem| pem.certificate.clone()).unwrap_or_default();
    Ok((wish.versioned(&certificate), given))
}

async fn change(
    calls: &mut Calls,
    server: &Server,
    (wish, to): (&Wish, SocketAddr),
    (pem, known): (Option<&Pem>, Option<&str>),
    undo: &mut Vec<Undo>,
) -> Result<(Private, Api, Option<String>, Left), Complaint> {
    // First what may take longest, and may fail by another's doing.
    let requested = match wish.acme {
        true => Some(certificate::requested(calls, (server, &wish.host), known, undo).await?),
        false => None,
    };
    let private = private::build((calls, server), (wish, to), undo).await?;
    private::ready(calls, &private, to).await?;
    let standing = public::apis(calls, &wish.host).await?;
    let same = standing.iter().find(|api| api.kind == Kind::of(wish));
    let api = public::api(calls, (wish, &private), same, undo).await?;
    let is_changed = same.is_none_or(|known| known.version != wish.version);
    let presented = match (requested, pem) {
        (Some(requested), _) => requested,
        // The certificate of who says nothing is made for a name that is new, and stays.
        (None, Some(pem)) if known.is_none() || is_changed => Presented::Given(pem),
        (None, _) => Presented::Kept,
    };
    let certificate = public::name(calls, (wish, &api), presented, undo).await?;
    let key = match api.kind {
        Kind::Http => None,
        Kind::Rest => {
            let key = public::tagged(calls, "/apikeys?includeValues=true", &wish.host).await?;
            key.and_then(|key| key["value"].as_str().map(str::to_owned))
        }
    };
    // The name leads to the new API by now.
    let apis = standing.into_iter().filter(|old| old.id != api.id).collect();
    Ok((private, api, key, Left { apis, certificate }))
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

/// Nothing is built for a service that is not there. One that was started a moment ago has time to listen.
async fn answers(to: SocketAddr) -> Result<(), Complaint> {
    let mut why = format!("not within {ANSWERS_WITHIN:?}");
    let tried = async {
        while let Err(error) = TcpStream::connect(to).await {
            why = error.to_string();
            tokio::time::sleep(private::EVERY).await;
        }
    };
    let answered = tokio::time::timeout(ANSWERS_WITHIN, tried).await;
    answered.map_err(|_| Complaint::Refused(format!("nothing answers at {to}: {why}; nothing was changed")))
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
