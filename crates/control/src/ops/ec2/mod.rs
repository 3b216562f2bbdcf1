//! The operations of EC2 for VPC networking. [`service`] has one line for each; what they do stands in the other files.
//! What several of them share stands here.

pub(crate) mod address;
mod aws_prefix_list;
mod cidr_block;
mod dhcp_options;
mod egress_only;
mod endpoint;
mod endpoint_service;
mod fault;
mod filters;
mod flow_log;
mod instance;
mod internet_gateway;
mod nat_gateway;
mod network_acl;
mod network_interface;
mod peering;
mod permission;
mod place;
mod prefix_list;
mod route_table;
mod security_group;
mod select;
mod subnet;
mod tags;
mod vpc;

use wire::Fault;

/// Answers a dry run that would have succeeded with EC2's fault: then the draft is dropped.
macro_rules! unless_dry {
    ($dry:expr, $body:block) => {{
        let dry = $dry;
        let answer: Result<_, Fault> = $body;
        answer.and_then(|value| refuse_dry_run(dry, value))
    }};
}

/// Whole operations that may be dry runs.
macro_rules! calls {
    ($($name:ident($context:ident, $input:ident: $request:ident) -> $answer:ident $body:block)*) => {$(
        fn $name(&mut self, $input: $request) -> Result<$answer, Fault> {
            let $context = self;
            unless_dry!($input.dry_run, $body)
        }
    )*};
}

/// Answers with what was made, and with the call's token.
macro_rules! made {
    ($input:ident, $making:expr => $to:ident . $field:ident) => {
        unless_dry!($input.dry_run, {
            let client_token = $input.client_token.clone();
            let made = $making;
            Ok($to { client_token, $field: Some(made) })
        })
    };
}

/// Whole operations that list, a page at a time.
macro_rules! lists {
    ($($name:ident($context:ident, $input:ident: $request:ident) -> $answer:ident.$field:ident { $items:expr })*) => {$(
        fn $name(&mut self, $input: $request) -> Result<$answer, Fault> {
            let $context = self;
            unless_dry!($input.dry_run, {
                let (size, token) = ($input.max_results, $input.next_token.clone());
                let (items, next_token) = select::page($items, size, token.as_deref())?;
                Ok($answer { $field: Some(items), next_token })
            })
        }
    )*};
}

/// What a call on a group's rules says: direction, group id, group name, and whether it has EC2's old flat members.
macro_rules! rule_request {
    ($direction:ident, $id:expr, $name:expr, none $input:ident) => {
        RuleRequest {
            direction: Direction::$direction,
            group_id: $id,
            group_name: $name,
            permissions: $input.ip_permissions,
            flat: Flat::default(),
        }
    };
    ($direction:ident, $id:expr, $name:expr, flat $input:ident) => {
        RuleRequest {
            direction: Direction::$direction,
            group_id: $id,
            group_name: $name,
            permissions: $input.ip_permissions,
            flat: Flat {
                protocol: $input.ip_protocol,
                from: $input.from_port,
                to: $input.to_port,
                cidr: $input.cidr_ip,
                source_group: $input.source_security_group_name,
                source_owner: $input.source_security_group_owner_id,
            },
        }
    };
}

// The macros above reach only what follows them.
mod service;

fn refuse_dry_run<T>(dry: Option<bool>, value: T) -> Result<T, Fault> {
    if dry == Some(true) {
        return Err(Fault::new("DryRunOperation", 412, "Request would have succeeded, but DryRun flag is set."));
    }
    Ok(value)
}
