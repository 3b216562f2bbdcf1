//! The server's configuration: flags over `TIDEGATE_*` variables over the file, each setting with one name in all three.
//! What was given is collected first and judged afterwards, so that every problem is reported at once, with its key. The
//! program uses the judged form only. What a setting does lives elsewhere.

mod access_key;
mod acme;
mod flags;
mod identity;
mod otel;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use topology::id::{AccountId, Region};
use topology::net::IpNet;

use crate::cli::UpArgs;
use crate::journal::Copies;

pub(crate) use access_key::AccessKey;
pub(crate) use acme::{Acme, Challenge, is_asked_for};
pub(crate) use otel::Collector;
pub(crate) use value::duration;
use value::{
    address, block, blocked, copies, directory, endpoint, fabric, host, level, one_of, region, somewhere,
    unsupported as unsupported_as,
};

/// Which engine is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fabric {
    /// The kernel engine where this machine can carry it, else the proxy engine.
    Auto,
    /// The proxy engine.
    Proxy,
    /// The kernel engine, or no start.
    Kernel,
}

/// Access keys that the file may list.
const ACCESS_KEYS_MAX: usize = 1_024;
/// Blocks that `egress.allow` may list; each is looked at for each new connection to the outside.
const EGRESS_BLOCKS_MAX: usize = 256;
/// Bytes of the configuration file.
pub(crate) const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// What the variables of the commands that talk to a server are called; they are no settings of the server.
const CLIENT_VARIABLES: [&str; 3] = ["TIDEGATE_API", "TIDEGATE_CONFIG", "TIDEGATE_BIN"];

/// Every setting but the access keys, and its default as shown at start.
const SETTINGS: [(&str, &str); 36] = [
    ("listen.api", "127.0.0.1:4566"),
    ("listen.api_tls", "none"),
    ("listen.metrics", "none"),
    ("listen.public", "127.0.0.1:8080"),
    ("listen.public_tls", "127.0.0.1:8443"),
    ("listen.redirect", "none"),
    ("listen.balancers", "none"),
    ("listen.link", "none"),
    ("data_dir", ".tidegate"),
    ("s3.root", "s3 below data_dir"),
    ("ephemeral", "false"),
    ("account_id", "000000000000"),
    ("region", "us-east-1"),
    ("fabric", "auto"),
    ("delays", "instant"),
    ("quotas", "off"),
    ("unsupported", "as listed"),
    ("timeouts.blocked_connect", "as AWS"),
    ("egress.allow", "none"),
    ("egress.nat", "false"),
    ("cognito.endpoint", "as AWS"),
    ("tls.extra_roots", "none"),
    ("tls.api_certificate", "the development authority's"),
    ("tls.api_key", "the development authority's"),
    ("acme.directory", "none"),
    ("acme.contact", "none"),
    ("acme.terms_agreed", "false"),
    ("acme.ca_file", "the platform's roots"),
    ("acme.names", "every name"),
    ("acme.challenges", "as listeners allow"),
    ("strict_wire", "false"),
    ("allow_remote", "false"),
    ("access_log", "none"),
    ("otel.endpoint", "none"),
    ("log", "info"),
    ("output", "text"),
];
const ACCESS_KEYS: &str = "access_keys";

/// The mode in which any credentials are believed, as the health page names it.
pub(crate) const DEVELOPMENT: &str = "development";

/// How background work is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delays {
    /// In milliseconds.
    Instant,
    /// As AWS takes.
    Realistic,
}

/// What becomes of what is asked for, not carried out, and harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Unsupported {
    /// Attributes are kept, parameters are refused.
    #[default]
    AsListed,
    /// Both are refused.
    Refuse,
    /// Both are taken, and told.
    Warn,
}

/// How readiness is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadyForm {
    /// The line `Ready.`
    Text,
    /// One JSON object.
    Json,
}

/// An address, and whether somebody named it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The address.
    pub(crate) address: SocketAddr,
    /// Whether it is more than the default.
    pub(crate) given: bool,
}

