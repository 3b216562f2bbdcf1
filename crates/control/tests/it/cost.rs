//! Documents, schemas and patches that are made to cost: each is carried out or refused within a bound that one whose work grows
//! with the square of its input passes by far.

use std::time::Duration;

use control::objects::Objects;
use control::store::Store;
use control::{Caller, Control, Mint, Settings};
use rustix::time::{ClockId, clock_gettime};
use topology::time::Moment;
use wire::apigateway::{
    Call, CreateModelRequest, ImportRestApiRequest, PatchOperation, PutMethodRequest, PutRestApiRequest,
    UpdateRestApiRequest,
};

use crate::calls;

/// CPU time that one input may take in a build without optimization, so that what else the machine does counts for nothing. Ours: the
/// slowest takes about a tenth.
const LASTS_MAX: Duration = Duration::from_secs(20);

/// CPU time of this thread so far.
fn used() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap()
}

struct Desk {
    control: Control,
    caller: Caller,
}

impl Desk {
    fn new() -> Self {
        let control = Control::open(Store::in_memory().unwrap(), Settings::default(), Mint::new(7)).unwrap();
        Self { control, caller: Caller { realm: calls::realm(), access_key_id: "test".to_owned() } }
    }

    /// Carries out a call and says how: `Ok`, or the fault's text.
    fn call(&mut self, call: Call) -> Result<(), String> {
        let call = wire::Call::ApiGateway(call);
        let mut objects = Objects::default();
        let began = used();
        control::ahead::read_ahead(&call, &mut objects);
        let read = used() - began;
        let reply = self.control.call_with(&self.caller, (call, objects), Moment(1_795_341_600_000));
        let turn = used() - began - read;
        let outcome = reply.result.map(|_| ()).map_err(|fault| fault.message);
        let shown = outcome.as_ref().err().map(|text| text.chars().take(80).collect::<String>());
        assert!(read + turn < LASTS_MAX, "read {read:?}, turn {turn:?}: {shown:?}");
        outcome
    }

    fn import(&mut self, document: String) -> Result<(), String> {
        self.call(Call::ImportRestApi(ImportRestApiRequest { body: document.into_bytes(), ..Default::default() }))
    }

    fn api(&mut self) -> String {
        self.import(document("")).unwrap();
        let realm = &self.control.estate().realms[&calls::realm()];
        realm.rest_apis.values().next().unwrap().id.to_string()
    }
}

fn document(more: &str) -> String {
    format!(r#"{{"swagger":"2.0","info":{{"title":"t"}}{more}}}"#).replacen(
        "}}",
        r#"},"paths":{}}"#,
        usize::from(more.is_empty()),
    )
}

fn joined(n: usize, of: impl Fn(usize) -> String) -> String {
    (0..n).map(of).collect::<Vec<_>>().join(",")
}

#[test]
fn brackets_without_end_are_refused() {
    assert!(Desk::new().import("[".repeat(250_000)).is_err());
    assert!(Desk::new().import(format!("a: {}", "[".repeat(250_000))).is_err());
    assert!(Desk::new().import(format!("a: {}", "{".repeat(250_000))).is_err());
    assert!(Desk::new().import("- ".repeat(100_000)).is_err());
}

#[test]
fn aliases_that_yield_much_are_refused() {
    let text = format!("a: &a [{}]\nb: [{}]\n", "x, ".repeat(6_000), "*a, ".repeat(6_000));
    assert!(Desk::new().import(text).unwrap_err().contains("repetitions included"));
}

