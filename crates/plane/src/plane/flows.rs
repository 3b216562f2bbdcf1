//! Hands out the records of flow logs when their intervals are over.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use topology::arn::LogGroupArn;
use topology::id::FlowLogId;
use topology::resource::flow_log::FlowInterval;
use topology::snapshot::fabric::{FlowLog, FlowTo, Logged};
use topology::snapshot::gateway::LogStream;

use crate::fabric::engine::Enforcement;
#[cfg(target_os = "linux")]
use crate::fabric::engine::Engine;
use crate::fabric::flow::{Extent, FlowBook, Interval};
use crate::report::flow::{Of, line};
use crate::report::outlet::{BalancerLine, LogLine};
use crate::shared::Shared;

/// Hands out the records of all intervals, those under way too.
pub(super) fn write_all(shared: &Shared) {
    let book = Arc::clone(&shared.world.load().flows);
    hear(shared, &book, Extent::Whole);
    write(shared, &book, true);
}

/// Notes what the kernel tells of its networks: what ended or was refused, and, where records are due or `whole` is asked for, what was carried in connections
/// that are open.
#[cfg(target_os = "linux")]
pub(super) fn hear(shared: &Shared, book: &Arc<FlowBook>, asked: Extent) {
    let Engine::Kernel(engine) = &shared.config.engine else { return };
    let world = shared.world.load();
    let extent = if book.is_due() { Extent::Whole } else { asked };
    engine.hear(extent, &mut |realm, vpc, told| {
        if let Some(realm) = world.realm(realm) {
            book.heard(&realm.snapshot.fabric, vpc, told);
        }
    });
}

#[cfg(not(target_os = "linux"))]
pub(super) fn hear(_: &Shared, _: &Arc<FlowBook>, _: Extent) {}

/// The same of what it tells by itself, on a thread that may wait for the kernel. Where no network is the kernel's, there is no such thread.
pub(super) async fn hear_aside(shared: &Arc<Shared>, book: &Arc<FlowBook>) {
    if shared.config.engine.enforcement() == Enforcement::Kernel {
        let (hearing, book) = (Arc::clone(shared), Arc::clone(book));
        // A panic of it is told by the hook, and the next turn hears again.
        let _ = tokio::task::spawn_blocking(move || hear(&hearing, &book, Extent::Ended)).await;
    }
}

/// Hands out the records of the intervals that are over; with `all` of those under way too.
pub(super) fn write(shared: &Shared, book: &FlowBook, all: bool) {
    let over = book.take_over(all);
    if over.iter().all(|(_, interval)| interval.sums.is_empty() && interval.skipped.is_empty()) {
        return;
    }
    let world = shared.world.load();
    let logged = world.realms.iter().flat_map(|realm| realm.snapshot.fabric.flow_logs.values());
    let live: HashSet<FlowLogId> = logged.flat_map(|logged| logged.logs.iter()).map(|log| log.id).collect();
    for (kind, Interval { sums, skipped }) in &over {
        for (key, sum) in sums {
            tell(shared, (*kind, &live), (&sum.told, sum.seen), Of::Flows(key, sum));
        }
        let now = crate::clock::since_epoch().as_secs();
        for told in skipped.values() {
            tell(shared, (*kind, &live), (told, (now, now)), Of::Skipped);
        }
    }
}

fn tell(
    shared: &Shared,
    (kind, live): (FlowInterval, &HashSet<FlowLogId>),
    (told, seen): (&Logged, (u64, u64)),
    of: Of<'_>,
) {
    let is_wanted = |log: &&Arc<FlowLog>| match of {
        Of::Flows(key, _) => log.traffic.wants(key.is_accepted),
        Of::Skipped => true,
    };
    let logs = told.logs.iter().filter(|log| log.interval == kind && live.contains(&log.id));
    for log in logs.filter(is_wanted) {
        let text = line(log, told, seen, of);
        match &log.to {
            FlowTo::Group(group) => {
                let Some(lines) = &shared.config.lines else { continue };
                let stream = log.stream(told.interface.id);
                let (realm, name) = (log.realm.clone(), group.clone());
                let group = LogGroupArn { realm, name };
                let log = Arc::new(LogStream { group, stream });
                lines.offer(LogLine { log, at_unix_ms: seen.0.saturating_mul(1000), text });
            }
            FlowTo::Files(place) => {
                shared.log(BalancerLine { place: Arc::clone(place), node: Ipv4Addr::UNSPECIFIED, text });
            }
        }
    }
}