/// What the server runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// Where AWS's APIs are served.
    pub(crate) api: SocketAddr,
    /// Where AWS's APIs are served with TLS; `None` is nowhere.
    pub(crate) api_tls: Option<SocketAddr>,
    /// The files of the certificate that is presented there, and of its key; `None` has the development authority issue one.
    pub(crate) api_identity: Option<(PathBuf, PathBuf)>,
    /// Where metrics and health alone are served; `None` is nowhere.
    pub(crate) metrics: Option<SocketAddr>,
    /// Where invoke URLs are served; `None` is nowhere without TLS.
    pub(crate) public: Option<SocketAddr>,
    /// Where invoke URLs and custom domain names are served with TLS.
    pub(crate) public_tls: Wanted,
    /// Where requests without TLS are sent on to the listener with TLS; `None` is nowhere.
    pub(crate) redirect: Option<SocketAddr>,
    /// Where internet-facing load balancers are reached; `None` is nowhere.
    pub(crate) balancers: Option<Ipv4Addr>,
    /// Where agents connect; `None` is nowhere.
    pub(crate) link: Option<SocketAddr>,
    /// The directory whose files stand for objects of S3; `None` has none.
    pub(crate) s3_root: Option<PathBuf>,
    /// Where state is kept; `None` is in memory.
    pub(crate) data_dir: Option<PathBuf>,
    /// The setting `data_dir`, also where state is in memory.
    pub(crate) home: PathBuf,
    /// Files with secrets that were read, to be warned of where strangers can read them.
    pub(crate) secret_files: Vec<PathBuf>,
    /// The file that the log goes to, when `up --detach` led it there.
    pub(crate) kept_log: Option<PathBuf>,
    /// The account of callers whose key names none.
    pub(crate) account: AccountId,
    /// The region of callers whose signature names none.
    pub(crate) region: Region,
    /// Which engine carries private networks.
    pub(crate) fabric: Fabric,
    /// How background work is timed.
    pub(crate) delays: Delays,
    /// Whether AWS's default quotas are enforced, as far as control knows them.
    pub(crate) quotas: bool,
    /// What becomes of what is harmless and not carried out.
    pub(crate) unsupported: Unsupported,
    /// How long a dropped connection is silent; `None` is as AWS.
    pub(crate) blocked_connect: Option<Duration>,
    /// Blocks that may be reached although the public network does not own them.
    pub(crate) egress_allow: Vec<IpNet>,
    /// Whether private networks of the kernel have ways out.
    pub(crate) egress_nat: bool,
    /// Where user pools are, instead of AWS.
    pub(crate) cognito_endpoint: Option<String>,
    /// A file of roots that are believed besides the platform's.
    pub(crate) extra_roots: Option<PathBuf>,
    /// Whether something may listen beyond loopback.
    pub(crate) allow_remote: bool,
    /// Whether nothing is sent that AWS does not send.
    pub(crate) strict_wire: bool,
    /// Whose signatures are verified; with none, any credentials are believed.
    pub(crate) access_keys: Vec<AccessKey>,
    /// Where access-log lines go besides their log groups.
    pub(crate) access_log: Copies,
    /// The authority that is asked for certificates by ACME, if one is.
    pub(crate) acme: Option<Acme>,
    /// Where traces are exported to.
    pub(crate) collector: Option<Collector>,
    /// What is logged.
    pub(crate) log: tracing::Level,
    /// How readiness is printed.
    pub(crate) output: ReadyForm,
    /// Each setting as it is in force, for the log.
    pub(crate) effective: Vec<(&'static str, String)>,
}

impl Config {
    /// Whether any credentials are believed, since no keys are configured.
    pub(crate) fn is_development(&self) -> bool {
        self.access_keys.is_empty()
    }

    /// The mode's name, as the health page says it.
    pub(crate) fn mode(&self) -> &'static str {
        if self.is_development() { DEVELOPMENT } else { "gateway" }
    }
}

/// Something wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The setting's name.
    pub(crate) key: String,
    /// What is wrong.
    pub(crate) text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.text)
    }
}

