//! The codegen task: models/*.json -> generated Rust and docs/coverage.md, and the test that they have not drifted.
//!
//! Reading of the trimmed models lives here too, because both writers share it. Trimming is `codegen_models`.

use crate::{Outcome, codegen_coverage, codegen_rust, codegen_unserved};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The services in the order in which they are listed everywhere.
pub(crate) const SERVICES: [&str; 7] = ["sts", "ec2", "elbv2", "apigateway", "apigatewayv2", "logs", "acm"];

/// A trimmed service model as `cargo xtask models` writes it.
#[derive(Deserialize)]
pub(crate) struct Model {
    #[serde(skip)]
    pub(crate) service: &'static str,
    pub(crate) metadata: Metadata,
    pub(crate) operations: BTreeMap<String, Operation>,
    pub(crate) shapes: BTreeMap<String, Shape>,
    /// Members of a reachable shape that were left out, per shape.
    pub(crate) pruned: BTreeMap<String, Vec<String>>,
    /// Names of the operations that AWS has and we have not.
    pub(crate) unsupported: Vec<String>,
    /// Why something is not supported, by the name of the operation or member.
    pub(crate) why: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) api_version: String,
    pub(crate) endpoint_prefix: String,
    pub(crate) protocol: String,
    pub(crate) service_full_name: String,
    #[serde(default)]
    pub(crate) signing_name: Option<String>,
    #[serde(default)]
    pub(crate) target_prefix: Option<String>,
    #[serde(default)]
    pub(crate) xml_namespace: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Operation {
    pub(crate) http: Http,
    #[serde(default)]
    pub(crate) input: Option<Reference>,
    #[serde(default)]
    pub(crate) output: Option<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Http {
    pub(crate) method: String,
    pub(crate) request_uri: String,
    #[serde(default)]
    pub(crate) response_code: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reference {
    pub(crate) shape: String,
    #[serde(default)]
    pub(crate) location_name: Option<String>,
    #[serde(default)]
    pub(crate) query_name: Option<String>,
    #[serde(default)]
    pub(crate) location: Option<String>,
    #[serde(default)]
    pub(crate) result_wrapper: Option<String>,
    #[serde(default)]
    pub(crate) timestamp_format: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shape {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) members: BTreeMap<String, Reference>,
    #[serde(default)]
    pub(crate) required: Vec<String>,
    #[serde(default, rename = "enum")]
    pub(crate) choices: Vec<String>,
    #[serde(default)]
    pub(crate) min: Option<f64>,
    #[serde(default)]
    pub(crate) max: Option<f64>,
    #[serde(default)]
    pub(crate) pattern: Option<String>,
    #[serde(default)]
    pub(crate) member: Option<Reference>,
    #[serde(default)]
    pub(crate) key: Option<Reference>,
    #[serde(default)]
    pub(crate) value: Option<Reference>,
    #[serde(default)]
    pub(crate) flattened: bool,
    #[serde(default)]
    pub(crate) sensitive: bool,
    #[serde(default)]
    pub(crate) timestamp_format: Option<String>,
    #[serde(default)]
    pub(crate) payload: Option<String>,
    /// Of a map: a null is a value of it, which AWS's models cannot say.
    #[serde(default)]
    pub(crate) nulls: bool,
}

/// What AWS has and we have not, as `cargo xtask models` writes it.
#[derive(Deserialize)]
pub(crate) struct Unserved {
    /// Operations of the services that we speak: service -> name -> method and path.
    pub(crate) operations: BTreeMap<String, BTreeMap<String, [String; 2]>>,
    /// Every service by its signing name, with its protocol.
    pub(crate) services: BTreeMap<String, String>,
}

/// The repository's root: xtask is always run from a checkout.
pub(crate) fn root() -> PathBuf {
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path.pop();
    path
}

pub(crate) fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

pub(crate) fn write(path: &Path, text: &str) -> Outcome {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|e| format!("{}: {e}", parent.display()))?;
    }
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

fn load() -> Result<Vec<Model>, String> {
    let mut models = Vec::new();
    for service in SERVICES {
        let path = root().join("models").join(format!("{service}.json"));
        let mut model: Model = serde_json::from_str(&read(&path)?).map_err(|e| format!("{}: {e}", path.display()))?;
        model.service = service;
        models.push(model);
    }
    Ok(models)
}

/// Every generated file with its text, path relative to the root.
fn outputs() -> Result<Vec<(PathBuf, String)>, String> {
    let models = load()?;
    let dir = PathBuf::from("crates/wire/src/generated");
    let mut files = Vec::new();
    for model in &models {
        files.push((dir.join(format!("{}.rs", model.service)), codegen_rust::service(model)?));
    }
    files.push((dir.join("mod.rs"), codegen_rust::index(&models)?));
    let unserved = root().join("models/unserved.json");
    let unserved = serde_json::from_str(&read(&unserved)?).map_err(|e| format!("{}: {e}", unserved.display()))?;
    files.push((dir.join("unserved.rs"), codegen_unserved::table(&models, &unserved)?));
    files.push((PathBuf::from("docs/coverage.md"), codegen_coverage::page(&models)));
    Ok(files)
}

/// `cargo xtask codegen`
pub(crate) fn run() -> Outcome {
    for (path, text) in outputs()? {
        write(&root().join(path), &text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_are_what_the_models_say() {
        for (path, text) in outputs().expect("codegen runs") {
            let committed = read(&root().join(&path)).expect("generated file is committed");
            assert!(committed == text, "{} has drifted: run `cargo xtask codegen` and review the diff", path.display());
        }
    }
}
