//! AWS calls that `publish` makes, each from one description: what is sent, and the line of the AWS CLI that is the same. Members are named
//! as the CLI names them. Nothing here knows what is built; no other way leads from `publish` to what the server holds.

use http::Method;
use serde_json::{Map, Value};

use crate::client::Complaint;
use crate::client::aws::{ACM, Aws, EC2, ELB, FormService, Xml};

/// The member whose value is the whole body of a call; the CLI calls it `body`.
pub(super) const DOCUMENT: &str = "document";

/// How a service is spoken to.
#[derive(Debug, Clone, Copy)]
enum Service {
    /// Forms, whose lists have names of their own.
    Ec2,
    /// Forms.
    Elb,
    /// JSON with a target.
    Acm,
    /// JSON at paths: API Gateway, version 1 or 2 by its CLI's name.
    Rest(&'static str),
}

/// An operation.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    service: Service,
    pub(super) name: &'static str,
    /// Of JSON at paths: the method, and the path with its members in braces.
    at: Option<(Method, &'static str)>,
}

/// An operation of EC2.
pub(super) const fn ec2(name: &'static str) -> Operation {
    Operation { service: Service::Ec2, name, at: None }
}

/// An operation of Elastic Load Balancing.
pub(super) const fn elb(name: &'static str) -> Operation {
    Operation { service: Service::Elb, name, at: None }
}

/// An operation of Certificate Manager.
pub(super) const fn acm(name: &'static str) -> Operation {
    Operation { service: Service::Acm, name, at: None }
}

/// An operation of API Gateway, version 2.
pub(super) const fn v2(name: &'static str, method: Method, path: &'static str) -> Operation {
    Operation { service: Service::Rest("apigatewayv2"), name, at: Some((method, path)) }
}

/// An operation of API Gateway, version 1.
pub(super) const fn v1(name: &'static str, method: Method, path: &'static str) -> Operation {
    Operation { service: Service::Rest("apigateway"), name, at: Some((method, path)) }
}

/// An answer.
#[derive(Debug)]
pub(super) enum Reply {
    /// Of forms.
    Xml(Xml),
    /// Of the others.
    Json(Value),
}

impl Reply {
    /// A member, by the name that it has on the wire.
    pub(super) fn text(&self, name: &str) -> Result<String, Complaint> {
        match self {
            Self::Xml(xml) => xml.first(name),
            Self::Json(value) => crate::client::aws::text(value, name),
        }
    }

    /// All members of this name, of an answer in XML.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        match self {
            Self::Xml(xml) => xml.all(name).map(str::to_owned).collect(),
            Self::Json(_) => Vec::new(),
        }
    }

    /// The answer in JSON; null of one in XML.
    pub(super) fn json(&self) -> &Value {
        match self {
            Self::Xml(_) => &Value::Null,
            Self::Json(value) => value,
        }
    }
}

/// Who calls, and what of it changed something.
#[derive(Debug)]
pub(super) struct Calls {
    aws: Aws,
    made: Vec<String>,
}

impl Calls {
    /// None yet.
    pub(super) fn by(aws: Aws) -> Self {
        Self { aws, made: Vec::new() }
    }

    /// The lines of the AWS CLI that change what was changed.
    pub(super) fn made(&self) -> &[String] {
        &self.made
    }

    /// Calls an operation that changes nothing.
    pub(super) async fn read(&self, operation: Operation, input: Value) -> Result<Reply, Complaint> {
        send(&self.aws, &operation, &input).await
    }

    /// The same; `None` where a code that begins or ends so says that it is not there.
    pub(super) async fn find(&self, operation: Operation, input: Value) -> Result<Option<Reply>, Complaint> {
        found(self.read(operation, input).await)
    }

    /// All items of a list of API Gateway, whatever pages it has.
    pub(super) async fn list(&self, path: &str) -> Result<Vec<Value>, Complaint> {
        let (size, token) =
            if path.starts_with("/v2/") { ("maxResults=100", "nextToken") } else { ("limit=500", "position") };
        let between = if path.contains('?') { '&' } else { '?' };
        let first = format!("{path}{between}{size}");
        let mut items = Vec::new();
        let mut at = first.clone();
        loop {
            let mut page = self.aws.rest(Method::GET, &at, &Value::Null).await?;
            for name in ["items", "item"] {
                items.extend(page[name].as_array_mut().map(std::mem::take).into_iter().flatten());
            }
            match page[token].as_str() {
                Some(next) if !next.is_empty() => at = format!("{first}&{token}={}", escaped(next)),
                _ => return Ok(items),
            }
        }
    }

