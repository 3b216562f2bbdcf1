//! How the plane's counts of usage become durable: control writes them.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use plane::UsageKeeper;
use topology::observed::Fact;

use crate::mailbox::Mailbox;

/// Keeps counts of usage by the store, which control writes.
pub(super) struct Keeper(pub(super) Arc<OnceLock<Mailbox>>);

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keeper")
    }
}

impl UsageKeeper for Keeper {
    fn keep(&self, fact: Fact) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        let mailbox = self.0.get().cloned();
        Box::pin(async move {
            match mailbox {
                Some(mailbox) => mailbox.keep(fact).await.unwrap_or(false),
                // Before the mailbox is there, nothing is published, so nothing is counted.
                None => false,
            }
        })
    }
}
