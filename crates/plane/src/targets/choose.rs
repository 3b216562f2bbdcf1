//! Chooses a target: first a group by weight, then a target by the group's algorithm among the healthy ones. When too few
//! are healthy the group fails open and every usable target counts (ALB user guide, target group health, 2026-11).
//!
//! Groups never stand in for one another: a chosen group without targets is a 503.

use std::sync::Arc;

use topology::id::TargetGroupId;
use topology::reason::Reason;
use topology::snapshot::attributes::{Algorithm, GroupAttributes};
use topology::snapshot::balancer::{Forward, GroupIndex, Target, TargetAt, TargetGroup};

use super::state::{GroupState, Standing, TargetState};
use crate::entropy;

/// A chosen target.
#[derive(Debug)]
pub(crate) struct Chosen<'w> {
    /// Its group.
    pub(crate) group: &'w TargetGroup,
    /// The target.
    pub(crate) target: &'w Target,
    /// What is known of it.
    pub(crate) state: &'w Arc<TargetState>,
    /// Whether the group failed open because all its targets are unhealthy.
    pub(crate) all_unhealthy: bool,
}

/// Why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoTarget {
    /// The group, if one was chosen.
    pub(crate) group: Option<TargetGroupId>,
    /// No target at all, or none in a zone that is served.
    pub(crate) reason: Reason,
}

/// A group by its place.
pub(crate) type Found<'w> = (&'w TargetGroup, &'w GroupState);

/// Chooses a target for a request.
pub(crate) fn choose<'w>(
    forward: &Forward,
    find: impl FnOnce(GroupIndex) -> Option<Found<'w>>,
) -> Result<Chosen<'w>, NoTarget> {
    let index = group(forward).ok_or(NoTarget { group: None, reason: Reason::NoTargets })?;
    let (group, world) = find(index).ok_or(NoTarget { group: None, reason: Reason::NoTargets })?;
    target(group, world)
}

fn group(forward: &Forward) -> Option<GroupIndex> {
    if let [(only, weight)] = forward.groups.as_slice() {
        return (*weight > 0).then_some(*only);
    }
    let mut ticket = entropy::below(forward.total_weight);
    for (index, weight) in &forward.groups {
        if ticket < *weight {
            return Some(*index);
        }
        ticket -= weight;
    }
    None
}

fn target<'w>(group: &'w TargetGroup, world: &'w GroupState) -> Result<Chosen<'w>, NoTarget> {
    let all = || group.targets.iter().zip(&world.targets);
    let usable = |target: &Target| target.place == TargetAt::Usable;
    let (mut count, mut healthy, mut unhealthy) = (0usize, 0usize, 0usize);
    for (target, state) in all() {
        if usable(target) {
            count += 1;
            match state.standing() {
                Standing::Initial => {}
                Standing::Healthy => healthy += 1,
                Standing::Unhealthy => unhealthy += 1,
            }
        }
    }
    if count == 0 {
        let elsewhere = group.targets.iter().any(|target| target.place == TargetAt::ZoneNotEnabled);
        let reason = if elsewhere { Reason::TargetAzNotEnabled } else { Reason::NoTargets };
        return Err(NoTarget { group: Some(group.id), reason });
    }
    let open = fails_open(group, healthy, count);
    let candidates =
        || all().filter(|(target, state)| usable(target) && (open || state.standing() == Standing::Healthy));
    let among = if open { count } else { healthy };
    let picked = match group.attributes.algorithm {
        Algorithm::RoundRobin => candidates().nth(world.rotation.next() % among),
        Algorithm::WeightedRandom => {
            let place = entropy::below(u32::try_from(among).unwrap_or(u32::MAX));
            candidates().nth(usize::try_from(place).unwrap_or_default())
        }
        Algorithm::LeastOutstandingRequests => least(candidates, world.rotation.next() % among),
    };
    // A probe may have ended between counting and picking; then the first usable target is as good as any.
    let picked = picked.or_else(|| all().find(|(target, _)| usable(target)));
    let (target, state) = picked.ok_or(NoTarget { group: Some(group.id), reason: Reason::NoTargets })?;
    Ok(Chosen { group, target, state, all_unhealthy: unhealthy == count })
}

/// Below either threshold every target gets traffic.
fn fails_open(group: &TargetGroup, healthy: usize, count: usize) -> bool {
    let GroupAttributes { minimum_healthy_count, minimum_healthy_percentage, .. } = group.attributes;
    let below_count = healthy < usize::try_from(minimum_healthy_count.max(1)).unwrap_or(usize::MAX);
    let is_below = |percent: u32| healthy * 100 < count * usize::try_from(percent).unwrap_or_default();
    below_count || minimum_healthy_percentage.is_some_and(is_below)
}

