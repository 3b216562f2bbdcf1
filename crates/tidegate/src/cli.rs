//! The command line: words into values. What a setting means is decided in `config`; the commands live in `serve`,
//! `client` and `demo`.

mod agent;
mod daily;
mod examples;
mod publish;

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use topology::id::NetworkInterfaceId;
use topology::trace::RequestId;

pub(crate) use agent::{AgentArgs, AgentCommand, AgentIdArgs, AgentRunArgs, TokenArgs};
pub(crate) use daily::{DownArgs, EnvArgs, LogsArgs, OpenArgs, ShellForm, WaitArgs};
pub(crate) use publish::{PublishArgs, UnpublishArgs};

/// A public API gateway, a VPC link and an internal load balancer that speak AWS's own APIs.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, about, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve AWS's APIs and the public listener
    #[command(after_help = examples::UP)]
    Up(Box<UpArgs>),
    /// End the server of a data directory
    #[command(after_help = examples::DOWN)]
    Down(DownArgs),
    /// Print what points AWS clients at the server, for a shell to evaluate
    #[command(after_help = examples::ENV)]
    Env(EnvArgs),
    /// Wait until the server serves, or until all that it holds is healthy
    #[command(after_help = examples::WAIT)]
    Wait(WaitArgs),
    /// Put a service of yours behind a name, a gateway, a link and a load balancer; again, to change what of it is asked
    #[command(after_help = examples::PUBLISH)]
    Publish(Box<PublishArgs>),
    /// Take away all that was built for a name
    #[command(after_help = examples::UNPUBLISH)]
    Unpublish(UnpublishArgs),
    /// List what is published, where, and what guards it
    #[command(after_help = examples::PUBLISHED)]
    Published(ServerArgs),
    /// Let a program of this machine serve a private address
    #[command(after_help = examples::ATTACH)]
    Attach(AttachArgs),
    /// Undo an attachment, or all
    #[command(after_help = examples::DETACH)]
    Detach(DetachArgs),
    /// List what is attached, and where it is served
    #[command(after_help = examples::ATTACHMENTS)]
    Attachments(ServerArgs),
    /// Run a program as a private address, for as long as it lives
    #[command(after_help = examples::RUN)]
    Run(RunArgs),
    /// Work in the network of an interface, on the kernel's fabric
    #[command(after_help = examples::NETNS)]
    Netns(NetnsArgs),
    /// Show what the server holds and how it enforces: URLs, attachments, the health of targets
    #[command(after_help = examples::STATUS)]
    Status(StatusArgs),
    /// Open the page of the server in a browser, or an API where it answers
    #[command(after_help = examples::OPEN)]
    Open(OpenArgs),
    /// Show what was logged: access, execution and other log groups, and the log of a detached server
    #[command(after_help = examples::LOGS)]
    Logs(LogsArgs),
    /// Move the server's clock: life cycles, idleness, quotas, tokens
    #[command(after_help = examples::TICK)]
    Tick(TickArgs),
    /// Forget everything that the server holds
    #[command(after_help = examples::RESET)]
    Reset(ResetArgs),
    /// Tell which hop of a request decided, by which rule, and what would let it through
    #[command(after_help = examples::EXPLAIN)]
    Explain(ExplainArgs),
    /// Build the whole chain, send requests through it, break it and mend it
    #[command(after_help = examples::DEMO)]
    Demo(DemoArgs),
    /// Print the certificate of the development authority, or issue certificates with it
    #[command(after_help = examples::CA)]
    Ca(CaArgs),
    /// Try whether this machine can carry private networks by its kernel, step by step, and say what mends it where it cannot
    #[command(after_help = examples::DOCTOR)]
    Doctor(DoctorArgs),
    /// Let the other end of the link in from another machine, or shut it out
    #[command(after_help = examples::AGENT)]
    Agent(AgentArgs),
    /// List agents, whether each is connected, and what it carries
    #[command(after_help = examples::AGENTS)]
    Agents(ServerArgs),
    /// Print a completion script for a shell
    #[command(after_help = examples::COMPLETION)]
    Completion {
        /// The shell
        shell: Shell,
    },
    /// Becomes a program that ends with its parent
    #[command(hide = true)]
    RunChild(RunChildArgs),
    /// Becomes a program in the namespace of an interface
    #[command(hide = true)]
    NetnsChild(NetnsChildArgs),
    /// Is the first process of a program's PID namespace
    #[command(hide = true)]
    RunFirst,
    /// Is a service of the demo, where `run` says
    #[command(hide = true)]
    DemoBackend(DemoBackendArgs),
    /// Is a program of the demo that calls the load balancer
    #[command(hide = true)]
    DemoCaller(DemoCallerArgs),
    /// Builds a tiny private network, in a process that does nothing else
    #[command(hide = true)]
    ExamineKernel,
}

