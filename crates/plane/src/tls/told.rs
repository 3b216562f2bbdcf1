//! The headers that tell targets of a client's certificate (ALB user guide, "Mutual authentication with TLS in Application Load
//! Balancer", 2026-11). Only the load balancer writes them: what a client sends by these names is taken away, on every listener.

use http::header::{HeaderMap, HeaderName};
use topology::snapshot::attributes::MtlsHeaders;

use super::mutual::{Asked, Part};

/// What they are called where nobody called them otherwise.
const USUAL: [(Part, HeaderName); 6] = [
    (Part::Chain, HeaderName::from_static("x-amzn-mtls-clientcert")),
    (Part::Issuer, HeaderName::from_static("x-amzn-mtls-clientcert-issuer")),
    (Part::Leaf, HeaderName::from_static("x-amzn-mtls-clientcert-leaf")),
    (Part::SerialNumber, HeaderName::from_static("x-amzn-mtls-clientcert-serial-number")),
    (Part::Subject, HeaderName::from_static("x-amzn-mtls-clientcert-subject")),
    (Part::Validity, HeaderName::from_static("x-amzn-mtls-clientcert-validity")),
];

/// The headers of a listener.
#[derive(Debug)]
pub(crate) struct Names {
    all: [(Part, HeaderName); 6],
    /// Those that are not called as usual.
    renamed: Vec<HeaderName>,
}

/// Whether it begins as all of [`USUAL`] do.
fn is_usual(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-amzn-mtls-")
}

impl Names {
    /// By the listener's attributes, whose names were checked when they were set.
    pub(crate) fn of(headers: &MtlsHeaders) -> Self {
        let all = USUAL.map(|(part, usual)| {
            let name = match part {
                Part::Chain => &headers.chain,
                Part::Issuer => &headers.issuer,
                Part::Leaf => &headers.leaf,
                Part::SerialNumber => &headers.serial_number,
                Part::Subject => &headers.subject,
                Part::Validity => &headers.validity,
            };
            (part, HeaderName::try_from(name.as_str()).unwrap_or(usual))
        });
        let renamed = all.iter().map(|(_, name)| name).filter(|name| !is_usual(name)).cloned().collect();
        Self { all, renamed }
    }

    /// Takes away what a client sent, also under the names that the headers have on other listeners.
    pub(crate) fn clear(&self, headers: &mut HeaderMap) {
        // One look over the names, since almost no request has any of them.
        if headers.keys().any(is_usual) {
            for (_, name) in &USUAL {
                headers.remove(name);
            }
        }
        for name in &self.renamed {
            headers.remove(name);
        }
    }

    /// Writes what is known of the client's certificate.
    pub(crate) fn write(&self, asked: Option<&Asked>, headers: &mut HeaderMap) {
        for (part, value) in asked.into_iter().flat_map(|asked| &asked.told) {
            if let Some((_, name)) = self.all.iter().find(|(named, _)| named == part) {
                headers.insert(name, value.clone());
            }
        }
    }
}
