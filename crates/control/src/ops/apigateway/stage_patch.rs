//! What a patch may change of a stage, promotion of a canary by `copy` included. Settings of methods are `method_settings`'s.

use topology::resource::rest_stage::{Canary, RestAccessLog, RestStage};
use wire::Fault;

use super::documentation::version;
use super::patch::{Change, ENTRY, Op, REPLACE, Rule, Sentence, Table};
use super::stage::{checked_percent, known_deployment, refuse_cache_cluster};
use super::{client_certificate, fault, method_settings};
use crate::ops::gateway_common::{DESCRIPTION_CHARS, access_log, check_length, variables};

/// A stage on its way.
pub(super) struct Wanted {
    pub(super) stage: RestStage,
}

impl Wanted {
    pub(super) fn of(stage: &RestStage) -> Self {
        Self { stage: stage.clone() }
    }

    /// The stage, once it is whole.
    pub(super) fn checked(self) -> Result<RestStage, Fault> {
        variables::check_number(&self.stage.variables)?;
        check_length("description", self.stage.description.as_deref(), DESCRIPTION_CHARS)?;
        Ok(self.stage)
    }

    fn log(&mut self) -> &mut RestAccessLog {
        self.stage.access_log.get_or_insert_default()
    }

    /// The canary; writing any part of it makes one that gets no traffic yet.
    fn canary(&mut self) -> &mut Canary {
        let blank = Canary {
            percent: 0.0,
            deployment: self.stage.deployment,
            variable_overrides: Default::default(),
            use_stage_cache: false,
        };
        self.stage.canary.get_or_insert(blank)
    }

    /// The canary that is to be promoted.
    fn promoted(&self, change: &Change<'_>, from: &str) -> Result<&Canary, Fault> {
        if change.from != Some(from) {
            return Err(no_copy(change));
        }
        let missing = "Promotion not available. Canary does not exist.";
        self.stage.canary.as_ref().ok_or_else(|| fault::bad_request(missing))
    }
}

/// A copy of what cannot be copied, or to where it cannot be (recorded, 2025-05).
fn no_copy(change: &Change<'_>) -> Fault {
    fault::bad_request(format!(
        "Invalid copy operation with path: {} and from {}. Valid copy:path are [/deploymentId, /variables] and valid copy:from are [/canarySettings/deploymentId, /canarySettings/stageVariableOverrides]",
        change.path,
        change.from.unwrap_or("null")
    ))
}

/// A value of access-log settings.
fn log_value(change: &Change<'_>) -> Result<String, Fault> {
    change.optional().ok_or_else(|| fault::bad_request("Access Log value must not be empty"))
}

fn log_path() -> Fault {
    fault::bad_request(
        "Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn, /accessLogSettings/format]",
    )
}

/// A variable, or an override of one; an empty value takes it away.
fn edit_variable(known: &mut std::collections::BTreeMap<String, String>, change: &Change<'_>) -> Result<(), Fault> {
    match change.optional().filter(|_| change.op != Op::Remove) {
        None => {
            known.remove(change.key());
        }
        Some(value) => {
            variables::check(change.key(), &value)?;
            known.insert(change.key().to_owned(), value);
        }
    }
    Ok(())
}

const COPY: &[Op] = &[Op::Copy];
const WRITE: &[Op] = &[Op::Add, Op::Replace];
const REMOVE: &[Op] = &[Op::Remove];
const ADD: &[Op] = &[Op::Add];

