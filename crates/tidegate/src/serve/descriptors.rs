//! Descriptors of the process: the limit is raised as far as the system lets us, and shared out, so that clients of the public
//! listeners cannot take those of the API port, of targets and of the store. How many connections there may be at most is said
//! by `limits` here and in `plane`.

use plane::limits::{CLIENT_CONNECTIONS_MAX, NETWORK_DESCRIPTORS_MAX};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::limits::{CONNECTIONS_MAX, DESCRIPTORS_RESERVED};

/// One part in so many is the API port's, where there are too few for all.
const API_PART: usize = 8;
/// One part in so many is private networks', where there are any.
const NETWORKS_PART: usize = 4;
/// Each client's connection may need one to a target.
const ENDS: usize = 2;

/// How many connections may be open at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    /// Of the API port.
    pub(crate) api: usize,
    /// Of each public listener.
    pub(crate) public: usize,
}

/// How many private networks of the kernel may hold.
pub(crate) fn of_networks() -> usize {
    (raised().saturating_sub(DESCRIPTORS_RESERVED) / NETWORKS_PART).min(NETWORK_DESCRIPTORS_MAX)
}

impl Shares {
    /// Raises the limit, shares out what private networks leave of it among so many public listeners, and says so where it is too low for every
    /// bound.
    pub(crate) fn take(public_listeners: usize, networks: usize) -> Self {
        let limit = raised();
        let shares = Self::of(limit.saturating_sub(networks), public_listeners);
        let listeners = ENDS * public_listeners * CLIENT_CONNECTIONS_MAX;
        let needed = DESCRIPTORS_RESERVED + networks + CONNECTIONS_MAX + listeners;
        if limit < needed {
            let Self { api, public } = shares;
            tracing::warn!(
                limit,
                needed,
                api,
                public,
                "the limit of open files is low, so fewer connections are taken; raise the hard limit (ulimit -Hn, LimitNOFILE)"
            );
        }
        shares
    }

    fn of(limit: usize, public_listeners: usize) -> Self {
        let usable = limit.saturating_sub(DESCRIPTORS_RESERVED);
        let api = (usable / API_PART).clamp(1, CONNECTIONS_MAX);
        let public = usable.saturating_sub(api) / ENDS / public_listeners.max(1);
        Self { api, public: public.clamp(1, CLIENT_CONNECTIONS_MAX) }
    }
}

/// The limit after it was raised to the hard one; a system that does not let us leaves it as it is.
pub(super) fn raised() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let is_low = current.is_some_and(|current| maximum.is_none_or(|maximum| current < maximum));
    if is_low {
        // What the system refuses is seen below.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    let current = getrlimit(Resource::Nofile).current;
    current.map_or(usize::MAX, |current| usize::try_from(current).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_limit_is_shared_out_and_never_taken_whole() {
        for (limit, public_listeners, shares) in [
            (1 << 20, 2, Shares { api: CONNECTIONS_MAX, public: CLIENT_CONNECTIONS_MAX }),
            (1_024, 2, Shares { api: 112, public: 196 }),
            (1_024, 1, Shares { api: 112, public: 392 }),
            (256, 2, Shares { api: 16, public: 28 }),
            (0, 2, Shares { api: 1, public: 1 }),
        ] {
            assert_eq!(Shares::of(limit, public_listeners), shares, "{limit}");
            let taken = shares.api + ENDS * public_listeners * shares.public;
            assert!(taken + DESCRIPTORS_RESERVED <= limit || limit < DESCRIPTORS_RESERVED + 8, "{limit}: {taken}");
        }
    }
}
