//! The command `ca`: prints the authority's certificate, or issues one for names. Of a server that runs it is that server's
//! authority; no server need run.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::Authority;
use super::authority::Leaf;
use crate::cli::{CaArgs, CaCommand, Form, IssueArgs, ServerArgs};
use crate::client::{self, Complaint, Server};
use crate::exit::Exit;
use crate::output;
use crate::private;

/// Where the authority is kept by default.
const DATA_DIR: &str = ".tidegate";

/// Prints or issues: with the authority of the directory that is named, else of the server that runs, else of the default
/// directory. An authority that nobody had is made, and said to be made.
pub(crate) fn ca(args: &CaArgs) -> Exit {
    client::to_end(async {
        let directory = match &args.data_dir {
            Some(directory) => Some(directory.clone()),
            None => of_server(args).await?,
        };
        let Some(directory) = directory else {
            // A server in memory has no directory: its certificate is all that there is to have.
            return match &args.command {
                None => {
                    print(args, &server(args)?.authority().await?, None);
                    Ok(Exit::Ok)
                }
                Some(CaCommand::Issue(_)) => Err(Complaint::Refused(
                    "the running server keeps its authority in memory; name a directory by --data-dir".to_owned(),
                )),
            };
        };
        let made = !Authority::exists(&directory);
        let authority = Authority::open(&directory).map_err(|error| Complaint::System(error.to_string()))?;
        if made {
            output::complaint(&format!("made a new development authority in {}", directory.display()));
        }
        Ok(match &args.command {
            None => {
                print(args, authority.certificate(), authority.file());
                Exit::Ok
            }
            Some(CaCommand::Issue(wish)) => match issue(wish, &authority) {
                Ok([certificate, key]) => told(args, wish, &authority, [&certificate, &key]),
                Err(text) => failed(&text),
            },
        })
    })
}

fn server(args: &CaArgs) -> Result<Server, Complaint> {
    let server = ServerArgs { api: args.api.clone(), account: None, region: None, output: args.output };
    Server::of(&server)
}

/// The directory of the server that runs, `None` for one in memory; without a server, the default one.
async fn of_server(args: &CaArgs) -> Result<Option<PathBuf>, Complaint> {
    let server = server(args)?;
    match server.is_development().await {
        None => Ok(Some(PathBuf::from(DATA_DIR))),
        Some(false) => Err(Complaint::Refused(
            "the running server is in gateway mode, which has no development authority".to_owned(),
        )),
        Some(true) => Ok(server.status().await?["data_dir"].as_str().map(PathBuf::from)),
    }
}

fn failed(text: &str) -> Exit {
    output::complaint(text);
    Exit::Failed
}

fn print(args: &CaArgs, certificate: &str, file: Option<&Path>) {
    match args.output {
        Some(Form::Json) => output::json(&json!({ "certificate": certificate, "path": file })),
        Some(Form::Table) | None => output::bytes(certificate.as_bytes()),
    }
}

fn issue(wish: &IssueArgs, authority: &Authority) -> Result<[PathBuf; 2], String> {
    let Leaf { certificate, key } = authority.issue(&wish.names, wish.days).map_err(|error| error.to_string())?;
    // The names were checked: letters, digits, dots, colons, hyphens, and a star in front.
    let stem = wish.names.first().map(|name| name.replace('*', "_").replace(':', "-")).unwrap_or_default();
    let directory = wish.dir.clone().unwrap_or_default();
    let [certificate_file, key_file] = [directory.join(format!("{stem}.crt")), directory.join(format!("{stem}.key"))];
    write(&key_file, |path| {
        // A key that is there is replaced, never appended to, and never readable by others in between.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => private::create(path, key.as_bytes()),
        }
    })?;
    write(&certificate_file, |path| std::fs::write(path, &certificate))?;
    Ok([certificate_file, key_file])
}

fn write(path: &Path, how: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<(), String> {
    how(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn told(args: &CaArgs, wish: &IssueArgs, authority: &Authority, [certificate, key]: [&Path; 2]) -> Exit {
    match args.output {
        Some(Form::Json) => output::json(&json!({
            "names": wish.names, "certificate": certificate, "private_key": key, "authority": authority.file(),
        })),
        Some(Form::Table) | None => {
            output::line(&format!("certificate  {}", certificate.display()));
            output::line(&format!("private key  {}", key.display()));
        }
    }
    Exit::Ok
}
