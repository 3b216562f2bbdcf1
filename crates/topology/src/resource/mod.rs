//! The resources, one file for each AWS noun or close family. They are plain data; what may be combined with what is said
//! by their types and constructors, which refuse the impossible, and what refers to what is checked by `control`. No clock and no protocol here.

pub mod action;
pub mod agent;
pub mod attachment;
pub mod attribute;
pub mod certificate;
pub mod client_certificate;
pub mod documentation;
pub mod domain;
pub mod flow_log;
pub mod gate;
pub mod gateway_account;
pub mod health_check;
pub mod http_api;
pub mod instance;
pub mod listener;
pub mod listener_socket;
pub mod load_balancer;
pub mod log_group;
pub mod network_interface;
pub mod oidc;
pub mod pattern;
pub mod peering;
pub mod prefix_list;
pub mod resource_policy;
pub mod rest_api;
pub mod rest_stage;
pub mod routing;
pub mod security_group;
pub mod ssl_policy;
pub mod target_group;
pub mod trust_store;
pub mod usage_plan;
pub mod user_pool;
pub mod vpc;
pub mod vpc_link;

use std::collections::BTreeMap;

/// Tags by key. AWS allows at most 50 on a resource.
pub type Tags = BTreeMap<String, String>;
