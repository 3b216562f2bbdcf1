//! The public side of what is published: the API, its stage and limits, keys, the certificate and the name. What is there is changed in place,
//! each change by one call; how it is taken back goes on a list. An API of another kind is built beside and takes over the name at once.

use http::Method;
use serde_json::{Value, json};
use topology::id::HostName;

use super::calls::{Calls, DOCUMENT, Operation, v1, v2};
use super::certificate::{self, Presented};
use super::document;
use super::private::{Private, TAG, Undo};
use super::wish::Wish;
use crate::client::Complaint;

/// The stage of a REST API.
const LIVE: &str = "live";
/// The stage of an HTTP API that is not in the path.
const DEFAULT: &str = "$default";
/// What a stage lets through that says nothing: the account's own limits (API Gateway quotas, 2026-11).
const ACCOUNT_LIMIT: (f64, u32) = (10_000.0, 5_000);

/// Of which kind an API is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Http,
    Rest,
}

impl Kind {
    /// What a wish needs.
    pub(super) fn of(wish: &Wish) -> Self {
        if wish.api_key { Self::Rest } else { Self::Http }
    }

    /// Its stage.
    pub(super) const fn stage(self) -> &'static str {
        match self {
            Self::Http => DEFAULT,
            Self::Rest => LIVE,
        }
    }

    /// How it is deleted.
    pub(super) fn delete(self, id: &str) -> (Operation, Value) {
        match self {
            Self::Http => (v2("DeleteApi", Method::DELETE, "/v2/apis/{ApiId}"), json!({ "ApiId": id })),
            Self::Rest => (v1("DeleteRestApi", Method::DELETE, "/restapis/{restApiId}"), json!({ "restApiId": id })),
        }
    }
}

/// An API that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Api {
    pub(super) kind: Kind,
    pub(super) id: String,
    /// The version of the wish that it was made of.
    pub(super) version: String,
}

/// The APIs of a host: one, or two while one takes over from the other.
pub(super) async fn apis(calls: &Calls, host: &HostName) -> Result<Vec<Api>, Complaint> {
    let all = published(calls).await?;
    Ok(all.into_iter().filter(|(of, _)| of == host).map(|(_, api)| api).collect())
}

/// Every API that was published, with its host.
pub(super) async fn published(calls: &Calls) -> Result<Vec<(HostName, Api)>, Complaint> {
    let mut found = Vec::new();
    for (kind, path, member) in [(Kind::Http, "/v2/apis", "apiId"), (Kind::Rest, "/restapis", "id")] {
        found.extend(calls.list(path).await?.iter().filter_map(|api| {
            let host: HostName = api["tags"][TAG].as_str()?.parse().ok()?;
            let version = api["version"].as_str().unwrap_or_default().to_owned();
            Some((host, Api { kind, id: api[member].as_str()?.to_owned(), version }))
        }));
    }
    found.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
    Ok(found)
}

/// What guards an API, in a word.
pub(super) async fn guard(calls: &Calls, api: &Api) -> Result<&'static str, Complaint> {
    Ok(match api.kind {
        Kind::Rest => "a key",
        Kind::Http if calls.list(&format!("/v2/apis/{}/authorizers", api.id)).await?.is_empty() => "nothing",
        Kind::Http => "tokens",
    })
}

/// Makes or changes the API.
pub(super) async fn api(
    calls: &mut Calls,
    (wish, private): (&Wish, &Private),
    standing: Option<&Api>,
    undo: &mut Vec<Undo>,
) -> Result<Api, Complaint> {
    match (Kind::of(wish), standing) {
        (_, Some(api)) if api.version == wish.version => Ok(api.clone()),
        (Kind::Http, Some(api)) => change_http(calls, (wish, private), api, undo).await.map(|()| api.clone()),
        (Kind::Http, None) => make_http(calls, (wish, private), undo).await,
        (Kind::Rest, Some(api)) => change_rest(calls, (wish, private), api, undo).await.map(|()| api.clone()),
        (Kind::Rest, None) => make_rest(calls, (wish, private), undo).await,
    }
}

fn limits((rate, burst): (f64, u32)) -> Value {
    json!({ "ThrottlingRateLimit": rate, "ThrottlingBurstLimit": burst })
}

fn update_stage() -> Operation {
    v2("UpdateStage", Method::PATCH, "/v2/apis/{ApiId}/stages/{StageName}")
}

