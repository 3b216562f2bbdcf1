//! What RunInstances asks for, checked: where the instances are to be, and what is kept of machines that nobody runs.

use std::net::Ipv4Addr;
use std::sync::Arc;

use topology::id::SecurityGroupId;
use topology::resource::Tags;
use topology::resource::instance::{Machine, MetadataOptions, UserData};
use topology::resource::vpc::Subnet;
use wire::Fault;
use wire::ec2 as shapes;

use super::super::{fault, network_interface, security_group, select, tags};
use crate::context::Context;
use crate::interface::WantedIpv6;

/// Instances of one call. Ours; AWS has quotas by type.
const COUNT_MAX: i64 = 100;
/// User data in Base64: 16 KiB before that coding (EC2 user guide, "Run commands at launch", 2026-11).
const USER_DATA_CHARS_MAX: usize = 16 * 1024 * 4 / 3 + 4;
/// What a metadata service is set to where nothing is said (EC2 API reference, InstanceMetadataOptionsRequest, 2026-11).
const HOPS: u8 = 1;

/// What a call asks for.
pub(super) struct Wanted {
    pub(super) count: u32,
    pub(super) client_token: String,
    pub(super) subnet: Arc<Subnet>,
    pub(super) address: Option<Ipv4Addr>,
    pub(super) ipv6: WantedIpv6,
    pub(super) groups: Vec<SecurityGroupId>,
    pub(super) interface_description: String,
    pub(super) interface_tags: Tags,
    pub(super) is_kept: bool,
    pub(super) is_kept_running: bool,
    pub(super) machine: Machine,
    pub(super) tags: Tags,
}

impl Wanted {
    pub(super) fn parse(context: &Context<'_>, mut input: shapes::RunInstancesRequest) -> Result<Self, Fault> {
        // Terraform's provider sends what it does not want.
        if input.hibernation_options.as_ref().is_some_and(|options| options.configured == Some(true)) {
            return Err(fault::unsupported("hibernation"));
        }
        if input.enclave_options.as_ref().is_some_and(|options| options.enabled == Some(true)) {
            return Err(fault::unsupported("enclaves"));
        }
        let count = count(input.min_count, input.max_count)?;
        let place = Place::take(&mut input)?;
        let subnet = place.subnet(context, input.placement.as_ref())?;
        let address = place.address.map(|text| {
            text.parse().map_err(|_| fault::invalid_value(format!("Invalid value for privateIpAddress: {text}")))
        });
        let address: Option<Ipv4Addr> = address.transpose()?;
        if address.is_some() && count > 1 {
            return Err(fault::invalid_combination(
                "A private IP address can be specified for one instance only: MaxCount must be 1",
            ));
        }
        let ipv6 = network_interface::wanted_ipv6(place.ipv6.0.into_iter(), place.ipv6.1)?;
        if count > 1 && matches!(&ipv6, WantedIpv6::These(named, _) if !named.is_empty()) {
            return Err(fault::invalid_combination(
                "IPv6 addresses can be specified for one instance only: MaxCount must be 1",
            ));
        }
        let mut groups = place.groups;
        for name in input.security_groups.take().unwrap_or_default() {
            groups.push(security_group::named(context, None, Some(&name))?.id.to_string());
        }
        let specified = input.tag_specifications.take().unwrap_or_default();
        let is_of_interface =
            |one: &shapes::TagSpecification| one.resource_type.as_deref() == Some("network-interface");
        let (of_interface, others): (Vec<_>, Vec<_>) = specified.into_iter().partition(is_of_interface);
        // There are no volumes that could have them: Terraform's provider sends its default tags for those too.
        let is_of_volume = |one: &shapes::TagSpecification| one.resource_type.as_deref() == Some("volume");
        let (of_volumes, of_instance): (Vec<_>, Vec<_>) = others.into_iter().partition(is_of_volume);
        tags::at_creation(Some(of_volumes), "volume")?;
        Ok(Self {
            count,
            client_token: input.client_token.take().unwrap_or_default(),
            groups: network_interface::known_groups(context, subnet.vpc, groups)?,
            subnet,
            address,
            ipv6,
            interface_description: place.description,
            interface_tags: tags::at_creation(Some(of_interface), "network-interface")?,
            is_kept: input.disable_api_termination == Some(true),
            is_kept_running: input.disable_api_stop == Some(true),
            tags: tags::at_creation(Some(of_instance), "instance")?,
            machine: machine(input)?,
        })
    }
}

