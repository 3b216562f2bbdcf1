//! What a method asks of its requests, as its validator was deployed.

use topology::mapping::rest::Parameter;
use topology::resource::rest_api;
use topology::resource::rest_stage::FrozenRest;

use super::schema::{Models, Schema};

/// What a method asks of its requests.
#[derive(Debug, Default)]
pub(crate) struct Validation {
    /// Parameters that must be there, in the order in which they are named to the client.
    pub(crate) required: Vec<Parameter>,
    /// Schemas by content type.
    pub(crate) models: Vec<(String, Schema)>,
}

impl Validation {
    /// Reads what a method's validator asks. A validator that is gone asks nothing.
    pub(crate) fn read(method: &rest_api::Method, frozen: &FrozenRest, models: &Models) -> Self {
        let validator = method.request_validator.and_then(|id| frozen.validators.iter().find(|known| known.id == id));
        let Some(validator) = validator else { return Self::default() };
        let mut asked = Self::default();
        if validator.parameters {
            let required = method.request_parameters.iter().filter(|(_, is_required)| **is_required);
            // The keys are in order: header, path, querystring.
            asked.required = required.filter_map(|(key, _)| Parameter::parse(key)).collect();
        }
        if validator.body {
            let schemas = method.request_models.iter();
            asked.models = schemas.map(|(kind, name)| (kind.to_ascii_lowercase(), models.schema(name))).collect();
        }
        asked
    }

    /// Whether any request meets it.
    pub(crate) fn asks_nothing(&self) -> bool {
        self.required.is_empty() && self.models.is_empty()
    }

    /// The schema for a content type, else the one for all others.
    pub(crate) fn schema(&self, kind: &str) -> Option<&Schema> {
        let of = |wanted: &str| self.models.iter().find(|(kind, _)| kind == wanted).map(|(_, schema)| schema);
        of(kind).or_else(|| of("$default"))
    }
}
