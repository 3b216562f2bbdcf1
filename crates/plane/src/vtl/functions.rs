//! `$input` and `$util` (API Gateway developer guide, "Mapping template reference", 2026-11).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use topology::template::vocabulary::{InputFunction, UtilFunction};

use super::TemplateError;
use super::evaluate::Evaluation;
use super::json::{self, Json};
use super::value::{Entries, Value};

/// What reading a path costs.
const STEPS_OF_A_PATH: usize = 32;

/// What is given at this place; a function is found by how much that is.
fn given(arguments: &[Value], place: usize) -> &Value {
    arguments.get(place).unwrap_or(&Value::Null)
}

/// `$input.NAME(arguments)`
pub(super) fn input(
    evaluation: &mut Evaluation<'_>,
    function: InputFunction,
    arguments: &[Value],
) -> Result<Value, TemplateError> {
    let argument = given(arguments, 0);
    match function {
        InputFunction::Json => {
            let found = found(evaluation, argument)?;
            let text = found.map_or_else(|| r#""""#.to_owned(), |found| found.text());
            evaluation.arena.text(&text)
        }
        // A path that leads nowhere is an empty text, which templates compare with `""`.
        InputFunction::Path => match found(evaluation, argument)? {
            Some(Json::Null) | None => evaluation.arena.text(""),
            Some(found) => evaluation.arena.adopt(&found),
        },
        InputFunction::Params => params(evaluation),
        InputFunction::Param => {
            let name = evaluation.arena.printed(argument)?;
            param(evaluation, &name)
        }
    }
}

fn found(evaluation: &mut Evaluation<'_>, path: &Value) -> Result<Option<Json>, TemplateError> {
    let path = evaluation.arena.printed(path)?;
    let document = evaluation.document()?;
    evaluation.arena.step(STEPS_OF_A_PATH)?;
    evaluation.arena.work(evaluation.scope.body.len())?;
    json::find(&document, &path)
}

fn params(evaluation: &mut Evaluation<'_>) -> Result<Value, TemplateError> {
    let params = evaluation.scope.params;
    let mut all = Entries::default();
    for (name, list) in [("path", &params.path), ("querystring", &params.querystring), ("header", &params.header)] {
        let texts = list.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let map = match name {
            "header" => evaluation.arena.map_of_headers(texts)?,
            _ => evaluation.arena.map_of(texts)?,
        };
        all.insert(name.into(), map);
    }
    evaluation.arena.new_map(all)
}

/// Looked for in the path, then in the query string, then in the headers.
fn param(evaluation: &mut Evaluation<'_>, name: &str) -> Result<Value, TemplateError> {
    let params = evaluation.scope.params;
    let exact =
        |list: &'_ [(String, String)]| list.iter().rev().find(|(known, _)| known == name).map(|(_, v)| v.clone());
    let header = || {
        let mut headers = params.header.iter().rev();
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    };
    let value = exact(&params.path).or_else(|| exact(&params.querystring)).or_else(header).unwrap_or_default();
    evaluation.arena.text(&value)
}

/// `$util.NAME(argument)`
pub(super) fn util(
    evaluation: &mut Evaluation<'_>,
    function: UtilFunction,
    arguments: &[Value],
) -> Result<Value, TemplateError> {
    let text = evaluation.arena.printed(given(arguments, 0))?;
    evaluation.arena.work(text.len())?;
    let made = match function {
        UtilFunction::EscapeJavaScript => escape_java_script(&text),
        UtilFunction::UrlEncode => form_urlencoded::byte_serialize(text.as_bytes()).collect(),
        UtilFunction::UrlDecode => url_decode(&text),
        UtilFunction::Base64Encode => STANDARD.encode(&text),
        UtilFunction::Base64Decode => base64_decode(&text)?,
        UtilFunction::ParseJson => {
            let json = Json::parse(&text)
                .ok_or_else(|| TemplateError::Function("$util.parseJson was given no JSON".to_owned()))?;
            return evaluation.arena.adopt(&json);
        }
    };
    evaluation.arena.text(&made)
}

/// A form's decoding: `+` is a space. What is no escape stays.
fn url_decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

fn base64_decode(text: &str) -> Result<String, TemplateError> {
    let invalid = || TemplateError::Function("$util.base64Decode was given no base64 of text".to_owned());
    let bytes = STANDARD.decode(text.trim()).map_err(|_| invalid())?;
    String::from_utf8(bytes).map_err(|_| invalid())
}

/// Quotes, backslashes, slashes, control characters and all that is not ASCII, as Java's ECMAScript escaping writes them.
fn escape_java_script(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\'' | '"' | '\\' | '/' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            other => {
                let mut units = [0; 2];
                for unit in other.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            }
        }
    }
    out
}
