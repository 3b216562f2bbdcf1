//! Development tasks; `cargo xtask help` lists them. Nothing here ships in the binary.
//!
//! One module per task; this file only chooses between them.

mod bench;
mod bench_peer;
mod bench_stack;
mod codegen;
mod codegen_coverage;
mod codegen_models;
mod codegen_names;
mod codegen_rust;
mod codegen_tables;
mod codegen_unserved;
mod conformance;
mod deny;
mod dist;
mod guards;
mod instructions;
mod metadata;
mod shell;
mod site;
mod test;
mod tidy;

use std::process::ExitCode;

/// What every task returns: a sentence for the person at the terminal when it failed.
type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Outcome {
    match args.first().map(String::as_str) {
        Some("test") => test::run(),
        Some("tidy") => tidy::run(),
        Some("deny") => deny::run(),
        Some("guards") => guards::run(),
        Some("conformance") => conformance::run(&args[1..]),
        Some("dist") => dist::run(&args[1..]),
        Some("bench") => bench::run(&args[1..]),
        Some("instructions") => instructions::run(),
        Some("site") => site::run(),
        Some("models") => codegen_models::run(),
        Some("codegen") => codegen::run(),
        Some("help") | None => {
            eprintln!("{HELP}");
            Ok(())
        }
        Some(other) => Err(format!("no task named {other:?}\n{HELP}")),
    }
}

const HELP: &str = "\
tasks:
  test                 everything that CI runs, in its order
  tidy                 the rules that no compiler checks: banned text, file sizes, crate edges, coverage rows
  deny                 licences, banned crates and a single crypto provider, by deny.toml
  guards               that no guard of the gateway can be left out in code that compiles, by guards.toml
  conformance [NAME]   real clients (boto3, the AWS CLI, Terraform) against the built binary; NAME picks one script
  instructions         what one request costs in the dev build, by valgrind, against bounds
  dist [KIND ...]      the packages that people install, below target/dist: wheel (Python, with the pytest plugin), deb (Debian),
                       npm (a launcher, and the program), oci (an image for containers), tar (the program), source (and Homebrew's formula)
  bench [WORD ...]     what the chain costs beside nginx -> nginx and HAProxy -> HAProxy; WORD picks the chains that have it in their names
  site                 the documentation as pages of HTML, below target/site
  models               trim an installed botocore's service models to models/operations.toml
  codegen              write crates/wire/src/generated and docs/coverage.md from models/
  help                 this list";
