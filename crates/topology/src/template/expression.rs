//! Reads references and expressions of the Velocity Template Language.

use std::sync::Arc;

use super::parse;
use super::syntax::{Expression, Operator, Reference, Step};
use super::{Position, TEMPLATE_NESTING_MAX, Unusable};

/// Why reading ends: at so many bytes of the template.
#[derive(Debug)]
pub(super) enum Stop {
    /// It is not in the language.
    Malformed(usize, &'static str),
    /// It is, and is not carried out.
    Unserved(usize, String),
    /// There is more than so much of something.
    TooMuch(&'static str, usize),
}

impl Stop {
    /// The same by lines and columns of the whole text. Counted here alone: to count them for each piece would take time by the
    /// square of the text.
    pub(super) fn within(self, text: &str) -> Unusable {
        match self {
            Self::Malformed(at, what) => Unusable::Malformed(Position::of(text, at), what),
            Self::Unserved(at, what) => Unusable::Unserved(Position::of(text, at), what),
            Self::TooMuch(what, limit) => Unusable::TooMuch { what, limit },
        }
    }
}

/// Where the text of a cursor comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin<'t> {
    /// It is the template.
    Template,
    /// It stands in double quotes, from this byte of another text. A doubled quote of that text is one of this, at these bytes.
    Quoted {
        /// Where the other text comes from.
        outer: &'t Origin<'t>,
        /// Its first byte there.
        from: usize,
        /// Quotes that are doubled there.
        doubled: &'t [usize],
    },
}

impl Origin<'_> {
    /// The byte of the template that a byte of this text is.
    fn of(&self, at: usize) -> usize {
        match self {
            Self::Template => at,
            Self::Quoted { outer, from, doubled } => outer.of(from + at + doubled.partition_point(|quote| *quote < at)),
        }
    }
}

/// A place in a template, and how deep the reader is in it.
#[derive(Debug)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    pub(super) at: usize,
    origin: Origin<'t>,
    depth: usize,
}

impl<'t> Cursor<'t> {
    pub(super) const fn new(text: &'t str, origin: Origin<'t>, depth: usize) -> Self {
        Self { text, at: 0, origin, depth }
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// What was read since `from`.
    pub(super) fn since(&self, from: usize) -> &'t str {
        self.text.get(from..self.at).unwrap_or_default()
    }

    /// Bytes of the template before this byte of the text.
    pub(super) fn before(&self, at: usize) -> usize {
        self.origin.of(at)
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes this text, if it comes next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let comes = self.rest().starts_with(text);
        if comes {
            self.at += text.len();
        }
        comes
    }

    /// Takes characters for as long as they fit.
    pub(super) fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    pub(super) fn skip_space(&mut self) {
        self.take_while(char::is_whitespace);
    }

    pub(super) fn fail<T>(&self, what: &'static str) -> Result<T, Stop> {
        Err(Stop::Malformed(self.before(self.at), what))
    }

    pub(super) fn expect(&mut self, text: &str, what: &'static str) -> Result<(), Stop> {
        self.skip_space();
        if self.take(text) { Ok(()) } else { self.fail(what) }
    }

    /// Reads something one level deeper.
    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Stop>) -> Result<T, Stop> {
        if self.depth >= TEMPLATE_NESTING_MAX {
            return Err(Stop::TooMuch("levels of nesting", TEMPLATE_NESTING_MAX));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }
}

const fn begins_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

const fn continues_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// A name, if one comes next.
pub(super) fn name<'t>(cursor: &mut Cursor<'t>) -> Option<&'t str> {
    cursor.peek().is_some_and(begins_name).then(|| cursor.take_while(continues_name))
}

/// A reference, if `$` begins one; the cursor stays where it was otherwise.
pub(super) fn reference(cursor: &mut Cursor<'_>) -> Result<Option<Reference>, Stop> {
    let from = cursor.at;
    if !cursor.take("$") {
        return Ok(None);
    }
    let quiet = cursor.take("!");
    let braced = cursor.take("{");
    let Some(name) = name(cursor) else {
        cursor.at = from;
        return Ok(None);
    };
    let steps = cursor.deeper(steps)?;
    if braced && !cursor.take("}") {
        return cursor.fail("a reference in braces does not end");
    }
    Ok(Some(Reference { quiet, name: name.into(), steps, source: cursor.since(from).into() }))
}