fn reimport() -> Operation {
    v2("ReimportApi", Method::PUT, "/v2/apis/{ApiId}")
}

async fn make_http(
    calls: &mut Calls,
    (wish, private): (&Wish, &Private),
    undo: &mut Vec<Undo>,
) -> Result<Api, Complaint> {
    let host = wish.host.as_str();
    let input = json!({ "Name": host, "ProtocolType": "HTTP", "Tags": { TAG: host } });
    let id = calls.change(v2("CreateApi", Method::POST, "/v2/apis"), input).await?.text("apiId")?;
    undo.push(Undo::call(Kind::Http.delete(&id)));
    let body = document::http(wish, private).to_string();
    calls.change(reimport(), json!({ "ApiId": id, "Body": body })).await?;
    let mut stage = json!({ "ApiId": id, "StageName": DEFAULT, "AutoDeploy": true });
    if let Some(limit) = wish.limit {
        stage["DefaultRouteSettings"] = limits(limit);
    }
    calls.change(v2("CreateStage", Method::POST, "/v2/apis/{ApiId}/stages"), stage).await?;
    Ok(Api { kind: Kind::Http, id, version: wish.version.clone() })
}

async fn change_http(
    calls: &mut Calls,
    (wish, private): (&Wish, &Private),
    api: &Api,
    undo: &mut Vec<Undo>,
) -> Result<(), Complaint> {
    let export = v2("ExportApi", Method::GET, "/v2/apis/{ApiId}/exports/OAS30?includeExtensions=true&outputType=JSON");
    let before = calls.read(export, json!({ "ApiId": api.id })).await?.json().to_string();
    let read = v2("GetStage", Method::GET, "/v2/apis/{ApiId}/stages/{StageName}");
    let stage = calls.read(read, json!({ "ApiId": api.id, "StageName": DEFAULT })).await?;
    let known = &stage.json()["defaultRouteSettings"];
    let known = known["throttlingRateLimit"].as_f64().zip(known["throttlingBurstLimit"].as_u64());
    let known = known.map_or(ACCOUNT_LIMIT, |(rate, burst)| (rate, u32::try_from(burst).unwrap_or(u32::MAX)));
    let wanted = wish.limit.unwrap_or(ACCOUNT_LIMIT);
    if known != wanted {
        let change = |limit| json!({ "ApiId": api.id, "StageName": DEFAULT, "DefaultRouteSettings": limits(limit) });
        calls.change(update_stage(), change(wanted)).await?;
        undo.push(Undo::Call(update_stage(), change(known)));
    }
    let body = document::http(wish, private).to_string();
    calls.change(reimport(), json!({ "ApiId": api.id, "Body": body })).await?;
    undo.push(Undo::Call(reimport(), json!({ "ApiId": api.id, "Body": before })));
    Ok(())
}

fn put_rest() -> Operation {
    v1("PutRestApi", Method::PUT, "/restapis/{restApiId}?mode={mode}")
}

async fn deploy(calls: &mut Calls, (wish, private): (&Wish, &Private), id: &str) -> Result<(), Complaint> {
    let input = json!({ "restApiId": id, "mode": "overwrite", (DOCUMENT): document::rest(wish, private) });
    calls.change(put_rest(), input).await?;
    let input = json!({ "restApiId": id, "stageName": LIVE });
    calls.change(v1("CreateDeployment", Method::POST, "/restapis/{restApiId}/deployments"), input).await?;
    Ok(())
}

async fn make_rest(
    calls: &mut Calls,
    (wish, private): (&Wish, &Private),
    undo: &mut Vec<Undo>,
) -> Result<Api, Complaint> {
    let host = wish.host.as_str();
    let input = json!({ "name": host, "endpointConfiguration": { "types": ["REGIONAL"] }, "tags": { TAG: host } });
    let id = calls.change(v1("CreateRestApi", Method::POST, "/restapis"), input).await?.text("id")?;
    undo.push(Undo::call(Kind::Rest.delete(&id)));
    deploy(calls, (wish, private), &id).await?;
    keys(calls, wish, &id, undo).await?;
    Ok(Api { kind: Kind::Rest, id, version: wish.version.clone() })
}

fn update_plan() -> Operation {
    v1("UpdateUsagePlan", Method::PATCH, "/usageplans/{usagePlanId}")
}

