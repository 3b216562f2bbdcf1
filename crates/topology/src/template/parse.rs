//! Reads a template: text, references, directives and comments. A directive that stands at the end of a line takes the line's end
//! with it, as Velocity 1.7 does.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::expression::{self, Cursor, Origin, Stop};
use super::syntax::{Expression, Macro, Node};
use super::vocabulary::{Directive, UNSERVED_DIRECTIVES};
use super::{TEMPLATE_BYTES_MAX, Template, Unusable};

/// Reads a whole template.
pub(super) fn template(text: &str) -> Result<Template, Unusable> {
    if text.len() > TEMPLATE_BYTES_MAX {
        return Err(Unusable::TooMuch { what: "bytes of text", limit: TEMPLATE_BYTES_MAX });
    }
    let mut macros = BTreeMap::new();
    let mut cursor = Cursor::new(text, Origin::Template, 0);
    match whole(&mut cursor, &mut macros) {
        Ok(nodes) => Ok(Template { nodes, macros }),
        Err(stop) => Err(stop.within(text)),
    }
}

/// Reads the inside of a text in double quotes. A macro in it would be defined nowhere else.
pub(super) fn fragment(mut cursor: Cursor<'_>) -> Result<Vec<Node>, Stop> {
    cursor.deeper(|cursor| whole(cursor, &mut BTreeMap::new()))
}

/// Everything to the end of the text.
fn whole(cursor: &mut Cursor<'_>, macros: &mut Macros) -> Result<Vec<Node>, Stop> {
    match block(cursor, macros)? {
        (nodes, Closed::Text) => Ok(nodes),
        (_, Closed::Else | Closed::ElseIf | Closed::End) => cursor.fail("#end, #else or #elseif belongs to nothing"),
    }
}

/// What ended a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closed {
    /// There is no more text.
    Text,
    /// `#end`
    End,
    /// `#else`
    Else,
    /// `#elseif`, up to its condition.
    ElseIf,
}

type Macros = BTreeMap<String, Macro>;

fn block(cursor: &mut Cursor<'_>, macros: &mut Macros) -> Result<(Vec<Node>, Closed), Stop> {
    let mut nodes = Vec::new();
    let mut text = String::new();
    let end = loop {
        text.push_str(cursor.take_while(|c| !matches!(c, '$' | '#' | '\\')));
        match cursor.peek() {
            None => break Closed::Text,
            Some('\\') => escaped(cursor, &mut text),
            Some('$') => match expression::reference(cursor)? {
                Some(reference) => {
                    flush(&mut text, &mut nodes);
                    nodes.push(Node::Reference(reference));
                }
                None => literal(cursor, &mut text),
            },
            _ => match directive(cursor, macros)? {
                Found::Nothing => literal(cursor, &mut text),
                Found::Comment => {}
                Found::Verbatim(verbatim) => text.push_str(&verbatim),
                Found::Node(node) => {
                    flush(&mut text, &mut nodes);
                    nodes.push(node);
                }
                Found::Closed(end) => break end,
            },
        }
    };
    flush(&mut text, &mut nodes);
    Ok((nodes, end))
}

fn flush(text: &mut String, nodes: &mut Vec<Node>) {
    if !text.is_empty() {
        nodes.push(Node::Text(Arc::from(std::mem::take(text))));
    }
}

/// One character that is text after all.
fn literal(cursor: &mut Cursor<'_>, text: &mut String) {
    if let Some(c) = cursor.peek() {
        text.push(c);
        cursor.at += c.len_utf8();
    }
}

/// `\$` and `\#` before a reference or directive stand for the sign alone; any other backslash is itself.
fn escaped(cursor: &mut Cursor<'_>, text: &mut String) {
    let after = cursor.rest().get(1..).unwrap_or_default();
    let named = |sign| {
        let rest = after.strip_prefix(sign).map(|rest| rest.trim_start_matches(['!', '{']));
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
    };
    if named('$') || named('#') {
        cursor.at += 1;
    }
    literal(cursor, text);
}

/// What `#` begins.
enum Found {
    /// Nothing: it is text.
    Nothing,
    /// A comment, or the definition of a macro.
    Comment,
    /// `#[[text]]#`
    Verbatim(String),
    /// A directive.
    Node(Node),
    /// The end of the block.
    Closed(Closed),
}

