//! The settings of `[acme]`: which authority is asked for certificates, for whom, and how names are proven to it.

use std::path::PathBuf;

use http::Uri;
use topology::id::HostName;

use super::Raw;
use super::value::{directory, one_of};

/// Addresses of people whom the authority may write to.
const CONTACTS_MAX: usize = 10;
/// Names that `acme.names` may list; each is looked at for each certificate that is requested.
const NAMES_MAX: usize = 256;
const DIRECTORY: &str = "acme.directory";
/// What is of no use without a directory.
const BESIDE: [&str; 5] = ["acme.contact", "acme.terms_agreed", "acme.ca_file", "acme.names", "acme.challenges"];

/// An authority that is asked for certificates by ACME (RFC 8555).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acme {
    /// The URL of its directory.
    pub(crate) directory: String,
    /// Whom it may write to, as URLs (`mailto:`).
    pub(crate) contact: Vec<String>,
    /// The file of the roots that are believed of it; `None` are the platform's.
    pub(crate) ca_file: Option<PathBuf>,
    /// It is asked for these names and what is below them; for every name where there is none.
    pub(crate) names: Vec<HostName>,
    /// How names are proven, the preferred way first.
    pub(crate) challenges: Vec<Challenge>,
}

/// How a name is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// By an answer at port 80, for which `listen.redirect` stands (RFC 8555, section 8.3).
    Http,
    /// By a handshake at port 443, for which `listen.public_tls` stands (RFC 8737).
    TlsAlpn,
}

impl Challenge {
    /// The name that it has in the protocol.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http-01",
            Self::TlsAlpn => "tls-alpn-01",
        }
    }
}

impl Acme {
    /// Whether the authority is asked for a certificate of these names.
    pub(crate) fn is_for(&self, names: &[String]) -> bool {
        names.iter().all(|name| is_asked_for(&self.names, name))
    }
}

/// Whether a name is one of these or below one; any name is, where there is none.
pub(crate) fn is_asked_for(these: &[HostName], name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_below =
        |above: &HostName| name.strip_suffix(above.as_str()).is_some_and(|left| left.is_empty() || left.ends_with('.'));
    these.is_empty() || these.iter().any(is_below)
}

impl Raw {
    /// The authority, if one is named; `is_redirected` is whether there is a listener without TLS that sends on.
    pub(super) fn judge_acme(&mut self, is_redirected: bool) -> Option<Acme> {
        let url = self.take(DIRECTORY, somewhere);
        if url == Some(None) {
            for key in BESIDE.into_iter().filter(|key| self.settings.contains_key(key)).collect::<Vec<_>>() {
                self.note(key, "says something of the authority that acme.directory names, which is not set");
            }
            return None;
        }
        let contact = self.take_list("acme.contact", contact);
        self.bound("acme.contact", contact.len(), CONTACTS_MAX);
        if !self.take_truth("acme.terms_agreed") {
            self.note("acme.terms_agreed", "must be true: an authority issues to who agrees to its terms of service");
        }
        let has_file = self.settings.contains_key("acme.ca_file");
        let ca_file = if has_file { self.take("acme.ca_file", directory) } else { None };
        let names = self.take_list("acme.names", name);
        self.bound("acme.names", names.len(), NAMES_MAX);
        let mut challenges = self.take_list("acme.challenges", challenge);
        if challenges.contains(&Challenge::Http) && !is_redirected {
            self.note("acme.challenges", "http-01 is answered by listen.redirect, which is not set");
        }
        if !self.settings.contains_key("acme.challenges") {
            challenges.push(Challenge::TlsAlpn);
            challenges.extend(is_redirected.then_some(Challenge::Http));
        } else if challenges.is_empty() {
            self.note("acme.challenges", "must list http-01, tls-alpn-01 or both");
        }
        Some(Acme { directory: url.flatten()?, contact, ca_file, names, challenges })
    }

    fn bound(&mut self, key: &'static str, count: usize, max: usize) {
        if count > max {
            self.note(key, &format!("lists {count}, at most {max}"));
        }
    }
}

/// The URL of a directory, or none.
fn somewhere(text: &str) -> Result<Option<String>, String> {
    if text == "none" {
        return Ok(None);
    }
    let uri: Uri = text.parse().map_err(|_| format!("{text:?} is no URL"))?;
    match (uri.scheme_str(), uri.authority()) {
        (Some("https"), Some(_)) => Ok(Some(text.to_owned())),
        _ => Err(format!("{text:?} must begin with https://")),
    }
}

fn contact(text: &str) -> Result<String, String> {
    let is_address = text.strip_prefix("mailto:").is_some_and(|address| {
        address.contains('@') && !address.contains(|c: char| c == '?' || c == ',' || c.is_whitespace())
    });
    if is_address { Ok(text.to_owned()) } else { Err(format!("{text:?} is no mailto:NAME@HOST")) }
}

fn name(text: &str) -> Result<HostName, String> {
    let name = text.parse::<HostName>().ok().filter(|name| !name.as_str().starts_with('*'));
    name.ok_or_else(|| format!("{text:?} is no name such as example.com; what is below it is meant too"))
}

fn challenge(text: &str) -> Result<Challenge, String> {
    one_of(text, &[("http-01", Challenge::Http), ("tls-alpn-01", Challenge::TlsAlpn)])
}
