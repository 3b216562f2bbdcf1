//! The parsed form of a template. Plain data; made by `parse` and `expression`, walked by `evaluate`.

use std::rc::Rc;
use std::sync::Arc;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// Text as it stands.
    Text(Arc<str>),
    /// A reference, printed.
    Reference(Reference),
    /// `#set($target = value)`
    Set { target: Reference, value: Expression },
    /// `#if … #elseif … #else … #end`
    If { arms: Vec<(Expression, Vec<Node>)>, otherwise: Vec<Node> },
    /// `#foreach($name in list) … #end`
    Foreach { name: Arc<str>, list: Expression, body: Vec<Node> },
    /// `#define($name) … #end`
    Define { name: Arc<str>, body: Arc<Vec<Node>> },
    /// `#break`
    Break,
    /// `#stop`
    Stop,
    /// `#name(arguments)` of a macro, and how it was written.
    Call { name: String, arguments: Vec<Expression>, source: Arc<str> },
}

/// A macro.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Macro {
    /// The names of its parameters.
    pub(super) parameters: Vec<Arc<str>>,
    /// What it stands for.
    pub(super) body: Vec<Node>,
}

/// A reference to a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reference {
    /// Whether it prints nothing where there is no value: `$!name`.
    pub(super) quiet: bool,
    /// The variable.
    pub(super) name: Arc<str>,
    /// The way into it.
    pub(super) steps: Vec<Step>,
    /// How it was written, which is what a reference to nothing prints.
    pub(super) source: Arc<str>,
}

/// One step of a reference.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// `.name`
    Property(Arc<str>),
    /// `.name(arguments)`
    Method(Arc<str>, Vec<Expression>),
    /// `[index]`
    Index(Expression),
}

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    /// `null`, where Velocity has none: an argument that is left out.
    Null,
    /// `true` or `false`
    Boolean(bool),
    /// `42`
    Integer(i64),
    /// `4.2`
    Float(f64),
    /// `'text'`
    Literal(Arc<str>),
    /// `"text with $references"`
    Interpolated(Vec<Node>),
    /// `[a, b]`
    List(Vec<Expression>),
    /// `[a..b]`
    Range(Box<Expression>, Box<Expression>),
    /// `{"a": b}`
    Map(Vec<(Expression, Expression)>),
    /// `$name`
    Reference(Box<Reference>),
    /// `!a`
    Not(Box<Expression>),
    /// `-a`
    Negative(Box<Expression>),
    /// `a + b`
    Binary(Operator, Box<Expression>, Box<Expression>),
}

/// What stands between two expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    /// How tightly it binds; more binds tighter.
    pub(super) const fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::NotEqual => 3,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => 4,
            Self::Add | Self::Subtract => 5,
            Self::Multiply | Self::Divide | Self::Remainder => 6,
        }
    }
}

/// Text that values share while a template is evaluated.
pub(super) type Shared = Rc<str>;