fn directive(cursor: &mut Cursor<'_>, macros: &mut Macros) -> Result<Found, Stop> {
    let from = cursor.at;
    if cursor.take("##") {
        cursor.take_while(|c| c != '\n');
        cursor.take("\n");
        return Ok(Found::Comment);
    }
    if cursor.take("#*") {
        return enclosed(cursor, "*#", "a comment does not end").map(|_| Found::Comment);
    }
    if cursor.take("#[[") {
        return enclosed(cursor, "]]#", "a literal text does not end").map(Found::Verbatim);
    }
    cursor.take("#");
    let braced = cursor.take("{");
    let name = expression::name(cursor).unwrap_or_default();
    if braced && !cursor.take("}") {
        cursor.at = from;
        return Ok(Found::Nothing);
    }
    let Some(directive) = Directive::named(name) else {
        return match name {
            _ if UNSERVED_DIRECTIVES.contains(&name) => {
                Err(Stop::Unserved(cursor.before(from), format!("the directive #{name}")))
            }
            "" if cursor.rest().starts_with('@') => bodied(cursor, from),
            _ => call(cursor, (from, name)),
        };
    };
    let found = match directive {
        Directive::Set => Found::Node(set(cursor)?),
        Directive::If => Found::Node(cursor.deeper(|cursor| conditional(cursor, macros))?),
        Directive::Foreach => Found::Node(cursor.deeper(|cursor| foreach(cursor, macros))?),
        Directive::Macro => {
            cursor.deeper(|cursor| define(cursor, macros))?;
            Found::Comment
        }
        Directive::ElseIf => return Ok(Found::Closed(Closed::ElseIf)),
        Directive::Else => Found::Closed(Closed::Else),
        Directive::End => Found::Closed(Closed::End),
        Directive::Break => Found::Node(Node::Break),
        Directive::Stop => Found::Node(Node::Stop),
        Directive::Define => Found::Node(cursor.deeper(|cursor| named_block(cursor, macros))?),
    };
    end_line(cursor);
    Ok(found)
}

fn enclosed(cursor: &mut Cursor<'_>, end: &str, what: &'static str) -> Result<String, Stop> {
    let Some((inside, _)) = cursor.rest().split_once(end) else { return cursor.fail(what) };
    cursor.at += inside.len() + end.len();
    Ok(inside.to_owned())
}

/// A name that is no directive of the language: a macro's when arguments follow, text otherwise.
fn call(cursor: &mut Cursor<'_>, (from, name): (usize, &str)) -> Result<Found, Stop> {
    if name.is_empty() || !cursor.take("(") {
        cursor.at = from;
        return Ok(Found::Nothing);
    }
    let begin = cursor.at;
    let Ok(arguments) = cursor.deeper(arguments) else {
        // What is no call is text, for instance a fragment of a URL.
        cursor.at = from;
        return Ok(Found::Nothing);
    };
    debug_assert!(cursor.at > begin, "a call ends with its parenthesis");
    Ok(Found::Node(Node::Call { name: name.to_owned(), arguments, source: cursor.since(from).into() }))
}

/// `#@name(arguments) … #end`: a call of a macro with a body. What is no name is text.
fn bodied(cursor: &mut Cursor<'_>, from: usize) -> Result<Found, Stop> {
    cursor.take("@");
    if expression::name(cursor).is_some() && cursor.rest().trim_start_matches([' ', '\t']).starts_with('(') {
        return Err(Stop::Unserved(cursor.before(from), "a call of a macro with a body (#@)".to_owned()));
    }
    cursor.at = from;
    Ok(Found::Nothing)
}

/// Arguments of a macro: separated by spaces or commas.
fn arguments(cursor: &mut Cursor<'_>) -> Result<Vec<Expression>, Stop> {
    let mut arguments = Vec::new();
    loop {
        cursor.take_while(|c| c.is_whitespace() || c == ',');
        if cursor.take(")") {
            return Ok(arguments);
        }
        arguments.push(expression::expression(cursor)?);
    }
}

