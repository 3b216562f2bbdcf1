//! The licence and crate policy of `deny.toml`, checked from `cargo metadata` alone, so that it runs where cargo-deny is not
//! installed. cargo-deny reads the same file and checks more (advisories, sources).

use crate::metadata::{Metadata, Package};
use crate::{Outcome, codegen, shell};
use serde::Deserialize;
use std::collections::BTreeSet;

/// TLS and signature code may come from one of these only: two providers in one process panic at run time.
const CRYPTO_PROVIDERS: [&str; 4] = ["aws-lc-rs", "ring", "openssl", "boring"];

#[derive(Deserialize)]
struct Policy {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

/// Judges the whole resolved graph.
pub(crate) fn run() -> Outcome {
    let policy = policy(&codegen::read(&codegen::root().join("deny.toml"))?)?;
    let metadata = Metadata::load()?;
    let problems = judge(&policy, &metadata.resolved().collect::<Vec<_>>());
    eprintln!("deny: {} packages, {} problems", metadata.resolved().count(), problems.len());
    if !problems.is_empty() {
        return Err(format!("deny.toml is violated:\n  {}", problems.join("\n  ")));
    }
    if shell::on_path("cargo-deny") {
        return shell::run(
            shell::cargo().args(["deny", "check", "bans", "licenses", "sources"]).current_dir(codegen::root()),
        );
    }
    eprintln!("deny: SKIPPED cargo-deny, it is not installed; the rules above were checked without it");
    Ok(())
}

fn policy(text: &str) -> Result<Policy, String> {
    toml::from_str(text).map_err(|e| format!("deny.toml: {e}"))
}

fn judge(policy: &Policy, packages: &[&Package]) -> Vec<String> {
    let allowed: BTreeSet<&str> = policy.licenses.allow.iter().map(String::as_str).collect();
    let mut problems = Vec::new();
    for package in packages {
        let named = format!("{} {}", package.name, package.version);
        match &package.license {
            Some(license) if allows(&allowed, license) => {}
            Some(license) => problems.push(format!("{named}: licence {license:?} is not on the allow list")),
            None => problems.push(format!("{named}: states no licence")),
        }
        if let Some(banned) = policy.bans.deny.iter().find(|b| b.name == package.name) {
            problems.push(format!("{named}: banned, {}", banned.reason));
        }
    }
    let providers: Vec<&str> =
        packages.iter().map(|p| p.name.as_str()).filter(|n| CRYPTO_PROVIDERS.contains(n)).collect();
    if providers.len() > 1 {
        problems.push(format!("more than one crypto provider or version of one: {}", providers.join(", ")));
    }
    problems
}

/// Whether the allow list satisfies an SPDX expression. `/` is the old spelling of `OR`; `A WITH B` is looked up as a whole,
/// then as `A`, because an exception only adds permissions.
fn allows(allowed: &BTreeSet<&str>, expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let verdict = any_of(allowed, &tokens, &mut at);
    verdict && at == tokens.len()
}

fn any_of(allowed: &BTreeSet<&str>, tokens: &[&str], at: &mut usize) -> bool {
    let mut verdict = all_of(allowed, tokens, at);
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        verdict |= all_of(allowed, tokens, at);
    }
    verdict
}

fn all_of(allowed: &BTreeSet<&str>, tokens: &[&str], at: &mut usize) -> bool {
    let mut verdict = term(allowed, tokens, at);
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        verdict &= term(allowed, tokens, at);
    }
    verdict
}

fn term(allowed: &BTreeSet<&str>, tokens: &[&str], at: &mut usize) -> bool {
    let Some(token) = tokens.get(*at) else { return false };
    *at += 1;
    if *token == "(" {
        let verdict = any_of(allowed, tokens, at);
        let closed = tokens.get(*at) == Some(&")");
        *at += usize::from(closed);
        return verdict && closed;
    }
    if tokens.get(*at) == Some(&"WITH") {
        let whole = format!("{token} WITH {}", tokens.get(*at + 1).unwrap_or(&""));
        *at += 2;
        return allowed.contains(whole.as_str()) || allowed.contains(token);
    }
    allowed.contains(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, license: Option<&str>) -> Package {
        Package {
            id: name.to_owned(),
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: license.map(str::to_owned),
            manifest_path: std::path::PathBuf::new(),
            dependencies: Vec::new(),
        }
    }

    fn judged(packages: &[Package]) -> Vec<String> {
        let policy = policy(
            "[licenses]\nallow = [\"MIT\", \"Apache-2.0\", \"Unicode-3.0\"]\n\
             [bans]\ndeny = [{ crate = \"openssl\", reason = \"C code\" }]\n",
        );
        judge(&policy.unwrap(), &packages.iter().collect::<Vec<_>>())
    }

    #[test]
    fn licence_expressions_are_read_as_spdx_means_them() {
        let allowed = BTreeSet::from(["MIT", "Apache-2.0", "Unicode-3.0"]);
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("MIT OR GPL-3.0", true),
            ("GPL-3.0 OR MIT", true),
            ("MIT AND GPL-3.0", false),
            ("Apache-2.0/MIT", true),
            ("Apache-2.0 / GPL-3.0", true),
            ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
            ("(MIT OR Apache-2.0) AND GPL-3.0", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("GPL-3.0 WITH LLVM-exception", false),
            ("MIT AND", false),
            ("(MIT", false),
            ("", false),
        ] {
            assert_eq!(allows(&allowed, expression), expected, "{expression:?}");
        }
    }

    #[test]
    fn a_package_without_a_licence_is_refused() {
        assert_eq!(judged(&[package("quiet", None)]), ["quiet 1.0.0: states no licence"]);
    }

    #[test]
    fn a_banned_crate_is_refused_with_its_reason() {
        assert_eq!(judged(&[package("openssl", Some("MIT"))]), ["openssl 1.0.0: banned, C code"]);
    }

    #[test]
    fn two_crypto_providers_are_refused() {
        let problems = judged(&[package("ring", Some("MIT")), package("aws-lc-rs", Some("MIT"))]);
        assert_eq!(problems, ["more than one crypto provider or version of one: ring, aws-lc-rs"]);
        assert!(judged(&[package("aws-lc-rs", Some("MIT"))]).is_empty());
    }

    #[test]
    fn the_committed_policy_can_be_read() {
        assert!(policy(&codegen::read(&codegen::root().join("deny.toml")).unwrap()).is_ok());
    }
}
