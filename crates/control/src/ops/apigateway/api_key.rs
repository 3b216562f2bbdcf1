//! API keys (REST API reference, "ApiKey", 2026-11). A key's value is a secret: it is answered where it is asked for, and never
//! logged. An import of many stands in `api_key_import`.

use topology::estate::{RealmEstate, StageKey};
use topology::id::ApiKeyId;
use topology::resource::usage_plan::ApiKey;
use wire::Fault;
use wire::apigateway as shapes;

use super::patch::{MEMBER, REPLACE, Rule, Sentence, Table};
use super::{fault, seconds};
use crate::context::Context;
use crate::ops::gateway_common::tags;

/// Characters of a value (REST API developer guide, "API keys", 2026-11).
const VALUE_CHARS_MIN: usize = 20;
const VALUE_CHARS_MAX: usize = 128;
/// Characters of a value that is made here, as AWS makes them.
const VALUE_CHARS: usize = 40;
/// Characters of a name (recorded, 2026-03).
const NAME_CHARS_MAX: usize = 1024;
/// Characters of a description (recorded, 2026-03).
const DESCRIPTION_CHARS_MAX: usize = 125_000;
/// Keys of an account: 10,000 by AWS's default quota (REST API quotas, 2026-11).
const KEYS_MAX: usize = 10_000;

/// Whether an answer has the key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Shown,
    Hidden,
}

impl Value {
    pub(super) fn asked_for(wanted: Option<bool>) -> Self {
        if wanted == Some(true) { Self::Shown } else { Self::Hidden }
    }
}

pub(super) fn create(context: &mut Context<'_>, input: shapes::CreateApiKeyRequest) -> Result<shapes::ApiKey, Fault> {
    if input.generate_distinct_id == Some(false) {
        return Err(fault::unsupported("generateDistinctId false"));
    }
    let stages = input.stage_keys.unwrap_or_default().into_iter();
    let stages =
        stages.map(|key| format!("{}/{}", key.rest_api_id.unwrap_or_default(), key.stage_name.unwrap_or_default()));
    let stage_keys: Vec<String> = stages.collect();
    stage_keys.iter().try_for_each(|stage| check_stage(context, stage))?;
    let tags = tags::checked(input.tags.unwrap_or_default())?;
    let wanted = NewKey {
        value: input.value,
        name: input.name,
        description: input.description,
        enabled: input.enabled.unwrap_or(false),
        customer_id: input.customer_id,
    };
    let id = make(context, wanted)?;
    if let Some(key) = context.edit().api_keys.edit(&id) {
        (key.stage_keys, key.tags) = (stage_keys, tags);
    }
    known(context, &id.to_string()).map(|key| render(key, Value::Shown))
}

/// What a request or a line of an import says of a new key.
pub(super) struct NewKey {
    pub(super) value: Option<String>,
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) enabled: bool,
    pub(super) customer_id: Option<String>,
}

/// Makes a key.
pub(super) fn make(context: &mut Context<'_>, wanted: NewKey) -> Result<ApiKeyId, Fault> {
    check_name(wanted.name.as_deref())?;
    check_description(wanted.description.as_deref())?;
    if context.settings.quotas && context.estate().api_keys.len() >= KEYS_MAX {
        return Err(fault::too_many("Maximum number of API keys has been reached"));
    }
    let value = match wanted.value.filter(|value| !value.is_empty()) {
        Some(value) => checked_value(context, value)?,
        None => context.mint.secret(VALUE_CHARS),
    };
    let id = context.fresh(ApiKeyId::from_bits, |estate, id| estate.api_keys.contains(id));
    let key = ApiKey {
        id,
        value,
        // An empty one is none (recorded, 2026-03).
        name: wanted.name.filter(|name| !name.is_empty()),
        description: wanted.description,
        enabled: wanted.enabled,
        customer_id: wanted.customer_id,
        stage_keys: Vec::new(),
        created: context.now,
        updated: context.now,
        tags: Default::default(),
    };
    context.edit().api_keys.insert(id, key);
    Ok(id)
}

fn check_name(name: Option<&str>) -> Result<(), Fault> {
    if name.is_some_and(|name| name.chars().count() > NAME_CHARS_MAX) {
        return Err(fault::bad_request("Invalid API Key name, can be at most 1024 characters."));
    }
    Ok(())
}

fn check_description(description: Option<&str>) -> Result<(), Fault> {
    if description.is_some_and(|text| text.chars().count() > DESCRIPTION_CHARS_MAX) {
        return Err(fault::bad_request("Invalid API Key description specified."));
    }
    Ok(())
}

/// A value of the right length that no other key has.
fn checked_value(context: &Context<'_>, value: String) -> Result<String, Fault> {
    let chars = value.chars().count();
    if chars < VALUE_CHARS_MIN {
        return Err(fault::bad_request("API Key value should be at least 20 characters"));
    }
    if chars > VALUE_CHARS_MAX {
        return Err(fault::bad_request("API Key value exceeds maximum size of 128 characters"));
    }
    // It travels in a header.
    if !value.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(fault::bad_request("API Key value contains invalid characters"));
    }
    if context.estate().api_keys.values().any(|key| key.value == value) {
        return Err(fault::conflict("API Key already exists"));
    }
    Ok(value)
}

