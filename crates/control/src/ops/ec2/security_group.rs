//! Security groups and their rules (VPC user guide, "Security groups", 2026-11).

use std::collections::BTreeSet;
use std::sync::Arc;

use topology::estate::RealmEstate;
use topology::id::{SecurityGroupId, SecurityGroupRuleId, VpcId};
use topology::net::Traffic;
use topology::resource::Tags;
use topology::resource::security_group::{RulePeer, SecurityGroup, SecurityGroupRule};
use topology::verdict::Direction;
use wire::Fault;
use wire::ec2 as shapes;

use super::filters::{each, one, owner, some};
use super::permission::{self, Described, Flat, WantedRule};
use super::select::Filters;
use super::{fault, select, tags};
use crate::context::Context;
use crate::realm;
use std::borrow::Cow;

/// Rules of a group in one direction and address family, with AWS's default quotas (VPC quotas, 2026-11).
const RULES_MAX: usize = 60;
/// Rules of a group in one direction without quotas: a bound all the same.
const RULES_UNLIMITED_MAX: usize = 1000;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateSecurityGroupRequest,
) -> Result<shapes::CreateSecurityGroupResult, Fault> {
    let vpc = wanted_vpc(context, input.vpc_id.as_deref())?;
    let name = checked_name(input.group_name.trim_end())?;
    let same = |group: &SecurityGroup| group.vpc == vpc && group.name.eq_ignore_ascii_case(&name);
    if context.estate().security_groups.values().any(|group| same(group)) {
        return Err(fault::new(
            "InvalidGroup.Duplicate",
            format!("The security group '{name}' already exists for VPC '{vpc}'"),
        ));
    }
    let description = permission::checked(Some(input.description.clone()), Described::Range)
        .map_err(|_| fault::invalid_value("Invalid security group description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"))
        .map(|_| input.description)?;
    if description.is_empty() {
        return Err(fault::missing("GroupDescription"));
    }
    let tags = tags::at_creation(input.tag_specifications, "security-group")?;
    let id = SecurityGroupId::from_bits(context.mint.wide());
    let answer = tags::render(&tags);
    let (estate, mint) = context.edit_with_mint();
    estate.security_groups.insert(id, SecurityGroup { id, vpc, name, description, tags });
    realm::allow_all_egress(estate, mint, (id, vpc));
    Ok(shapes::CreateSecurityGroupResult {
        group_id: Some(id.to_string()),
        security_group_arn: Some(arn(context, id)),
        tags: answer,
    })
}

fn wanted_vpc(context: &Context<'_>, id: Option<&str>) -> Result<VpcId, Fault> {
    match id {
        Some(id) => Ok(select::known(&context.estate().vpcs, id, fault::VPC)?.id),
        None => default_vpc(context),
    }
}

fn default_vpc(context: &Context<'_>) -> Result<VpcId, Fault> {
    let default = context.estate().vpcs.values().find(|vpc| vpc.is_default).map(|vpc| vpc.id);
    default.ok_or_else(|| fault::new("VPCIdNotSpecified", "No default VPC for this user"))
}

