//! Managed prefix lists: named sets of blocks that rules may refer to.

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::Tags;
use crate::id::PrefixListId;

/// An entry of a prefix list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixListEntry {
    /// The block.
    pub cidr: Ipv4Net,
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
    /// Counts the changes of the entries, from 1.
    pub version: u64,
    /// Its entries.
    pub entries: Vec<PrefixListEntry>,
    /// Its tags.
    pub tags: Tags,
}