fn steps(cursor: &mut Cursor<'_>) -> Result<Vec<Step>, Stop> {
    let mut steps = Vec::new();
    loop {
        let from = cursor.at;
        if cursor.take(".") {
            let at = cursor.before(cursor.at);
            let Some(name) = name(cursor) else {
                // A dot that ends a sentence.
                cursor.at = from;
                return Ok(steps);
            };
            let name: Arc<str> = name.into();
            steps.push(if cursor.take("(") {
                Step::Method { name, arguments: list(cursor, ")")?, at }
            } else {
                Step::Property(name)
            });
        } else if cursor.rest().starts_with('[') && steps_into(cursor) {
            cursor.take("[");
            let index = expression(cursor)?;
            cursor.expect("]", "an index does not end")?;
            steps.push(Step::Index(index));
        } else {
            return Ok(steps);
        }
    }
}

/// Whether a bracket is an index and not text of a JSON document that follows a reference.
fn steps_into(cursor: &Cursor<'_>) -> bool {
    let inside = cursor.rest().get(1..).unwrap_or_default().trim_start();
    let digits = inside.trim_start_matches('-').trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
    match inside.chars().next() {
        Some('$') => true,
        Some(quote @ ('\'' | '"')) => {
            let rest = inside.get(1..).unwrap_or_default();
            rest.split_once(quote).is_some_and(|(_, after)| after.trim_start().starts_with(']'))
        }
        Some('0'..='9' | '-') => digits.starts_with(']'),
        _ => false,
    }
}

/// Expressions with commas between them, up to and with `end`.
pub(super) fn list(cursor: &mut Cursor<'_>, end: &str) -> Result<Vec<Expression>, Stop> {
    let mut items = Vec::new();
    loop {
        cursor.skip_space();
        if cursor.take(end) {
            return Ok(items);
        }
        if !items.is_empty() && !cursor.take(",") {
            return cursor.fail("a list lacks a comma or its end");
        }
        items.push(expression(cursor)?);
    }
}

/// An expression.
pub(super) fn expression(cursor: &mut Cursor<'_>) -> Result<Expression, Stop> {
    cursor.deeper(|cursor| binary(cursor, 1))
}

/// Operands joined by operators that bind at least so tightly.
fn binary(cursor: &mut Cursor<'_>, strength: u8) -> Result<Expression, Stop> {
    let mut left = unary(cursor)?;
    // Each operator puts what stands before it one level deeper: bounded, or dropping the chain would end the stack.
    for _ in 0..TEMPLATE_NESTING_MAX {
        cursor.skip_space();
        let from = cursor.at;
        let Some(operator) = operator(cursor).filter(|operator| operator.strength() >= strength) else {
            cursor.at = from;
            return Ok(left);
        };
        let right = cursor.deeper(|cursor| binary(cursor, operator.strength() + 1))?;
        left = Expression::Binary(operator, Box::new(left), Box::new(right));
    }
    Err(Stop::TooMuch("operators in a row", TEMPLATE_NESTING_MAX))
}

fn operator(cursor: &mut Cursor<'_>) -> Option<Operator> {
    const SIGNS: [(&str, Operator); 13] = [
        ("||", Operator::Or),
        ("&&", Operator::And),
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("+", Operator::Add),
        ("-", Operator::Subtract),
        ("*", Operator::Multiply),
        ("/", Operator::Divide),
        ("%", Operator::Remainder),
    ];
    const WORDS: [(&str, Operator); 8] = [
        ("or", Operator::Or),
        ("and", Operator::And),
        ("eq", Operator::Equal),
        ("ne", Operator::NotEqual),
        ("le", Operator::LessOrEqual),
        ("ge", Operator::GreaterOrEqual),
        ("lt", Operator::Less),
        ("gt", Operator::Greater),
    ];
    if let Some((_, operator)) = SIGNS.iter().find(|(sign, _)| cursor.take(sign)) {
        return Some(*operator);
    }
    let word = name(cursor)?;
    WORDS.iter().find(|(known, _)| *known == word).map(|(_, operator)| *operator)
}