fn checked_name(name: &str) -> Result<String, Fault> {
    if name.eq_ignore_ascii_case(SecurityGroup::DEFAULT_NAME) {
        return Err(fault::new("InvalidParameterValue", "Cannot use reserved security group name: default"));
    }
    if name.starts_with("sg-") {
        return Err(fault::invalid_value(format!(
            "Value ({name}) for parameter GroupName is invalid. Group names may not be in the format sg-*."
        )));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    if !(1..=255).contains(&name.chars().count()) || !name.chars().all(plain) {
        return Err(fault::invalid_value(format!(
            "Value ({name}) for parameter GroupName is invalid. Character sets beyond ASCII are not supported."
        )));
    }
    Ok(name.to_owned())
}

fn arn(context: &Context<'_>, id: SecurityGroupId) -> String {
    format!("arn:aws:ec2:{}:{}:security-group/{id}", context.region(), context.account())
}

/// The group that an id, or a name in the default VPC, names.
pub(super) fn named(context: &Context<'_>, id: Option<&str>, name: Option<&str>) -> Result<Arc<SecurityGroup>, Fault> {
    match (id, name) {
        (Some(id), _) => select::known(&context.estate().security_groups, id, fault::GROUP),
        (None, Some(name)) => {
            let vpc = default_vpc(context)?;
            let found = context.estate().security_groups.values().find(|group| group.vpc == vpc && group.name == name);
            found.cloned().ok_or_else(|| {
                fault::new(
                    "InvalidGroup.NotFound",
                    format!("The security group '{name}' does not exist in default VPC '{vpc}'"),
                )
            })
        }
        (None, None) => Err(fault::missing("GroupId")),
    }
}

pub(super) fn delete(
    context: &mut Context<'_>,
    id: Option<&str>,
    name: Option<&str>,
) -> Result<SecurityGroupId, Fault> {
    let group = named(context, id, name)?;
    if group.is_default() {
        return Err(fault::new(
            "CannotDelete",
            format!("the specified group: \"{}\" name: \"default\" cannot be deleted by a user", group.id),
        ));
    }
    let estate = context.estate();
    // A rule of a peered VPC's group holds nothing: it is stale from then on (VPC peering guide, "Identify your stale security groups",
    // 2026-11).
    let is_of_vpc = |id: SecurityGroupId| estate.security_groups.get(&id).is_some_and(|holder| holder.vpc == group.vpc);
    let referenced = |rule: &SecurityGroupRule| {
        rule.peer == RulePeer::Group(group.id) && rule.group != group.id && is_of_vpc(rule.group)
    };
    let used = estate.network_interfaces.values().any(|interface| interface.groups.contains(&group.id))
        || estate.security_group_rules.values().any(|rule| referenced(rule))
        || estate.vpc_links.values().any(|link| link.groups.contains(&group.id));
    if used {
        return Err(fault::new("DependencyViolation", format!("resource {} has a dependent object", group.id)));
    }
    remove(context.edit(), group.id);
    Ok(group.id)
}

/// Removes a group and its rules.
pub(super) fn remove(estate: &mut RealmEstate, group: SecurityGroupId) {
    let rules: Vec<_> = estate.security_group_rules.values().filter(|rule| rule.group == group).map(|r| r.id).collect();
    for rule in rules {
        estate.security_group_rules.remove(&rule);
    }
    estate.security_groups.remove(&group);
}

pub(super) fn describe(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    names: Option<Vec<String>>,
    wanted: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::SecurityGroup>, Fault> {
    let mut found = match (ids.filter(|ids| !ids.is_empty()), names.filter(|names| !names.is_empty())) {
        (None, Some(names)) => {
            names.iter().map(|name| named(context, None, Some(name))).collect::<Result<Vec<_>, _>>()?
        }
        (ids, names) => {
            let mut found = select::by_ids(&context.estate().security_groups, ids, fault::GROUP)?;
            if let Some(names) = names {
                found.retain(|group| names.contains(&group.name));
            }
            found
        }
    };
    found.sort_by_key(|group| group.id);
    let kept = SECURITY_GROUPS.apply(context, found, wanted)?;
    Ok(kept.iter().map(|group| render(context, group)).collect())
}

pub(super) fn rules_of<'a>(
    context: &'a Context<'_>,
    group: SecurityGroupId,
    direction: Direction,
) -> impl Iterator<Item = &'a Arc<SecurityGroupRule>> {
    let rules = context.estate().security_group_rules.values();
    rules.filter(move |rule| rule.group == group && rule.direction == direction)
}

fn render(context: &Context<'_>, group: &SecurityGroup) -> shapes::SecurityGroup {
    let permissions =
        |direction| permission::render_all(context, rules_of(context, group.id, direction).map(|rule| &**rule));
    shapes::SecurityGroup {
        description: Some(group.description.clone()),
        group_id: Some(group.id.to_string()),
        group_name: Some(group.name.clone()),
        ip_permissions: Some(permissions(Direction::Ingress)),
        ip_permissions_egress: Some(permissions(Direction::Egress)),
        owner_id: Some(context.account().to_string()),
        security_group_arn: Some(arn(context, group.id)),
        tags: tags::render(&group.tags),
        vpc_id: Some(group.vpc.to_string()),
    }
}