/// Every setting of the server; each has the same name in the file and as a `TIDEGATE_*` variable.
#[derive(Debug, Default, Args)]
pub(crate) struct UpArgs {
    /// Where AWS's APIs are served [default: 127.0.0.1:4566]
    #[arg(long = "api", alias = "listen-api", value_name = "HOST:PORT")]
    pub(crate) listen_api: Option<String>,
    /// Where AWS's APIs are served with TLS too
    #[arg(long = "api-tls", alias = "listen-api-tls", value_name = "HOST:PORT")]
    pub(crate) listen_api_tls: Option<String>,
    /// The certificate that it presents, with its chain, in PEM; without one that of the development authority
    #[arg(long = "api-certificate", alias = "tls-api-certificate", value_name = "FILE")]
    pub(crate) api_certificate: Option<String>,
    /// The key of that certificate, in PEM
    #[arg(long = "api-key", alias = "tls-api-key", value_name = "FILE")]
    pub(crate) api_key: Option<String>,
    /// Where requests without TLS are sent on to the listener with TLS, such as 0.0.0.0:80
    #[arg(long = "redirect", alias = "listen-redirect", value_name = "HOST:PORT")]
    pub(crate) listen_redirect: Option<String>,
    /// Where `/metrics` and `/healthz` alone are served
    #[arg(long = "metrics", alias = "listen-metrics", value_name = "HOST:PORT")]
    pub(crate) listen_metrics: Option<String>,
    /// Where invoke URLs are served, or none [default: 127.0.0.1:8080]
    #[arg(long = "public", alias = "listen-public", value_name = "HOST:PORT")]
    pub(crate) listen_public: Option<String>,
    /// Where invoke URLs are served with TLS [default: 127.0.0.1:8443]
    #[arg(long = "public-tls", alias = "listen-public-tls", value_name = "HOST:PORT")]
    pub(crate) listen_public_tls: Option<String>,
    /// Where internet-facing load balancers are reached, each listener at a port of its own
    #[arg(long = "balancers", alias = "listen-balancers", value_name = "HOST")]
    pub(crate) listen_balancers: Option<String>,
    /// Where agents connect, with mutual TLS
    #[arg(long = "link", alias = "listen-link", value_name = "HOST:PORT")]
    pub(crate) listen_link: Option<String>,
    /// Where state is kept [default: .tidegate]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<String>,
    /// The directory whose files stand for objects of S3: BUCKET/KEY [default: s3 below the data directory]
    #[arg(long = "s3-root", value_name = "DIR")]
    pub(crate) s3_root: Option<String>,
    /// Keep state in memory only
    #[arg(long)]
    pub(crate) ephemeral: bool,
    /// The account of callers whose access key names none [default: 000000000000]
    #[arg(long, value_name = "ID")]
    pub(crate) account_id: Option<String>,
    /// The region of callers whose signature names none [default: us-east-1]
    #[arg(long, value_name = "R")]
    pub(crate) region: Option<String>,
    /// How security groups are enforced: auto, proxy or kernel [default: auto]
    #[arg(long, value_name = "HOW")]
    pub(crate) fabric: Option<String>,
    /// How long background work takes: instant or realistic [default: instant]
    #[arg(long, value_name = "HOW")]
    pub(crate) delays: Option<String>,
    /// Whether AWS's default quotas are enforced, so far on security-group rules: off or aws [default: off]
    #[arg(long, value_name = "HOW")]
    pub(crate) quotas: Option<String>,
    /// What becomes of what does no harm where it is not carried out: refuse or warn [default: attributes are kept, parameters refused]
    #[arg(long, value_name = "HOW")]
    pub(crate) unsupported: Option<String>,
    /// How long a connection that a group drops stays silent, such as 250ms [default: as AWS]
    #[arg(long = "timeouts-blocked-connect", value_name = "DURATION")]
    pub(crate) blocked_connect: Option<String>,
    /// Blocks outside the public network that integrations and issuers may reach [default: none]
    #[arg(long = "egress-allow", value_name = "CIDR,...")]
    pub(crate) egress_allow: Option<String>,
    /// Give private networks of the kernel the ways out that their routes lead to: NAT and internet gateways
    #[arg(long)]
    pub(crate) egress_nat: bool,
    /// Where user pools are served instead of AWS, such as http://127.0.0.1:9229 for a local emulator [default: as AWS]
    #[arg(long = "cognito-endpoint", value_name = "URL")]
    pub(crate) cognito_endpoint: Option<String>,
    /// A PEM file of roots to believe besides the platform's, towards issuers and public endpoints
    #[arg(long = "tls-extra-roots", value_name = "FILE")]
    pub(crate) extra_roots: Option<String>,
    #[command(flatten)]
    pub(crate) acme: AcmeArgs,
    /// Send nothing that AWS does not send
    #[arg(long)]
    pub(crate) strict_wire: bool,
    /// Allow addresses beyond loopback; needs access keys
    #[arg(long)]
    pub(crate) allow_remote: bool,
    /// Where access-log lines go besides their log groups: none, stdout or a file [default: none]
    #[arg(long, value_name = "WHERE")]
    pub(crate) access_log: Option<String>,
    /// The collector that traces are exported to, such as http://127.0.0.1:4318 [default: none]
    #[arg(long, value_name = "URL")]
    pub(crate) otel_endpoint: Option<String>,
    /// What is logged: error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log: Option<String>,
    /// Come back when the server serves, and let it go on; `tidegate down` ends it, and its log is tidegate.log below the data directory
    #[arg(long)]
    pub(crate) detach: bool,
    /// Where a detached server's log goes
    #[arg(long, hide = true, conflicts_with = "detach")]
    pub(crate) kept_log: Option<PathBuf>,
    /// The configuration file, in TOML
    #[arg(long, value_name = "FILE", env = "TIDEGATE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// How readiness is printed: text or json [default: text]
    #[arg(long, value_name = "FORM")]
    pub(crate) output: Option<String>,
}