    /// Calls an operation that changes something.
    pub(super) async fn change(&mut self, operation: Operation, input: Value) -> Result<Reply, Complaint> {
        let reply = send(&self.aws, &operation, &input).await?;
        self.made.push(line(&operation, &input));
        Ok(reply)
    }

    /// The same, told in another form, since its input holds a secret or a file.
    pub(super) async fn change_told(
        &mut self,
        operation: Operation,
        (input, told): (Value, &Value),
    ) -> Result<Reply, Complaint> {
        let reply = send(&self.aws, &operation, &input).await?;
        self.made.push(line(&operation, told));
        Ok(reply)
    }

    /// Takes something away, if it is there.
    pub(super) async fn remove(&mut self, operation: Operation, input: Value) -> Result<(), Complaint> {
        found(self.change(operation, input).await).map(drop)
    }
}

/// AWS's codes for what is not there: `NotFoundException`, `LoadBalancerNotFound`, `InvalidVpcID.NotFound`, `ResourceNotFoundException`.
fn found(reply: Result<Reply, Complaint>) -> Result<Option<Reply>, Complaint> {
    match reply {
        Err(Complaint::Aws { code, .. }) if code.contains("NotFound") => Ok(None),
        reply => reply.map(Some),
    }
}

async fn send(aws: &Aws, operation: &Operation, input: &Value) -> Result<Reply, Complaint> {
    let form = async |service: FormService| {
        let mut members = Vec::new();
        flatten(operation.service, input, "", &mut members);
        let members: Vec<_> = members.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        aws.form(service, operation.name, &members).await.map(Reply::Xml)
    };
    match (operation.service, &operation.at) {
        (Service::Ec2, _) => form(EC2).await,
        (Service::Elb, _) => form(ELB).await,
        (Service::Acm, _) => aws.json(ACM, operation.name, input).await.map(Reply::Json),
        (Service::Rest(_), Some((method, path))) => {
            let (path, body) = at_path(path, input);
            aws.rest(method.clone(), &path, &body).await.map(Reply::Json)
        }
        (Service::Rest(_), None) => Err(Complaint::System(format!("{} has no path", operation.name))),
    }
}

/// The path with the members that it names; the others are the body, as the wire spells them. A body that is a document of its own is
/// all of it.
fn at_path(path: &str, input: &Value) -> (String, Value) {
    let mut path = path.to_owned();
    let mut body = Map::new();
    for (name, value) in input.as_object().into_iter().flatten() {
        let place = format!("{{{name}}}");
        match value.as_str() {
            Some(text) if path.contains(&place) => path = path.replace(&place, &escaped(text)),
            // A document has names of its own.
            _ if name == DOCUMENT => _ = body.insert(name.clone(), value.clone()),
            _ => _ = body.insert(lower(name), lowered(value)),
        }
    }
    match body.remove(DOCUMENT) {
        Some(document) => (path, document),
        None if body.is_empty() => (path, Value::Null),
        None => (path, Value::Object(body)),
    }
}

fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

fn lower(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase().to_string() + letters.as_str()).unwrap_or_default()
}

fn lowered(value: &Value) -> Value {
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| (lower(name), lowered(value))).collect(),
        Value::Array(items) => items.iter().map(lowered).collect(),
        other => other.clone(),
    }
}

/// The members of a form, in the order of its names.
fn flatten(service: Service, value: &Value, name: &str, members: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) => {
            for (member, value) in object {
                let member = if matches!(service, Service::Ec2) { on_the_wire(member) } else { member };
                let name = if name.is_empty() { member.to_owned() } else { format!("{name}.{member}") };
                flatten(service, value, &name, members);
            }
        }
        Value::Array(items) => {
            let between = if matches!(service, Service::Ec2) { "" } else { "member." };
            for (at, item) in items.iter().enumerate() {
                flatten(service, item, &format!("{name}.{between}{}", at + 1), members);
            }
        }
        Value::String(text) => members.push((name.to_owned(), text.clone())),
        other => members.push((name.to_owned(), other.to_string())),
    }
}

