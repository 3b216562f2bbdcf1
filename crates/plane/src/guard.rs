//! What lasts as long as a value is held: a request under way on its connection, or at its target. Whoever holds the value need not
//! know what ends with it.

use std::fmt;
use std::sync::Arc;

/// Something that is under way until it is said to be over.
pub(crate) trait Lasting: fmt::Debug + Send + Sync {
    /// One that was under way is over.
    fn over(&self);

    /// It may last as long as it does.
    fn endless(&self) {}
}

/// Says that something is over, when it is dropped.
#[derive(Debug)]
pub(crate) struct Guard(Arc<dyn Lasting>);

impl Guard {
    /// Something has begun.
    pub(crate) fn new(lasting: Arc<dyn Lasting>) -> Self {
        Self(lasting)
    }

    /// Lets it last as long as it does.
    pub(crate) fn endless(&self) {
        self.0.endless();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.over();
    }
}
