//! `tidegate open`: a person's browser at the page of the server, or at an API.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Complaint, Server};
use crate::cli::{Form, OpenArgs};
use crate::exit::Exit;
use crate::output;

/// What opens a URL where `BROWSER` names nothing.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// Prints where it is, and starts a browser there if a person sits at the terminal.
pub(crate) async fn open(args: &OpenArgs) -> Result<Exit, Complaint> {
    let server = Server::of(&args.server)?;
    let told = server.status().await?;
    let url = match &args.named {
        Some(named) => of_api(&told, named)?,
        None if told["mode"] == crate::config::DEVELOPMENT => format!("{}/_tidegate/", server.base()),
        None => {
            let why =
                "in gateway mode there is no page for browsers: tidegate status and tidegate explain tell the same";
            return Err(Complaint::Refused(why.to_owned()));
        }
    };
    let is_opened = !args.print && std::io::stdout().is_terminal() && started(&url);
    match args.server.output {
        Some(Form::Json) => output::json(&json!({ "url": url, "opened": is_opened })),
        Some(Form::Table) | None => output::line(&url),
    }
    Ok(Exit::Ok)
}

/// Where the API answers that has this id or name: its own URL, else with TLS, else by path.
fn of_api(told: &Value, named: &str) -> Result<String, Complaint> {
    let urls = told["realms"].as_array().into_iter().flatten().filter_map(|realm| realm["urls"].as_array()).flatten();
    let of_it: Vec<&Value> = urls.filter(|url| url["api"] == named || url["name"] == named).collect();
    let mut ids: Vec<_> = of_it.iter().filter_map(|url| url["api"].as_str()).collect();
    ids.dedup();
    match (of_it.first(), ids.as_slice()) {
        (Some(url), [_]) => {
            let places = ["url", "tls", "by_path"].into_iter().find_map(|place| url[place].as_str());
            places.map(str::to_owned).ok_or_else(|| Complaint::Refused(format!("{named} answers nowhere")))
        }
        (None, _) => {
            Err(Complaint::Refused(format!("no stage of an API {named:?} answers: tidegate status lists them")))
        }
        (Some(_), _) => Err(Complaint::Usage(format!("several APIs are called {named:?}: {}", ids.join(", ")))),
    }
}

/// Whether a browser was started. It outlives this command.
fn started(url: &str) -> bool {
    let program = std::env::var_os("BROWSER").filter(|name| !name.is_empty()).unwrap_or_else(|| OsString::from(OPENER));
    let mut command = Command::new(program);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_is_found_by_its_id_or_by_a_name_that_only_it_has() {
        let url = |api: &str, name: &str, url: Option<&str>| json!({ "api": api, "name": name, "url": url, "tls": "https://t/", "by_path": "p" });
        let told = json!({ "realms": [{ "urls": [
            url("a1", "orders", Some("http://a1/")),
            url("a1", "orders", Some("http://a1/dev/")),
            url("b2", "twice", None),
            url("c3", "twice", None),
        ] }] });
        for (named, wanted) in [
            ("a1", "http://a1/"),
            ("orders", "http://a1/"),
            ("b2", "https://t/"),
            ("twice", "several"),
            ("none", "no stage"),
        ] {
            let found = of_api(&told, named).unwrap_or_else(|complaint| complaint.to_string());
            assert!(found.starts_with(wanted), "{named}: {found}");
        }
    }
}
