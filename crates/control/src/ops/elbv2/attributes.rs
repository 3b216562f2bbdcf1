//! Attributes of load balancers, target groups and listeners: checked against their tables, kept only when set. What is not
//! carried out here cannot be switched on.

use std::collections::BTreeMap;

use topology::resource::listener::ListenerProtocol;
use topology::resource::load_balancer::{self, Attribute, BalancerKind};
use topology::resource::{listener, target_group};
use wire::Fault;
use wire::elbv2 as shapes;

use super::fault;
use crate::context::Context;

/// Attributes whose meaning is not carried out yet, and the value that they keep until it is.
const INERT: &[(&str, &str)] = &[
    ("access_logs.s3.enabled", "false"),
    ("connection_logs.s3.enabled", "false"),
    ("health_check_logs.s3.enabled", "false"),
    ("stickiness.enabled", "false"),
    ("slow_start.duration_seconds", "0"),
    ("load_balancing.algorithm.anomaly_mitigation", "off"),
];

/// Whose attributes they are, as texts name it.
struct Owner {
    noun: &'static str,
    table: &'static [Attribute],
    /// Keys that exist, but for other types.
    others: &'static [&'static str],
    type_noun: &'static str,
}

const BALANCER: Owner = Owner {
    noun: "Load balancer",
    table: load_balancer::ATTRIBUTES,
    others: &["dns_record.client_routing_policy", "secondary_ips.auto_assigned.per_subnet"],
    type_noun: "load balancers with type 'application'",
};
const NETWORK_BALANCER: Owner = Owner {
    noun: "Load balancer",
    table: load_balancer::NETWORK_ATTRIBUTES,
    others: &[
        "client_keep_alive.seconds",
        "connection_logs.s3.enabled",
        "health_check_logs.s3.enabled",
        "idle_timeout.timeout_seconds",
        "routing.http.desync_mitigation_mode",
        "routing.http.drop_invalid_header_fields.enabled",
        "routing.http.preserve_host_header.enabled",
        "routing.http.xff_header_processing.mode",
        "routing.http2.enabled",
        "waf.fail_open.enabled",
    ],
    type_noun: "load balancers with type 'network'",
};
const NETWORK_GROUP: Owner = Owner {
    noun: "Target group",
    table: target_group::NETWORK_ATTRIBUTES,
    others: &["load_balancing.algorithm.type", "slow_start.duration_seconds", "stickiness.lb_cookie.duration_seconds"],
    type_noun: "target groups with protocol 'TCP'",
};
const NETWORK_LISTENER: Owner = Owner {
    noun: "Listener",
    table: listener::TCP_ATTRIBUTES,
    others: &["routing.http.response.server.enabled"],
    type_noun: "listeners with protocol 'TCP'",
};
const GROUP: Owner = Owner {
    noun: "Target group",
    table: target_group::ATTRIBUTES,
    others: &[
        "deregistration_delay.connection_termination.enabled",
        "preserve_client_ip.enabled",
        "proxy_protocol_v2.enabled",
        "lambda.multi_value_headers.enabled",
        "target_health_state.unhealthy.connection_termination.enabled",
        "target_health_state.unhealthy.draining_interval_seconds",
        "target_failover.on_deregistration",
        "target_failover.on_unhealthy",
    ],
    type_noun: "target groups with protocol 'HTTP'",
};
const HTTPS_LISTENER: Owner = Owner {
    noun: "Listener",
    table: listener::HTTPS_ATTRIBUTES,
    others: &["tcp.idle_timeout.seconds"],
    type_noun: "listeners with protocol 'HTTPS'",
};
const LISTENER: Owner = Owner {
    noun: "Listener",
    table: listener::ATTRIBUTES,
    others: &[
        "routing.http.request.x_amzn_mtls_clientcert.header_name",
        "routing.http.request.x_amzn_mtls_clientcert_issuer.header_name",
        "routing.http.request.x_amzn_mtls_clientcert_leaf.header_name",
        "routing.http.request.x_amzn_mtls_clientcert_serial_number.header_name",
        "routing.http.request.x_amzn_mtls_clientcert_subject.header_name",
        "routing.http.request.x_amzn_mtls_clientcert_validity.header_name",
        "routing.http.request.x_amzn_tls_cipher_suite.header_name",
        "routing.http.request.x_amzn_tls_version.header_name",
        "tcp.idle_timeout.seconds",
    ],
    type_noun: "listeners with protocol 'HTTP'",
};

type Pairs = Vec<(Option<String>, Option<String>)>;

fn merge(owner: &Owner, set: &BTreeMap<String, String>, pairs: Pairs) -> Result<BTreeMap<String, String>, Fault> {
    let mut merged = set.clone();
    for (key, value) in pairs {
        let (key, value) = (key.unwrap_or_default(), value.unwrap_or_default());
        let Some((_, _, values)) = load_balancer::attribute(owner.table, &key) else {
            return Err(unknown(owner, &key));
        };
        if !values.admits(&value) {
            return Err(fault::validation(format!(
                "{} attribute value '{value}' is not valid for '{key}'",
                owner.noun
            )));
        }
        if INERT.iter().any(|(inert, only)| *inert == key && *only != value) {
            return Err(fault::configuration(wire::unserved(format_args!(
                "the attribute {key} with the value '{value}'"
            ))));
        }
        merged.insert(key, value);
    }
    Ok(merged)
}