fn set(cursor: &mut Cursor<'_>) -> Result<Node, Stop> {
    cursor.expect("(", "#set lacks its parenthesis")?;
    cursor.skip_space();
    let Some(target) = expression::reference(cursor)? else { return cursor.fail("#set lacks its reference") };
    cursor.expect("=", "#set lacks its equals sign")?;
    let value = expression::expression(cursor)?;
    cursor.expect(")", "#set does not end")?;
    Ok(Node::Set { target, value })
}

fn condition(cursor: &mut Cursor<'_>) -> Result<Expression, Stop> {
    cursor.expect("(", "a condition lacks its parenthesis")?;
    let condition = expression::expression(cursor)?;
    cursor.expect(")", "a condition does not end")?;
    end_line(cursor);
    Ok(condition)
}

fn conditional(cursor: &mut Cursor<'_>, macros: &mut Macros) -> Result<Node, Stop> {
    let mut arms = Vec::new();
    let mut end = Closed::ElseIf;
    while end == Closed::ElseIf {
        let when = condition(cursor)?;
        let (body, ended) = block(cursor, macros)?;
        arms.push((when, body));
        end = ended;
    }
    let mut otherwise = Vec::new();
    if end == Closed::Else {
        (otherwise, end) = block(cursor, macros)?;
    }
    if end == Closed::End { Ok(Node::If { arms, otherwise }) } else { cursor.fail("#if does not end") }
}

fn foreach(cursor: &mut Cursor<'_>, macros: &mut Macros) -> Result<Node, Stop> {
    cursor.expect("(", "#foreach lacks its parenthesis")?;
    cursor.skip_space();
    let reference = expression::reference(cursor)?.filter(|reference| reference.steps.is_empty());
    let Some(reference) = reference else { return cursor.fail("#foreach lacks its variable") };
    cursor.expect("in", "#foreach lacks its list")?;
    let list = expression::expression(cursor)?;
    cursor.expect(")", "#foreach does not end")?;
    end_line(cursor);
    let (body, end) = block(cursor, macros)?;
    if end == Closed::End {
        Ok(Node::Foreach { name: reference.name, list, body })
    } else {
        cursor.fail("#foreach does not end")
    }
}

/// `#define($name) … #end`
fn named_block(cursor: &mut Cursor<'_>, macros: &mut Macros) -> Result<Node, Stop> {
    cursor.expect("(", "#define lacks its parenthesis")?;
    cursor.skip_space();
    let reference = expression::reference(cursor)?.filter(|reference| reference.steps.is_empty());
    let Some(reference) = reference else { return cursor.fail("#define lacks its variable") };
    cursor.expect(")", "#define lacks its closing parenthesis")?;
    end_line(cursor);
    let (body, end) = block(cursor, macros)?;
    if end != Closed::End {
        return cursor.fail("#define does not end");
    }
    Ok(Node::Define { name: reference.name, body: Arc::new(body) })
}

fn define(cursor: &mut Cursor<'_>, macros: &mut Macros) -> Result<(), Stop> {
    cursor.expect("(", "#macro lacks its parenthesis")?;
    cursor.skip_space();
    let Some(name) = expression::name(cursor) else { return cursor.fail("#macro lacks its name") };
    let mut parameters = Vec::new();
    loop {
        cursor.take_while(|c| c.is_whitespace() || c == ',');
        if cursor.take(")") {
            break;
        }
        let Some(parameter) = expression::reference(cursor)?.filter(|parameter| parameter.steps.is_empty()) else {
            return cursor.fail("a parameter of #macro is not understood");
        };
        parameters.push(parameter.name);
    }
    end_line(cursor);
    let (body, end) = block(cursor, macros)?;
    if end != Closed::End {
        return cursor.fail("#macro does not end");
    }
    macros.insert(name.to_owned(), Macro { parameters, body });
    Ok(())
}

/// Takes spaces and the line's end, if nothing else is left of the line.
fn end_line(cursor: &mut Cursor<'_>) {
    let from = cursor.at;
    cursor.take_while(|c| c == ' ' || c == '\t');
    if !cursor.take("\n") && !cursor.take("\r\n") {
        cursor.at = from;
    }
}