/// How a plan lets go of the stage of an API.
pub(super) fn leave_plan(plan: &str, (api, stage): (&str, &str)) -> (Operation, Value) {
    let leave = json!([{ "op": "remove", "path": "/apiStages", "value": format!("{api}:{stage}") }]);
    (update_plan(), json!({ "usagePlanId": plan, "patchOperations": leave }))
}

/// How a plan is deleted.
pub(super) fn delete_plan(plan: &str) -> (Operation, Value) {
    (v1("DeleteUsagePlan", Method::DELETE, "/usageplans/{usagePlanId}"), json!({ "usagePlanId": plan }))
}

/// How a key is deleted.
pub(super) fn delete_key(key: &str) -> (Operation, Value) {
    (v1("DeleteApiKey", Method::DELETE, "/apikeys/{apiKey}"), json!({ "apiKey": key }))
}

/// How a domain name is deleted.
pub(super) fn delete_domain(host: &str) -> (Operation, Value) {
    (v2("DeleteDomainName", Method::DELETE, "/v2/domainnames/{DomainName}"), json!({ "DomainName": host }))
}

/// The key, and the plan that says how much it lets through.
async fn keys(calls: &mut Calls, wish: &Wish, api: &str, undo: &mut Vec<Undo>) -> Result<(), Complaint> {
    let host = wish.host.as_str();
    let tags = json!({ TAG: host });
    let input = json!({ "name": host, "enabled": true, "tags": tags });
    let key = calls.change(v1("CreateApiKey", Method::POST, "/apikeys"), input).await?.text("id")?;
    undo.push(Undo::call(delete_key(&key)));
    let mut plan = json!({ "name": host, "apiStages": [{ "apiId": api, "stage": LIVE }], "tags": tags });
    if let Some((rate, burst)) = wish.limit {
        plan["throttle"] = json!({ "rateLimit": rate, "burstLimit": burst });
    }
    let plan = calls.change(v1("CreateUsagePlan", Method::POST, "/usageplans"), plan).await?.text("id")?;
    undo.push(Undo::call(delete_plan(&plan)));
    undo.push(Undo::call(leave_plan(&plan, (api, LIVE))));
    let input = json!({ "usagePlanId": plan, "keyId": key, "keyType": "API_KEY" });
    calls.change(v1("CreateUsagePlanKey", Method::POST, "/usageplans/{usagePlanId}/keys"), input).await?;
    Ok(())
}

/// What is tagged with a host in a list of version 1.
pub(super) async fn tagged(calls: &Calls, path: &str, host: &HostName) -> Result<Option<Value>, Complaint> {
    let items = calls.list(path).await?;
    Ok(items.into_iter().find(|item| item["tags"][TAG] == host.as_str()))
}

async fn change_rest(
    calls: &mut Calls,
    (wish, private): (&Wish, &Private),
    api: &Api,
    undo: &mut Vec<Undo>,
) -> Result<(), Complaint> {
    let stage = v1("GetStage", Method::GET, "/restapis/{restApiId}/stages/{stageName}");
    let stage = calls.read(stage, json!({ "restApiId": api.id, "stageName": LIVE })).await?.text("deploymentId")?;
    let back = json!([{ "op": "replace", "path": "/deploymentId", "value": stage }]);
    let update = v1("UpdateStage", Method::PATCH, "/restapis/{restApiId}/stages/{stageName}");
    undo.push(Undo::Call(update, json!({ "restApiId": api.id, "stageName": LIVE, "patchOperations": back })));
    deploy(calls, (wish, private), &api.id).await?;
    let Some(plan) = tagged(calls, "/usageplans", &wish.host).await? else {
        return keys(calls, wish, &api.id, undo).await;
    };
    let known = plan["throttle"]["rateLimit"].as_f64().zip(plan["throttle"]["burstLimit"].as_u64());
    let known = known.map(|(rate, burst)| (rate, u32::try_from(burst).unwrap_or(u32::MAX)));
    if known != wish.limit {
        let patch = |limit: Option<(f64, u32)>| {
            let operations = match limit {
                None => json!([{ "op": "remove", "path": "/throttle" }]),
                Some((rate, burst)) => json!([
                    { "op": "replace", "path": "/throttle/rateLimit", "value": rate.to_string() },
                    { "op": "replace", "path": "/throttle/burstLimit", "value": burst.to_string() },
                ]),
            };
            json!({ "usagePlanId": plan["id"], "patchOperations": operations })
        };
        calls.change(update_plan(), patch(wish.limit)).await?;
        undo.push(Undo::Call(update_plan(), patch(known)));
    }
    Ok(())
}