fn count(min: i64, max: i64) -> Result<u32, Fault> {
    if min < 1 || min > max {
        return Err(fault::invalid_value(format!(
            "Value ({min}) for parameter minCount is invalid: it must be 1 at least and not above maxCount"
        )));
    }
    let text = || fault::new("InstanceLimitExceeded", format!("More than {COUNT_MAX} instances in one call"));
    u32::try_from(max).ok().filter(|_| max <= COUNT_MAX).ok_or_else(text)
}

/// Where instances are to be, as a call says it: by members of its own or by those of the primary interface.
struct Place {
    subnet: Option<String>,
    address: Option<String>,
    /// The IPv6 addresses that are listed, and how many are counted.
    ipv6: (Vec<Option<String>>, Option<i64>),
    groups: Vec<String>,
    description: String,
}

impl Place {
    fn take(input: &mut shapes::RunInstancesRequest) -> Result<Self, Fault> {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        let interfaces = input.network_interfaces.take().unwrap_or_default();
        let listed = |list: Option<Vec<shapes::InstanceIpv6Address>>| {
            list.unwrap_or_default().into_iter().map(|one| one.ipv6_address).collect::<Vec<_>>()
        };
        let place = Self {
            subnet: filled(input.subnet_id.take()),
            address: filled(input.private_ip_address.take()),
            ipv6: (listed(input.ipv6_addresses.take()), input.ipv6_address_count.take()),
            groups: input.security_group_ids.take().unwrap_or_default(),
            description: String::new(),
        };
        if interfaces.is_empty() {
            return Ok(place);
        }
        let is_said = !place.groups.is_empty() || input.security_groups.as_ref().is_some_and(|list| !list.is_empty());
        let is_ipv6_said = !place.ipv6.0.is_empty() || place.ipv6.1.is_some();
        if place.subnet.is_some() || place.address.is_some() || is_ipv6_said || is_said {
            return Err(fault::invalid_combination(
                "Network interfaces and an instance-level subnet, security groups or private address may not be specified on the same request",
            ));
        }
        let Ok([one]) = <[shapes::InstanceNetworkInterfaceSpecification; 1]>::try_from(interfaces) else {
            return Err(fault::unsupported("an instance with several network interfaces"));
        };
        if one.device_index.is_some_and(|index| index != 0) {
            return Err(fault::invalid_value("The primary network interface must have the device index 0"));
        }
        if one.associate_public_ip_address == Some(true) {
            return Err(fault::unsupported("AssociatePublicIpAddress=true"));
        }
        if one.delete_on_termination == Some(false) {
            return Err(fault::unsupported("DeleteOnTermination=false"));
        }
        Ok(Self {
            subnet: filled(one.subnet_id),
            address: filled(one.private_ip_address),
            ipv6: (listed(one.ipv6_addresses), one.ipv6_address_count),
            groups: one.groups.unwrap_or_default(),
            description: one.description.unwrap_or_default(),
        })
    }

    /// The subnet that is named, else the default one of the zone that is named, or of any.
    fn subnet(&self, context: &Context<'_>, placement: Option<&shapes::Placement>) -> Result<Arc<Subnet>, Fault> {
        let named = |text: Option<&String>| text.filter(|text| !text.is_empty()).cloned();
        if let Some(tenancy) = named(placement.and_then(|p| p.tenancy.as_ref())).filter(|tenancy| tenancy != "default")
        {
            return Err(fault::unsupported(&format!("tenancy '{tenancy}'")));
        }
        let zone = named(placement.and_then(|placement| placement.availability_zone.as_ref()));
        let fits = |subnet: &Subnet| zone.as_ref().is_none_or(|zone| *zone == subnet.zone.as_str());
        match &self.subnet {
            Some(id) => {
                let subnet = select::known(&context.estate().subnets, id, fault::SUBNET)?;
                let text = "The subnet is not in the availability zone of the placement";
                if fits(&subnet) { Ok(subnet) } else { Err(fault::invalid_value(text)) }
            }
            None => {
                let mut defaults = context.estate().subnets.values().filter(|subnet| subnet.default_for_az);
                let found = defaults.find(|subnet| fits(subnet)).cloned();
                let text = "No default subnet for the availability zone. Please specify a subnet.";
                found.ok_or_else(|| fault::new("MissingInput", text))
            }
        }
    }
}

