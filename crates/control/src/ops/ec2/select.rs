//! Selecting resources: ids, filters, pages. Values of one filter are alternatives, filters must all hold, `*` and `?` are
//! wildcards, case counts (EC2 API reference, Filter, 2026-11). A filter that is not known is refused, never ignored.

use std::str::FromStr;
use std::sync::Arc;

use topology::estate::Table;
use topology::resource::Tags;
use topology::snapshot::balancer::Glob;
use wire::Fault;
use wire::ec2::Filter;

use super::fault::{self, IdFaults};
use crate::ops::paging;

/// The resource that an id names.
pub(super) fn known<K: Ord + Clone + FromStr, V>(
    table: &Table<K, V>,
    id: &str,
    faults: IdFaults,
) -> Result<Arc<V>, Fault> {
    let found = id.parse().ok().and_then(|key| table.get(&key));
    found.cloned().ok_or_else(|| faults.unknown(id))
}

/// The resources that ids name, or all.
pub(super) fn by_ids<K: Ord + Clone + FromStr, V>(
    table: &Table<K, V>,
    ids: Option<Vec<String>>,
    faults: IdFaults,
) -> Result<Vec<Arc<V>>, Fault> {
    match ids.filter(|ids| !ids.is_empty()) {
        None => Ok(table.values().map(Arc::clone).collect()),
        Some(ids) => ids.iter().map(|id| known(table, id, faults)).collect(),
    }
}

/// What a kind of resource can be filtered by.
pub(super) struct Filters<'a, T> {
    /// The names of the filters besides `tag:…` and `tag-key`.
    pub(super) names: &'a [&'a str],
    /// The tags of a resource; `None` if the kind has none.
    pub(super) tags: fn(&T) -> Option<&Tags>,
}

impl<T> Filters<'_, T> {
    /// Keeps what every filter admits; `values` says what a resource has under a filter's name.
    pub(super) fn apply(
        &self,
        items: Vec<T>,
        filters: Option<Vec<Filter>>,
        values: impl Fn(&T, &str) -> Vec<String>,
    ) -> Result<Vec<T>, Fault> {
        let mut kept = items;
        for filter in filters.unwrap_or_default() {
            let name = filter.name.unwrap_or_default();
            let wanted: Vec<Glob> = filter.values.unwrap_or_default().iter().map(|v| Glob::exact_case(v)).collect();
            let matches = |value: &String| wanted.iter().any(|glob| glob.matches(value.as_bytes()));
            let tags = self.tags;
            if let Some(key) = name.strip_prefix("tag:") {
                kept.retain(|item| tags(item).and_then(|tags| tags.get(key)).is_some_and(&matches));
            } else if name == "tag-key" {
                kept.retain(|item| tags(item).is_some_and(|tags| tags.keys().any(&matches)));
            } else if self.names.contains(&name.as_str()) {
                kept.retain(|item| values(item, &name).iter().any(&matches));
            } else {
                return Err(fault::invalid_value(format!("The filter '{name}' is invalid")));
            }
        }
        Ok(kept)
    }
}

/// At most this many items on a page (EC2 API reference, MaxResults, 2026-11).
const PAGE_MAX: usize = 1000;

/// Cuts a page.
pub(super) fn page<T>(
    items: Vec<T>,
    size: Option<i64>,
    token: Option<&str>,
) -> Result<(Vec<T>, Option<String>), Fault> {
    let size = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0).unwrap_or(PAGE_MAX);
    paging::page(items, Some(size), token)
        .map_err(|paging::BadToken| fault::new("InvalidNextToken", "The specified token is not valid."))
}