/// What was given for a setting, and where.
#[derive(Debug, Clone)]
enum Given {
    Text(String, Origin),
    List(Vec<String>, Origin),
    Truth(bool, Origin),
    Unfit(&'static str, Origin),
}

/// Where a setting was given.
#[derive(Debug, Clone)]
enum Origin {
    Flag,
    Variable(String),
    File,
}

impl Given {
    fn origin(&self) -> &Origin {
        match self {
            Self::Text(_, origin) | Self::List(_, origin) | Self::Truth(_, origin) | Self::Unfit(_, origin) => origin,
        }
    }
}

/// What was given, before it is judged: the later layers have replaced the earlier ones.
#[derive(Debug, Default)]
struct Raw {
    settings: BTreeMap<&'static str, Given>,
    access_keys: Vec<toml::Value>,
    otel: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

/// Reads the three layers and judges them.
///
/// # Errors
/// Every problem, in the order of the settings.
pub(crate) fn load(
    flags: &UpArgs,
    variables: impl IntoIterator<Item = (String, String)>,
    file: Option<&str>,
) -> Result<Config, Vec<Problem>> {
    let mut raw = Raw::default();
    if let Some(text) = file {
        raw.read_file(text);
    }
    raw.read_variables(variables);
    raw.read_flags(flags);
    raw.judge()
}

impl Raw {
    fn problem(&mut self, key: impl Into<String>, text: impl Into<String>) {
        self.problems.push(Problem { key: key.into(), text: text.into() });
    }

    fn read_file(&mut self, text: &str) {
        match text.parse::<toml::Table>() {
            Ok(table) => self.read_table("", table),
            Err(error) => self.problem("the file", format!("is no TOML: {}", error.to_string().trim_end())),
        }
    }

    fn read_table(&mut self, prefix: &str, table: toml::Table) {
        for (name, value) in table {
            let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            let known = SETTINGS.iter().find(|(setting, _)| *setting == key).map(|(setting, _)| *setting);
            let is_section = SETTINGS.iter().any(|(setting, _)| setting.starts_with(&format!("{key}.")));
            match (known, value) {
                (Some(setting), value) => {
                    self.settings.insert(setting, given(value));
                }
                (None, toml::Value::Table(inner)) if is_section => self.read_table(&key, inner),
                (None, toml::Value::Array(keys)) if key == ACCESS_KEYS => self.access_keys = keys,
                (None, _) if key == ACCESS_KEYS || is_section => self.problem(key, "must be a table"),
                (None, _) => self.problem(key, "is no setting of this program"),
            }
        }
    }

    fn read_variables(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        for (name, text) in variables {
            let known = SETTINGS.iter().map(|(setting, _)| *setting).find(|setting| variable_of(setting) == name);
            if let Some(setting) = known {
                self.settings.insert(setting, Given::Text(text, Origin::Variable(name)));
            } else if otel::VARIABLES.contains(&name.as_str()) {
                self.otel.insert(name, text);
            } else if name.starts_with("TIDEGATE_") && !CLIENT_VARIABLES.contains(&name.as_str()) {
                tracing::warn!(variable = name, "no setting has this variable");
            }
        }
    }

    /// The setting, parsed; its default's text when it was not given; `None` when it is unfit, which is then noted.
    fn take<T>(&mut self, key: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let parsed = match self.settings.get(key) {
            Some(Given::Text(text, _)) => parse(text),
            Some(Given::Truth(..)) => Err("must be a string".to_owned()),
            Some(Given::List(..)) => Err("must be a string, not array".to_owned()),
            Some(Given::Unfit(what, _)) => Err(format!("must be a string, not {what}")),
            None => parse(default_of(key)),
        };
        parsed.map_err(|text| self.note(key, &text)).ok()
    }

    fn take_truth(&mut self, key: &'static str) -> bool {
        let parsed = match self.settings.get(key) {
            None => Ok(false),
            Some(Given::Truth(truth, _)) => Ok(*truth),
            Some(Given::Text(text, Origin::Variable(_))) => match text.as_str() {
                "true" | "1" => Ok(true),
                "false" | "0" | "" => Ok(false),
                other => Err(format!("must be true or false, not {other:?}")),
            },
            Some(Given::Text(..)) => Err("must be true or false, without quotes".to_owned()),
            Some(Given::List(..)) => Err("must be true or false, not array".to_owned()),
            Some(Given::Unfit(what, _)) => Err(format!("must be true or false, not {what}")),
        };
        parsed.unwrap_or_else(|text| {
            self.note(key, &text);
            false
        })
    }

    /// The setting's items, parsed: an array in the file, separated by commas elsewhere.
    fn take_list<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let items: Vec<String> = match self.settings.get(key) {
            None => return Vec::new(),
            Some(Given::List(items, _)) => items.clone(),
            Some(Given::Text(_, Origin::File) | Given::Truth(..) | Given::Unfit(..)) => {
                self.note(key, "must be an array of strings");
                return Vec::new();
            }
            Some(Given::Text(text, _)) => {
                text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
            }
        };
        let mut parsed = Vec::new();
        for item in items {
            match parse(&item) {
                Ok(value) => parsed.push(value),
                Err(text) => self.note(key, &text),
            }
        }
        parsed
    }

