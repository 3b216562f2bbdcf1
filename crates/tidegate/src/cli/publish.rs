//! The words of `publish`, `unpublish` and `published`.

use std::path::PathBuf;

use clap::Args;

use super::ServerArgs;

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PublishArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The name that clients call
    #[arg(value_name = "HOST", required_unless_present = "file")]
    pub(crate) host: Option<String>,
    /// Publish the services of this file, and take away every other that is published; shows what it would change, and asks
    #[arg(long, short = 'f', value_name = "FILE", conflicts_with_all = [
        "host", "to", "path", "jwt_issuer", "audience", "scope", "rate", "burst", "api_key", "cert", "key", "acme", "cors", "health",
    ])]
    pub(crate) file: Option<PathBuf>,
    /// Without asking
    #[arg(long, requires = "file")]
    pub(crate) yes: bool,
    /// Where the service listens
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) to: Option<String>,
    /// The path below which it answers; the service sees the whole path [default: everything]
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<String>,
    /// Ask for tokens of this issuer
    #[arg(long, value_name = "URL")]
    pub(crate) jwt_issuer: Option<String>,
    /// For whom tokens must be; may be repeated, one must fit
    #[arg(long, value_name = "A")]
    pub(crate) audience: Vec<String>,
    /// For what tokens must be; may be repeated, one must fit
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Vec<String>,
    /// Requests a second that are let through
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<f64>,
    /// Requests that are let through at once [default: as many as in a second]
    #[arg(long, value_name = "N")]
    pub(crate) burst: Option<u32>,
    /// Ask for a key, in the header x-api-key; makes a REST API, since no HTTP API knows keys
    #[arg(long)]
    pub(crate) api_key: bool,
    /// The certificate for the name, in PEM [default: one of the development authority]
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Have the server ask an authority for the certificate by ACME, and renew it
    #[arg(long)]
    pub(crate) acme: bool,
    /// The origin of pages that may call, or *; may be repeated
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) cors: Vec<String>,
    /// The path that answers 200 while the service is well [default: any answer below 500 to /]
    #[arg(long, value_name = "PATH")]
    pub(crate) health: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct UnpublishArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The name that it was published by
    #[arg(value_name = "HOST")]
    pub(crate) host: String,
}
