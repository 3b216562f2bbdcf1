//! What the gateway says of the client of a request to a REST API, in the headers that templates, mappings and backends see.

use http::HeaderMap;

use crate::gateway::context::Context;
use crate::gateway::find::MethodAim;
use crate::http::forwarding;
use crate::http::survey::Survey;

/// Headers that the gateway writes, as templates and mappings name them.
const OWN_HEADERS: [&str; 5] = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Amzn-Trace-Id", "Host"];

/// That what the client says of itself gave way to what the gateway knows of it. Only [`complete`] makes one.
pub(super) struct Told(());

/// Adds what the gateway says of the client: templates and mappings see the request with it, so that no client can forge what they
/// read. A signature was judged before, without it.
pub(super) fn complete(
    headers: &mut HeaderMap,
    seen: &mut Survey,
    (aim, context): (&MethodAim<'_>, &mut Context<'_>),
) -> Told {
    forwarding::write_client(headers, context.peer.ip());
    forwarding::ensure_trace_root(headers, seen, context.arrived);
    (seen.trace, seen.forwarding) = (true, true);
    let site = aim.leads.site;
    let host = context.names().unwrap_or(&site.api_world.names).host.clone();
    let Some(rest) = &mut context.rest else { return Told(()) };
    rest.params.header.retain(|(name, _)| !OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name)));
    for name in OWN_HEADERS {
        let value = if name == "Host" { Some(&host) } else { headers.get(name) };
        let value = value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        rest.params.header.extend(value.map(|value| (name.to_owned(), value)));
    }
    Told(())
}