/// The authority that is asked for certificates by ACME.
#[derive(Debug, Default, Args)]
pub(crate) struct AcmeArgs {
    /// The directory of the authority that is asked for certificates by ACME [default: none; the development authority issues them]
    #[arg(long = "acme-directory", value_name = "URL")]
    pub(crate) directory: Option<String>,
    /// Whom it may write to, such as mailto:ops@example.com
    #[arg(long = "acme-contact", value_name = "MAILTO,...")]
    pub(crate) contact: Option<String>,
    /// Agree to its terms of service
    #[arg(long = "acme-terms-agreed")]
    pub(crate) terms_agreed: bool,
    /// A PEM file of the roots to believe of it instead of the platform's
    #[arg(long = "acme-ca-file", value_name = "FILE")]
    pub(crate) ca_file: Option<String>,
    /// Names that it is asked for, with what is below them [default: every name]
    #[arg(long = "acme-names", value_name = "NAME,...")]
    pub(crate) names: Option<String>,
    /// How names are proven, the preferred way first: http-01, tls-alpn-01 [default: as listeners allow]
    #[arg(long = "acme-challenges", value_name = "KIND,...")]
    pub(crate) challenges: Option<String>,
}

/// Where the server is, and whose resources are meant.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServerArgs {
    /// The server's API
    #[arg(long, value_name = "URL", env = "TIDEGATE_API", default_value = "http://127.0.0.1:4566")]
    pub(crate) api: String,
    /// The account [default: the server's]
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,
    /// The region [default: the server's]
    #[arg(long, value_name = "R")]
    pub(crate) region: Option<String>,
    /// How the answer is printed
    #[arg(long, value_name = "FORM")]
    pub(crate) output: Option<Form>,
}

