//! `tidegate publish`, `unpublish` and `published`: a service of somebody who needs no AWS, behind a name, a gateway, a link and a load
//! balancer. All of it is built by the server's AWS calls; there is no other way from here to what it holds. All or nothing: what fails half
//! way is taken back.

mod calls;
mod carry;
mod certificate;
mod document;
mod file;
mod private;
mod public;
mod remove;
mod told;
mod wish;

use serde_json::json;

use crate::cli::{Form, PublishArgs, ServerArgs, UnpublishArgs};
use crate::client::aws::Aws;
use crate::client::{Complaint, Server};
use crate::exit::Exit;
use crate::output;
use calls::Calls;

/// Publishes a service, or changes how it is published.
pub(crate) async fn publish(args: &PublishArgs) -> Result<Exit, Complaint> {
    if let Some(file) = &args.file {
        return file::publish(args, file).await;
    }
    let wish = wish::judge(args).map_err(|problems| Complaint::Usage(problems.join("\ntidegate: ")))?;
    let server = Server::of(&args.server)?;
    let (told, lines) = carry::carry_out(&server, wish).await?.settle(&server).await;
    match args.server.output {
        Some(Form::Json) => output::json(&told),
        Some(Form::Table) | None => lines.iter().for_each(|line| output::line(line)),
    }
    Ok(Exit::Ok)
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
