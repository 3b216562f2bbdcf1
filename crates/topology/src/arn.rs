//! ARNs, parsed once. Only what the resources here have.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::id::{
    ApiId, ApiKeyId, CertificateId, ClientCertificateId, HostName, IdError, ListenerId, ListenerRuleId, LoadBalancerId,
    LogGroupName, Realm, StageName, TargetGroupId, TrustStoreId, UsagePlanId, VpcLinkId, serde_as_text,
};

/// An Elastic Load Balancing ARN.
#[derive(Clone, PartialEq, Eq)]
pub struct ElbArn {
    /// The account and region it names.
    pub realm: Realm,
    /// What it names.
    pub resource: ElbResource,
}

/// What an Elastic Load Balancing ARN names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ElbResource {
    /// A load balancer.
    LoadBalancer(LoadBalancerName),
    /// A listener.
    Listener(LoadBalancerName, ListenerId),
    /// A rule.
    Rule(LoadBalancerName, ListenerId, ListenerRuleId),
    /// A target group.
    TargetGroup {
        /// Its name.
        name: String,
        /// Its id.
        id: TargetGroupId,
    },
    /// A trust store.
    TrustStore {
        /// Its name.
        name: String,
        /// Its id.
        id: TrustStoreId,
    },
}

/// What kind of load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum BalancerKind {
    /// `application`
    #[default]
    Application,
    /// `network`
    Network,
}

impl BalancerKind {
    /// The kind as ARNs have it.
    #[must_use]
    pub const fn in_arn(self) -> &'static str {
        match self {
            Self::Application => "app",
            Self::Network => "net",
        }
    }

    /// The kind as `Type` has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Network => "network",
        }
    }
}

/// `app/NAME/ID`, or `net/NAME/ID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadBalancerName {
    /// `app` or `net`.
    pub kind: BalancerKind,
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: LoadBalancerId,
}

impl fmt::Display for LoadBalancerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind.in_arn(), self.name, self.id)
    }
}

impl fmt::Display for ElbArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:aws:elasticloadbalancing:{}:{}:", self.realm.region, self.realm.account)?;
        match &self.resource {
            ElbResource::LoadBalancer(name) => write!(f, "loadbalancer/{name}"),
            ElbResource::Listener(name, listener) => write!(f, "listener/{name}/{listener}"),
            ElbResource::Rule(name, listener, rule) => write!(f, "listener-rule/{name}/{listener}/{rule}"),
            ElbResource::TargetGroup { name, id } => write!(f, "targetgroup/{name}/{id}"),
            ElbResource::TrustStore { name, id } => write!(f, "truststore/{name}/{id}"),
        }
    }
}

impl FromStr for ElbArn {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        parse_elb(text).ok_or(IdError { kind: "ElbArn" })
    }
}

serde_as_text!(ElbArn);

fn parse_elb(text: &str) -> Option<ElbArn> {
    let (realm, resource) = split(text, "elasticloadbalancing")?;
    let parts: Vec<&str> = resource.split('/').collect();
    let balancer = |kind: &str, name: &str, id: &str| {
        let kind = [BalancerKind::Application, BalancerKind::Network].into_iter().find(|one| one.in_arn() == kind)?;
        Some(LoadBalancerName { kind, name: name.to_owned(), id: id.parse().ok()? })
    };
    let resource = match parts.as_slice() {
        ["loadbalancer", kind, name, id] => ElbResource::LoadBalancer(balancer(kind, name, id)?),
        ["listener", kind, name, id, listener] => {
            ElbResource::Listener(balancer(kind, name, id)?, listener.parse().ok()?)
        }
        ["listener-rule", kind, name, id, listener, rule] => {
            ElbResource::Rule(balancer(kind, name, id)?, listener.parse().ok()?, rule.parse().ok()?)
        }
        ["targetgroup", name, id] => ElbResource::TargetGroup { name: (*name).to_owned(), id: id.parse().ok()? },
        ["truststore", name, id] => ElbResource::TrustStore { name: (*name).to_owned(), id: id.parse().ok()? },
        _ => return None,
    };
    Some(ElbArn { realm, resource })
}

/// Account, region and resource part of an ARN of `service`.
fn split<'a>(text: &'a str, service: &str) -> Option<(Realm, &'a str)> {
    let mut parts = text.splitn(6, ':');
    let head = (parts.next()?, parts.next()?, parts.next()?);
    if head.0 != "arn" || head.1 != "aws" || head.2 != service {
        return None;
    }
    let region = parts.next()?.parse().ok()?;
    let account = parts.next()?.parse().ok()?;
    Some((Realm { account, region }, parts.next()?))
}

/// The ARN of a certificate.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CertificateArn {
    /// The account and region it names.
    pub realm: Realm,
    /// The certificate.
    pub id: CertificateId,
}

impl fmt::Display for CertificateArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:aws:acm:{}:{}:certificate/{}", self.realm.region, self.realm.account, self.id)
    }
}

