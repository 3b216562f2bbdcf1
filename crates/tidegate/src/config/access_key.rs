//! An access key of the configuration file: its members, and what is wrong with them. How many there may be, and that none is listed twice, is
//! judged by `config`.

use std::fmt;

use topology::id::AccountId;

/// An access key of gateway mode.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AccessKey {
    /// The access key id.
    pub(crate) id: String,
    /// The secret, kept out of `Debug`.
    pub(crate) secret: wire::Secret,
    /// The account that it acts for.
    pub(crate) account: AccountId,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {} (secret hidden)", self.id, self.account)
    }
}

/// An access key, or what is wrong with each of its members.
pub(super) fn read(value: toml::Value, default: Option<AccountId>) -> Result<AccessKey, Vec<(String, String)>> {
    let toml::Value::Table(mut table) = value else {
        return Err(vec![("id".to_owned(), "must stand in a table".to_owned())]);
    };
    let mut problems = Vec::new();
    let mut text = |name: &str| match table.remove(name) {
        Some(toml::Value::String(text)) if !text.is_empty() => Some(text),
        Some(_) => {
            problems.push((name.to_owned(), "must be a string that is not empty".to_owned()));
            None
        }
        None => None,
    };
    let (id, secret, account) = (text("id"), text("secret"), text("account"));
    for (name, value) in [("id", &id), ("secret", &secret)] {
        if value.is_none() && !problems.iter().any(|(noted, _)| noted == name) {
            problems.push((name.to_owned(), "is missing".to_owned()));
        }
    }
    let account = match account.map(|text| text.parse::<AccountId>()) {
        Some(Err(_)) => {
            problems.push(("account".to_owned(), "must be 12 digits".to_owned()));
            None
        }
        Some(Ok(account)) => Some(account),
        None => default,
    };
    problems.extend(table.keys().map(|name| (name.clone(), "is no member of an access key".to_owned())));
    match (id, secret, account) {
        (Some(id), Some(secret), Some(account)) if problems.is_empty() => {
            Ok(AccessKey { id, secret: wire::Secret::new(secret), account })
        }
        _ => Err(problems),
    }
}