    /// Notes a problem with where the setting was given.
    fn note(&mut self, key: &'static str, text: &str) {
        let origin = match self.settings.get(key).map(Given::origin) {
            Some(Origin::Variable(name)) => format!(" (from {name})"),
            Some(Origin::Flag) => " (from the command line)".to_owned(),
            Some(Origin::File) | None => String::new(),
        };
        self.problem(key, format!("{text}{origin}"));
    }

    fn judge(mut self) -> Result<Config, Vec<Problem>> {
        let api = self.take("listen.api", address);
        let api_tls = self.take("listen.api_tls", somewhere);
        let metrics = self.take("listen.metrics", somewhere);
        let public = self.take("listen.public", somewhere);
        let public_tls = self.take("listen.public_tls", address);
        let tls_given = self.settings.contains_key("listen.public_tls");
        let redirect = self.take("listen.redirect", somewhere);
        let balancers = self.take("listen.balancers", host);
        let link = self.take("listen.link", somewhere);
        let s3_root = self.settings.contains_key("s3.root");
        let s3_root = if s3_root { self.take("s3.root", directory) } else { None };
        let data_dir = self.take("data_dir", directory);
        let ephemeral = self.take_truth("ephemeral");
        let account = self.take("account_id", |text| text.parse().map_err(|_| "must be 12 digits".to_owned()));
        let region = self.take("region", region);
        let fabric = self.take("fabric", fabric);
        let delays =
            self.take("delays", |text| one_of(text, &[("instant", Delays::Instant), ("realistic", Delays::Realistic)]));
        let quotas = self.take("quotas", |text| one_of(text, &[("off", false), ("aws", true)]));
        let unsupported = self.settings.contains_key("unsupported");
        let unsupported = if unsupported { self.take("unsupported", unsupported_as) } else { None };
        let blocked_connect = self.settings.contains_key("timeouts.blocked_connect");
        let blocked_connect = if blocked_connect { self.take("timeouts.blocked_connect", blocked) } else { None };
        let egress_allow = self.take_list("egress.allow", block);
        if egress_allow.len() > EGRESS_BLOCKS_MAX {
            self.note("egress.allow", &format!("lists {} blocks, at most {EGRESS_BLOCKS_MAX}", egress_allow.len()));
        }
        let egress_nat = self.take_truth("egress.nat");
        let has_pools = self.settings.contains_key("cognito.endpoint");
        let cognito_endpoint = if has_pools { self.take("cognito.endpoint", endpoint) } else { None };
        let has_roots = self.settings.contains_key("tls.extra_roots");
        let extra_roots = if has_roots { self.take("tls.extra_roots", directory) } else { None };
        let api_identity = self.judge_api_identity(api_tls.flatten().is_some());
        let acme = self.judge_acme(redirect.flatten().is_some());
        let strict_wire = self.take_truth("strict_wire");
        let allow_remote = self.take_truth("allow_remote");
        let access_log = self.take("access_log", copies);
        let variables = std::mem::take(&mut self.otel);
        let collector = self.take("otel.endpoint", |text| otel::collector(text, &variables));
        let log = self.take("log", level);
        let output = self.take("output", |text| one_of(text, &[("text", ReadyForm::Text), ("json", ReadyForm::Json)]));
        let access_keys = self.judge_access_keys(account);
        if api_tls.flatten().is_some() && api_identity.is_none() && !access_keys.is_empty() {
            self.problem(
                "tls.api_certificate",
                "is needed by listen.api_tls: gateway mode presents nothing of the development authority",
            );
        }
        let ends = [
            ("listen.api", api),
            ("listen.api_tls", api_tls.flatten()),
            ("listen.metrics", metrics.flatten()),
            ("listen.redirect", redirect.flatten()),
            ("listen.public", public.flatten()),
            ("listen.public_tls", public_tls),
        ];
        // The link takes nobody without a certificate of its own authority, or a token, and is for other machines.
        let ends = ends.map(|(key, end)| (key, end.map(|end| end.ip())));
        for (key, host) in ends.into_iter().chain([("listen.balancers", balancers.flatten().map(IpAddr::V4))]) {
            self.judge_reach(key, host, allow_remote);
        }
        if allow_remote && access_keys.is_empty() {
            self.problem(
                "allow_remote",
                "needs at least one [[access_keys]]: beyond loopback, signatures are verified",
            );
        }
        let effective = self.effective(&access_keys);
        let judged = (|| {
            Some(Config {
                api: api?,
                api_tls: api_tls?,
                secret_files: api_identity.iter().map(|(_, key)| key.clone()).collect(),
                api_identity,
                metrics: metrics?,
                public: public?,
                public_tls: Wanted { address: public_tls?, given: tls_given },
                redirect: redirect?,
                balancers: balancers?,
                link: link?,
                s3_root: s3_root.or_else(|| data_dir.as_ref().filter(|_| !ephemeral).map(|dir| dir.join("s3"))),
                home: data_dir.clone()?,
                kept_log: None,
                data_dir: if ephemeral { None } else { Some(data_dir?) },
                account: account?,
                region: region?,
                fabric: fabric?,
                delays: delays?,
                quotas: quotas?,
                unsupported: unsupported.unwrap_or_default(),
                blocked_connect,
                egress_allow,
                egress_nat,
                cognito_endpoint,
                extra_roots,
                allow_remote,
                strict_wire,
                access_keys,
                access_log: access_log?,
                acme,
                collector: collector?,
                log: log?,
                output: output?,
                effective,
            })
        })();
        match judged {
            Some(config) if self.problems.is_empty() => Ok(config),
            _ => Err(self.problems),
        }
    }

