//! Listeners of application and of network load balancers.

use topology::arn::CertificateArn;
use topology::estate::RealmEstate;
use topology::id::{ListenerId, ListenerRuleId};
use topology::resource::listener::{AlpnPolicy, Listener, ListenerError, ListenerProtocol, NewListener};
use topology::resource::load_balancer::BalancerKind;
use topology::resource::ssl_policy::SslPolicy;
use wire::Fault;
use wire::elbv2 as shapes;

use super::{action, fault, mutual, tags};
use crate::context::Context;
use crate::listening;
use crate::ops::acm;

/// Certificates of a listener besides its default: 25 at most.
const EXTRA_CERTIFICATES_MAX: usize = 25;

pub(super) fn create(context: &mut Context<'_>, input: shapes::CreateListenerInput) -> Result<shapes::Listener, Fault> {
    let balancer = fault::balancer(context, &input.load_balancer_arn)?;
    let port = parse_port(input.port)?;
    let wanted = Presented { policy: input.ssl_policy, certificates: input.certificates, alpn: input.alpn_policy };
    let wanted = (input.protocol.as_deref(), wanted, input.mutual_authentication);
    let protocol = protocol(context, (balancer.kind(), None), wanted)?;
    let (default_gate, default_action, order) = action::parse_for(context, (input.default_actions, None), balancer.id)?;
    action::check_versions(context, &default_action, &protocol)?;
    let tags = tags::parse(input.tags)?;
    let taken = context.estate().listeners.values().find(|l| l.load_balancer == balancer.id && l.port == port);
    if let Some(existing) = taken {
        let course = (existing.default_gate(), existing.default_action());
        let same = (existing.protocol(), course, &existing.tags)
            == (&protocol, (default_gate.as_ref(), &default_action), &tags);
        if same {
            return Ok(render(context, existing));
        }
        return Err(Fault::new(
            "DuplicateListener",
            400,
            "A listener already exists on this port for this load balancer",
        ));
    }
    mutual::check_count(context, protocol.mutual(), (balancer.id, None))?;
    let id = ListenerId::from_bits(context.mint.bits());
    let default_rule = ListenerRuleId::from_bits(context.mint.bits());
    let (load_balancer, kind) = (balancer.id, balancer.kind());
    let wanted =
        NewListener { id, load_balancer, kind, port, protocol, default_rule, default_gate, default_action, tags };
    let mut listener = Listener::new(wanted).map_err(|error| fault::of_listener(&error))?;
    listener.default_order = order;
    let shape = render(context, &listener);
    context.edit().listeners.insert(id, listener);
    Ok(shape)
}

fn parse_port(port: Option<i64>) -> Result<u16, Fault> {
    let port = port.ok_or_else(|| fault::validation("A port must be specified"))?;
    u16::try_from(port)
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| fault::validation(format!("Port '{port}' must be between 1 and 65535")))
}

type Mutual = shapes::MutualAuthenticationAttributes;
type WantedProtocol<'a> = (Option<&'a str>, Presented, Option<Mutual>);

/// What a request says of a listener's TLS; `None` leaves what is there.
struct Presented {
    policy: Option<String>,
    certificates: Option<Vec<shapes::Certificate>>,
    alpn: Option<Vec<String>>,
}

impl Presented {
    /// Refuses what only listeners of this protocol take.
    fn refuse_but_for(&self, protocol: &str) -> Result<(), Fault> {
        if self.policy.is_some() || self.certificates.as_ref().is_some_and(|list| !list.is_empty()) {
            let text = format!("SSL policies and certificates can only be specified for {protocol} listeners");
            return Err(fault::validation(text));
        }
        self.refuse_alpn()
    }

    fn refuse_alpn(&self) -> Result<(), Fault> {
        match self.alpn.as_deref() {
            None | Some([]) => Ok(()),
            Some(_) => Err(fault::validation("ALPN policies can only be specified for TLS listeners")),
        }
    }
}

fn protocol(
    context: &Context<'_>,
    (kind, before): (BalancerKind, Option<&ListenerProtocol>),
    wanted: WantedProtocol<'_>,
) -> Result<ListenerProtocol, Fault> {
    let (name, presented, mutual) = wanted;
    let name = name.or(before.map(ListenerProtocol::as_str));
    if mutual.is_some() && (kind == BalancerKind::Network || name != Some("HTTPS")) {
        return Err(fault::validation("Mutual authentication can only be specified for HTTPS listeners"));
    }
    if kind == BalancerKind::Network {
        return network_protocol(context, before, (name, presented));
    }
    match name {
        Some("HTTP") => presented.refuse_but_for("HTTPS").map(|()| ListenerProtocol::Http),
        Some("HTTPS") => https(context, before, (presented, mutual)),
        Some(other) => Err(fault::validation(format!("Listener protocol '{other}' must be one of 'HTTP, HTTPS'"))),
        None => Err(fault::validation("A protocol must be specified")),
    }
}