fn machine(input: shapes::RunInstancesRequest) -> Result<Machine, Fault> {
    let image = input.image_id.filter(|id| !id.is_empty()).ok_or_else(|| fault::missing("ImageId"))?;
    if !image.starts_with("ami-") {
        return Err(fault::new("InvalidAMIID.Malformed", format!("Invalid id: \"{image}\" (expecting \"ami-...\")")));
    }
    let kind = input.instance_type.filter(|kind| !kind.is_empty()).unwrap_or_else(|| "m1.small".to_owned());
    let user_data = input.user_data.filter(|data| !data.is_empty());
    if user_data.as_ref().is_some_and(|data| data.len() > USER_DATA_CHARS_MAX) {
        return Err(fault::invalid_value("User data is limited to 16384 bytes"));
    }
    let asked = input.credit_specification.map(|credits| credits.cpu_credits);
    Ok(Machine {
        image,
        key_name: input.key_name.filter(|name| !name.is_empty()),
        user_data: user_data.map(UserData),
        is_monitored: input.monitoring.is_some_and(|monitoring| monitoring.enabled),
        is_ebs_optimized: input.ebs_optimized == Some(true),
        on_shutdown: input.instance_initiated_shutdown_behavior.unwrap_or_else(|| "stop".to_owned()),
        cpu_credits: cpu_credits(&kind, asked)?,
        metadata: metadata(input.metadata_options)?,
        kind,
    })
}

/// Whether a type has CPU credits: the T families (EC2 user guide, "Burstable performance instances", 2026-11).
pub(super) fn is_burstable(kind: &str) -> bool {
    ["t2.", "t3.", "t3a.", "t4g."].iter().any(|family| kind.starts_with(family))
}

/// `standard` by default for T2, `unlimited` for the later families.
fn cpu_credits(kind: &str, asked: Option<String>) -> Result<Option<String>, Fault> {
    match asked {
        Some(credits) if !["standard", "unlimited"].contains(&credits.as_str()) => {
            Err(fault::invalid_value(format!("Value ({credits}) for parameter cpuCredits is invalid")))
        }
        Some(_) if !is_burstable(kind) => Err(fault::invalid_combination(format!(
            "The parameter creditSpecification is not supported for the instance type '{kind}'"
        ))),
        None if is_burstable(kind) => {
            Ok(Some(if kind.starts_with("t2.") { "standard" } else { "unlimited" }.to_owned()))
        }
        asked => Ok(asked),
    }
}

fn metadata(options: Option<shapes::InstanceMetadataOptionsRequest>) -> Result<MetadataOptions, Fault> {
    let options = options.unwrap_or_default();
    let hops = options.http_put_response_hop_limit.map(|hops| u8::try_from(hops).ok().filter(|h| (1..=64).contains(h)));
    let hops_max = hops.unwrap_or(Some(HOPS));
    let or = |value: Option<String>, otherwise: &str| value.unwrap_or_else(|| otherwise.to_owned());
    Ok(MetadataOptions {
        tokens: or(options.http_tokens, "optional"),
        hops_max: hops_max.ok_or_else(|| fault::invalid_value("HttpPutResponseHopLimit must be between 1 and 64"))?,
        endpoint: or(options.http_endpoint, "enabled"),
        ipv6: or(options.http_protocol_ipv6, "disabled"),
        tags: or(options.instance_metadata_tags, "disabled"),
    })
}