#[test]
fn models_in_the_worst_order_are_made() {
    let model = |n: usize| {
        format!(
            r##""M{n:05}":{{"type":"object","properties":{{"next":{{"$ref":"#/definitions/M{:05}"}}}}}}"##,
            (n + 1) % 1_500
        )
    };
    let more = format!(r#","paths":{{}},"definitions":{{{}}}"#, joined(1_500, model));
    Desk::new().import(document(&more)).unwrap();
}

#[test]
fn models_that_only_lead_to_one_another_end_before_the_stack_does() {
    // Named so that the walk begins at either end of the chain.
    for (first, is_taken) in [(200usize, true), (1_500, false), (20_000, false)] {
        for name in [|n: usize| n, |n: usize| 99_999 - n] {
            let model = |n: usize| {
                let (own, next) = (name(n), name(n + 1));
                format!(r##""M{own:05}":{{"$ref":"#/definitions/M{next:05}"}}"##)
            };
            let last = format!(r#","M{:05}":{{"type":"string"}}"#, name(first));
            let more = format!(r#","paths":{{}},"definitions":{{{}{last}}}"#, joined(first, model));
            let outcome = Desk::new().import(document(&more));
            assert!(outcome.is_ok() || !is_taken, "{first}: {outcome:?}");
        }
    }
}

#[test]
fn what_is_written_once_and_named_often_is_counted_as_often() {
    let headers = joined(5_000, |n| format!(r#""h{n}":{{}}"#));
    let responses = joined(400, |n| format!(r##""{}":{{"$ref":"#/responses/r"}}"##, n + 100));
    let more = format!(
        r#","responses":{{"r":{{"headers":{{{headers}}}}}}},"paths":{{"/a":{{"get":{{"responses":{{{responses}}}}}}}}}"#
    );
    assert!(Desk::new().import(document(&more)).unwrap_err().contains("more than 250000 parts"));
    let types = joined(20_000, |n| format!(r#""application/x{n}""#));
    let responses = joined(400, |n| format!(r##""{}":{{"schema":{{"$ref":"#/definitions/Empty"}}}}"##, n + 100));
    let more = format!(r#","produces":[{types}],"paths":{{"/a":{{"get":{{"responses":{{{responses}}}}}}}}}"#);
    assert!(Desk::new().import(document(&more)).unwrap_err().contains("more than 250000 parts"));
}

#[test]
fn schemas_in_place_are_named_apart_without_a_search() {
    let content = joined(20_000, |n| format!(r#""application/x{n}":{{"schema":{{"type":"string","maxLength":{n}}}}}"#));
    let paths = format!(r#""/a":{{"post":{{"requestBody":{{"content":{{{content}}}}}}}}}"#);
    let text = format!(r#"{{"openapi":"3.0.1","info":{{"title":"t"}},"paths":{{{paths}}}}}"#);
    Desk::new().import(text).unwrap();
}

#[test]
fn paths_are_bounded_and_those_within_are_made() {
    let paths = |n: usize| format!(r#","paths":{{{}}}"#, joined(n, |n| format!(r#""/p{n}":{{"get":{{}}}}"#)));
    Desk::new().import(document(&paths(2_900))).unwrap();
    assert!(Desk::new().import(document(&paths(20_000))).unwrap_err().contains("at most 3000 resources"));
    let deep = format!(r#","paths":{{"{}":{{}}}}"#, "/a".repeat(300_000));
    assert!(Desk::new().import(document(&deep)).is_err());
}

#[test]
fn a_method_with_all_its_responses_is_made() {
    let header = |n: usize| format!(r#""h{n}":{{"type":"string"}}"#);
    let response = |n: usize| format!(r#""{}":{{"headers":{{{}}}}}"#, n + 100, joined(300, header));
    let mapped = |n: usize| {
        format!(r#""p{n}":{{"statusCode":"{}","responseParameters":{{"method.response.header.h1":"'x'"}}}}"#, n + 100)
    };
    let integration =
        format!(r#""x-amazon-apigateway-integration":{{"type":"mock","responses":{{{}}}}}"#, joined(500, mapped));
    let more = format!(r#","paths":{{"/a":{{"get":{{"responses":{{{}}},{integration}}}}}}}"#, joined(500, response));
    Desk::new().import(document(&more)).unwrap();
}

#[test]
fn parameters_and_patches_and_schemas_cost_what_they_are_long() {
    let mut desk = Desk::new();
    let id = desk.api();
    let root = desk.control.estate().realms[&calls::realm()].resources.values().next().unwrap().id.to_string();
    let parameters = (0..50_000).map(|n| (format!("method.request.header.h{n}"), false)).collect();
    let request = PutMethodRequest {
        rest_api_id: id.clone(),
        resource_id: root,
        http_method: "GET".to_owned(),
        authorization_type: "NONE".to_owned(),
        request_parameters: Some(parameters),
        ..Default::default()
    };
    desk.call(Call::PutMethod(request)).unwrap();
    let add = |n: usize| PatchOperation {
        op: Some("add".to_owned()),
        path: Some(format!("/binaryMediaTypes/image~1x{n}")),
        ..Default::default()
    };
    let patch = |operations| {
        Call::UpdateRestApi(UpdateRestApiRequest { rest_api_id: id.clone(), patch_operations: Some(operations) })
    };
    desk.call(patch((0..4_000).map(add).collect())).unwrap();
    let long = PatchOperation { path: Some("/a".repeat(1_000_000)), ..add(0) };
    assert!(desk.call(patch(vec![long])).is_err());
    // Each of these references leads to the whole schema.
    let references = (0..10_000).map(|n| format!(r##""p{n}":{{"$ref":"#"}}"##)).collect::<Vec<_>>().join(",");
    let schema = format!(r#"{{"properties":{{{references}}}}}"#);
    let request = CreateModelRequest {
        rest_api_id: id.clone(),
        name: "M".to_owned(),
        content_type: "application/json".to_owned(),
        schema: Some(schema),
        ..Default::default()
    };
    desk.call(Call::CreateModel(request)).unwrap();
    let request = wire::apigateway::GetModelTemplateRequest { rest_api_id: id.clone(), model_name: "M".to_owned() };
    desk.call(Call::GetModelTemplate(request)).unwrap();
    let body = document(r#","paths":{}"#).into_bytes();
    desk.call(Call::PutRestApi(PutRestApiRequest { rest_api_id: id, body, ..Default::default() })).unwrap();
}