/// Members of EC2 whose names in a form are others than the CLI's.
fn on_the_wire(member: &str) -> &str {
    match member {
        "Filters" => "Filter",
        "Values" => "Value",
        "TagSpecifications" => "TagSpecification",
        "Tags" => "Tag",
        "SubnetIds" => "SubnetId",
        "UserIdGroupPairs" => "Groups",
        "Description" => "GroupDescription",
        other => other,
    }
}

/// The call as the AWS CLI makes it.
fn line(operation: &Operation, input: &Value) -> String {
    let service = match operation.service {
        Service::Ec2 => "ec2",
        Service::Elb => "elbv2",
        Service::Acm => "acm",
        Service::Rest(name) => name,
    };
    let mut line = format!("aws {service} {}", kebab(operation.name));
    for (name, value) in input.as_object().into_iter().flatten() {
        let name = if name == DOCUMENT { "body".to_owned() } else { kebab(name) };
        match value {
            Value::Bool(true) => line.push_str(&format!(" --{name}")),
            Value::Bool(false) => line.push_str(&format!(" --no-{name}")),
            Value::Array(items) if !items.iter().any(|item| item.is_object() || item.is_array()) => {
                line.push_str(&format!(" --{name}"));
                items.iter().for_each(|item| line.push_str(&format!(" {}", word(item))));
            }
            other => line.push_str(&format!(" --{name} {}", word(other))),
        }
    }
    line
}

/// A word of a shell.
fn word(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// `CreateVpc` as `create-vpc`.
fn kebab(name: &str) -> String {
    let mut text = String::new();
    for (at, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn forms_have_the_names_of_the_wire_and_lines_those_of_the_cli() {
        let input = json!({
            "GroupId": "sg-1",
            "IpPermissions": [{ "IpProtocol": "tcp", "FromPort": 80, "UserIdGroupPairs": [{ "GroupId": "sg-2" }] }],
        });
        let mut members = Vec::new();
        flatten(Service::Ec2, &input, "", &mut members);
        let members: Vec<_> = members.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let wanted = [
            "GroupId=sg-1",
            "IpPermissions.1.FromPort=80",
            "IpPermissions.1.Groups.1.GroupId=sg-2",
            "IpPermissions.1.IpProtocol=tcp",
        ];
        assert_eq!(
            {
                let mut sorted = members;
                sorted.sort();
                sorted
            },
            wanted
        );
        let told = line(&ec2("AuthorizeSecurityGroupIngress"), &input);
        assert!(
            told.starts_with("aws ec2 authorize-security-group-ingress --group-id sg-1 --ip-permissions '[{"),
            "{told}"
        );
        let input = json!({ "Name": "it's", "Subnets": ["a", "b"], "AutoDeploy": true });
        let mut members = Vec::new();
        flatten(Service::Elb, &input["Subnets"], "Subnets", &mut members);
        assert_eq!(members[1], ("Subnets.member.2".to_owned(), "b".to_owned()));
        let told = line(&elb("CreateLoadBalancer"), &input);
        assert!(told.contains(r"--name 'it'\''s'") && told.contains("--subnets a b") && told.contains("--auto-deploy"));
    }

    #[test]
    fn members_that_the_path_names_are_not_in_the_body() {
        let input =
            json!({ "ApiId": "a/b", "StageName": "$default", "DefaultRouteSettings": { "ThrottlingRateLimit": 1 } });
        let (path, body) = at_path("/v2/apis/{ApiId}/stages/{StageName}", &input);
        assert_eq!(path, "/v2/apis/a%2Fb/stages/%24default");
        assert_eq!(body, json!({ "defaultRouteSettings": { "throttlingRateLimit": 1 } }));
        let (_, body) =
            at_path("/restapis/{restApiId}", &json!({ "restApiId": "a", "document": { "X-Y": { "Z": 1 } } }));
        assert_eq!(body, json!({ "X-Y": { "Z": 1 } }));
    }
}