/// For people or for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// One JSON object
    Json,
    /// Lines and columns
    #[value(alias = "text")]
    Table,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "tidegate attach [OPTIONS] PRIVATE_IP[:PORT] HOST:PORT\n       tidegate attach [OPTIONS] --listen LISTENER_ARN HOST:PORT"
)]
pub(crate) struct AttachArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The VPC, when several hold the address
    #[arg(long, value_name = "V", conflicts_with = "listen")]
    pub(crate) vpc: Option<String>,
    /// A security group of the interface; may be repeated
    #[arg(long = "security-group", value_name = "SG")]
    pub(crate) security_groups: Vec<String>,
    /// Open a socket of this machine that enters the listener of a load balancer, as a client with an interface of its own
    #[arg(long, value_name = "LISTENER_ARN")]
    pub(crate) listen: Option<String>,
    /// The private address or an instance that has it (without a port, every TCP port of it), and where it is served; with --listen only where to listen
    #[arg(value_name = "PRIVATE_IP[:PORT]|INSTANCE[:PORT]> <HOST:PORT", required = true, num_args = 1..=2)]
    pub(crate) ends: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DetachArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The VPC, when several hold the address
    #[arg(long, value_name = "V", conflicts_with = "listen")]
    pub(crate) vpc: Option<String>,
    /// Undo every attachment
    #[arg(long, conflicts_with_all = ["private", "listen"])]
    pub(crate) all: bool,
    /// Close the socket of this listener
    #[arg(long, value_name = "LISTENER_ARN", conflicts_with = "private")]
    pub(crate) listen: Option<String>,
    /// The private address, or an instance that has it; its port where more than one is attached
    #[arg(value_name = "PRIVATE_IP[:PORT]|INSTANCE[:PORT]", required_unless_present_any = ["all", "listen"])]
    pub(crate) private: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TickArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// By how much, in seconds
    #[arg(value_name = "SECONDS")]
    pub(crate) seconds: i64,
}

#[derive(Debug, Args)]
pub(crate) struct ResetArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Without asking
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The subnet that the program is in
    #[arg(long, value_name = "S")]
    pub(crate) subnet: String,
    /// Its private address [default: a free one]
    #[arg(long, value_name = "IP")]
    pub(crate) ip: Option<Ipv4Addr>,
    /// Its private port
    #[arg(long, value_name = "N", default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
    /// A security group of the interface; may be repeated
    #[arg(long = "security-group", value_name = "SG")]
    pub(crate) security_groups: Vec<String>,
    /// The program and its arguments; `HOST` and `PORT` tell it where to listen
    #[arg(required = true, last = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunChildArgs {
    /// The process that this one must not survive
    #[arg(long)]
    pub(crate) parent: u32,
    /// The socket at which the server hands namespaces over; without it the program is where its parent is
    #[arg(long, requires = "interface", value_name = "DOOR")]
    pub(crate) door: Option<String>,
    /// The interface whose namespace the program is in
    #[arg(long, requires = "door", value_name = "ENI")]
    pub(crate) interface: Option<NetworkInterfaceId>,
    /// The program and its arguments
    #[arg(required = true, last = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct NetnsArgs {
    #[command(subcommand)]
    pub(crate) command: NetnsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NetnsCommand {
    /// Become a program in the namespace of an interface, with the rights that you have
    #[command(after_help = examples::NETNS)]
    Exec(NetnsExecArgs),
}