pub(super) fn describe_rules(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    wanted: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::SecurityGroupRule>, Fault> {
    let found = select::by_ids(&context.estate().security_group_rules, ids, fault::RULE)?;
    refuse_malformed_groups(wanted.as_deref().unwrap_or_default())?;
    let kept = SECURITY_GROUP_RULES.apply(context, found, wanted)?;
    Ok(kept.iter().map(|rule| permission::render_one(context, rule)).collect())
}

/// A value of the filter `group-id` without wildcards must be formed like an id, although it may name nothing.
fn refuse_malformed_groups(filters: &[shapes::Filter]) -> Result<(), Fault> {
    let of_group = filters.iter().filter(|filter| filter.name.as_deref() == Some("group-id"));
    let plain = |value: &&String| !value.contains(['*', '?']);
    let mut values = of_group.flat_map(|filter| filter.values.iter().flatten()).filter(plain);
    match values.find(|value| !fault::GROUP.is_formed(value)) {
        Some(value) => Err(fault::GROUP.unknown(value)),
        None => Ok(()),
    }
}

/// Which group, which direction, and what about its rules.
pub(super) struct RuleRequest {
    pub(super) direction: Direction,
    pub(super) group_id: Option<String>,
    pub(super) group_name: Option<String>,
    pub(super) permissions: Option<Vec<shapes::IpPermission>>,
    pub(super) flat: Flat,
}

pub(super) fn authorize(
    context: &mut Context<'_>,
    request: RuleRequest,
    specifications: Option<Vec<shapes::TagSpecification>>,
) -> Result<Vec<shapes::SecurityGroupRule>, Fault> {
    let group = named(context, request.group_id.as_deref(), request.group_name.as_deref())?;
    let wanted = permission::parse_all(context, group.vpc, request.permissions, request.flat)?;
    if wanted.is_empty() {
        return Err(fault::missing("ipPermissions"));
    }
    wanted.iter().try_for_each(|rule| permission::within(context, group.vpc, rule.peer))?;
    let tags = tags::at_creation(specifications, "security-group-rule")?;
    refuse_duplicates(context, (group.id, request.direction), &wanted)?;
    let made =
        wanted.into_iter().map(|rule| insert(context, (group.id, request.direction), rule, &tags)).collect::<Vec<_>>();
    let rules = made.iter().filter_map(|id| context.estate().security_group_rules.get(id));
    Ok(rules.map(|rule| permission::render_one(context, rule)).collect())
}

fn refuse_duplicates(
    context: &Context<'_>,
    of: (SecurityGroupId, Direction),
    wanted: &[WantedRule],
) -> Result<(), Fault> {
    let mut seen = BTreeSet::new();
    if !wanted.iter().all(|rule| seen.insert((rule.traffic, rule.peer))) {
        return Err(fault::invalid_value("The same permission must not appear multiple times"));
    }
    let known: BTreeSet<_> = rules_of(context, of.0, of.1).map(|rule| (rule.traffic, rule.peer)).collect();
    if let Some(double) = wanted.iter().find(|rule| known.contains(&(rule.traffic, rule.peer))) {
        return Err(fault::new(
            "InvalidPermission.Duplicate",
            format!("the specified rule {} already exists", permission::quoted(double)),
        ));
    }
    let most = if context.settings.quotas { RULES_MAX } else { RULES_UNLIMITED_MAX };
    let is_ipv6 = |peer: &RulePeer| matches!(peer, RulePeer::Ipv6(_));
    for family in [false, true] {
        let count = seen.iter().chain(&known).filter(|(_, peer)| is_ipv6(peer) == family).count();
        if count > most {
            return Err(fault::new(
                "RulesPerSecurityGroupLimitExceeded",
                "The maximum number of rules per security group has been reached.",
            ));
        }
    }
    Ok(())
}

fn insert(
    context: &mut Context<'_>,
    of: (SecurityGroupId, Direction),
    wanted: WantedRule,
    tags: &Tags,
) -> SecurityGroupRuleId {
    let id = SecurityGroupRuleId::from_bits(context.mint.wide());
    let rule = SecurityGroupRule {
        id,
        group: of.0,
        direction: of.1,
        traffic: wanted.traffic,
        peer: wanted.peer,
        description: wanted.description,
        tags: tags.clone(),
    };
    context.edit().security_group_rules.insert(id, rule);
    id
}

/// What a revoke did.
pub(super) struct Revoked {
    pub(super) rules: Vec<shapes::RevokedSecurityGroupRule>,
    pub(super) unknown: Vec<shapes::IpPermission>,
}

macro_rules! answer_from {
    ($($answer:ident)*) => {$(
        impl From<Revoked> for shapes::$answer {
            fn from(revoked: Revoked) -> Self {
                Self {
                    return_: Some(true),
                    revoked_security_group_rules: Some(revoked.rules),
                    unknown_ip_permissions: Some(revoked.unknown),
                }
            }
        }
    )*};
}
answer_from!(RevokeSecurityGroupEgressResult RevokeSecurityGroupIngressResult);

pub(super) fn revoke(
    context: &mut Context<'_>,
    request: RuleRequest,
    ids: Option<Vec<String>>,
) -> Result<Revoked, Fault> {
    let group = named(context, request.group_id.as_deref(), request.group_name.as_deref())?;
    let of = (group.id, request.direction);
    let (found, unknown) = match ids.filter(|ids| !ids.is_empty()) {
        Some(ids) => (by_id(context, of, &ids)?, Vec::new()),
        None => by_properties(context, &group, request)?,
    };
    let mut revoked = Vec::new();
    for rule in found {
        context.edit().security_group_rules.remove(&rule.id);
        revoked.push(render_revoked(&permission::render_one(context, &rule)));
    }
    Ok(Revoked { rules: revoked, unknown })
}

fn by_id(
    context: &Context<'_>,
    of: (SecurityGroupId, Direction),
    ids: &[String],
) -> Result<Vec<Arc<SecurityGroupRule>>, Fault> {
    ids.iter()
        .map(|id| {
            let rule = select::known(&context.estate().security_group_rules, id, fault::RULE)?;
            if (rule.group, rule.direction) == of { Ok(rule) } else { Err(fault::RULE.unknown(id)) }
        })
        .collect()
}

/// Rules that match exactly, the description apart. What matches nothing is an error, but in a default VPC it is only listed
/// (EC2 API reference, RevokeSecurityGroupIngress, 2026-11).
fn by_properties(
    context: &Context<'_>,
    group: &SecurityGroup,
    request: RuleRequest,
) -> Result<(Vec<Arc<SecurityGroupRule>>, Vec<shapes::IpPermission>), Fault> {
    let wanted = permission::parse_all(context, group.vpc, request.permissions, request.flat)?;
    if wanted.is_empty() {
        return Err(fault::missing("ipPermissions"));
    }
    let lenient = context.estate().vpcs.get(&group.vpc).is_some_and(|vpc| vpc.is_default);
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for rule in &wanted {
        let known = rules_of(context, group.id, request.direction)
            .find(|known| (known.traffic, known.peer) == (rule.traffic, rule.peer));
        match known {
            Some(known) => found.push(Arc::clone(known)),
            None if lenient => unknown.push(permission::render_wanted(context, rule)),
            None => {
                return Err(fault::new(
                    "InvalidPermission.NotFound",
                    "The specified rule does not exist in this security group.",
                ));
            }
        }
    }
    Ok((found, unknown))
}

fn render_revoked(rule: &shapes::SecurityGroupRule) -> shapes::RevokedSecurityGroupRule {
    shapes::RevokedSecurityGroupRule {
        cidr_ipv4: rule.cidr_ipv4.clone(),
        cidr_ipv6: rule.cidr_ipv6.clone(),
        description: rule.description.clone(),
        from_port: rule.from_port,
        group_id: rule.group_id.clone(),
        ip_protocol: rule.ip_protocol.clone(),
        is_egress: rule.is_egress,
        prefix_list_id: rule.prefix_list_id.clone(),
        referenced_group_id: rule.referenced_group_info.as_ref().and_then(|info| info.group_id.clone()),
        security_group_rule_id: rule.security_group_rule_id.clone(),
        to_port: rule.to_port,
    }
}

pub(super) fn modify_rules(
    context: &mut Context<'_>,
    group_id: &str,
    updates: Vec<shapes::SecurityGroupRuleUpdate>,
) -> Result<(), Fault> {
    let group = select::known(&context.estate().security_groups, group_id, fault::GROUP)?;
    let (group, vpc) = (group.id, group.vpc);
    for update in updates {
        let before =
            select::known(&context.estate().security_group_rules, &update.security_group_rule_id, fault::RULE)?;
        if before.group != group {
            return Err(fault::RULE.unknown(&update.security_group_rule_id));
        }
        let wanted = update.security_group_rule.ok_or_else(|| fault::missing("SecurityGroupRule"))?;
        let wanted = permission::parse_one(context, wanted)?;
        permission::within(context, vpc, wanted.peer)?;
        if std::mem::discriminant(&wanted.peer) != std::mem::discriminant(&before.peer) {
            return Err(fault::invalid_value(
                "You may not change the type of a security group rule's source or destination",
            ));
        }
        let same = |rule: &SecurityGroupRule| {
            rule.id != before.id && (rule.traffic, rule.peer) == (wanted.traffic, wanted.peer)
        };
        if rules_of(context, group, before.direction).any(|rule| same(rule)) {
            return Err(fault::new(
                "InvalidPermission.Duplicate",
                format!("the specified rule {} already exists", permission::quoted(&wanted)),
            ));
        }
        if let Some(rule) = context.edit().security_group_rules.edit(&before.id) {
            rule.traffic = wanted.traffic;
            rule.peer = wanted.peer;
            rule.description = wanted.description;
        }
    }
    Ok(())
}

pub(super) fn update_descriptions(
    context: &mut Context<'_>,
    request: RuleRequest,
    by_rule: Option<Vec<shapes::SecurityGroupRuleDescription>>,
) -> Result<(), Fault> {
    let group = named(context, request.group_id.as_deref(), request.group_name.as_deref())?;
    let of = (group.id, request.direction);
    let mut changes: Vec<(SecurityGroupRuleId, Option<String>)> = Vec::new();
    for one in by_rule.unwrap_or_default() {
        let id = one.security_group_rule_id.ok_or_else(|| fault::missing("SecurityGroupRuleId"))?;
        for rule in by_id(context, of, &[id])? {
            changes.push((rule.id, permission::checked(one.description.clone(), Described::of(rule.peer))?));
        }
    }
    for wanted in permission::parse_all(context, group.vpc, request.permissions, request.flat)? {
        let known =
            rules_of(context, of.0, of.1).find(|rule| (rule.traffic, rule.peer) == (wanted.traffic, wanted.peer));
        let known = known.ok_or_else(|| {
            fault::new("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
        })?;
        changes.push((known.id, wanted.description));
    }
    if changes.is_empty() {
        return Err(fault::missing("ipPermissions or SecurityGroupRuleDescriptions"));
    }
    for (id, description) in changes {
        if let Some(rule) = context.edit().security_group_rules.edit(&id) {
            rule.description = description;
        }
    }
    Ok(())
}

fn rules<T: ToString, L: IntoIterator<Item = T>>(
    context: &Context<'_>,
    of: (&SecurityGroup, Direction),
    part: impl Fn(&SecurityGroupRule) -> L,
) -> Vec<String> {
    each(rules_of(context, of.0.id, of.1).flat_map(|rule| part(rule)))
}

/// A protocol counts under its number and under its name.
fn traffic_names(traffic: Traffic) -> Vec<String> {
    let number = match traffic {
        Traffic::Tcp(_) => Some(6),
        Traffic::Udp(_) => Some(17),
        Traffic::Icmp { .. } => Some(1),
        Traffic::Icmpv6 { .. } => Some(58),
        Traffic::All | Traffic::Other(_) => None,
    };
    std::iter::once(traffic.protocol()).chain(number.map(|number| number.to_string())).collect()
}

/// The tables of both directions are the same but for the prefix of their names.
macro_rules! group_filters {
    ($(($suffix:literal, |$context:ident, $rule:ident| $part:expr),)*) => {&[
        ("description", |_, group| one(&group.description)),
        ("group-id", |_, group| one(group.id)),
        ("group-name", |_, group| one(&group.name)),
        ("owner-id", owner),
        ("vpc-id", |_, group| one(group.vpc)),
        $(
            (concat!("ip-permission.", $suffix), |$context, group| {
                rules($context, (group, Direction::Ingress), |$rule| $part)
            }),
            (concat!("egress.ip-permission.", $suffix), |$context, group| {
                rules($context, (group, Direction::Egress), |$rule| $part)
            }),
        )*
    ]};
}

/// Several filters on rules need not hold for one rule (the page says so).
const SECURITY_GROUPS: Filters<Arc<SecurityGroup>> = Filters {
    by: group_filters! {
        ("cidr", |context, rule| if let RulePeer::Ipv4(net) = rule.peer { Some(net) } else { None }),
        ("from-port", |context, rule| Some(rule.traffic.from_to().0)),
        ("group-id", |context, rule| if let RulePeer::Group(id) = rule.peer { Some(id) } else { None }),
        ("group-name", |context, rule| match rule.peer {
            RulePeer::Group(id) => context.estate().security_groups.get(&id).map(|group| group.name.clone()),
            _ => None,
        }),
        ("ipv6-cidr", |context, rule| if let RulePeer::Ipv6(net) = rule.peer { Some(net) } else { None }),
        ("prefix-list-id", |context, rule| if let RulePeer::PrefixList(id) = rule.peer { Some(id) } else { None }),
        ("protocol", |context, rule| traffic_names(rule.traffic)),
        ("to-port", |context, rule| Some(rule.traffic.from_to().1)),
        ("user-id", |context, rule| matches!(rule.peer, RulePeer::Group(_)).then(|| context.account())),
    },
    tags: Some(|group| Cow::Borrowed(&group.tags)),
};

const SECURITY_GROUP_RULES: Filters<Arc<SecurityGroupRule>> = Filters {
    by: &[
        ("group-id", |_, rule| one(rule.group)),
        ("security-group-rule-id", |context, rule| some(permission::render_one(context, rule).security_group_rule_id)),
    ],
    tags: Some(|rule| Cow::Borrowed(&rule.tags)),
};
