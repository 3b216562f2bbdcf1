//! Tables of templates and what they give: the language, the documented functions, and the bounds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use topology::template::vocabulary::{
    AnyMethod, InputFunction, ListMethod, MapMethod, NumberMethod, Row, TextMethod, UtilFunction,
};
use topology::template::{Unusable, Written};

use super::{Params, Rendered, Scope, TemplateError};

const BODY: &str = r#"{"name":"Ann","n":3,"list":[{"id":1},{"id":2},{"id":3}],"o":{"k":"v","z":[1,2]},"q":"it's \"x\" / é","nil":null,"f":1.5,"empty":""}"#;

fn render(template: &str) -> Result<Rendered, TemplateError> {
    render_with(template, BODY)
}

fn render_with(template: &str, body: &str) -> Result<Rendered, TemplateError> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let params = Params {
        path: vec![pair("id", "7")],
        querystring: vec![pair("id", "from-query"), pair("q", "a b")],
        header: vec![pair("x-token", "secret"), pair("q", "from-header")],
    };
    let stage_variables = BTreeMap::from([pair("host", "example.com"), pair("mode", "blue")]);
    let context = |name: &str| match name {
        "requestId" => Some("r-1".to_owned()),
        "identity.sourceIp" => Some("192.0.2.1".to_owned()),
        "identity.userAgent" => Some("curl".to_owned()),
        "requestTimeEpoch" => Some("1795860000123".to_owned()),
        "authorizer.claims.sub" => Some("user-1".to_owned()),
        _ => None,
    };
    let scope = Scope { body, params: &params, context: &context, stage_variables: &stage_variables };
    let template = Written::new(template);
    super::evaluate(template.read().map_err(|refused| TemplateError::Refused(refused.clone()))?, &scope)
}

fn check(rows: &[(&str, &str)]) {
    for (template, expected) in rows {
        let rendered = render(template).unwrap_or_else(|error| panic!("{template}: {error}"));
        assert_eq!(rendered.text, *expected, "{template}");
    }
}

#[test]
fn references_and_text() {
    check(&[
        ("plain # text $ 5 $5 a@b.c", "plain # text $ 5 $5 a@b.c"),
        ("#set($x = 'v')$x ${x}y $!x $!{x}.", "v vy v v."),
        ("$unknown ${unknown} $!unknown|$!{unknown}|", "$unknown ${unknown} ||"),
        ("#set($x = 1)\\$x \\${x} \\#set(1) \\n", "$x ${x} #set(1) \\n"),
        ("a ## comment\nb #* more\nlines *# c", "a b  c"),
        ("#[[ $x #if ]]# end", " $x #if  end"),
        ("#set($x='v')[$x] $x[0]", "[v] $x[0]"),
        ("\"#/definitions/x\" #fff #(a)", "\"#/definitions/x\" #fff #(a)"),
        ("#set($m = {'a': {'b': 'c'}})$m.a.b $m['a']['b'] $m.get('a').get('b') $m.missing|", "c c c |"),
    ]);
}

#[test]
fn expressions() {
    check(&[
        ("#set($x = 1 + 2 * 3 - 4 / 2 % 2)$x", "7"),
        ("#set($x = (1 + 2) * -3)$x", "-9"),
        ("#set($x = 7 / 2)#set($y = 7.0 / 2)$x $y", "3 3.5"),
        ("#set($x = 1 / 0)$!x|", "|"),
        ("#set($x = 'a' + 'b' + 1)$x", "ab1"),
        ("#set($n = 2)#set($x = \"n is $n and ${n}th\")$x", "n is 2 and 2th"),
        ("#set($x = 'n is $n')$x", "n is $n"),
        ("#set($x = 'it''s')$x", "it's"),
        ("#if(1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3)y#end", "y"),
        ("#if(1 lt 2 and 2 le 2 or false)y#end", "y"),
        ("#if(not true || !false)y#else n#end", "y"),
        ("#if('a' == 'a' && 'a' != 'b' && 1 == 1.0)y#end", "y"),
        ("#if($nothing)y#{else}n#end", "n"),
        ("#if('')y#{else}n#end", "y"),
        ("#if($input.path('$.missing') == \"\")none#end", "none"),
        ("#set($l = [1, 'two', [3..1]])$l $l.size() $l[1] $l.get(2)[0]", "[1, two, [3, 2, 1]] 3 two 3"),
        ("#set($l = [])#if($l.isEmpty())empty#end", "empty"),
        ("#set($m = {\"a\": 1, 'b': 'x'})$m", "{a=1, b=x}"),
        ("#set($x = 'old')#set($x = $nothing)$x", "old"),
        ("#set($x = true)$x", "true"),
    ]);
}

