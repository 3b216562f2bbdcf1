//! `tidegate env`: what a shell needs so that AWS's clients find the server. A server that knows its callers by their keys is
//! called with the keys that the shell has; any other, also one that is still to be started, with some that are nobody's.

use serde_json::{Map, Value};

use super::keys::Keys;
use super::{Complaint, Server};
use crate::cli::{Form, ServerArgs};
use crate::exit::Exit;
use crate::output;

/// The region when none is named; the server's own default.
const REGION: &str = "us-east-1";
/// Any credentials will do in development mode; these cannot be mistaken for real ones.
const CREDENTIAL: &str = "test";

/// Prints the exports.
pub(crate) async fn env(args: &ServerArgs) -> Result<Exit, Complaint> {
    let server = Server::of(args)?;
    let region = server.realm().region.as_ref().map_or(REGION, |region| region.as_str());
    let account = server.realm().account.map(|account| account.to_string());
    let mut exports = vec![
        ("AWS_ENDPOINT_URL", server.base()),
        ("AWS_DEFAULT_REGION", region),
        ("AWS_REGION", region),
        ("TIDEGATE_API", server.base()),
    ];
    match server.is_development().await {
        Some(true) | None => {
            exports.push(("AWS_ACCESS_KEY_ID", account.as_deref().unwrap_or(CREDENTIAL)));
            exports.push(("AWS_SECRET_ACCESS_KEY", CREDENTIAL));
        }
        Some(false) if Keys::of_shell().is_none() => output::complaint(
            "this server knows its callers by their keys: export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY too",
        ),
        Some(false) => {}
    }
    match args.output {
        Some(Form::Json) => {
            let pairs = exports.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
            output::json(&Value::Object(pairs.collect::<Map<_, _>>()));
        }
        Some(Form::Table) | None => {
            exports.iter().for_each(|(name, value)| output::line(&format!("export {name}={}", quoted(value))));
        }
    }
    Ok(Exit::Ok)
}

/// One word of a shell, whatever it holds.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_value_does_not_end_the_word() {
        assert_eq!(quoted("http://a'b"), r"'http://a'\''b'");
    }
}
