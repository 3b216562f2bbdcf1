//! Importing API keys from a file of comma-separated values (REST API developer guide, "API Gateway API key file format",
//! 2026-11): a line of names, then a key on each line. A line that cannot be taken is a warning.

use wire::Fault;
use wire::apigateway as shapes;

use super::api_key::{self, NewKey};
use super::{fault, usage_plan_key};
use crate::context::Context;

/// Keys of one file. AWS documents no bound; the body has one.
const LINES_MAX: usize = 10_000;

/// Where the columns are that mean something.
struct Columns {
    name: usize,
    key: usize,
    description: Option<usize>,
    enabled: Option<usize>,
    plans: Option<usize>,
}

pub(super) fn import(
    context: &mut Context<'_>,
    input: shapes::ImportApiKeysRequest,
) -> Result<shapes::ApiKeyIds, Fault> {
    let text = String::from_utf8(input.body).map_err(|_| fault::bad_request("The API key file is not UTF-8"))?;
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let columns = columns(lines.next().unwrap_or_default())?;
    let lines: Vec<&str> = lines.collect();
    if lines.len() > LINES_MAX {
        return Err(fault::bad_request(format!("An API key file can have at most {LINES_MAX} keys")));
    }
    let (mut ids, mut warnings) = (Vec::new(), Vec::new());
    for (at, line) in lines.into_iter().enumerate() {
        match one(context, &columns, &fields(line), &mut warnings) {
            Ok(id) => ids.push(id),
            // The line is counted as an editor counts it, with the names on the first one.
            Err(refused) => warnings.push(format!("Line {}: {}", at + 2, refused.message)),
        }
    }
    if input.fail_on_warnings == Some(true) && !warnings.is_empty() {
        return Err(fault::bad_request(format!("Warnings found during import: {}", warnings.join("; "))));
    }
    Ok(shapes::ApiKeyIds { ids: Some(ids), warnings: Some(warnings) })
}

fn columns(line: &str) -> Result<Columns, Fault> {
    let names = fields(line);
    let find = |wanted: &str| names.iter().position(|name| name.trim().eq_ignore_ascii_case(wanted));
    let needed = |wanted: &str| {
        find(wanted).ok_or_else(|| fault::bad_request(format!("The API key file has no column {wanted}")))
    };
    Ok(Columns {
        name: needed("name")?,
        key: needed("key")?,
        description: find("description"),
        enabled: find("enabled"),
        plans: find("usageplanids"),
    })
}

fn one(
    context: &mut Context<'_>,
    columns: &Columns,
    fields: &[String],
    warnings: &mut Vec<String>,
) -> Result<String, Fault> {
    let at = |column: usize| fields.get(column).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let enabled = columns.enabled.and_then(at);
    let wanted = NewKey {
        name: at(columns.name),
        value: Some(
            at(columns.key).ok_or_else(|| fault::bad_request("API Key value should be at least 20 characters"))?,
        ),
        description: columns.description.and_then(at),
        enabled: enabled.is_none_or(|text| text.eq_ignore_ascii_case("true")),
        customer_id: None,
    };
    let id = api_key::make(context, wanted)?.to_string();
    for plan in columns.plans.and_then(at).unwrap_or_default().split(',').map(str::trim).filter(|plan| !plan.is_empty())
    {
        if let Err(refused) = usage_plan_key::add(context, plan, &id) {
            warnings.push(format!("API Key {id} is not in usage plan {plan}: {}", refused.message));
        }
    }
    Ok(id)
}

/// The fields of a line. One in quotation marks may hold commas, and two marks for one.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        match (char, is_quoted) {
            ('"', true) if chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            ('"', _) => is_quoted = !is_quoted,
            (',', false) => fields.push(std::mem::take(&mut field)),
            (char, _) => field.push(char),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn a_quoted_field_holds_commas_and_marks() {
        assert_eq!(fields("a,b,,c"), ["a", "b", "", "c"]);
        assert_eq!(fields(r#"a,"b, ""c""",d"#), ["a", r#"b, "c""#, "d"]);
        assert_eq!(fields(""), [""]);
    }
}
