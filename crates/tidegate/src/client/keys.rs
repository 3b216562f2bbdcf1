//! The keys of the shell that a command is typed in, by the variables that AWS's own clients read. With them the commands sign
//! what they ask of a server: in gateway mode it must be, in development mode it tells whose account and region are meant.

use http::HeaderValue;
use http::header::{AUTHORIZATION, HOST};
use wire::Secret;
use wire::sigv4::Signer;

use super::http::{Call, authority, target};
use crate::hour::wall_clock;

/// The variables that name a region, in the order in which AWS's clients read them (AWS SDKs and tools reference guide, "AWS
/// Region", 2026-11).
pub(super) const REGION_VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
const ID_VARIABLE: &str = "AWS_ACCESS_KEY_ID";
const SECRET_VARIABLE: &str = "AWS_SECRET_ACCESS_KEY";

/// An access key, and the region that is worked in.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    id: String,
    secret: Secret,
    region: String,
}

impl Keys {
    /// The keys of this process's environment, if it has both parts.
    pub(super) fn of_shell() -> Option<Self> {
        Some(Self {
            id: variable(ID_VARIABLE)?,
            secret: Secret::new(variable(SECRET_VARIABLE)?),
            region: REGION_VARIABLES.into_iter().find_map(variable).unwrap_or_default(),
        })
    }

    /// Keys that are nobody's, which development mode takes as those of an account: its id, or anything else for the server's own.
    pub(super) fn of_nobody(account: &str) -> Self {
        Self { id: account.to_owned(), secret: Secret::new("test"), region: String::new() }
    }

    /// The same keys, for work in this region.
    pub(super) fn within(self, region: &str) -> Self {
        Self { region: region.to_owned(), ..self }
    }

    /// The region that is worked in; empty leaves it to the server.
    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// The call with a signature for one of Tidegate's own paths. What cannot be signed is sent without: the server says what it lacks.
    pub(super) fn signed(&self, call: Call) -> Call {
        self.signed_by(call, |signer, request| signer.sign_own(request, wall_clock()))
    }

    /// The same for the AWS service of this signing name.
    pub(super) fn signed_for(&self, service: &str, call: Call) -> Call {
        self.signed_by(call, |signer, request| signer.sign(service, request, wall_clock()))
    }

    fn signed_by(
        &self,
        mut call: Call,
        sign: impl FnOnce(&Signer<'_>, &wire::Request<'_>) -> Option<(String, String)>,
    ) -> Call {
        if let Ok(host) = HeaderValue::from_str(&authority(&call.url)) {
            call.headers.insert(HOST, host);
        }
        let uri = target(&call.url);
        let request = wire::Request { method: &call.method, uri: &uri, headers: &call.headers, body: &call.body };
        let signer = Signer { access_key_id: &self.id, secret: &self.secret, region: &self.region };
        let values = sign(&signer, &request);
        let values = values.and_then(|(date, signature)| Some((date.parse().ok()?, signature.parse().ok()?)));
        if let Some((date, signature)) = values {
            call.headers.insert("x-amz-date", date);
            call.headers.insert(AUTHORIZATION, signature);
        }
        call
    }
}

/// A variable that holds something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}