/// What network load balancers speak here: TCP, and TLS over it.
fn network_protocol(
    context: &Context<'_>,
    before: Option<&ListenerProtocol>,
    (name, presented): (Option<&str>, Presented),
) -> Result<ListenerProtocol, Fault> {
    match name {
        None | Some("TCP") => presented.refuse_but_for("TLS").map(|()| ListenerProtocol::Tcp),
        Some("TLS") => {
            let alpn = alpn(presented.alpn.as_deref(), before.and_then(ListenerProtocol::alpn))?;
            let (certificate, ssl_policy, extra_certificates) = tls(context, before, ("TLS", presented))?;
            Ok(ListenerProtocol::Tls { certificate, ssl_policy, extra_certificates, alpn })
        }
        Some(other @ ("UDP" | "TCP_UDP" | "QUIC" | "TCP_QUIC")) => {
            Err(Fault::new("UnsupportedProtocol", 400, wire::unserved(format_args!("listener protocol '{other}'"))))
        }
        Some(other) => Err(fault::validation(format!(
            "Listener protocol '{other}' must be one of 'TCP, TLS, UDP, TCP_UDP, QUIC, TCP_QUIC'"
        ))),
    }
}

fn https(
    context: &Context<'_>,
    before: Option<&ListenerProtocol>,
    (presented, mutual): (Presented, Option<Mutual>),
) -> Result<ListenerProtocol, Fault> {
    presented.refuse_alpn()?;
    let known_mutual = before.map(ListenerProtocol::mutual).unwrap_or_default();
    let (certificate, ssl_policy, extra_certificates) = tls(context, before, ("HTTPS", presented))?;
    let mutual = mutual::parse(context, (mutual, known_mutual))?;
    Ok(ListenerProtocol::Https { certificate, ssl_policy, extra_certificates, mutual })
}

/// The policy of this name (ELBv2 API reference, CreateListener, 2026-11: a list of one).
fn alpn(wanted: Option<&[String]>, before: Option<AlpnPolicy>) -> Result<Option<AlpnPolicy>, Fault> {
    match wanted {
        None | Some([]) => Ok(before),
        Some([name]) => match AlpnPolicy::ALL.into_iter().find(|policy| policy.as_str() == name) {
            Some(policy) => Ok(Some(policy)),
            None => Err(Fault::new("ALPNPolicyNotFound", 400, format!("The ALPN policy '{name}' is not supported"))),
        },
        Some(_) => Err(fault::validation("You can specify only one ALPN policy")),
    }
}

/// What a listener presents that speaks TLS: its default certificate, its security policy and the certificates besides.
fn tls(
    context: &Context<'_>,
    before: Option<&ListenerProtocol>,
    (protocol, wanted): (&str, Presented),
) -> Result<(CertificateArn, String, Vec<CertificateArn>), Fault> {
    let known = before.and_then(ListenerProtocol::certificates).map(|(certificate, _)| certificate.clone());
    let extra = before.and_then(ListenerProtocol::certificates).map(|(_, extra)| extra.clone()).unwrap_or_default();
    let known_policy = before.and_then(ListenerProtocol::ssl_policy).map(str::to_owned);
    let Presented { policy, certificates, .. } = wanted;
    let given = certificates.map(|list| list.into_iter().filter_map(|c| c.certificate_arn).collect::<Vec<_>>());
    let certificate = match given.as_deref() {
        Some([only]) => Some(presentable(context, only)?),
        None | Some([]) => known.map(|arn| presentable(context, &arn.to_string())).transpose()?,
        Some(_) => None,
    };
    let certificate = certificate.ok_or_else(|| {
        fault::validation(format!(
            "You must provide a list containing exactly one certificate if the listener protocol is {protocol}."
        ))
    })?;
    let ssl_policy = policy.or(known_policy).unwrap_or_else(|| SslPolicy::DEFAULT_NAME.to_owned());
    super::catalog::ssl_policy(&ssl_policy)?;
    Ok((certificate, ssl_policy, extra))
}

