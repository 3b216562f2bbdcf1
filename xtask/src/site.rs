//! The documentation as a site, by MkDocs from the environment of the conformance tests. What is in it is said in `packaging/site`.

use crate::{Outcome, codegen, conformance, shell};
use std::process::Command;

/// Writes it to `target/site`; a link that leads nowhere is an error.
pub(crate) fn run() -> Outcome {
    let root = codegen::root();
    let to = conformance::target(&root).join("site");
    let mut command = Command::new(conformance::python(&root)?);
    command.args(["-m", "mkdocs", "build", "--strict", "--config-file", "packaging/site/mkdocs.yml", "--site-dir"]);
    shell::run(command.arg(to).current_dir(root))
}
