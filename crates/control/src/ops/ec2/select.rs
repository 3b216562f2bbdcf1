//! Selecting resources: ids, filters, pages. Values of one filter are alternatives, filters must all hold, `*` and `?` are
//! wildcards, a backslash makes the next one literal, case counts (EC2 user guide, "List and filter using the CLI and API",
//! 2026-11). A filter that is not known is refused, never ignored.

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;

use topology::estate::Table;
use topology::resource::Tags;
use topology::snapshot::pattern::Glob;
use wire::Fault;
use wire::ec2::Filter;

use super::fault::{self, IdFaults};
use crate::context::Context;
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

/// What a resource has under a filter's name.
pub(super) type Values<T> = fn(&Context<'_>, &T) -> Vec<String>;

/// What a kind of resource can be filtered by.
pub(super) struct Filters<T: 'static> {
    /// The names of the filters besides `tag:…` and `tag-key`, each with what it looks at.
    pub(super) by: &'static [(&'static str, Values<T>)],
    /// The tags of a resource; `None` if the kind has none.
    pub(super) tags: Option<fn(&T) -> Cow<'_, Tags>>,
}

/// Values of all filters of a call: 200 at most (EC2 user guide, "List and filter using the CLI and API", 2026-11).
const FILTER_VALUES_MAX: usize = 200;

impl<T> Filters<T> {
    /// Keeps what every filter admits.
    pub(super) fn apply(
        &self,
        context: &Context<'_>,
        items: Vec<T>,
        filters: Option<Vec<Filter>>,
    ) -> Result<Vec<T>, Fault> {
        let filters = filters.unwrap_or_default();
        let values = filters.iter().flat_map(|filter| &filter.values).map(Vec::len).sum::<usize>();
        if values > FILTER_VALUES_MAX {
            return Err(fault::new(
                "FilterLimitExceeded",
                format!("The maximum number of filter values specified on a single call is {FILTER_VALUES_MAX}"),
            ));
        }
        let mut kept = items;
        for filter in filters {
            let name = filter.name.as_deref().unwrap_or("null");
            let wanted = filter.values.unwrap_or_default();
            let wanted: Vec<Glob> = wanted.iter().map(|value| Glob::exact_case_with_escapes(value)).collect();
            let admits = |value: &String| wanted.iter().any(|glob| glob.matches(value.as_bytes()));
            match (name.strip_prefix("tag:"), self.tags, self.by.iter().find(|(known, _)| *known == name)) {
                (Some(key), Some(tags), _) => kept.retain(|item| tags(item).get(key).is_some_and(admits)),
                (None, Some(tags), None) if name == "tag-key" => {
                    kept.retain(|item| tags(item).keys().any(admits));
                }
                (None, _, Some((_, values))) => kept.retain(|item| values(context, item).iter().any(admits)),
                _ => return Err(fault::invalid_value(format!("The filter '{name}' is invalid"))),
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
