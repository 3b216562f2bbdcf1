//! The words of templates: which directives there are, and which methods values have. One table for what is refused when a template
//! is written, what is carried out, and what `docs/differences-from-aws.md` lists: the evaluation matches on these types, so that
//! a method stands here exactly if it is carried out.

/// A directive that is carried out (Velocity 1.7 user guide).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Directive {
    Set,
    If,
    ElseIf,
    Else,
    End,
    Foreach,
    Break,
    Stop,
    Macro,
    Define,
}

impl Directive {
    /// All of them, in the order of the documentation.
    const ALL: [(&str, Self); 10] = [
        ("set", Self::Set),
        ("if", Self::If),
        ("elseif", Self::ElseIf),
        ("else", Self::Else),
        ("end", Self::End),
        ("foreach", Self::Foreach),
        ("break", Self::Break),
        ("stop", Self::Stop),
        ("macro", Self::Macro),
        ("define", Self::Define),
    ];

    /// The directive of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, directive)| *directive)
    }
}

/// Directives of Velocity 1.7 that are not. A template on AWS has nothing to include or parse either.
pub(super) const UNSERVED_DIRECTIVES: [&str; 4] = ["include", "parse", "evaluate", "literal"];

/// What methods are found by: a name, and how many arguments it takes.
pub type Row<T> = (&'static str, usize, T);

fn find<T: Copy>(table: &[Row<T>], (name, arguments): (&str, usize)) -> Option<T> {
    table.iter().find(|(known, takes, _)| *known == name && *takes == arguments).map(|(.., method)| *method)
}

/// The methods of one kind of value.
macro_rules! methods {
    ($(#[$about:meta])* $kind:ident { $($case:ident: $(($name:literal, $arguments:literal)),+;)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $kind {
            $(#[doc = concat!($("`", $name, "` of ", $arguments, "; "),+)] $case,)+
        }

        impl $kind {
            /// All of them.
            pub const ALL: &[Row<Self>] = &[$($(($name, $arguments, Self::$case)),+),+];

            /// The method of this name that takes so many arguments.
            #[must_use]
            pub fn find(name: &str, arguments: usize) -> Option<Self> {
                find(Self::ALL, (name, arguments))
            }
        }
    };
}

methods! {
    /// Functions of `$input` (API Gateway developer guide, "Mapping template reference", 2026-11).
    InputFunction {
        Json: ("json", 1);
        Path: ("path", 1);
        Params: ("params", 0);
        Param: ("params", 1);
    }
}

methods! {
    /// Functions of `$util` (the same page).
    UtilFunction {
        EscapeJavaScript: ("escapeJavaScript", 1);
        ParseJson: ("parseJson", 1);
        UrlEncode: ("urlEncode", 1);
        UrlDecode: ("urlDecode", 1);
        Base64Encode: ("base64Encode", 1);
        Base64Decode: ("base64Decode", 1);
    }
}

methods! {
    /// Methods of every value but nothing, `$input` and `$util`.
    AnyMethod {
        ToString: ("toString", 0);
        Equals: ("equals", 1);
    }
}

methods! {
    /// Methods of texts: those of Java's `String` that common templates use.
    TextMethod {
        Length: ("length", 0);
        IsEmpty: ("isEmpty", 0);
        Contains: ("contains", 1);
        StartsWith: ("startsWith", 1);
        EndsWith: ("endsWith", 1);
        EqualsIgnoreCase: ("equalsIgnoreCase", 1);
        Matches: ("matches", 1);
        IndexOf: ("indexOf", 1);
        LastIndexOf: ("lastIndexOf", 1);
        Split: ("split", 1);
        Trim: ("trim", 0);
        ToUpperCase: ("toUpperCase", 0);
        ToLowerCase: ("toLowerCase", 0);
        Concat: ("concat", 1);
        Substring: ("substring", 1);
        SubstringTo: ("substring", 2);
        CharAt: ("charAt", 1);
        Replace: ("replace", 2);
        ReplaceAll: ("replaceAll", 2);
        ReplaceFirst: ("replaceFirst", 2);
    }
}

methods! {
    /// Methods of lists.
    ListMethod {
        Size: ("size", 0), ("length", 0);
        IsEmpty: ("isEmpty", 0);
        Get: ("get", 1);
        Add: ("add", 1);
        AddAt: ("add", 2);
        AddAll: ("addAll", 1);
        Set: ("set", 2);
        Remove: ("remove", 1);
        Clear: ("clear", 0);
        Contains: ("contains", 1);
        IndexOf: ("indexOf", 1);
    }
}

methods! {
    /// Methods of maps, and of entries of maps, which are maps of `key` and `value` here.
    MapMethod {
        Size: ("size", 0);
        IsEmpty: ("isEmpty", 0);
        Get: ("get", 1);
        GetOrDefault: ("getOrDefault", 2);
        ContainsKey: ("containsKey", 1);
        ContainsValue: ("containsValue", 1);
        Put: ("put", 2);
        PutAll: ("putAll", 1);
        Remove: ("remove", 1);
        Clear: ("clear", 0);
        KeySet: ("keySet", 0), ("keys", 0);
        Values: ("values", 0);
        EntrySet: ("entrySet", 0);
        GetKey: ("getKey", 0);
        GetValue: ("getValue", 0);
    }
}

methods! {
    /// Methods of numbers. `#set($Integer = 0)` and then `$Integer.parseInt("5")` is how templates read a number.
    NumberMethod {
        IntValue: ("intValue", 0), ("longValue", 0);
        DoubleValue: ("doubleValue", 0), ("floatValue", 0);
        ParseInt: ("parseInt", 1), ("parseLong", 1);
        ParseDouble: ("parseDouble", 1), ("parseFloat", 1);
        ValueOf: ("valueOf", 1);
    }
}

/// What is known of a value before it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// `$input`
    Input,
    /// `$util`
    Util,
    /// A map: `$context`, `$stageVariables`.
    Map,
    /// `$foreach`
    Loop,
    /// Nothing is known.
    Unknown,
}

impl Subject {
    /// What a name stands for where no template has given it another meaning.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "input" => Self::Input,
            "util" => Self::Util,
            "context" | "stageVariables" => Self::Map,
            "foreach" => Self::Loop,
            _ => Self::Unknown,
        }
    }

    /// Whether a value of this kind may have the method of this name that takes so many arguments.
    pub(super) fn may_have(self, name: &str, arguments: usize) -> bool {
        let any = || AnyMethod::find(name, arguments).is_some();
        let map = || MapMethod::find(name, arguments).is_some();
        let input = || InputFunction::find(name, arguments).is_some();
        let util = || UtilFunction::find(name, arguments).is_some();
        match self {
            Self::Input => input(),
            Self::Util => util(),
            Self::Map => map() || any(),
            Self::Loop => any(),
            Self::Unknown => {
                any()
                    || map()
                    || TextMethod::find(name, arguments).is_some()
                    || ListMethod::find(name, arguments).is_some()
                    || NumberMethod::find(name, arguments).is_some()
                    // A variable may stand for `$input` or `$util` itself.
                    || input()
                    || util()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names in the order of their table, each once.
    fn names<T>(table: &[Row<T>]) -> String {
        let mut names: Vec<&str> = Vec::new();
        for (name, ..) in table {
            if !names.contains(name) {
                names.push(name);
            }
        }
        names.join(" ")
    }

    #[test]
    fn the_documentation_lists_what_the_tables_hold() {
        let directives = Directive::ALL.map(|(name, _)| format!("`#{name}`")).join(", ");
        let unserved = UNSERVED_DIRECTIVES.map(|name| format!("`#{name}`")).join(", ");
        let expected = [
            format!("| directives {directives}; not {unserved}, nor calls of macros with a body (`#@name`). "),
            format!("Functions of `$input`: `{}`; ", names(InputFunction::ALL)),
            format!("of `$util`: `{}`. ", names(UtilFunction::ALL)),
            format!("Methods of every value: `{}`; ", names(AnyMethod::ALL)),
            format!("of texts: `{}`; ", names(TextMethod::ALL)),
            format!("of lists: `{}`; ", names(ListMethod::ALL)),
            format!("of maps: `{}`; ", names(MapMethod::ALL)),
            format!("of numbers: `{}`. ", names(NumberMethod::ALL)),
        ];
        let page = include_str!("../../../../docs/differences-from-aws.md");
        assert!(page.contains(&expected.concat()), "the row must say: {}", expected.concat());
    }

    #[test]
    fn a_method_is_found_by_its_name_and_the_number_of_its_arguments() {
        assert_eq!(TextMethod::find("substring", 2), Some(TextMethod::SubstringTo));
        assert_eq!(TextMethod::find("substring", 3), None);
        let rows = [
            ("input", "json", 1, true),
            ("input", "json", 0, false),
            ("input", "size", 0, false),
            ("util", "urlEncode", 1, true),
            ("util", "params", 0, false),
            ("context", "keySet", 0, true),
            ("stageVariables", "trim", 0, false),
            ("foreach", "hasNext", 0, false),
            ("x", "hasNext", 0, false),
            ("x", "trim", 0, true),
            ("x", "urlEncode", 1, true),
        ];
        for (subject, name, arguments, expected) in rows {
            assert_eq!(Subject::named(subject).may_have(name, arguments), expected, "${subject}.{name} of {arguments}");
        }
    }
}
