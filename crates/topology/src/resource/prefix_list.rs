//! Managed prefix lists: named sets of blocks that rules may refer to.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Tags;
use crate::id::PrefixListId;
use crate::net::Family;

/// An entry of a prefix list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixListEntry {
    /// The block.
    pub cidr: IpNet,
    /// Its description.
    pub description: Option<String>,
}

/// A customer-managed IPv4 prefix list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixList {
    /// Its id.
    pub id: PrefixListId,
    /// Its name.
    pub name: String,
    /// How many entries it may hold.
    pub max_entries: u32,
    /// Of which family its blocks are.
    #[serde(default, skip_serializing_if = "Family::is_default")]
    pub family: Family,
    /// Counts the changes of the entries, from 1.
    pub version: u64,
    /// Its entries.
    pub entries: Vec<PrefixListEntry>,
    /// Its tags.
    pub tags: Tags,
}