/// The target with the fewest requests under way; among equals the next in turn.
fn least<'w, I>(candidates: impl Fn() -> I, turn: usize) -> Option<(&'w Target, &'w Arc<TargetState>)>
where
    I: Iterator<Item = (&'w Target, &'w Arc<TargetState>)>,
{
    let in_turn = candidates().skip(turn).chain(candidates().take(turn));
    in_turn.min_by_key(|(_, state)| state.in_flight())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use topology::id::VpcId;
    use topology::observed::{Health, TargetKey, Unhealthy};
    use topology::snapshot::balancer::{BalancerIndex, HealthCheck};

    use super::*;

    const HEALTHY: Health = Health::Healthy;
    const SICK: Health = Health::Unhealthy(Unhealthy::Timeout);

    fn scene(targets: &[(u16, TargetAt, Health)], algorithm: Algorithm) -> (TargetGroup, GroupState) {
        let id = TargetGroupId::from_bits(1);
        let address = "10.0.0.9".parse().unwrap();
        let group = TargetGroup {
            id,
            arn: String::new(),
            name: String::new(),
            vpc: VpcId::from_bits(1),
            balancer: Some(BalancerIndex(0)),
            attributes: GroupAttributes { algorithm, minimum_healthy_count: 1, minimum_healthy_percentage: None },
            health_check: HealthCheck {
                port: None,
                path: "/".into(),
                interval: Duration::from_secs(30),
                timeout: Duration::from_secs(5),
                healthy_threshold: 5,
                unhealthy_threshold: 2,
                matcher: vec![(200, 200)],
            },
            targets: targets.iter().map(|(port, place, _)| Target { address, port: *port, place: *place }).collect(),
        };
        let states = targets.iter().map(|(port, _, health)| {
            let state = TargetState::new(TargetKey { group: id, address, port: *port });
            state.set(*health);
            Arc::new(state)
        });
        let world = GroupState { rotation: Arc::default(), targets: states.collect() };
        (group, world)
    }

    fn spread(group: &TargetGroup, world: &GroupState) -> BTreeMap<u16, u32> {
        let mut counts = BTreeMap::new();
        for _ in 0..60 {
            *counts.entry(target(group, world).unwrap().target.port).or_default() += 1;
        }
        counts
    }

    #[test]
    fn round_robin_is_even_over_the_healthy_ones() {
        use TargetAt::Usable;
        let (group, world) =
            scene(&[(1, Usable, HEALTHY), (2, Usable, SICK), (3, Usable, HEALTHY)], Algorithm::RoundRobin);
        assert_eq!(spread(&group, &world), [(1, 30), (3, 30)].into());
    }

    #[test]
    fn when_none_is_healthy_all_get_traffic() {
        use TargetAt::Usable;
        let (group, world) = scene(&[(1, Usable, SICK), (2, Usable, SICK)], Algorithm::RoundRobin);
        assert_eq!(spread(&group, &world), [(1, 30), (2, 30)].into());
        assert!(target(&group, &world).unwrap().all_unhealthy);
        let (group, world) = scene(&[(1, Usable, Health::Initial)], Algorithm::RoundRobin);
        assert!(!target(&group, &world).unwrap().all_unhealthy);
    }

    #[test]
    fn below_the_minimum_share_all_get_traffic() {
        use TargetAt::Usable;
        let rows = [(1, Usable, HEALTHY), (2, Usable, SICK), (3, Usable, SICK)];
        let (mut group, world) = scene(&rows, Algorithm::RoundRobin);
        group.attributes.minimum_healthy_percentage = Some(50);
        assert_eq!(spread(&group, &world).len(), 3);
        group.attributes.minimum_healthy_percentage = Some(33);
        assert_eq!(spread(&group, &world).len(), 1);
    }

    #[test]
    fn a_group_without_usable_targets_says_which_kind() {
        let (group, world) = scene(&[], Algorithm::RoundRobin);
        assert_eq!(target(&group, &world).unwrap_err().reason, Reason::NoTargets);
        let (group, world) = scene(&[(1, TargetAt::ZoneNotEnabled, HEALTHY)], Algorithm::RoundRobin);
        assert_eq!(target(&group, &world).unwrap_err().reason, Reason::TargetAzNotEnabled);
        let (group, world) = scene(&[(1, TargetAt::AddressOfBalancer, HEALTHY)], Algorithm::RoundRobin);
        assert_eq!(target(&group, &world).unwrap_err().reason, Reason::NoTargets);
    }

    #[test]
    fn least_outstanding_requests_avoids_the_busy_one() {
        use TargetAt::Usable;
        let (group, world) = scene(&[(1, Usable, HEALTHY), (2, Usable, HEALTHY)], Algorithm::LeastOutstandingRequests);
        let busy = world.targets[0].begin();
        assert_eq!(spread(&group, &world), [(2, 60)].into());
        drop(busy);
        assert_eq!(spread(&group, &world), [(1, 30), (2, 30)].into());
    }

    #[test]
    fn weights_of_zero_get_nothing_and_others_their_share() {
        let forward = |weights: &[u32]| Forward {
            groups: (0u32..).zip(weights).map(|(at, weight)| (GroupIndex(at), *weight)).collect(),
            total_weight: weights.iter().sum(),
        };
        assert_eq!(group(&forward(&[0])), None);
        assert_eq!(group(&forward(&[0, 0])), None);
        let split = forward(&[0, 3, 1]);
        let mut counts = [0u32; 3];
        for _ in 0..4000 {
            counts[group(&split).unwrap().0 as usize] += 1;
        }
        assert_eq!(counts[0], 0);
        assert!((2700..3300).contains(&counts[1]), "{counts:?}");
    }
}