fn unary(cursor: &mut Cursor<'_>) -> Result<Expression, Stop> {
    cursor.skip_space();
    if cursor.take("!") {
        return Ok(Expression::Not(Box::new(cursor.deeper(unary)?)));
    }
    if cursor.take("(") {
        let inner = expression(cursor)?;
        cursor.expect(")", "a parenthesis does not end")?;
        return Ok(inner);
    }
    match cursor.peek() {
        Some('$') => match reference(cursor)? {
            Some(reference) => Ok(Expression::Reference(Box::new(reference))),
            None => cursor.fail("a reference has no name"),
        },
        Some(quote @ ('\'' | '"')) => quoted(cursor, quote),
        Some('[') => list_or_range(cursor),
        Some('{') => map(cursor),
        Some('0'..='9') => number(cursor),
        Some('-') => {
            cursor.take("-");
            Ok(Expression::Negative(Box::new(cursor.deeper(unary)?)))
        }
        _ => word(cursor),
    }
}

fn word(cursor: &mut Cursor<'_>) -> Result<Expression, Stop> {
    match name(cursor) {
        Some("true") => Ok(Expression::Boolean(true)),
        Some("false") => Ok(Expression::Boolean(false)),
        Some("null") => Ok(Expression::Null),
        Some("not") => Ok(Expression::Not(Box::new(cursor.deeper(unary)?))),
        _ => cursor.fail("an expression is missing or not understood"),
    }
}

/// A doubled quote stands for one.
fn quoted(cursor: &mut Cursor<'_>, quote: char) -> Result<Expression, Stop> {
    cursor.at += 1;
    let from = cursor.at;
    let (mut text, mut doubled) = (String::new(), Vec::new());
    loop {
        text.push_str(cursor.take_while(|c| c != quote));
        if !cursor.take(quote.encode_utf8(&mut [0; 4])) {
            return cursor.fail("a text does not end");
        }
        if !cursor.take(quote.encode_utf8(&mut [0; 4])) {
            break;
        }
        doubled.push(text.len());
        text.push(quote);
    }
    if quote == '\'' || !text.contains(['$', '#']) {
        return Ok(Expression::Literal(text.into()));
    }
    let origin = Origin::Quoted { outer: &cursor.origin, from, doubled: &doubled };
    parse::fragment(Cursor::new(&text, origin, cursor.depth + 1)).map(Expression::Interpolated)
}

fn number(cursor: &mut Cursor<'_>) -> Result<Expression, Stop> {
    let from = cursor.at;
    cursor.take_while(|c| c.is_ascii_digit());
    let fraction = cursor.rest().strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if fraction {
        cursor.at += 1;
        cursor.take_while(|c| c.is_ascii_digit());
    }
    let text = cursor.since(from);
    let number =
        if fraction { text.parse().ok().map(Expression::Float) } else { text.parse().ok().map(Expression::Integer) };
    number.map_or_else(|| cursor.fail("a number is too large"), Ok)
}

fn list_or_range(cursor: &mut Cursor<'_>) -> Result<Expression, Stop> {
    cursor.take("[");
    cursor.skip_space();
    if cursor.take("]") {
        return Ok(Expression::List(Vec::new()));
    }
    let first = expression(cursor)?;
    cursor.skip_space();
    if cursor.take("..") {
        let last = expression(cursor)?;
        cursor.expect("]", "a range does not end")?;
        return Ok(Expression::Range(Box::new(first), Box::new(last)));
    }
    let mut items = vec![first];
    if !cursor.take("]") {
        cursor.expect(",", "a list lacks a comma or its end")?;
        items.extend(list(cursor, "]")?);
    }
    Ok(Expression::List(items))
}

fn map(cursor: &mut Cursor<'_>) -> Result<Expression, Stop> {
    cursor.take("{");
    let mut entries = Vec::new();
    loop {
        cursor.skip_space();
        if cursor.take("}") {
            return Ok(Expression::Map(entries));
        }
        if !entries.is_empty() && !cursor.take(",") {
            return cursor.fail("a map lacks a comma or its end");
        }
        let key = expression(cursor)?;
        cursor.expect(":", "a map's entry lacks its value")?;
        entries.push((key, expression(cursor)?));
    }
}