#[test]
fn directives() {
    check(&[
        ("#if(false)a#elseif(true)b#else c#end", "b"),
        ("#if(true)\na\n#else\nb\n#end\nc", "a\nc"),
        ("#foreach($i in [1..3])$i#if($foreach.hasNext),#end#end", "1,2,3"),
        (
            "#foreach($i in [5, 6])$foreach.index/$foreach.count/$velocityCount/$foreach.first/$foreach.last #end",
            "0/1/1/true/false 1/2/2/false/true ",
        ),
        ("#foreach($i in [1..9])#if($i == 3)#break#end$i#end.", "12."),
        ("#foreach($i in [1, 2])#foreach($j in [1..3])#if($j == 2)#break#end$i$j #end#end", "11 21 "),
        ("a#stop b", "a"),
        ("#foreach($i in [1, 2])$i#stop#end b", "1"),
        ("#set($i = 'o')#foreach($i in [1])$i#end$i", "1o"),
        ("#foreach($v in {'a': 1, 'b': 2})$v#end", "12"),
        ("#foreach($e in $stageVariables.entrySet())$e.key=$e.value;#end", "host=example.com;mode=blue;"),
        ("#foreach($k in $stageVariables.keySet())$k:$stageVariables.get($k) #end", "host:example.com mode:blue "),
        ("#macro(hi $who $n)Hi $who$n!#end#hi('Ann' 2) #hi('Bob', 3) #none('x')", "Hi Ann2! Hi Bob3! #none('x')"),
    ]);
}