#[derive(Debug, Args)]
pub(crate) struct NetnsExecArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The interface
    #[arg(value_name = "ENI")]
    pub(crate) interface: NetworkInterfaceId,
    /// The program and its arguments
    #[arg(required = true, last = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct NetnsChildArgs {
    /// The socket at which the server hands namespaces over
    pub(crate) door: String,
    /// The interface
    pub(crate) interface: NetworkInterfaceId,
    /// The program and its arguments
    #[arg(required = true, last = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// A request id, or the method of a request to send
    #[arg(value_name = "REQUEST_ID | METHOD")]
    pub(crate) what: String,
    /// Its URL: an invoke URL or custom domain name of the server, with http or https, which the server carries out itself
    pub(crate) url: Option<String>,
    /// A header of the request, as `Name: value`; may be repeated
    #[arg(long = "header", short = 'H', value_name = "H", requires = "url")]
    pub(crate) headers: Vec<String>,
    /// The body of the request
    #[arg(long = "data", short = 'd', value_name = "D", requires = "url")]
    pub(crate) data: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The engine of the private networks: auto, proxy or kernel; with kernel the services are programs inside
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(crate) fabric: String,
    /// End after the walk instead of staying up
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoBackendArgs {
    /// What it is called
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct DemoCallerArgs {
    /// What it asks for
    pub(crate) url: String,
    /// How long it waits for the answer, in seconds
    pub(crate) within_s: u64,
}

#[derive(Debug, Args)]
pub(crate) struct CaArgs {
    /// The data directory that the authority is kept in [default: the running server's, else .tidegate]
    #[arg(long, global = true, value_name = "DIR", env = "TIDEGATE_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The server's API
    #[arg(long, global = true, value_name = "URL", env = "TIDEGATE_API", default_value = "http://127.0.0.1:4566")]
    pub(crate) api: String,
    /// How the answer is printed
    #[arg(long, global = true, value_name = "FORM")]
    pub(crate) output: Option<Form>,
    #[command(subcommand)]
    pub(crate) command: Option<CaCommand>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Examine the link of an agent instead
    #[arg(long, requires = "data_dir")]
    pub(crate) link: bool,
    /// The agent's directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// How the answer is printed
    #[arg(long, value_name = "FORM")]
    pub(crate) output: Option<Form>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Write a certificate and its key, NAME.crt and NAME.key, for servers and clients
    Issue(IssueArgs),
}

#[derive(Debug, Args)]
pub(crate) struct IssueArgs {
    /// Where the files are written [default: here]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// How long the certificate is valid
    #[arg(long, value_name = "N", default_value_t = 397, value_parser = clap::value_parser!(u64).range(1..=397))]
    pub(crate) days: u64,
    /// The names: DNS names, a star and a name, or addresses; the first one names the files
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
}

/// The words of the command line, with a request id that begins with a hyphen put where it cannot be taken for a flag: one
/// id in 64 does.
pub(crate) fn words(given: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let words: Vec<OsString> = given.collect();
    if words.get(1).is_none_or(|command| command != "explain") {
        return words;
    }
    let is_id =
        |word: &OsString| word.to_str().is_some_and(|text| text.starts_with('-') && text.parse::<RequestId>().is_ok());
    let (ids, mut words): (Vec<_>, Vec<_>) = words.into_iter().partition(is_id);
    if !ids.is_empty() {
        words.push("--".into());
    }
    words.extend(ids);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn a_request_id_may_begin_with_a_hyphen() {
        for id in ["-HdBbCcDdEeFfGg=", "--outputBcDdEeF=", "AHdBbCcDdEeFfGg="] {
            for given in
                [["tidegate", "explain", id, "--output", "json"], ["tidegate", "explain", "--output", "json", id]]
            {
                let parsed = Cli::try_parse_from(words(given.into_iter().map(OsString::from))).unwrap();
                let Command::Explain(args) = parsed.command else { panic!("explain") };
                assert_eq!((args.what.as_str(), args.server.output), (id, Some(Form::Json)));
            }
        }
    }

    /// Every command, and its own below it, but those that are hidden.
    fn commands() -> Vec<clap::Command> {
        Cli::command().get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect()
    }

    #[test]
    fn each_help_ends_with_examples_that_the_command_line_takes() {
        for command in commands() {
            let name = command.get_name().to_owned();
            let help = command.get_after_help().unwrap_or_else(|| panic!("{name} has no examples")).to_string();
            let lines: Vec<&str> = help.lines().skip(1).collect();
            assert!(!lines.is_empty(), "{name}");
            for line in lines {
                let typed = &line[line.find("tidegate ").unwrap_or_else(|| panic!("{line}"))..];
                let typed = typed.split([')', '|', '>']).next().unwrap_or_default();
                let quoted: Vec<&str> = typed.split('\'').collect();
                // Every other part stood between quotes.
                let parts = quoted.iter().enumerate().flat_map(|(at, part)| match at % 2 {
                    0 => part.split_whitespace().collect::<Vec<_>>(),
                    _ => vec![*part],
                });
                let parsed = Cli::try_parse_from(words(parts.map(OsString::from)));
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
                assert!(typed.contains(&name), "{line} stands below {name}");
            }
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
