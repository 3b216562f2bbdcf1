//! `tidegate env`: what a shell needs so that AWS's clients find the server. A server that knows its callers by their keys is
//! called with the keys that the shell has; any other, also one that is still to be started, with some that are nobody's.

use serde_json::{Map, Value, json};

use super::keys::Keys;
use super::{Complaint, Server};
use crate::cli::{EnvArgs, Form, ShellForm};
use crate::exit::Exit;
use crate::output;

/// The region when none is named; the server's own default.
const REGION: &str = "us-east-1";
/// Any credentials will do in development mode; these cannot be mistaken for real ones.
const CREDENTIAL: &str = "test";
/// The variables that only a server without keys of its own needs.
const KEY_VARIABLES: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

/// Prints the exports, or what takes them back.
pub(crate) async fn env(args: &EnvArgs) -> Result<Exit, Complaint> {
    let server = Server::of(&args.server)?;
    let region = server.realm().region.as_ref().map_or(REGION, |region| region.as_str());
    let account = server.realm().account.map(|account| account.to_string());
    let mut exports = vec![
        ("AWS_ENDPOINT_URL", server.base()),
        ("AWS_DEFAULT_REGION", region),
        ("AWS_REGION", region),
        ("TIDEGATE_API", server.base()),
    ];
    let [id, secret] = KEY_VARIABLES;
    match server.is_development().await {
        Some(true) | None => {
            exports.push((id, account.as_deref().unwrap_or(CREDENTIAL)));
            exports.push((secret, CREDENTIAL));
        }
        Some(false) if Keys::of_shell().is_none() && !args.unset => output::complaint(
            "this server knows its callers by their keys: export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY too",
        ),
        Some(false) => {}
    }
    match (args.server.output, args.unset) {
        (Some(Form::Json), false) => {
            let pairs = exports.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
            output::json(&Value::Object(pairs.collect::<Map<_, _>>()));
        }
        (Some(Form::Json), true) => {
            output::json(&json!({ "unset": exports.iter().map(|(name, _)| name).collect::<Vec<_>>() }));
        }
        (Some(Form::Table) | None, false) => {
            exports.iter().for_each(|(name, value)| output::line(&args.shell.exported(name, value)));
        }
        (Some(Form::Table) | None, true) => {
            exports.iter().for_each(|(name, _)| output::line(&args.shell.unset(name)));
        }
    }
    Ok(Exit::Ok)
}

impl ShellForm {
    /// The line that sets a variable for this shell and for what it starts.
    fn exported(self, name: &str, value: &str) -> String {
        match self {
            Self::Sh => format!("export {name}='{}'", value.replace('\'', r"'\''")),
            Self::Fish => format!("set -gx {name} '{}'", value.replace('\\', r"\\").replace('\'', r"\'")),
            Self::Powershell => format!("$Env:{name} = '{}'", value.replace('\'', "''")),
            Self::Nu => format!("$env.{name} = {}", Value::from(value)),
        }
    }

    /// The line that takes it away, also where it was never set.
    fn unset(self, name: &str) -> String {
        match self {
            Self::Sh => format!("unset {name}"),
            Self::Fish => format!("set -e {name}"),
            Self::Powershell => format!("Remove-Item Env:{name} -ErrorAction SilentlyContinue"),
            Self::Nu => format!("hide-env --ignore-errors {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_value_does_not_end_the_word() {
        for (shell, wanted) in [
            (ShellForm::Sh, r"export A='http://a'\''b\'"),
            (ShellForm::Fish, r"set -gx A 'http://a\'b\\'"),
            (ShellForm::Powershell, r"$Env:A = 'http://a''b\'"),
            (ShellForm::Nu, r#"$env.A = "http://a'b\\""#),
        ] {
            assert_eq!(shell.exported("A", r"http://a'b\"), wanted);
        }
    }
}