impl FromStr for CertificateArn {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let named = split(text, "acm").and_then(|(realm, rest)| {
            let id = rest.strip_prefix("certificate/")?.parse().ok()?;
            Some(Self { realm, id })
        });
        named.ok_or(IdError { kind: "CertificateArn" })
    }
}

serde_as_text!(CertificateArn);

/// A log group's ARN, with or without the `:*` that stands for its streams.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogGroupArn {
    /// The account and region it names.
    pub realm: Realm,
    /// The log group.
    pub name: LogGroupName,
}

impl fmt::Display for LogGroupArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:aws:logs:{}:{}:log-group:{}", self.realm.region, self.realm.account, self.name)
    }
}

impl FromStr for LogGroupArn {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let named = split(text, "logs").and_then(|(realm, rest)| {
            let name = rest.strip_prefix("log-group:")?;
            let name = name.strip_suffix(":*").unwrap_or(name).parse().ok()?;
            Some(Self { realm, name })
        });
        named.ok_or(IdError { kind: "LogGroupArn" })
    }
}

serde_as_text!(LogGroupArn);

/// What an API Gateway ARN names; its account field is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiGatewayArn {
    /// `/apis/ID`
    Api(ApiId),
    /// `/apis/ID/stages/NAME`
    Stage(ApiId, StageName),
    /// `/vpclinks/ID`
    VpcLink(VpcLinkId),
    /// `/domainnames/NAME`
    DomainName(HostName),
    /// `/restapis/ID`
    RestApi(ApiId),
    /// `/restapis/ID/stages/NAME`
    RestStage(ApiId, StageName),
    /// `/apikeys/ID`
    ApiKey(ApiKeyId),
    /// `/usageplans/ID`
    UsagePlan(UsagePlanId),
    /// `/clientcertificates/ID`
    ClientCertificate(ClientCertificateId),
}

impl FromStr for ApiGatewayArn {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        parse_api_gateway(text).ok_or(IdError { kind: "ApiGatewayArn" })
    }
}

fn parse_api_gateway(text: &str) -> Option<ApiGatewayArn> {
    let rest = text.strip_prefix("arn:aws:apigateway:")?;
    let (_region, rest) = rest.split_once("::/")?;
    let parts: Vec<&str> = rest.split('/').collect();
    Some(match parts.as_slice() {
        ["apis", api] => ApiGatewayArn::Api(api.parse().ok()?),
        ["apis", api, "stages", stage] => ApiGatewayArn::Stage(api.parse().ok()?, stage.parse().ok()?),
        ["vpclinks", link] => ApiGatewayArn::VpcLink(link.parse().ok()?),
        ["restapis", api] => ApiGatewayArn::RestApi(api.parse().ok()?),
        ["restapis", api, "stages", stage] => ApiGatewayArn::RestStage(api.parse().ok()?, stage.parse().ok()?),
        ["apikeys", key] => ApiGatewayArn::ApiKey(key.parse().ok()?),
        ["usageplans", plan] => ApiGatewayArn::UsagePlan(plan.parse().ok()?),
        ["clientcertificates", id] => ApiGatewayArn::ClientCertificate(id.parse().ok()?),
        ["domainnames", name] => ApiGatewayArn::DomainName(name.parse().ok()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elb_arns_read_back_what_they_print() {
        for tail in [
            "loadbalancer/app/web/0123456789abcdef",
            "listener/app/web/0123456789abcdef/00000000000000aa",
            "listener-rule/app/web/0123456789abcdef/00000000000000aa/00000000000000bb",
            "targetgroup/t/00000000000000cc",
            "truststore/t/00000000000000dd",
        ] {
            let text = format!("arn:aws:elasticloadbalancing:us-east-1:000000000000:{tail}");
            assert_eq!(text.parse::<ElbArn>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_certificates_arn_reads_back_what_it_prints() {
        let text = "arn:aws:acm:us-east-1:000000000000:certificate/01234567-89ab-4def-8123-456789abcdef";
        assert_eq!(text.parse::<CertificateArn>().unwrap().to_string(), text);
        for near in ["", &text[..70], &text.replace("acm", "iam"), &text.replace("certificate/", "certificate/x/")] {
            assert!(near.parse::<CertificateArn>().is_err(), "{near}");
        }
    }

    #[test]
    fn near_misses_are_refused() {
        for text in [
            "",
            "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/web/0123456789abcdef",
            "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/web/0123456789abcdef",
            "arn:aws:ec2:us-east-1:000000000000:loadbalancer/app/web/0123456789abcdef",
            "http://internal-web-1.us-east-1.elb.amazonaws.com",
        ] {
            assert!(text.parse::<ElbArn>().is_err(), "{text}");
        }
    }

    #[test]
    fn api_gateway_arns_name_stages_with_a_dollar() {
        let arn: ApiGatewayArn = "arn:aws:apigateway:us-east-1::/apis/abcdefghij/stages/$default".parse().unwrap();
        assert_eq!(arn, ApiGatewayArn::Stage("abcdefghij".parse().unwrap(), "$default".parse().unwrap()));
    }
}