fn unknown(owner: &Owner, key: &str) -> Fault {
    let noun = owner.noun;
    if owner.others.contains(&key) {
        let type_noun = owner.type_noun;
        return fault::configuration(format!("{noun} attribute key '{key}' is not supported on {type_noun}"));
    }
    fault::validation(format!("{noun} attribute key '{key}' is not recognized"))
}

pub(super) fn of_balancer(context: &Context<'_>, arn: &str) -> Result<Vec<shapes::LoadBalancerAttribute>, Fault> {
    let balancer = fault::balancer(context, arn)?;
    let shape = |(key, ..): &Attribute| shapes::LoadBalancerAttribute {
        key: Some((*key).to_owned()),
        value: Some(balancer.attribute(key).to_owned()),
    };
    Ok(balancer.kind.attributes().iter().map(shape).collect())
}

pub(super) fn modify_balancer(
    context: &mut Context<'_>,
    input: shapes::ModifyLoadBalancerAttributesInput,
) -> Result<Vec<shapes::LoadBalancerAttribute>, Fault> {
    let balancer = fault::balancer(context, &input.load_balancer_arn)?;
    let pairs = input.attributes.into_iter().map(|attribute| (attribute.key, attribute.value)).collect();
    let owner = match balancer.kind {
        BalancerKind::Application => &BALANCER,
        BalancerKind::Network => &NETWORK_BALANCER,
    };
    let merged = merge(owner, &balancer.attributes, pairs)?;
    if let Some(found) = context.edit().load_balancers.edit(&balancer.id) {
        found.attributes = merged;
    }
    of_balancer(context, &input.load_balancer_arn)
}

pub(super) fn of_group(context: &Context<'_>, arn: &str) -> Result<Vec<shapes::TargetGroupAttribute>, Fault> {
    let group = fault::group(context, arn)?;
    let shape = |(key, ..): &Attribute| shapes::TargetGroupAttribute {
        key: Some((*key).to_owned()),
        value: Some(group.attribute(key).to_owned()),
    };
    Ok(group.attribute_table().iter().map(shape).collect())
}

pub(super) fn modify_group(
    context: &mut Context<'_>,
    input: shapes::ModifyTargetGroupAttributesInput,
) -> Result<Vec<shapes::TargetGroupAttribute>, Fault> {
    let group = fault::group(context, &input.target_group_arn)?;
    let pairs = input.attributes.into_iter().map(|attribute| (attribute.key, attribute.value)).collect();
    let merged = merge(if group.is_network() { &NETWORK_GROUP } else { &GROUP }, &group.attributes, pairs)?;
    if !group.is_network() && merged.get("load_balancing.cross_zone.enabled").is_some_and(|value| value == "false") {
        return Err(fault::configuration(wire::unserved(
            "the attribute load_balancing.cross_zone.enabled with the value 'false' on target groups",
        )));
    }
    if let Some(found) = context.edit().target_groups.edit(&group.id) {
        found.attributes = merged;
    }
    of_group(context, &input.target_group_arn)
}

pub(super) fn of_listener(context: &Context<'_>, arn: &str) -> Result<Vec<shapes::ListenerAttribute>, Fault> {
    let listener = fault::listener(context, arn)?;
    let shape = |(key, ..): &Attribute| shapes::ListenerAttribute {
        key: Some((*key).to_owned()),
        value: Some(listener.attribute(key).to_owned()),
    };
    Ok(listener.attribute_table().iter().map(shape).collect())
}

pub(super) fn modify_listener(
    context: &mut Context<'_>,
    input: shapes::ModifyListenerAttributesInput,
) -> Result<Vec<shapes::ListenerAttribute>, Fault> {
    let listener = fault::listener(context, &input.listener_arn)?;
    let pairs: Pairs = input.attributes.into_iter().map(|attribute| (attribute.key, attribute.value)).collect();
    let printable = |(_, value): &(Option<String>, Option<String>)| {
        value.as_deref().unwrap_or_default().bytes().all(|b| (b' '..=b'~').contains(&b))
    };
    if !pairs.iter().all(printable) {
        return Err(fault::validation("Listener attribute values may hold visible ASCII and spaces only"));
    }
    let owner = match listener.protocol {
        ListenerProtocol::Tcp => &NETWORK_LISTENER,
        ListenerProtocol::Http => &LISTENER,
        ListenerProtocol::Https { .. } => &HTTPS_LISTENER,
    };
    let merged = merge(owner, &listener.attributes, pairs)?;
    if let Some(found) = context.edit().listeners.edit(&listener.id) {
        found.attributes = merged;
    }
    of_listener(context, &input.listener_arn)
}