fn presentable(context: &Context<'_>, arn: &str) -> Result<CertificateArn, Fault> {
    let found = acm::found(context, arn);
    let found =
        found.ok_or_else(|| Fault::new("CertificateNotFound", 400, format!("Certificate '{arn}' not found")))?;
    if !found.is_issued(context.now) {
        let text = format!(
            "The certificate '{arn}' must have a fully-qualified domain name, a supported signature, and a supported key size."
        );
        return Err(Fault::new("UnsupportedCertificate", 400, text));
    }
    Ok(acm::arn(context, found.id))
}

/// The listeners that a request selects.
pub(super) fn select(
    context: &Context<'_>,
    input: &shapes::DescribeListenersInput,
) -> Result<Vec<shapes::Listener>, Fault> {
    match (input.load_balancer_arn.as_deref(), input.listener_arns.as_deref().unwrap_or_default()) {
        (Some(arn), []) => {
            let balancer = fault::balancer(context, arn)?;
            let mut found: Vec<_> =
                context.estate().listeners.values().filter(|l| l.load_balancer == balancer.id).collect();
            found.sort_by_key(|listener| listener.port);
            Ok(found.into_iter().map(|listener| render(context, listener)).collect())
        }
        (None, arns @ [_, ..]) => {
            arns.iter().map(|arn| fault::listener(context, arn).map(|l| render(context, &l))).collect()
        }
        _ => Err(fault::validation("You must specify either listener ARNs or a load balancer ARN")),
    }
}

pub(super) fn modify(context: &mut Context<'_>, input: shapes::ModifyListenerInput) -> Result<shapes::Listener, Fault> {
    let before = fault::listener(context, &input.listener_arn)?;
    let port = input.port.map_or(Ok(before.port), |port| parse_port(Some(port)))?;
    let clash =
        |other: &Listener| other.load_balancer == before.load_balancer && other.port == port && other.id != before.id;
    if context.estate().listeners.values().any(|other| clash(other)) {
        return Err(Fault::new(
            "DuplicateListener",
            400,
            "A listener already exists on this port for this load balancer",
        ));
    }
    let wanted = Presented { policy: input.ssl_policy, certificates: input.certificates, alpn: input.alpn_policy };
    let wanted = (input.protocol.as_deref(), wanted, input.mutual_authentication);
    let protocol = protocol(context, (before.protocol().kind(), Some(before.protocol())), wanted)?;
    mutual::check_count(context, protocol.mutual(), (before.load_balancer, Some(before.id)))?;
    let mut listener = before.as_ref().clone();
    listener.port = port;
    let actions = input.default_actions.filter(|actions| !actions.is_empty());
    let course = actions
        .map(|actions| action::parse_for(context, (actions, before.default_gate()), before.load_balancer))
        .transpose()?;
    refuse_stranded(context, before.id, &protocol)?;
    change(&mut listener, protocol, course).map_err(|error| fault::of_listener(&error))?;
    action::check_versions(context, listener.default_action(), listener.protocol())?;
    for rule in context.estate().listener_rules.values().filter(|rule| rule.listener == before.id) {
        action::check_versions(context, &rule.action, listener.protocol())?;
    }
    let shape = render(context, &listener);
    context.edit().listeners.insert(before.id, listener);
    Ok(shape)
}

/// What the listener speaks and does from now on. What it asked before has no say in it where it asks something else.
fn change(
    listener: &mut Listener,
    protocol: ListenerProtocol,
    course: Option<action::Course>,
) -> Result<(), ListenerError> {
    let Some((gate, action, order)) = course else { return listener.set_protocol(protocol) };
    listener.set_default_gate(None)?;
    listener.set_protocol(protocol)?;
    listener.set_default_action(action)?;
    listener.default_order = order;
    listener.set_default_gate(gate)
}

/// Rules that ask what only HTTPS can keep their listener from speaking anything else.
fn refuse_stranded(context: &Context<'_>, id: ListenerId, protocol: &ListenerProtocol) -> Result<(), Fault> {
    let mut rules = context.estate().listener_rules.values().filter(|rule| rule.listener == id);
    let refused = rules.try_for_each(|rule| protocol.admits(rule.gate.as_ref()));
    refused.map_err(|error| fault::of_listener(&error))
}

pub(super) fn delete(context: &mut Context<'_>, arn: &str) -> Result<(), Fault> {
    let listener = fault::listener(context, arn)?;
    remove(context.edit(), listener.id);
    Ok(())
}