pub(super) const PATHS: Table<Wanted> = Table {
    rules: &[
        Rule::new("/deploymentId", REPLACE, |context, draft, change| {
            draft.stage.deployment = known_deployment(context, draft.stage.api, change.text())?;
            Ok(())
        }),
        Rule::new("/deploymentId", COPY, |_, draft, change| {
            draft.stage.deployment = draft.promoted(change, "/canarySettings/deploymentId")?.deployment;
            Ok(())
        }),
        Rule::new("/description", REPLACE, |_, draft, change| {
            draft.stage.description = change.optional();
            Ok(())
        }),
        Rule::new("/tracingEnabled", REPLACE, |_, draft, change| {
            draft.stage.tracing = change.flag();
            Ok(())
        }),
        Rule::new("/cacheClusterEnabled", REPLACE, |_, _, change| refuse_cache_cluster(Some(change.flag()))),
        Rule::new("/cacheClusterSize", REPLACE, |_, _, _| Err(fault::unsupported("cacheClusterSize"))),
        Rule::new("/clientCertificateId", REPLACE, |context, draft, change| {
            draft.stage.client_certificate = client_certificate::named(context, change.text())?;
            Ok(())
        }),
        Rule::new("/documentationVersion", REPLACE, |context, draft, change| {
            draft.stage.documentation_version = version::wanted(context, draft.stage.api, change.text())?;
            Ok(())
        }),
        Rule::new("/variables/{name}", ENTRY, |_, draft, change| edit_variable(&mut draft.stage.variables, change)),
        Rule::new("/variables", COPY, |_, draft, change| {
            let canary = draft.promoted(change, "/canarySettings/stageVariableOverrides")?;
            let overrides = canary.variable_overrides.clone();
            draft.stage.variables.extend(overrides);
            Ok(())
        }),
        Rule::new("/accessLogSettings", REMOVE, |_, draft, _| {
            draft.stage.access_log = None;
            Ok(())
        }),
        Rule::new("/accessLogSettings", WRITE, |_, _, _| Err(log_path())),
        Rule::new("/accessLogSettings/destinationArn", WRITE, |context, draft, change| {
            draft.log().destination = Some(access_log::log_group(context, &log_value(change)?)?);
            Ok(())
        }),
        Rule::new("/accessLogSettings/format", WRITE, |_, draft, change| {
            draft.log().format = Some(access_log::log_format(&log_value(change)?)?);
            Ok(())
        }),
        // AWS takes it for settings of a method of that name (recorded, 2026-03).
        Rule::new("/accessLogSettings/{name}", REMOVE, |_, draft, change| {
            method_settings::remove(&mut draft.stage.method_settings, change)
        }),
        Rule::new("/accessLogSettings/{name}", WRITE, |_, _, _| Err(log_path())),
        Rule::new("/canarySettings", REMOVE, |_, draft, _| {
            draft.stage.canary = None;
            Ok(())
        }),
        Rule::new("/canarySettings/percentTraffic", REPLACE, |_, draft, change| {
            draft.canary().percent = checked_percent(change.parsed()?)?;
            Ok(())
        }),
        Rule::new("/canarySettings/deploymentId", REPLACE, |context, draft, change| {
            draft.canary().deployment = known_deployment(context, draft.stage.api, change.text())?;
            Ok(())
        }),
        Rule::new("/canarySettings/useStageCache", REPLACE, |_, draft, change| {
            draft.canary().use_stage_cache = change.flag();
            Ok(())
        }),
        Rule::new("/canarySettings/stageVariableOverrides/{name}", ENTRY, |_, draft, change| {
            edit_variable(&mut draft.canary().variable_overrides, change)
        }),
        Rule::new("/canarySettings/stageVariableOverrides", REMOVE, |_, draft, change| match &mut draft.stage.canary {
            Some(canary) => {
                canary.variable_overrides.clear();
                Ok(())
            }
            None => method_settings::remove(&mut draft.stage.method_settings, change),
        }),
        Rule::new("/canarySettings/{name}", ADD, |_, _, change| {
            Err(fault::bad_request(format!("Invalid add operation with path: {}", change.path)))
        }),
        Rule::new("/{path+}", COPY, |_, _, change| Err(no_copy(change))),
        Rule::new("/{path+}/{method}/{group}/{setting}", REPLACE, |_, draft, change| {
            method_settings::write(&mut draft.stage.method_settings, change)
        }),
        Rule::new("/{path+}/{method}", REMOVE, |_, draft, change| {
            method_settings::remove(&mut draft.stage.method_settings, change)
        }),
    ],
    sentence: Sentence::Settings(method_settings::PATHS),
};
