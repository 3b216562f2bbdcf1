//! The certificate of a name: given as files, issued by the development authority, or asked by the server of an authority by ACME.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use topology::id::HostName;

use super::calls::{Calls, Operation, acm};
use super::private::{Undo, tags, until};
use super::wish::Wish;
use crate::client::{Complaint, Server};
use crate::config;

/// How long a server may take to get a certificate, of which an order may take 180 s.
const ISSUED_WITHIN: Duration = Duration::from_secs(200);

/// A pair of PEM texts.
#[derive(Clone)]
pub(super) struct Pem {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pem")
    }
}

/// What a name is to present.
pub(super) enum Presented<'a> {
    /// What it presents.
    Kept,
    /// This, where its files hold something else than before.
    Given(&'a Pem),
    /// The certificate of this ARN, which was requested.
    Requested(String),
}

/// How a certificate is deleted.
pub(super) fn delete(arn: &str) -> (Operation, Value) {
    (acm("DeleteCertificate"), json!({ "CertificateArn": arn }))
}

/// The certificate that a domain name presents.
pub(super) fn of(domain: &Value) -> Option<String> {
    domain["domainNameConfigurations"][0]["certificateArn"].as_str().map(str::to_owned)
}

async fn described(calls: &Calls, arn: &str) -> Result<Value, Complaint> {
    let found = calls.read(acm("DescribeCertificate"), json!({ "CertificateArn": arn })).await?;
    Ok(found.json()["Certificate"].clone())
}

/// Whether a certificate was imported, so that another may take its place.
pub(super) async fn is_imported(calls: &Calls, arn: &str) -> Result<bool, Complaint> {
    Ok(described(calls, arn).await?["Type"] == "IMPORTED")
}

/// Refuses what the server would not ask an authority for by ACME.
pub(super) async fn askable(server: &Server, host: &HostName) -> Result<(), Complaint> {
    let told = server.status().await?;
    let Some(names) = told["acme"]["names"].as_array() else {
        return Err(Complaint::Usage(
            "--acme: the server asks no authority; start it with --acme-directory URL --acme-terms-agreed".to_owned(),
        ));
    };
    let names: Vec<HostName> = names.iter().filter_map(|name| name.as_str()?.parse().ok()).collect();
    match config::is_asked_for(&names, host.as_str()) {
        true => Ok(()),
        false => Err(Complaint::Usage(format!(
            "--acme: {host} is below none of the names that acme.names of the server lists"
        ))),
    }
}

/// Requests a certificate and waits until it is issued; a name that presents a requested one keeps it.
pub(super) async fn requested(
    calls: &mut Calls,
    (server, host): (&Server, &HostName),
    known: Option<&str>,
    undo: &mut Vec<Undo>,
) -> Result<Presented<'static>, Complaint> {
    if let Some(arn) = known
        && !is_imported(calls, arn).await?
    {
        return Ok(Presented::Kept);
    }
    let input = json!({ "DomainName": host.as_str(), "ValidationMethod": "DNS", "Tags": tags(host) });
    let arn = calls.change(acm("RequestCertificate"), input).await?.text("CertificateArn")?;
    undo.push(Undo::call(delete(&arn)));
    until(ISSUED_WITHIN, "the certificate is issued", async || {
        let told = server.status().await?;
        let mut troubles = told["acme"]["troubles"].as_array().into_iter().flatten();
        let why = troubles.find(|one| one["certificate"] == arn.as_str()).map(|one| one["why"].clone());
        let found = described(calls, &arn).await?;
        let refused = |why: &str| {
            Err(Complaint::Refused(format!("there is no certificate: {why}; publish it again once that is mended")))
        };
        match (found["Status"].as_str(), why.as_ref().and_then(Value::as_str)) {
            (Some("ISSUED"), _) => Ok(true),
            (_, Some(why)) => refused(why),
            (Some("FAILED"), None) => refused(found["FailureReason"].as_str().unwrap_or("FAILED")),
            _ => Ok(false),
        }
    })
    .await?;
    Ok(Presented::Requested(arn))
}

pub(super) async fn import(calls: &mut Calls, wish: &Wish, pem: &Pem, arn: Option<&str>) -> Result<String, Complaint> {
    // The first certificate is the name's, the others lead from it to a root.
    let end = "-----END CERTIFICATE-----";
    let cut = pem.certificate.find(end).map_or(pem.certificate.len(), |at| at + end.len());
    let (leaf, chain) = pem.certificate.split_at(cut);
    let mut input = json!({ "Certificate": STANDARD.encode(leaf), "PrivateKey": STANDARD.encode(&pem.key) });
    let (cert, key) = wish.certificate.as_ref().map_or_else(
        || (format!("{}.crt", wish.host), format!("{}.key", wish.host)),
        |(cert, key)| (cert.display().to_string(), key.display().to_string()),
    );
    let mut told = json!({ "Certificate": format!("fileb://{cert}"), "PrivateKey": format!("fileb://{key}") });
    if chain.contains(end) {
        input["CertificateChain"] = STANDARD.encode(chain.trim_start()).into();
        told["CertificateChain"] = format!("fileb://{cert}").into();
    }
    let more = match arn {
        Some(arn) => ("CertificateArn", json!(arn)),
        None => ("Tags", tags(&wish.host)),
    };
    for input in [&mut input, &mut told] {
        input[more.0] = more.1.clone();
    }
    calls.change_told(acm("ImportCertificate"), (input, &told)).await?.text("CertificateArn")
}
