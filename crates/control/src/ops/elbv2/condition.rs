//! Conditions of rules (ALB user guide, "Condition types for listener rules", 2026-11).

use topology::resource::listener::RuleCondition;
use topology::resource::pattern::{PatternError, Patterns};
use wire::Fault;
use wire::elbv2 as shapes;

use super::fault;

/// Values of one condition that are matched against a request: 3 at most; of all conditions of a rule: 5.
const VALUES_MAX: usize = 3;
const VALUES_OF_RULE_MAX: usize = 5;
const VALUE_CHARS_MAX: usize = 128;
const METHOD_CHARS_MAX: usize = 40;
const HEADER_CHARS_MAX: usize = 40;
/// Conditions of these fields occur once in a rule.
const ONCE: [&str; 4] = ["host-header", "http-request-method", "path-pattern", "source-ip"];

/// Parses the conditions of a rule.
pub(super) fn parse(conditions: Vec<shapes::RuleCondition>) -> Result<Vec<RuleCondition>, Fault> {
    if conditions.is_empty() {
        return Err(fault::validation("A condition must be specified"));
    }
    let mut seen: Vec<String> = Vec::new();
    let mut parsed = Vec::new();
    for condition in conditions {
        let field = condition.field.clone().unwrap_or_default();
        if ONCE.contains(&field.as_str()) && seen.contains(&field) {
            return Err(fault::validation(format!("A rule can only have one '{field}' condition")));
        }
        seen.push(field);
        parsed.push(one(condition)?);
    }
    if parsed.iter().map(count).sum::<usize>() > VALUES_OF_RULE_MAX {
        return Err(fault::validation(format!("A rule can only have '{VALUES_OF_RULE_MAX}' condition values")));
    }
    Ok(parsed)
}

fn count(condition: &RuleCondition) -> usize {
    match condition {
        RuleCondition::HostHeader(values) | RuleCondition::HttpHeader { values, .. } => values.len(),
        RuleCondition::PathPattern(values) => values.len(),
        RuleCondition::Method(values) => values.len(),
        RuleCondition::QueryString(pairs) => pairs.len(),
        RuleCondition::SourceIp(blocks) => blocks.len(),
    }
}

fn one(condition: shapes::RuleCondition) -> Result<RuleCondition, Fault> {
    let field = condition.field.unwrap_or_default();
    let old = condition.values.filter(|values| !values.is_empty());
    let regex = condition.regex_values.filter(|values| !values.is_empty());
    if regex.is_some() && !["host-header", "path-pattern", "http-header"].contains(&field.as_str()) {
        return Err(fault::validation(format!("The 'RegexValues' field is not compatible with '{field}'")));
    }
    match field.as_str() {
        "host-header" => {
            let config = condition.host_header_config.unwrap_or_default();
            if let Some(regex) = expressions(&field, (config.regex_values, regex), (&old, &config.values))? {
                return Ok(RuleCondition::HostHeader(regex));
            }
            let values = either(&field, old, config.values)?;
            check_hosts(&values)?;
            Ok(RuleCondition::HostHeader(values.into()))
        }
        "path-pattern" => {
            let config = condition.path_pattern_config.unwrap_or_default();
            if let Some(regex) = expressions(&field, (config.regex_values, regex), (&old, &config.values))? {
                return Ok(RuleCondition::PathPattern(regex));
            }
            let values = either(&field, old, config.values)?;
            check_paths(&values)?;
            Ok(RuleCondition::PathPattern(values.into()))
        }
        "http-header" => {
            let config = condition.http_header_config.unwrap_or_default();
            let name = config.http_header_name.unwrap_or_default();
            check_header_name(&name)?;
            if let Some(values) = expressions(&field, (config.regex_values, regex), (&old, &config.values))? {
                return Ok(RuleCondition::HttpHeader { name, values });
            }
            let values = new_only(&field, old.is_some(), config.values)?;
            check_lengths(&field, &values, VALUE_CHARS_MAX)?;
            Ok(RuleCondition::HttpHeader { name, values: values.into() })
        }
        "http-request-method" => {
            let config = condition.http_request_method_config.unwrap_or_default();
            let values = new_only(&field, old.is_some(), config.values)?;
            check_methods(&values)?;
            Ok(RuleCondition::Method(values))
        }
        "query-string" => query_string(condition.query_string_config, old.is_some()),
        "source-ip" => {
            let config = condition.source_ip_config.unwrap_or_default();
            source_ip(new_only(&field, old.is_some(), config.values)?)
        }
        _ => Err(fault::validation(format!(
            "Condition field '{field}' must be one of '[path-pattern,host-header,http-header,http-request-method,query-string,source-ip]'"
        ))),
    }
}