/// A domain name as it stands.
pub(super) async fn domain(calls: &Calls, host: &HostName) -> Result<Option<Value>, Complaint> {
    let read = v2("GetDomainName", Method::GET, "/v2/domainnames/{DomainName}");
    let found = calls.find(read, json!({ "DomainName": host.as_str() })).await?;
    Ok(found.map(|found| found.json().clone()))
}

/// Whether a domain name is one that was published.
pub(super) fn is_published(domain: &Value, host: &HostName) -> bool {
    domain["tags"][TAG] == host.as_str()
}

/// Makes the name, or lets it lead to the API. A certificate that is given takes the place of the one before, last of all: it is judged
/// whole before it is taken. Hands back the certificate that another took over from.
pub(super) async fn name(
    calls: &mut Calls,
    (wish, api): (&Wish, &Api),
    presented: Presented<'_>,
    undo: &mut Vec<Undo>,
) -> Result<Option<String>, Complaint> {
    let host = wish.host.as_str();
    let standing = domain(calls, &wish.host).await?;
    let Some(standing) = standing else {
        let arn = match presented {
            Presented::Requested(arn) => arn,
            Presented::Given(pem) => {
                let arn = certificate::import(calls, wish, pem, None).await?;
                undo.push(Undo::call(certificate::delete(&arn)));
                arn
            }
            Presented::Kept => return Err(Complaint::System("a name needs a certificate".to_owned())),
        };
        let input = json!({ "DomainName": host, "DomainNameConfigurations": presenting(&arn), "Tags": { TAG: host } });
        calls.change(v2("CreateDomainName", Method::POST, "/v2/domainnames"), input).await?;
        undo.push(Undo::call(delete_domain(host)));
        mapping(calls, (wish, api), undo).await?;
        return Ok(None);
    };
    mapping(calls, (wish, api), undo).await?;
    let known = certificate::of(&standing).unwrap_or_default();
    let newer = match presented {
        Presented::Kept => return Ok(None),
        Presented::Requested(arn) => arn,
        Presented::Given(pem) if certificate::is_imported(calls, &known).await? => {
            certificate::import(calls, wish, pem, Some(&known)).await?;
            return Ok(None);
        }
        Presented::Given(pem) => {
            let arn = certificate::import(calls, wish, pem, None).await?;
            undo.push(Undo::call(certificate::delete(&arn)));
            arn
        }
    };
    let present = |arn: &str| json!({ "DomainName": host, "DomainNameConfigurations": presenting(arn) });
    let update = || v2("UpdateDomainName", Method::PATCH, "/v2/domainnames/{DomainName}");
    calls.change(update(), present(&newer)).await?;
    undo.push(Undo::Call(update(), present(&known)));
    Ok(Some(known))
}

fn presenting(arn: &str) -> Value {
    json!([{ "CertificateArn": arn, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2" }])
}

async fn mapping(calls: &mut Calls, (wish, api): (&Wish, &Api), undo: &mut Vec<Undo>) -> Result<(), Complaint> {
    let host = wish.host.as_str();
    let stage = api.kind.stage();
    let mappings = calls.list(&format!("/v2/domainnames/{host}/apimappings")).await?;
    let Some(known) = mappings.first() else {
        let input = json!({ "DomainName": host, "ApiId": api.id, "Stage": stage });
        let create = v2("CreateApiMapping", Method::POST, "/v2/domainnames/{DomainName}/apimappings");
        let id = calls.change(create, input).await?.text("apiMappingId")?;
        let delete = v2("DeleteApiMapping", Method::DELETE, "/v2/domainnames/{DomainName}/apimappings/{ApiMappingId}");
        undo.push(Undo::Call(delete, json!({ "DomainName": host, "ApiMappingId": id })));
        return Ok(());
    };
    if known["apiId"] != api.id.as_str() {
        let update =
            || v2("UpdateApiMapping", Method::PATCH, "/v2/domainnames/{DomainName}/apimappings/{ApiMappingId}");
        let to = |api: &Value, stage: &Value| json!({ "DomainName": host, "ApiMappingId": known["apiMappingId"], "ApiId": api, "Stage": stage });
        calls.change(update(), to(&json!(api.id), &json!(stage))).await?;
        undo.push(Undo::Call(update(), to(&known["apiId"], &known["stage"])));
    }
    Ok(())
}