/// Removes a listener with its rules and its socket.
pub(super) fn remove(estate: &mut RealmEstate, id: ListenerId) {
    listening::remove(estate, id);
    let rules: Vec<_> = estate.listener_rules.values().filter(|rule| rule.listener == id).map(|rule| rule.id).collect();
    for rule in rules {
        estate.listener_rules.remove(&rule);
    }
    estate.listeners.remove(&id);
}

pub(super) fn certificates(context: &Context<'_>, arn: &str) -> Result<Vec<shapes::Certificate>, Fault> {
    let listener = fault::listener(context, arn)?;
    let shape = |arn: &CertificateArn, is_default| shapes::Certificate {
        certificate_arn: Some(arn.to_string()),
        is_default: Some(is_default),
    };
    let Some((default, others)) = listener.protocol().certificates() else { return Ok(Vec::new()) };
    Ok(std::iter::once(shape(default, true)).chain(others.iter().map(|arn| shape(arn, false))).collect())
}

fn no_tls() -> Fault {
    fault::validation("Certificates can only be specified for HTTPS and TLS listeners")
}

pub(super) fn add_certificates(
    context: &mut Context<'_>,
    input: shapes::AddListenerCertificatesInput,
) -> Result<Vec<shapes::Certificate>, Fault> {
    let listener = fault::listener(context, &input.listener_arn)?;
    let default = listener.protocol().certificates().ok_or_else(no_tls)?.0.clone();
    let given = input.certificates.into_iter().filter_map(|c| c.certificate_arn);
    let arns = given.map(|arn| presentable(context, &arn)).collect::<Result<Vec<_>, _>>()?;
    let mut protocol = listener.protocol().clone();
    if let Some(extra_certificates) = protocol.extra_certificates_mut() {
        for arn in arns {
            if arn != default && !extra_certificates.contains(&arn) {
                extra_certificates.push(arn);
            }
        }
        if extra_certificates.len() > EXTRA_CERTIFICATES_MAX {
            return Err(Fault::new(
                "TooManyCertificates",
                400,
                "You've reached the limit on the number of certificates per load balancer",
            ));
        }
    }
    set_protocol(context, &listener, protocol)?;
    certificates(context, &input.listener_arn)
}

fn set_protocol(context: &mut Context<'_>, of: &Listener, protocol: ListenerProtocol) -> Result<(), Fault> {
    if *of.protocol() == protocol {
        return Ok(());
    }
    let found = context.edit().listeners.edit(&of.id);
    found.map_or(Ok(()), |listener| listener.set_protocol(protocol)).map_err(|error| fault::of_listener(&error))
}

pub(super) fn remove_certificates(
    context: &mut Context<'_>,
    input: shapes::RemoveListenerCertificatesInput,
) -> Result<(), Fault> {
    let listener = fault::listener(context, &input.listener_arn)?;
    let default = listener.protocol().certificates().ok_or_else(no_tls)?.0.to_string();
    let gone: Vec<String> = input.certificates.into_iter().filter_map(|c| c.certificate_arn).collect();
    if gone.contains(&default) {
        return Err(Fault::new("OperationNotPermitted", 400, "The default certificate cannot be removed"));
    }
    let mut protocol = listener.protocol().clone();
    if let Some(extra_certificates) = protocol.extra_certificates_mut() {
        extra_certificates.retain(|arn| !gone.contains(&arn.to_string()));
    }
    set_protocol(context, &listener, protocol)
}

pub(super) fn render(context: &Context<'_>, listener: &Listener) -> shapes::Listener {
    let balancer = context.estate().load_balancers.get(&listener.load_balancer);
    let protocol = listener.protocol();
    let shape = |arn: &CertificateArn| shapes::Certificate { certificate_arn: Some(arn.to_string()), is_default: None };
    let is_https = matches!(protocol, ListenerProtocol::Https { .. });
    shapes::Listener {
        alpn_policy: protocol.alpn().map(|policy| vec![policy.as_str().to_owned()]),
        certificates: protocol.certificates().map(|(default, _)| vec![shape(default)]),
        default_actions: Some(action::render(
            context,
            (listener.default_gate(), listener.default_action()),
            listener.default_order,
        )),
        listener_arn: Some(fault::listener_arn(context, listener)),
        load_balancer_arn: balancer.map(|balancer| fault::balancer_arn(context, balancer)),
        mutual_authentication: is_https.then(|| mutual::render(context, protocol.mutual())),
        port: Some(i64::from(listener.port)),
        protocol: Some(protocol.as_str().to_owned()),
        ssl_policy: protocol.ssl_policy().map(str::to_owned),
    }
}