/// A stage as a key's deprecated `stageKeys` name it: `API/STAGE`.
fn key_stage(text: &str) -> Option<StageKey> {
    let (api, name) = text.split_once('/')?;
    Some((api.parse().ok()?, name.parse().ok()?))
}

fn check_stage(context: &Context<'_>, stage: &str) -> Result<(), Fault> {
    let key = key_stage(stage);
    let known = key.is_some_and(|key| context.estate().rest_stages.contains(&key));
    if known { Ok(()) } else { Err(fault::bad_request("Invalid API Stage specified")) }
}

/// A key that exists.
pub(super) fn known<'c>(context: &'c Context<'_>, id: &str) -> Result<&'c ApiKey, Fault> {
    let found = id.parse().ok().and_then(|id| context.estate().api_keys.get(&id));
    found.map(|key| &**key).ok_or_else(|| fault::not_found("Invalid API Key identifier specified"))
}

pub(super) fn get(context: &Context<'_>, input: &shapes::GetApiKeyRequest) -> Result<shapes::ApiKey, Fault> {
    known(context, &input.api_key).map(|key| render(key, Value::asked_for(input.include_value)))
}

/// Keys whose name begins so, of a customer.
pub(super) fn list(context: &Context<'_>, input: &shapes::GetApiKeysRequest) -> Vec<shapes::ApiKey> {
    let value = Value::asked_for(input.include_values);
    let named = |key: &ApiKey| has_name(key, input.name_query.as_deref());
    let of_customer = |key: &ApiKey| input.customer_id.is_none() || key.customer_id == input.customer_id;
    let keys = context.estate().api_keys.values();
    keys.filter(|key| named(key) && of_customer(key)).map(|key| render(key, value)).collect()
}

/// Whether a key's name begins with what is asked for.
pub(super) fn has_name(key: &ApiKey, asked: Option<&str>) -> bool {
    asked.is_none_or(|asked| key.name.as_deref().unwrap_or_default().starts_with(asked))
}

pub(super) fn update(context: &mut Context<'_>, input: shapes::UpdateApiKeyRequest) -> Result<shapes::ApiKey, Fault> {
    let mut key = known(context, &input.api_key)?.clone();
    PATHS.apply(context, &mut key, input.patch_operations)?;
    key.updated = context.now;
    // Here, and nowhere else, no tags are an empty map (recorded, 2026-03).
    let shown = shapes::ApiKey { tags: Some(key.tags.clone()), ..render(&key, Value::Hidden) };
    context.edit().api_keys.insert(key.id, key);
    Ok(shown)
}

/// In the order in which AWS lists them.
const PATHS: Table<ApiKey> = Table {
    rules: &[
        Rule::new("/description", REPLACE, |_, key, change| {
            key.description = change.optional();
            check_description(key.description.as_deref())
        }),
        Rule::new("/enabled", REPLACE, |_, key, change| {
            key.enabled = change.flag();
            Ok(())
        }),
        Rule::new("/name", REPLACE, |_, key, change| {
            key.name = change.optional();
            check_name(key.name.as_deref())
        }),
        Rule::new("/customerId", REPLACE, |_, key, change| {
            key.customer_id = change.optional();
            Ok(())
        }),
        Rule::new("/stages", MEMBER, |context, key, change| {
            check_stage(context, change.text())?;
            change.edit_list(&mut key.stage_keys, change.text());
            Ok(())
        }),
    ],
    sentence: Sentence::Listed,
};

/// Deletes a key; it leaves its plans.
pub(super) fn delete(context: &mut Context<'_>, id: &str) -> Result<(), Fault> {
    let id = known(context, id)?.id;
    context.edit().api_keys.remove(&id);
    super::usage_plan_key::forget(context.edit(), |(_, key)| *key == id);
    Ok(())
}

/// Takes the stages that are gone out of every key.
pub(super) fn forget_stages(estate: &mut RealmEstate, gone: &impl Fn(&StageKey) -> bool) {
    let is_gone = |stage: &String| key_stage(stage).is_some_and(|key| gone(&key));
    let keys = estate.api_keys.values().filter(|key| key.stage_keys.iter().any(is_gone));
    let keys: Vec<ApiKeyId> = keys.map(|key| key.id).collect();
    for id in keys {
        if let Some(key) = estate.api_keys.edit(&id) {
            key.stage_keys.retain(|stage| !is_gone(stage));
        }
    }
}

pub(super) fn render(key: &ApiKey, value: Value) -> shapes::ApiKey {
    shapes::ApiKey {
        created_date: Some(seconds(key.created)),
        customer_id: key.customer_id.clone(),
        description: key.description.clone(),
        enabled: Some(key.enabled),
        id: Some(key.id.to_string()),
        last_updated_date: Some(seconds(key.updated)),
        name: key.name.clone(),
        stage_keys: Some(key.stage_keys.clone()),
        tags: Some(key.tags.clone()).filter(|tags| !tags.is_empty()),
        value: (value == Value::Shown).then(|| key.value.clone()),
    }
}