    fn judge_reach(&mut self, key: &'static str, host: Option<IpAddr>, allow_remote: bool) {
        if let Some(host) = host.filter(|host| !host.is_loopback() && !allow_remote) {
            self.note(key, &format!("{host} is not loopback; allow_remote permits that"));
        }
    }

    fn judge_access_keys(&mut self, default_account: Option<AccountId>) -> Vec<AccessKey> {
        let given = std::mem::take(&mut self.access_keys);
        if given.len() > ACCESS_KEYS_MAX {
            self.problem(ACCESS_KEYS, format!("lists {} keys, at most {ACCESS_KEYS_MAX}", given.len()));
            return Vec::new();
        }
        let mut keys: Vec<AccessKey> = Vec::new();
        for (at, value) in given.into_iter().enumerate() {
            let place = format!("{ACCESS_KEYS}[{at}]");
            match access_key::read(value, default_account) {
                Ok(key) if keys.iter().any(|other| other.id == key.id) => {
                    self.problem(place, format!("{} is listed twice", key.id));
                }
                Ok(key) => keys.push(key),
                Err(texts) => texts.into_iter().for_each(|(name, text)| self.problem(format!("{place}.{name}"), text)),
            }
        }
        keys
    }

    fn effective(&self, access_keys: &[AccessKey]) -> Vec<(&'static str, String)> {
        let shown = |key, default: &str| match self.settings.get(key) {
            Some(Given::Text(text, _)) => text.clone(),
            Some(Given::List(items, _)) => items.join(", "),
            Some(Given::Truth(truth, _)) => truth.to_string(),
            Some(Given::Unfit(..)) | None => default.to_owned(),
        };
        let settings = SETTINGS.iter().map(|&(key, default)| (key, shown(key, default)));
        settings.chain([(ACCESS_KEYS, format!("{access_keys:?}"))]).collect()
    }
}

fn given(value: toml::Value) -> Given {
    match value {
        toml::Value::String(text) => Given::Text(text, Origin::File),
        toml::Value::Boolean(truth) => Given::Truth(truth, Origin::File),
        toml::Value::Array(items) if items.iter().all(toml::Value::is_str) => {
            Given::List(items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(), Origin::File)
        }
        other => Given::Unfit(other.type_str(), Origin::File),
    }
}

fn default_of(key: &str) -> &'static str {
    SETTINGS.iter().find(|(setting, _)| *setting == key).map_or("", |(_, default)| default)
}

/// `listen.api` is `TIDEGATE_LISTEN_API`.
fn variable_of(setting: &str) -> String {
    format!("TIDEGATE_{}", setting.replace('.', "_").to_ascii_uppercase())
}