/// `RegexValues` of a condition or of its config, where they are given and no values are.
fn expressions<const FOLD: bool>(
    field: &str,
    (of_config, of_condition): (Option<Vec<String>>, Option<Vec<String>>),
    values: (&Option<Vec<String>>, &Option<Vec<String>>),
) -> Result<Option<Patterns<FOLD>>, Fault> {
    let of_config = of_config.filter(|wanted| !wanted.is_empty());
    if of_config.is_some() && of_condition.is_some() && of_config != of_condition {
        return Err(fault::validation(format!("You cannot specify both 'RegexValues' and a config for '{field}'")));
    }
    let Some(wanted) = of_config.or(of_condition) else { return Ok(None) };
    if [values.0, values.1].into_iter().flatten().any(|values| !values.is_empty()) {
        return Err(fault::validation(format!("You cannot specify both 'Values' and 'RegexValues' for '{field}'")));
    }
    let wanted = bounded(field, wanted)?;
    check_lengths(field, &wanted, VALUE_CHARS_MAX)?;
    let read = |text: &String| text.parse().map_err(|error| regex_fault(text, &error));
    wanted.iter().map(read).collect::<Result<_, _>>().map(|regex| Some(Patterns::Expressions { regex }))
}

/// What is wrong with a regular expression, to a caller. The sentence is ours.
pub(super) fn regex_fault(text: &str, error: &PatternError) -> Fault {
    fault::validation(format!("The regular expression '{text}' is not valid: {error}"))
}

fn bounded<T>(field: &str, values: Vec<T>) -> Result<Vec<T>, Fault> {
    match values.len() {
        0 => Err(fault::validation(format!("A condition value must be specified for '{field}'"))),
        n if n > VALUES_MAX && field != "source-ip" => {
            Err(fault::validation(format!("The '{field}' condition can have at most {VALUES_MAX} values")))
        }
        _ => Ok(values),
    }
}

/// The old shape takes one value, the new one several; both at once only when they say the same.
fn either(field: &str, old: Option<Vec<String>>, new: Option<Vec<String>>) -> Result<Vec<String>, Fault> {
    match (old, new) {
        (Some(old), Some(new)) if old != new => {
            Err(fault::validation(format!("You cannot specify both 'Values' and a config for '{field}'")))
        }
        (_, Some(new)) => bounded(field, new),
        (Some(old), None) if old.len() > 1 => {
            Err(fault::validation(format!("The '{field}' field can only have one value in 'Values'")))
        }
        (Some(old), None) => bounded(field, old),
        (None, None) => Err(fault::validation(format!("A condition value must be specified for '{field}'"))),
    }
}

fn new_only(field: &str, has_old: bool, new: Option<Vec<String>>) -> Result<Vec<String>, Fault> {
    if has_old {
        return Err(fault::validation(format!("The 'Values' field is not compatible with '{field}'")));
    }
    bounded(field, new.unwrap_or_default())
}

fn check_lengths(field: &str, values: &[String], most: usize) -> Result<(), Fault> {
    match values.iter().find(|value| value.chars().count() > most || value.is_empty()) {
        Some(value) if value.is_empty() => Err(fault::validation(format!("A '{field}' value must not be empty"))),
        Some(_) => Err(fault::validation(format!("The '{field}' value is too long; the limit is '{most}'"))),
        None => Ok(()),
    }
}

fn check_hosts(values: &[String]) -> Result<(), Fault> {
    check_lengths("host-header", values, VALUE_CHARS_MAX)?;
    let plain = |value: &String| value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.*?:".contains(&b));
    match values.iter().find(|value| !plain(value)) {
        Some(value) => {
            Err(fault::validation(format!("The host name '{value}' contains characters that are not allowed")))
        }
        None => Ok(()),
    }
}

fn check_paths(values: &[String]) -> Result<(), Fault> {
    check_lengths("path-pattern", values, VALUE_CHARS_MAX)?;
    let plain =
        |value: &String| value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.$/~\"'@:+&*?=,;!()%".contains(&b));
    match values.iter().find(|value| !plain(value)) {
        Some(value) => {
            Err(fault::validation(format!("The path pattern '{value}' contains characters that are not allowed")))
        }
        None => Ok(()),
    }
}