#[test]
fn input_functions() {
    check(&[
        ("$input.json('$.name')", r#""Ann""#),
        ("$input.json('$.n') $input.json('$.nil') $input.json('$.f')", "3 null 1.5"),
        ("$input.json('$.o')", r#"{"k":"v","z":[1,2]}"#),
        ("$input.json('$.list[*].id') $input.json('$.list[1].id') $input.json('$..k')", r#"[1,2,3] 2 ["v"]"#),
        ("$input.json('$.missing')", r#""""#),
        (
            "$input.path('$.name') $input.path('$.o.z') $input.path('$.o') $input.path('$.missing')|",
            "Ann [1, 2] {k=v, z=[1, 2]} |",
        ),
        ("#set($r = $input.path('$'))$r.name $r.list[2].id $r.list.size() $r.o.k $!r.nil|", "Ann 3 3 v |"),
        ("#foreach($e in $input.path('$.list'))$e.id#end", "123"),
        ("$input.params('id') $input.params('q') $input.params('X-Token') $input.params('none')|", "7 a b secret |"),
        (
            "$input.params().header.get('X-Token') $input.params('').length() $input.params().header.X-TOKEN $input.params().path.ID|",
            "secret 0 secret |",
        ),
        ("$input.params().header.get('x-token') $input.params().path.id $input.params().querystring.q", "secret 7 a b"),
        ("#foreach($t in $input.params().keySet())$t #end", "path querystring header "),
        (
            "$input.params()",
            "{path={id=7}, querystring={id=from-query, q=a b}, header={x-token=secret, q=from-header}}",
        ),
    ]);
    assert_eq!(render("$input.body").unwrap().text, BODY);
    assert_eq!(render("$input.json('$')").unwrap().text, BODY);
    let rows = [("$input.json('$')", "{}"), ("$input.path('$.a')|", "|"), ("$input.body|", "|")];
    for (template, expected) in rows {
        assert_eq!(render_with(template, "").unwrap().text, expected, "{template}");
    }
}

#[test]
fn util_functions() {
    check(&[
        ("$util.escapeJavaScript($input.path('$.q'))", r#"it\'s \"x\" \/ \u00E9"#),
        ("$util.urlEncode('a b&c/é') $util.urlDecode('a+b%26c')", "a+b%26c%2F%C3%A9 a b&c"),
        ("$util.base64Encode('hello') $util.base64Decode('aGVsbG8=')", "aGVsbG8= hello"),
        ("#set($o = $util.parseJson('{\"a\":[1,{\"b\":true}]}'))$o.a[1].b", "true"),
    ]);
    for template in ["$util.parseJson('{')", "$util.base64Decode('*')", "$util.nothing('x')", "$input.nothing()"] {
        assert!(matches!(render(template), Err(TemplateError::Function(_))), "{template}");
    }
}

#[test]
fn context_and_stage_variables() {
    check(&[
        ("$context.requestId $context.identity.sourceIp $context.authorizer.claims.sub", "r-1 192.0.2.1 user-1"),
        ("$context.authorizer.claims['sub'] $context.nothing.at.all|$!context.none|", "user-1 ||"),
        ("#if($context.identity.sourceIp == '192.0.2.1')me#end#if($context.authorizer.nobody)x#end", "me"),
        (
            "$stageVariables.host ${stageVariables.mode} $stageVariables['host'] $stageVariables.none|",
            "example.com blue example.com |",
        ),
    ]);
    let rendered = render(
        "#set($context.requestOverride.header.X-A = 'a')#set($context.requestOverride.path.id = \"p$input.params('id')\")\
         #set($context.requestOverride.querystring['q r'] = 5)#set($context.responseOverride.status = 418)\
         #set($context.other = 'x')$context.responseOverride.status",
    );
    let rendered = rendered.unwrap();
    let overrides: Vec<_> = rendered.overrides.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(rendered.text, "418");
    assert_eq!(
        overrides,
        [
            ("requestOverride.header.X-A", "a"),
            ("requestOverride.path.id", "p7"),
            ("requestOverride.querystring.q r", "5"),
            ("responseOverride.status", "418"),
        ]
    );
}

#[test]
fn methods_of_texts() {
    check(&[
        ("#set($s = ' Abc ')$s.trim().toUpperCase() $s.trim().toLowerCase() $s.length()", "ABC abc 5"),
        (
            "#set($s = 'abcabc')$s.indexOf('c') $s.lastIndexOf('c') $s.indexOf('x') $s.substring(2) $s.substring(1, 3)",
            "2 5 -1 cabc bc",
        ),
        (
            "#set($s = 'a.b.c')$s.replace('.', '-') $s.replaceAll('[a-b]', '<$0>') $s.replaceFirst('(.)\\.', '$1!')",
            "a-b-c <a>.<b>.c a!b.c",
        ),
        ("#set($s = 'a,b,,')$s.split(',').size() $s.split(',')[1]", "2 b"),
        (
            "#set($s = 'abc')$s.startsWith('a') $s.endsWith('c') $s.contains('z') $s.matches('[a-c]+') $s.equals('abc')",
            "true true false true true",
        ),
        ("#set($s = 'abc')$s.charAt(1) $s.concat('d') $s.isEmpty() $s.equalsIgnoreCase('ABC')", "b abcd false true"),
        ("#set($Integer = 0)#set($n = $Integer.parseInt('41') + 1)$n #set($d = 2.9)$d.intValue()", "42 2"),
    ]);
}

#[test]
fn methods_of_lists_and_maps() {
    check(&[
        (
            "#set($l = [])#set($ok = $l.add('a'))#set($ok = $l.add('b'))$l $l.contains('b') $l.indexOf('b')",
            "[a, b] true 1",
        ),
        ("#set($l = ['a', 'b'])#set($x = $l.set(0, 'z'))#set($y = $l.remove(1))$l $x $y", "[z] a b"),
        (
            "#set($m = {})#set($ok = $m.put('k', [1]))#set($m.j = 2)$m $m.size() $m.containsKey('k')",
            "{k=[1], j=2} 2 true",
        ),
        ("#set($m = {'a': 1})#set($n = $m)#set($n.b = 2)$m $m.values() $m.keySet()", "{a=1, b=2} [1, 2] [a, b]"),
        ("#set($m = {'a': 1})$m.getOrDefault('z', 9) $m.remove('a') $m.isEmpty()", "9 1 true"),
    ]);
    assert!(matches!(render("#set($l = [1])$l.get(4)"), Err(TemplateError::Function(_))));
    assert!(matches!(render("#set($l = [1])$l.getClass()"), Err(TemplateError::Function(_))));
}

/// The template that API Gateway's console offers to pass everything through.
#[test]
fn the_passthrough_template() {
    let template = r###"##  See the documentation
#set($allParams = $input.params())
{
"body-json" : $input.json('$.o'),
"params" : {
#foreach($type in $allParams.keySet())
    #set($params = $allParams.get($type))
"$type" : {
    #foreach($paramName in $params.keySet())
    "$paramName" : "$util.escapeJavaScript($params.get($paramName))"
        #if($foreach.hasNext),#end
    #end
}
    #if($foreach.hasNext),#end
#end
},
"context" : { "request-id" : "$context.requestId", "user" : "$context.identity.user" }
}
"###;
    let text = render(template).unwrap().text;
    let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let expected = serde_json::json!({
        "body-json": {"k": "v", "z": [1, 2]},
        "params": {
            "path": {"id": "7"},
            "querystring": {"id": "from-query", "q": "a b"},
            "header": {"x-token": "secret", "q": "from-header"},
        },
        "context": {"request-id": "r-1", "user": ""},
    });
    assert_eq!(json, expected);
}

#[test]
fn what_would_run_on_is_stopped_soon() {
    let deep = format!("#set($x = {}1{})", "(".repeat(500), ")".repeat(500));
    let chain = format!("#set($x = {}1)", "1+".repeat(140_000));
    let nested = format!("{}{}", "#if(true)".repeat(500), "#end".repeat(500));
    let rows = [
        "#foreach($i in [1..1001])$i#end",
        "#foreach($a in [1..1000])#foreach($b in [1..1000])#foreach($c in [1..1000])#end#end#end",
        "#set($s = 'xxxxxxxxxxxxxxxx')#foreach($i in [1..100])#set($s = \"$s$s\")#end",
        "#set($s = 'x')#foreach($i in [1..100])#set($s = $s + $s)#end",
        "#foreach($a in [1..1000])#foreach($b in [1..1000])0123456789012345678901234567890123456789#end#end",
        "#set($l = [1])#foreach($i in [1..100])#set($ok = $l.addAll($l))#end",
        "#set($l = [1..999])#set($m = {})#foreach($i in [1..1000])#foreach($j in [1..1000])#set($x = $l.contains('z'))#end#end",
        "#set($l = [])#set($ok = $l.add($l))$l",
        "#macro(again)#again()#end#again()",
        "#macro(a $x)#a(\"$x$x\")#end#a('xx')",
        "#set($s = 'aaaaaaaaaaaaaaaa')#foreach($i in [1..1000])#set($s = $s.replace('a', 'aaaaaaaa'))#end",
        "#set($s = 'aaaaaaaaaaaaaaaa')#foreach($i in [1..1000])#set($s = $s.replaceAll('a', 'aaaaaaaa'))#end",
        "#foreach($a in [1..1000])#foreach($b in [1..1000])#set($x = $input.json('$..id'))#end#end",
        &deep,
        &chain,
        &nested,
    ];
    for template in rows {
        let began = Instant::now();
        let outcome = render(template);
        let short: String = template.chars().take(100).collect();
        let is_bound =
            matches!(outcome, Err(TemplateError::TooMuch { .. } | TemplateError::Refused(Unusable::TooMuch { .. })));
        assert!(is_bound, "{short}: {outcome:?}");
        // Wide: what runs on would take minutes.
        assert!(began.elapsed() < Duration::from_secs(20), "{short}: {:?}", began.elapsed());
    }
}

proptest::proptest! {
    /// No text makes the reader or the evaluation panic.
    #[test]
    fn any_text_is_a_template_or_refused(
        pieces in proptest::collection::vec(proptest::sample::select(vec![
            "#if", "(", ")", "$x", "${", "}", "#end", "#set($x =", "[", "]", "'", "\"", ".", "..", "#foreach($i in", "1", "-", "\\",
            "$input.path('$.list')", ".get(", "#else", "{", ":", ",", "é", "\n", "#macro(m $a)", "#m(1)", "##", "#*", "*#", "$!", "+", "==",
        ]), 0..24),
    ) {
        let _ = render(&pieces.concat());
    }
}

#[test]
fn the_time_of_a_request_is_a_number() {
    check(&[
        ("#set($s = $context.requestTimeEpoch / 1000)$s", "1795860000"),
        ("#if($context.requestTimeEpoch > 1000)y#end", "y"),
        ("$context.requestTimeEpoch", "1795860000123"),
    ]);
}

#[test]
fn the_context_can_be_walked() {
    check(&[
        (
            "#foreach($k in $context.identity.keySet())$k=$context.identity.get($k);#end",
            "sourceIp=192.0.2.1;userAgent=curl;",
        ),
        ("#foreach($e in $context.identity.entrySet())$e.key=$e.value;#end", "sourceIp=192.0.2.1;userAgent=curl;"),
        ("$context.identity.size() $context.identity.isEmpty()", "2 false"),
        ("$context.identity.containsKey('sourceIp') $context.identity.containsKey('caller')", "true false"),
        ("#set($i = $context.identity)$i.sourceIp", "192.0.2.1"),
        ("#if($context.nothing)y#{else}n#end", "n"),
        (
            "#foreach($k in $input.params().keySet())$k $input.params().get($k).size();#end",
            "path 1;querystring 2;header 2;",
        ),
    ]);
}

#[test]
fn a_block_is_rendered_anew_wherever_it_is_named() {
    check(&[
        ("#define($b)<$x>#end#set($x = 1)$b#set($x = 2)$b", "<1><2>"),
        ("#define($b)a#end#if($b == 'a')y#end", "y"),
    ]);
    assert!(matches!(render("#define($b)$b#end$b"), Err(TemplateError::TooMuch { .. })));
    assert!(matches!(render("#define($b)open"), Err(TemplateError::Refused(Unusable::Malformed(..)))));
}

#[test]
fn a_body_that_is_not_json_is_its_text() {
    for (template, body, expected) in [
        ("$input.path('$')", "a=1&b=2", "a=1&b=2"),
        ("$input.json('$')", "a=1&b=\"2\"", r#""a=1&b=\"2\"""#),
        ("$input.path('$.a')|$input.json('$.a')", "<html/>", r#"|"""#),
        ("$input.body", "plain", "plain"),
        ("$input.path('$').split('&').size()", "a=1&b=2", "2"),
    ] {
        assert_eq!(render_with(template, body).unwrap().text, expected, "{template} {body}");
    }
}

#[test]
fn parts_of_a_text_are_paid_for() {
    let commas = ",".repeat(100_000);
    let once = render_with("#set($x = $input.body.split(','))$x.size()", &commas);
    assert_eq!(once.unwrap().text, "1");
    let many = render_with("#foreach($i in [1..1000])#set($x = $input.body.split(','))#end", &commas);
    assert!(matches!(many, Err(TemplateError::TooMuch { .. })), "{many:?}");
}

/// Whether the evaluation knows a method, called on what the template sets as `$x`. That the arguments may not fit is no matter.
fn is_carried_out<T>(subject: &str, (name, arguments, _): &Row<T>) -> bool {
    let arguments = vec!["0"; *arguments].join(", ");
    let outcome = render(&format!("#set($x = {subject})$x.{name}({arguments})"));
    !matches!(&outcome, Err(TemplateError::Function(why)) if why.starts_with("there is no method"))
}

#[test]
fn every_listed_method_is_carried_out_and_no_other() {
    macro_rules! all {
        ($($subject:literal $table:expr;)*) => {$(
            for row in $table {
                assert!(is_carried_out($subject, row), "{} on {}", row.0, $subject);
            }
            assert!(!is_carried_out($subject, &("getClass", 0, ())), "{}", $subject);
        )*};
    }
    all! {
        "$input" InputFunction::ALL;
        "$util" UtilFunction::ALL;
        "'text'" TextMethod::ALL;
        "[1]" ListMethod::ALL;
        "{'a': 1}" MapMethod::ALL;
        "$context.identity" MapMethod::ALL;
        "1" NumberMethod::ALL;
        "1.5" NumberMethod::ALL;
        "true" AnyMethod::ALL;
        "'text'" AnyMethod::ALL;
    }
}

#[test]
fn a_method_that_nothing_has_fails_where_it_is_come_to() {
    assert_eq!(render("#if(false)$input.body.getClass()#{end}a").unwrap().text, "a");
    let failed = render("$input.body.getClass()").unwrap_err();
    assert_eq!(failed.to_string(), "there is no method getClass with 0 arguments on this value");
}
