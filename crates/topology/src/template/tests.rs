//! Tables of templates that are refused, and where; what others give is traffic's to test.

use super::{Position, TEMPLATE_BYTES_MAX, Template, Unusable, Written};

fn malformed(template: &str) -> (usize, usize, &'static str) {
    match Template::parse(template) {
        Err(Unusable::Malformed(Position { line, column }, what)) => (line, column, what),
        other => panic!("{template}: {other:?}"),
    }
}

#[test]
fn what_is_not_the_language_is_refused_with_its_place() {
    let rows = [
        ("#if(true)", 1, 10),
        ("a\n#foreach($x in [1])", 2, 20),
        ("#end", 1, 5),
        ("#set($x 1)", 1, 9),
        ("#set($x = )", 1, 11),
        ("\n\n#if(1 +)#end", 3, 8),
        ("#set($x = 'open)", 1, 17),
        ("#* open", 1, 3),
        ("${input.json('$')", 1, 18),
        ("#set($x = 99999999999999999999)", 1, 31),
        ("é #set($x 1)", 1, 11),
    ];
    for (template, line, column) in rows {
        let (told_line, told_column, what) = malformed(template);
        assert_eq!((told_line, told_column), (line, column), "{template}: {what}");
    }
}

/// A text in double quotes is a template within the template, and its places are those of the whole.
#[test]
fn places_within_quotes_are_the_templates() {
    let rows = [
        (r##"#set($x = "a #set($y 1)")"##, 1, 22),
        (r##"#set($x = "say ""hi"" #set($y 1)")"##, 1, 31),
        ("#set($x = \"a\n b #set($y 1)\")", 2, 12),
        (r##"#set($x = "a $o.get(""b #set($y 1)"")")"##, 1, 33),
    ];
    for (template, line, column) in rows {
        let (told_line, told_column, what) = malformed(template);
        assert_eq!((told_line, told_column), (line, column), "{template}: {what}");
    }
}

#[test]
fn what_is_not_carried_out_is_refused_by_name() {
    let rows = [
        ("#include('x')", 1, 1, "the directive #include"),
        ("a\n  #{parse}('x')", 2, 3, "the directive #parse"),
        ("#evaluate($x)", 1, 1, "the directive #evaluate"),
        ("#literal()x#end", 1, 1, "the directive #literal"),
        ("#@hi('x')y#end", 1, 1, "a call of a macro with a body (#@)"),
        ("$input.nothing('$')", 1, 8, "the method $input.nothing with 1 arguments"),
        ("\n$util.md5('x')", 2, 7, "the method $util.md5 with 1 arguments"),
        ("$util.urlEncode()", 1, 7, "the method $util.urlEncode with 0 arguments"),
        ("#set($l = [])$l.get(0).getClass()", 1, 24, "the method getClass with 0 arguments"),
        ("$x.substring(1, 2, 3)", 1, 4, "the method $x.substring with 3 arguments"),
        ("#if(false)$x.hashCode()#end", 1, 14, "the method $x.hashCode with 0 arguments"),
        ("#set($x = \"a $y.stream()\")", 1, 17, "the method $y.stream with 0 arguments"),
        ("#macro(m $a)$a.notify()#end", 1, 16, "the method $a.notify with 0 arguments"),
        ("#macro(m $a)$a#end#m($b.wait())", 1, 25, "the method $b.wait with 0 arguments"),
        ("$y[$x.wait()]$y.wait()", 1, 7, "the method $x.wait with 0 arguments"),
        ("#foreach($i in [1])$foreach.hasNext()#end", 1, 29, "the method $foreach.hasNext with 0 arguments"),
    ];
    for (template, line, column, what) in rows {
        match Written::new(template).check() {
            Err(Unusable::Unserved(place, told)) => {
                assert_eq!((place.line, place.column, told.as_str()), (line, column, what), "{template}");
            }
            other => panic!("{template}: {other:?}"),
        }
    }
}

#[test]
fn what_may_be_carried_out_is_taken() {
    let rows = [
        "",
        "plain $5 #fff # \\#include",
        "$x.size() $x.trim() $x.keySet() $x.intValue() $x.toString()",
        // The names that templates see may be given another meaning.
        "#set($input = 'text')$input.trim()",
        "#foreach($util in ['a'])$util.length()#end",
        "#set($u = $util)$u.urlEncode('x')",
        "#macro(m $context)$context.trim()#end#m('a')",
        // What no macro is called is text.
        "#none($x.getClass())",
        "mail@#@ #@5",
        "#[[ #include('x') ]]# ## #parse('x')",
    ];
    for template in rows {
        assert_eq!(Written::new(template).check(), Ok(()), "{template}");
    }
}

/// What was too deep for a call, and so is text, leaves no depth behind.
#[test]
fn text_that_looks_like_deep_calls_is_text() {
    let text = format!("{}#if(true)x#end", format!("#a({} ", "(".repeat(70)).repeat(200));
    assert_eq!(Written::new(text).check(), Ok(()));
}

#[test]
fn size_and_depth_are_bounded() {
    assert!(Template::parse(&"x".repeat(TEMPLATE_BYTES_MAX)).is_ok());
    let deep = format!("#set($x = {}1{})", "(".repeat(500), ")".repeat(500));
    let chain = format!("#set($x = {}1)", "1+".repeat(1000));
    let nested = format!("{}{}", "#if(true)".repeat(500), "#end".repeat(500));
    for template in ["x".repeat(TEMPLATE_BYTES_MAX + 1), deep, chain, nested] {
        assert!(matches!(Template::parse(&template), Err(Unusable::TooMuch { .. })));
    }
}

/// Operators in a row within parentheses nest some thousand levels deep, which no stack need hold to look for methods.
#[test]
fn what_is_deep_and_allowed_is_looked_through() {
    let mut inner = "$x.getClass()".to_owned();
    for _ in 0..25 {
        inner = format!("({inner}{})", "+1".repeat(60));
    }
    let written = Written::new(format!("#set($y = {inner})"));
    assert!(matches!(written.check(), Err(Unusable::Unserved(..))), "{:?}", written.check());
}

#[test]
fn whoever_asks_whether_a_template_may_be_written_keeps_the_verdict_alone() {
    for text in ["$input.json('$')", "#if(true)", "$input.nothing()"] {
        let template = Written::new(text);
        let verdict = template.check().map_err(Clone::clone);
        assert!(!template.is_read(), "{text}");
        let read = Written::new(text);
        let _read = read.read();
        assert!(read.is_read());
        assert_eq!(read.check().map_err(Clone::clone), verdict, "{text}");
    }
}
