//! The parsed form of a template. Plain data; made by `parse` and `expression`, walked by traffic's evaluation.

use std::sync::Arc;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Text as it stands.
    Text(Arc<str>),
    /// A reference, printed.
    Reference(Reference),
    /// `#set($target = value)`
    Set {
        /// What is set.
        target: Reference,
        /// To what.
        value: Expression,
    },
    /// `#if … #elseif … #else … #end`
    If {
        /// Conditions, and what stands for the first that holds.
        arms: Vec<(Expression, Vec<Node>)>,
        /// What stands where none holds.
        otherwise: Vec<Node>,
    },
    /// `#foreach($name in list) … #end`
    Foreach {
        /// The variable.
        name: Arc<str>,
        /// What it goes through.
        list: Expression,
        /// What is repeated.
        body: Vec<Node>,
    },
    /// `#define($name) … #end`
    Define {
        /// The variable.
        name: Arc<str>,
        /// What it stands for.
        body: Arc<Vec<Node>>,
    },
    /// `#break`
    Break,
    /// `#stop`
    Stop,
    /// `#name(arguments)` of a macro, and how it was written.
    Call {
        /// The macro's.
        name: String,
        /// What it is given.
        arguments: Vec<Expression>,
        /// The call as it was written.
        source: Arc<str>,
    },
}

/// A macro.
#[derive(Debug, Clone, PartialEq)]
pub struct Macro {
    /// The names of its parameters.
    pub parameters: Vec<Arc<str>>,
    /// What it stands for.
    pub body: Vec<Node>,
}

/// A reference to a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Whether it prints nothing where there is no value: `$!name`.
    pub quiet: bool,
    /// The variable.
    pub name: Arc<str>,
    /// The way into it.
    pub steps: Vec<Step>,
    /// How it was written, which is what a reference to nothing prints.
    pub source: Arc<str>,
}

/// One step of a reference.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// `.name`
    Property(Arc<str>),
    /// `.name(arguments)`
    Method {
        /// Its name.
        name: Arc<str>,
        /// What it is given.
        arguments: Vec<Expression>,
        /// Bytes of the template before its name.
        at: usize,
    },
    /// `[index]`
    Index(Expression),
}

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
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
pub enum Operator {
    /// `||`
    Or,
    /// `&&`
    And,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
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
