//! Regions, zones and account attributes: constants that clients ask for.

use topology::id::Zone;
use wire::Fault;
use wire::ec2 as shapes;

use super::fault;
use super::filters::{available, nothing, one};
use super::select::Filters;
use crate::context::Context;

/// The regions that every account has without opting in.
const REGIONS: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

pub(super) fn zones(
    context: &Context<'_>,
    input: shapes::DescribeAvailabilityZonesRequest,
) -> Result<Vec<shapes::AvailabilityZone>, Fault> {
    let mut zones = Zone::all(context.region());
    for (wanted, by_id) in [(input.zone_names, false), (input.zone_ids, true)] {
        let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else { continue };
        let name = |zone: &Zone| if by_id { zone.id() } else { zone.to_string() };
        if let Some(unknown) = wanted.iter().find(|text| zones.iter().all(|zone| name(zone) != **text)) {
            return Err(fault::invalid_value(format!("Invalid availability zone: [{unknown}]")));
        }
        zones.retain(|zone| wanted.contains(&name(zone)));
    }
    let kept = ZONE_FILTERS.apply(context, zones, input.filters)?;
    let region = context.region().to_string();
    let shape = |zone: &Zone| shapes::AvailabilityZone {
        group_long_name: None,
        group_name: Some(region.clone()),
        messages: Some(Vec::new()),
        network_border_group: Some(region.clone()),
        opt_in_status: Some("opt-in-not-required".to_owned()),
        region_name: Some(region.clone()),
        state: Some("available".to_owned()),
        zone_id: Some(zone.id()),
        zone_name: Some(zone.to_string()),
        zone_type: Some("availability-zone".to_owned()),
    };
    Ok(kept.iter().map(shape).collect())
}

pub(super) fn endpoint(region: &str) -> String {
    format!("ec2.{region}.amazonaws.com")
}

pub(super) fn regions(
    context: &Context<'_>,
    input: shapes::DescribeRegionsRequest,
) -> Result<Vec<shapes::Region>, Fault> {
    let mut regions: Vec<&'static str> = REGIONS.to_vec();
    if let Some(wanted) = input.region_names.filter(|wanted| !wanted.is_empty()) {
        if let Some(unknown) = wanted.iter().find(|name| !regions.contains(&name.as_str())) {
            return Err(fault::invalid_value(format!("Invalid region names: [{unknown}]")));
        }
        regions.retain(|region| wanted.iter().any(|name| name == region));
    }
    let kept = REGION_FILTERS.apply(context, regions, input.filters)?;
    let shape = |region: &str| shapes::Region {
        endpoint: Some(endpoint(region)),
        opt_in_status: Some("opt-in-not-required".to_owned()),
        region_name: Some(region.to_owned()),
    };
    Ok(kept.into_iter().map(shape).collect())
}

pub(super) fn account_attributes(
    context: &Context<'_>,
    names: Option<Vec<String>>,
) -> Result<Vec<shapes::AccountAttribute>, Fault> {
    let default_vpc = context.estate().vpcs.values().find(|vpc| vpc.is_default).map(|vpc| vpc.id.to_string());
    let all = [
        ("supported-platforms", "VPC".to_owned()),
        ("default-vpc", default_vpc.unwrap_or_else(|| "none".to_owned())),
        ("vpc-max-security-groups-per-interface", "5".to_owned()),
    ];
    let names = names.unwrap_or_default();
    if let Some(unknown) = names.iter().find(|name| all.iter().all(|(known, _)| known != name)) {
        return Err(fault::invalid_value(format!("Invalid attribute name: {unknown}")));
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let shape = |(name, value): (&str, String)| shapes::AccountAttribute {
        attribute_name: Some(name.to_owned()),
        attribute_values: Some(vec![shapes::AccountAttributeValue { attribute_value: Some(value) }]),
    };
    Ok(all.into_iter().filter(|(name, _)| wanted(name)).map(shape).collect())
}

const ZONE_FILTERS: Filters<Zone> = Filters {
    by: &[
        ("group-long-name", nothing),
        ("group-name", |context, _| one(context.region())),
        ("message", nothing),
        ("opt-in-status", |_, _| one("opt-in-not-required")),
        ("parent-zone-id", nothing),
        ("parent-zone-name", nothing),
        ("region-name", |context, _| one(context.region())),
        ("state", available),
        ("zone-id", |_, zone| one(zone.id())),
        ("zone-name", |_, zone| one(zone)),
        ("zone-type", |_, _| one("availability-zone")),
    ],
    tags: None,
};

const REGION_FILTERS: Filters<&'static str> = Filters {
    by: &[
        ("endpoint", |_, region| one(endpoint(region))),
        ("opt-in-status", |_, _| one("opt-in-not-required")),
        ("region-name", |_, region| one(region)),
    ],
    tags: None,
};
