//! What `Describe*` operations can be filtered by: one table for each, beside what it describes, with the names of its page in the EC2
//! API reference (2026-11) and the spellings that the pages call aliases. A name that speaks of what cannot be here
//! (Outposts, transit gateways) is known and fits nothing, as on AWS where there is none. A name whose value AWS has and we do not keep
//! (when an interface was attached, public DNS names) is absent, and so refused. Here is how the tables write values.

use crate::context::Context;

/// The only value.
pub(super) fn one(value: impl ToString) -> Vec<String> {
    vec![value.to_string()]
}

/// A value that may be absent.
pub(super) fn some<T: ToString>(value: Option<T>) -> Vec<String> {
    value.iter().map(T::to_string).collect()
}

/// Several values.
pub(super) fn each<T: ToString>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

/// The account, which owns everything that it sees.
pub(super) fn owner<T>(context: &Context<'_>, _: &T) -> Vec<String> {
    one(context.account())
}

/// The state of what is made at once.
pub(super) fn available<T>(_: &Context<'_>, _: &T) -> Vec<String> {
    one("available")
}

/// What nothing here has.
pub(super) fn nothing<T>(_: &Context<'_>, _: &T) -> Vec<String> {
    Vec::new()
}
