//! `tidegate explain`: asks the server about a request that was, or about one that it is to carry out now. The explaining is done
//! there. A URL is a name for an API of the server, whatever its host: nothing is ever sent to that host. Only calls of the
//! server's own AWS APIs are sent from here, to the server.

use std::net::SocketAddr;

use http::header::{ACCEPT, HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Uri};
use serde_json::Value;

use super::http::{Call, HTTP_PORT, authority, local_address, send, target, url};
use super::{Complaint, Server};
use crate::cli::{ExplainArgs, Form};
use crate::exit::Exit;
use crate::output;
use crate::wishes::ExplainWish;

/// Where invoke URLs in their path form begin.
const INVOKE_PATH: &str = "/_aws/execute-api/";
/// The port of URLs within TLS that name none.
const HTTPS_PORT: u16 = 443;
/// Characters of a request id: a UUID has 36.
const ID_CHARS_MAX: usize = 64;

/// Explains a request, or sends one and explains that.
pub(crate) async fn explain(args: &ExplainArgs) -> Result<Exit, Complaint> {
    let server = Server::of(&args.server)?;
    let told = match &args.url {
        Some(target) => send_it(&server, args, target).await?,
        None => {
            let id = &args.what;
            let is_id = |b: u8| b.is_ascii_alphanumeric() || b"-_=".contains(&b);
            if id.len() > ID_CHARS_MAX || !id.bytes().all(is_id) {
                return Err(Complaint::Usage(format!("{id:?} is no request id; to send a request, add its URL")));
            }
            server.explained(id, HeaderMap::new()).await?.json()
        }
    };
    match args.server.output {
        Some(Form::Json) => output::json(&told),
        Some(Form::Table) | None => {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static("text/plain"));
            let text = server.explained(told["request_id"].as_str().unwrap_or_default(), headers).await?;
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

/// Has the request carried out, and answers what the server tells of it.
async fn send_it(server: &Server, args: &ExplainArgs, target: &str) -> Result<Value, Complaint> {
    let wrong = |what: &str| Complaint::Usage(what.to_owned());
    let method: Method = args.what.parse().map_err(|_| wrong("the first word must be a method such as GET"))?;
    let url = web_url(target)?;
    let mut headers = HeaderMap::new();
    for header in &args.headers {
        let (name, value) = header.split_once(':').ok_or_else(|| wrong("a header is written as 'Name: value'"))?;
        let name: HeaderName = name.trim().parse().map_err(|_| wrong("a header's name has a character it may not"))?;
        let value: HeaderValue = value.trim().parse().map_err(|_| wrong("a header's value has a control character"))?;
        headers.append(name, value);
    }
    let data = args.data.clone().unwrap_or_default();
    let call = Call { method, url, headers, body: data.into() };
    if is_for_the_api(server, &call) {
        let id = sent(call).await?;
        return Ok(server.explained(&id, HeaderMap::new()).await?.json());
    }
    Ok(server.ask(&wish(call)?).await?.json())
}

/// A URL as browsers and Terraform write it, or as `attach --listen` prints it of a listener that carries bytes.
fn web_url(text: &str) -> Result<Uri, Complaint> {
    let parsed: Option<Uri> = text.parse().ok();
    let is_web = |url: &Uri| {
        matches!(url.scheme_str(), Some("http" | "https" | "tcp" | "tls"))
            && url.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    };
    parsed
        .filter(is_web)
        .ok_or_else(|| Complaint::Usage(format!("{text} is no URL of the form https://HOST[:PORT]/... or http://...")))
}

/// Whether this is a call of the server's AWS APIs, which no public listener would take.
fn is_for_the_api(server: &Server, call: &Call) -> bool {
    let end = |url: &Uri| {
        let host = url.host().unwrap_or_default();
        (local_address(host).ok_or_else(|| host.to_ascii_lowercase()), url.port_u16().unwrap_or(HTTP_PORT))
    };
    let Ok(base) = url(server.base()) else { return false };
    let mut request = Request::new(());
    *request.uri_mut() = call.url.clone();
    request.headers_mut().clone_from(&call.headers);
    let is_invocation = plane::is_invocation(&request) || call.url.path().starts_with(INVOKE_PATH);
    call.url.scheme_str() == Some("http") && end(&call.url) == end(&base) && !is_invocation
}

/// Sends a call of the APIs and answers its id.
async fn sent(call: Call) -> Result<String, Complaint> {
    let answer = send(call).await?;
    let id = answer.header("x-amzn-requestid").map(str::to_owned);
    id.ok_or_else(|| {
        Complaint::Refused(format!("the answer ({}) carries no request id: no tidegate gave it", answer.status))
    })
}

/// The request as the server is asked to carry it out.
fn wish(call: Call) -> Result<ExplainWish, Complaint> {
    let text = |value: &HeaderValue| {
        let text = value.to_str().map(str::to_owned);
        text.map_err(|_| Complaint::Usage("a header's value has a character that is not ASCII".to_owned()))
    };
    let host = call.headers.get(HOST).map_or_else(|| Ok(authority(&call.url)), text)?;
    let others = call.headers.iter().filter(|(name, _)| **name != HOST);
    let headers = others.map(|(name, value)| Ok((name.as_str().to_owned(), text(value)?)));
    let port =
        call.url.port_u16().unwrap_or(if call.url.scheme_str() == Some("https") { HTTPS_PORT } else { HTTP_PORT });
    let there = call.url.host().and_then(local_address).map(|address| SocketAddr::new(address, port));
    Ok(ExplainWish {
        method: call.method.to_string(),
        host,
        there,
        target: target(&call.url).to_string(),
        headers: headers.collect::<Result<_, Complaint>>()?,
        body: String::from_utf8_lossy(&call.body).into_owned(),
    })
}
