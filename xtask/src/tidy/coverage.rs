//! Every operation that `models/operations.toml` promises has a row in `docs/coverage.md`, below its service's heading, and
//! the page promises nothing else.

use std::collections::BTreeSet;

/// Compares the two texts.
pub(super) fn judge(operations: &str, page: &str) -> Result<Vec<String>, String> {
    let promised = promised(operations)?;
    let shown = shown(page);
    let missing = promised.difference(&shown).map(|(service, operation)| {
        format!("models/operations.toml promises {service} {operation}, docs/coverage.md has no row: run `cargo xtask codegen`")
    });
    let extra = shown.difference(&promised).map(|(service, operation)| {
        format!("docs/coverage.md shows {service} {operation}, models/operations.toml does not promise it")
    });
    Ok(missing.chain(extra).collect())
}

fn promised(text: &str) -> Result<BTreeSet<(String, String)>, String> {
    let table: toml::Table = toml::from_str(text).map_err(|e| format!("models/operations.toml: {e}"))?;
    let services =
        table.get("services").and_then(toml::Value::as_table).ok_or("models/operations.toml: no [services]")?;
    let mut found = BTreeSet::new();
    for (service, entry) in services {
        let operations = entry.get("operations").and_then(toml::Value::as_table);
        for operation in operations.into_iter().flat_map(toml::Table::keys) {
            found.insert((service.clone(), operation.clone()));
        }
    }
    Ok(found)
}

/// Rows are `| Operation | ...` below `## service: ...`; the head row says `operation`, the rule row has dashes.
fn shown(page: &str) -> BTreeSet<(String, String)> {
    let mut service = None;
    let mut found = BTreeSet::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            service = heading.split(':').next().map(str::to_owned);
        }
        let name = line.strip_prefix("| ").and_then(|l| l.split(" |").next()).unwrap_or("");
        if let Some(service) = &service
            && name.starts_with(|c: char| c.is_ascii_uppercase())
        {
            found.insert((service.clone(), name.to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Coverage\n| service | x |\n|---|---|\n| ec2 | 1 |\n\n## ec2: Elastic\n| operation | parameters |\n|---|---|\n| CreateVpc | CidrBlock |\n";

    #[test]
    fn a_promise_without_a_row_is_found() {
        let operations = "[services.ec2.operations]\nCreateVpc = \"*\"\nDeleteVpc = \"*\"\n";
        let problems = judge(operations, PAGE).unwrap();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("ec2 DeleteVpc"));
    }

    #[test]
    fn a_row_without_a_promise_is_found() {
        let problems = judge("[services.ec2.operations]\n", PAGE).unwrap();
        assert_eq!(problems, ["docs/coverage.md shows ec2 CreateVpc, models/operations.toml does not promise it"]);
    }

    #[test]
    fn equal_lists_pass() {
        assert!(judge("[services.ec2.operations]\nCreateVpc = \"*\"\n", PAGE).unwrap().is_empty());
    }
}