fn check_header_name(name: &str) -> Result<(), Fault> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let fine = !name.is_empty() && name.len() <= HEADER_CHARS_MAX && name.bytes().all(token);
    if fine && !name.eq_ignore_ascii_case("host") {
        return Ok(());
    }
    Err(fault::validation(format!("The HTTP header name '{name}' is not valid")))
}

fn check_methods(values: &[String]) -> Result<(), Fault> {
    check_lengths("http-request-method", values, METHOD_CHARS_MAX)?;
    let plain = |value: &String| value.bytes().all(|b| b.is_ascii_uppercase() || b == b'-' || b == b'_');
    match values.iter().find(|value| !plain(value)) {
        Some(value) => Err(fault::validation(format!("The HTTP method '{value}' is not valid"))),
        None => Ok(()),
    }
}

fn query_string(config: Option<shapes::QueryStringConditionConfig>, has_old: bool) -> Result<RuleCondition, Fault> {
    if has_old {
        return Err(fault::validation("The 'Values' field is not compatible with 'query-string'"));
    }
    let pairs = bounded("query-string", config.and_then(|config| config.values).unwrap_or_default())?;
    let mut parsed = Vec::new();
    for pair in pairs {
        let value = pair.value.unwrap_or_default();
        let key = pair.key.filter(|key| !key.is_empty());
        check_lengths("query-string", std::slice::from_ref(&value), VALUE_CHARS_MAX)?;
        check_lengths("query-string", key.as_slice(), VALUE_CHARS_MAX)?;
        parsed.push((key, value));
    }
    Ok(RuleCondition::QueryString(parsed))
}

fn source_ip(values: Vec<String>) -> Result<RuleCondition, Fault> {
    let block = |value: &String| {
        let parsed = value.parse().ok().filter(|_| value != "255.255.255.255/32");
        parsed.ok_or_else(|| fault::validation(format!("The source IP '{value}' must be a valid CIDR block")))
    };
    values.iter().map(block).collect::<Result<_, _>>().map(RuleCondition::SourceIp)
}

/// Values, or regular expressions.
fn told<const FOLD: bool>(patterns: &Patterns<FOLD>) -> (Option<Vec<String>>, Option<Vec<String>>) {
    match patterns {
        Patterns::Values(values) => (Some(values.clone()), None),
        Patterns::Expressions { regex } => (None, Some(regex.iter().map(ToString::to_string).collect())),
    }
}

pub(super) fn render(condition: &RuleCondition) -> shapes::RuleCondition {
    let blank = |field: &str| shapes::RuleCondition { field: Some(field.to_owned()), ..Default::default() };
    match condition {
        RuleCondition::HostHeader(patterns) => {
            let (values, regex_values) = told(patterns);
            shapes::RuleCondition {
                values: values.clone(),
                host_header_config: Some(shapes::HostHeaderConditionConfig { values, regex_values }),
                ..blank("host-header")
            }
        }
        RuleCondition::PathPattern(patterns) => {
            let (values, regex_values) = told(patterns);
            shapes::RuleCondition {
                values: values.clone(),
                path_pattern_config: Some(shapes::PathPatternConditionConfig { values, regex_values }),
                ..blank("path-pattern")
            }
        }
        RuleCondition::HttpHeader { name, values } => {
            let ((values, regex_values), http_header_name) = (told(values), Some(name.clone()));
            let config = shapes::HttpHeaderConditionConfig { http_header_name, values, regex_values };
            shapes::RuleCondition { http_header_config: Some(config), ..blank("http-header") }
        }
        RuleCondition::Method(values) => shapes::RuleCondition {
            http_request_method_config: Some(shapes::HttpRequestMethodConditionConfig { values: Some(values.clone()) }),
            ..blank("http-request-method")
        },
        RuleCondition::QueryString(pairs) => {
            let pair = |(key, value): &(Option<String>, String)| shapes::QueryStringKeyValuePair {
                key: key.clone(),
                value: Some(value.clone()),
            };
            shapes::RuleCondition {
                query_string_config: Some(shapes::QueryStringConditionConfig {
                    values: Some(pairs.iter().map(pair).collect()),
                }),
                ..blank("query-string")
            }
        }
        RuleCondition::SourceIp(blocks) => shapes::RuleCondition {
            source_ip_config: Some(shapes::SourceIpConditionConfig {
                values: Some(blocks.iter().map(ToString::to_string).collect()),
            }),
            ..blank("source-ip")
        },
    }
}
