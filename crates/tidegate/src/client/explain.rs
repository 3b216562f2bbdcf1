//! `tidegate explain`: asks the server about a request, after sending it if that is wanted. The explaining is done there.

use bytes::Bytes;
use http::header::{ACCEPT, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use serde_json::Value;

use super::http::{Call, send, url};
use super::{Complaint, Server};
use crate::cli::{ExplainArgs, Form};
use crate::exit::Exit;
use crate::output;

/// Headers that carry a request id: the data plane's, then the AWS API's.
const ID_HEADERS: [&str; 2] = ["apigw-requestid", "x-amzn-requestid"];
/// Characters of a request id: a UUID has 36.
const ID_CHARS_MAX: usize = 64;

/// Explains a request, or sends one and explains that.
pub(crate) async fn explain(args: &ExplainArgs) -> Result<Exit, Complaint> {
    let server = Server::of(&args.server)?;
    let id = match &args.url {
        Some(target) => send_it(args, target).await?,
        None => args.what.clone(),
    };
    let is_id = id.len() <= ID_CHARS_MAX && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=".contains(&b));
    if !is_id {
        return Err(Complaint::Usage(format!("{id:?} is no request id; to send a request, add its URL")));
    }
    let told = server.explained(&id, HeaderMap::new()).await?.json();
    match args.server.output {
        Some(Form::Json) => output::json(&told),
        Some(Form::Table) | None => {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static("text/plain"));
            let text = server.explained(&id, headers).await?;
            output::bytes(emphasized(&String::from_utf8_lossy(&text.body), &told).as_bytes());
        }
    }
    Ok(exit(&told))
}

/// The outcome in a colour, if there are colours.
fn emphasized(text: &str, told: &Value) -> String {
    let Some(outcome) = told["outcome"].as_str() else { return text.to_owned() };
    let ansi = if outcome == "passed" { "32" } else { "31" };
    text.replacen(&format!("  {outcome}"), &format!("  {}", output::coloured(outcome, ansi)), 1)
}

fn exit(told: &Value) -> Exit {
    match told["outcome"].as_str() {
        Some("passed") => Exit::Ok,
        Some("denied") => Exit::Denied,
        _ => Exit::Unreachable,
    }
}

/// Sends the request and answers its id.
async fn send_it(args: &ExplainArgs, target: &str) -> Result<String, Complaint> {
    let wrong = |what: &str| Complaint::Usage(what.to_owned());
    let method: Method = args.what.parse().map_err(|_| wrong("the first word must be a method such as GET"))?;
    let mut headers = HeaderMap::new();
    for header in &args.headers {
        let (name, value) = header.split_once(':').ok_or_else(|| wrong("a header is written as 'Name: value'"))?;
        let name: HeaderName = name.trim().parse().map_err(|_| wrong("a header's name has a character it may not"))?;
        let value: HeaderValue = value.trim().parse().map_err(|_| wrong("a header's value has a control character"))?;
        headers.append(name, value);
    }
    let body = Bytes::from(args.data.clone().unwrap_or_default());
    let answer = send(Call { method, url: url(target)?, headers, body }).await?;
    let id = ID_HEADERS.iter().find_map(|name| answer.header(name));
    id.map(str::to_owned).ok_or_else(|| {
        Complaint::Refused(format!("the answer ({}) carries no request id: no tidegate gave it", answer.status))
    })
}
