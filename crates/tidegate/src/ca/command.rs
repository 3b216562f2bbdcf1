//! The command `ca`: prints the authority's certificate, or issues one for names. It works on the data directory alone: no
//! server need run.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::Authority;
use super::authority::{Leaf, write_private};
use crate::cli::{CaArgs, CaCommand, Form, IssueArgs};
use crate::exit::Exit;
use crate::output;

/// Prints or issues.
pub(crate) fn ca(args: &CaArgs) -> Exit {
    let authority = match Authority::open(&args.data_dir) {
        Ok(authority) => authority,
        Err(error) => return failed(&error.to_string()),
    };
    match &args.command {
        None => print(args, &authority),
        Some(CaCommand::Issue(wish)) => match issue(wish, &authority) {
            Ok([certificate, key]) => told(args, wish, &authority, [&certificate, &key]),
            Err(text) => failed(&text),
        },
    }
}

fn failed(text: &str) -> Exit {
    output::complaint(text);
    Exit::Failed
}

fn print(args: &CaArgs, authority: &Authority) -> Exit {
    match args.output {
        Some(Form::Json) => {
            output::json(&json!({ "certificate": authority.certificate(), "path": authority.file() }));
        }
        Some(Form::Table) | None => output::bytes(authority.certificate().as_bytes()),
    }
    Exit::Ok
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
            _ => write_private(path, &key),
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
