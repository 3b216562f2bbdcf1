//! Chooses a target: first a group by weight, then a target by the group's algorithm among the healthy ones. When too few
//! are healthy the group fails open and every usable target counts (ALB user guide, target group health, 2026-11).
//!
//! Groups never stand in for one another: a chosen group without targets is a 503.

use std::sync::Arc;
use std::time::Duration;

use topology::id::{TargetGroupId, Zone};
use topology::observed::{Anomaly, TargetKey};
use topology::reason::Reason;
use topology::snapshot::attributes::{Algorithm, GroupAttributes};
use topology::snapshot::balancer::{Forward, GroupIndex, Target, TargetAt, TargetGroup};

use super::state::{GroupState, Standing, TargetState};
use super::sticky::{Bound, Jar, Telling};
use crate::entropy;
use crate::report::balancer_meter::GroupMeter;

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
    /// Whether the client stays with a target of the group: this one, or one that gets no traffic any more.
    pub(crate) is_bound: bool,
    /// Whether the group fails open: too few of its targets are healthy.
    pub(crate) fails_open: bool,
    /// Whether the group is sticky and the client could not be kept with its target.
    pub(crate) is_unstuck: bool,
    /// What is counted of the group.
    pub(crate) meter: &'w GroupMeter,
    /// How the client is told with whom it stays, if it stays with anybody.
    pub(crate) telling: Option<Telling>,
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

/// Chooses a target for a request with these cookies that a node in this zone took. Tells of targets that fail far more than others.
pub(crate) fn choose<'w>(
    forward: &Forward,
    (zone, jar): (&Zone, Jar<'_>),
    find: impl Fn(GroupIndex) -> Option<Found<'w>>,
    tell: impl FnMut(&TargetState, Anomaly),
) -> Result<Chosen<'w>, NoTarget> {
    let is_named = |index: GroupIndex, bound: Bound| find(index).is_some_and(|(group, _)| group.id == bound.group());
    let kept = forward.stickiness.and_then(|lasts| jar.group(lasts)).and_then(|bound| {
        let weighted = forward.groups.iter().filter(|(_, weight)| *weight > 0);
        weighted.map(|(index, _)| *index).find(|index| is_named(*index, bound))
    });
    let index = kept.or_else(|| group(forward)).ok_or(NoTarget { group: None, reason: Reason::NoTargets })?;
    let (group, world) = find(index).ok_or(NoTarget { group: None, reason: Reason::NoTargets })?;
    if group.attributes.mitigates_anomalies {
        let all = group.targets.iter().zip(&world.targets).filter(|(target, _)| target.place == TargetAt::Usable);
        let healthy = all.map(|(_, state)| state).filter(|state| state.standing() == Standing::Healthy);
        world.scales.weigh(healthy, tell);
    }
    let bound = group.attributes.stickiness.as_ref().and_then(|stickiness| jar.target(stickiness));
    target(group, (zone, bound), world)
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

/// How many targets a node in this zone could send to.
struct Field {
    count: usize,
    healthy: usize,
    unhealthy: usize,
}

impl Field {
    /// That of a group; an error where there is none.
    fn of((group, world): Found<'_>, zone: &Zone) -> Result<Self, NoTarget> {
        let mut field = Self { count: 0, healthy: 0, unhealthy: 0 };
        for (target, state) in group.targets.iter().zip(&world.targets) {
            if group.serves(zone, target) {
                field.count += 1;
                match state.standing() {
                    Standing::Initial => {}
                    Standing::Healthy => field.healthy += 1,
                    Standing::Unhealthy => field.unhealthy += 1,
                }
            }
        }
        if field.count == 0 {
            let elsewhere = group.targets.iter().any(|target| target.place == TargetAt::ZoneNotEnabled);
            let reason = if elsewhere { Reason::TargetAzNotEnabled } else { Reason::NoTargets };
            return Err(NoTarget { group: Some(group.id), reason });
        }
        Ok(field)
    }

    /// The target that was picked of it, by whom nobody stays.
    fn chosen<'w>(
        &self,
        (group, world): Found<'w>,
        (target, state): (&'w Target, &'w Arc<TargetState>),
        fails_open: bool,
    ) -> Chosen<'w> {
        Chosen {
            group,
            target,
            state,
            all_unhealthy: self.unhealthy == self.count,
            is_bound: false,
            fails_open,
            is_unstuck: false,
            meter: &world.meter,
            telling: None,
        }
    }
}

/// Chooses the target of a connection that a node in this zone took: of those that get traffic the one with the highest ticket, so that
/// one flow has one target for as long as that is there (rendezvous hashing; AWS says of the flow hash what goes into it, NLB user guide,
/// "Network Load Balancer overview", 2026-11).
pub(crate) fn of_flow<'w>(
    (group, world): Found<'w>,
    zone: &Zone,
    ticket: impl Fn(TargetKey) -> u64,
) -> Result<Chosen<'w>, NoTarget> {
    let field = Field::of((group, world), zone)?;
    let open = fails_open(group, field.healthy, field.count);
    let all = || group.targets.iter().zip(&world.targets).filter(|(target, _)| group.serves(zone, target));
    let candidates = all().filter(|(_, state)| open || state.standing() == Standing::Healthy);
    // A probe may have ended between counting and picking; then the first usable target is as good as any.
    let picked = candidates.max_by_key(|(_, state)| ticket(state.key)).or_else(|| all().next());
    let picked = picked.ok_or(NoTarget { group: Some(group.id), reason: Reason::NoTargets })?;
    Ok(field.chosen((group, world), picked, open))
}

fn target<'w>(
    group: &'w TargetGroup,
    (zone, bound): (&Zone, Option<Bound>),
    world: &'w GroupState,
) -> Result<Chosen<'w>, NoTarget> {
    let field = Field::of((group, world), zone)?;
    let (count, healthy) = (field.count, field.healthy);
    let all = || group.targets.iter().zip(&world.targets);
    let usable = |target: &Target| group.serves(zone, target);
    let open = fails_open(group, healthy, count);
    let candidates =
        || all().filter(|(target, state)| usable(target) && (open || state.standing() == Standing::Healthy));
    let is_bound = bound.is_some_and(|one| one.group() == group.id);
    let chosen =
        |picked, is_bound, is_unstuck| Chosen { is_bound, is_unstuck, ..field.chosen((group, world), picked, open) };
    let is_meant = |target: &Target| bound.is_some_and(|one| one.is_target(group.id, target.address, target.port));
    if let Some((target, state)) = bound.and_then(|_| candidates().find(|(target, _)| is_meant(target))) {
        return Ok(chosen((target, state), true, false));
    }
    let among = if open { count } else { healthy };
    let picked = match group.attributes.algorithm {
        Algorithm::RoundRobin => in_turn(candidates, (world, among), group.attributes.slow_start.filter(|_| !open)),
        Algorithm::WeightedRandom if group.attributes.mitigates_anomalies && !open => by_share(candidates),
        Algorithm::WeightedRandom => {
            let place = entropy::below(u32::try_from(among).unwrap_or(u32::MAX));
            candidates().nth(usize::try_from(place).unwrap_or_default())
        }
        Algorithm::LeastOutstandingRequests => least(candidates, world.rotation.next() % among),
    };
    // A probe may have ended between counting and picking; then the first usable target is as good as any.
    let picked = picked.or_else(|| all().find(|(target, _)| usable(target)));
    let (target, state) = picked.ok_or(NoTarget { group: Some(group.id), reason: Reason::NoTargets })?;
    Ok(chosen((target, state), is_bound, group.attributes.stickiness.is_some()))
}

/// Below either threshold every target gets traffic.
fn fails_open(group: &TargetGroup, healthy: usize, count: usize) -> bool {
    let GroupAttributes { minimum_healthy_count, minimum_healthy_percentage, .. } = group.attributes;
    let below_count = healthy < usize::try_from(minimum_healthy_count.max(1)).unwrap_or(usize::MAX);
    let is_below = |percent: u32| healthy * 100 < count * usize::try_from(percent).unwrap_or_default();
    below_count || minimum_healthy_percentage.is_some_and(is_below)
}

/// One at random, each as likely as its share is large.
fn by_share<'w, I>(candidates: impl Fn() -> I) -> Option<(&'w Target, &'w Arc<TargetState>)>
where
    I: Iterator<Item = (&'w Target, &'w Arc<TargetState>)>,
{
    let shares = candidates().map(|(_, state)| state.tally().share());
    let mut ticket = entropy::below(shares.fold(0, u32::saturating_add));
    candidates().find(|(_, state)| {
        let share = state.tally().share();
        let is_drawn = ticket < share;
        ticket = ticket.saturating_sub(share);
        is_drawn
    })
}

/// The next in turn. Where targets start slowly, one whose share still grows lets some of its turns pass to those that have their whole
/// share, as long as there are any.
fn in_turn<'w, I>(
    candidates: impl Fn() -> I,
    (world, among): (&GroupState, usize),
    slow_start: Option<Duration>,
) -> Option<(&'w Target, &'w Arc<TargetState>)>
where
    I: Iterator<Item = (&'w Target, &'w Arc<TargetState>)>,
{
    let next = candidates().nth(world.rotation.next() % among);
    let Some(whole) = slow_start else { return next };
    let grown = || candidates().filter(|(_, state)| state.has_whole_share(whole));
    match grown().count() {
        0 => next,
        count => next.filter(|(_, state)| state.takes_next(whole)).or_else(|| grown().nth(world.passed.next() % count)),
    }
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
    use topology::observed::{Health, Unhealthy};
    use topology::resource::target_group::HttpVersion;
    use topology::snapshot::balancer::{BalancerIndex, HealthCheck};

    use super::*;
    use crate::clock;

    const HEALTHY: Health = Health::Healthy;
    const SICK: Health = Health::Unhealthy(Unhealthy::Timeout);

    fn zone(name: &str) -> Zone {
        name.parse().unwrap()
    }

    fn at(port: u16, place: TargetAt, name: &str) -> Target {
        Target { address: "10.0.0.9".parse().unwrap(), port, place, zone: Some(zone(name)) }
    }

    /// A choice of a node in zone a.
    fn target<'w>(group: &'w TargetGroup, world: &'w GroupState) -> Result<Chosen<'w>, NoTarget> {
        super::target(group, (&zone("us-east-1a"), None), world)
    }

    fn scene(targets: &[(u16, TargetAt, Health)], algorithm: Algorithm) -> (TargetGroup, GroupState) {
        let id = TargetGroupId::from_bits(1);
        let address = "10.0.0.9".parse().unwrap();
        let group = TargetGroup {
            id,
            arn: String::new(),
            name: String::new(),
            vpc: VpcId::from_bits(1),
            is_secure: false,
            version: HttpVersion::Http1,
            stream: None,
            balancer: Some(BalancerIndex(0)),
            attributes: GroupAttributes { algorithm, ..GroupAttributes::default() },
            idle: Vec::new(),
            health_check: HealthCheck {
                port: None,
                asks: None,
                interval: Duration::from_secs(30),
                timeout: Duration::from_secs(5),
                healthy_threshold: 5,
                unhealthy_threshold: 2,
            },
            targets: targets.iter().map(|(port, place, _)| at(*port, *place, "us-east-1a")).collect(),
        };
        let states = targets.iter().map(|(port, _, health)| {
            let state = TargetState::new(TargetKey { group: id, address, port: *port }, false);
            state.set(*health, (false, clock::now()));
            Arc::new(state)
        });
        let world = GroupState { targets: states.collect(), ..GroupState::default() };
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
    fn a_flow_keeps_its_target_while_that_is_healthy_and_no_other_moves_with_it() {
        use TargetAt::Usable;
        let (mut group, world) =
            scene(&[(1, Usable, HEALTHY), (2, Usable, HEALTHY), (3, Usable, HEALTHY)], Algorithm::RoundRobin);
        group.targets[2].zone = Some(zone("us-east-1b"));
        let of = |group: &TargetGroup, flow: u64| {
            let ticket = |target: TargetKey| flow.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(target.port.into());
            of_flow((group, &world), &zone("us-east-1a"), ticket).unwrap().target.port
        };
        let before: Vec<u16> = (1..200).map(|flow| of(&group, flow)).collect();
        assert_eq!(before, (1..200).map(|flow| of(&group, flow)).collect::<Vec<_>>());
        assert_eq!(before.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
        world.targets[0].set(SICK, (false, clock::now()));
        for (flow, was) in (1..200).zip(&before) {
            let now = of(&group, flow);
            assert!(now != 1 && (now == *was || *was == 1), "{flow}: {was} -> {now}");
        }
        group.attributes.cross_zone = false;
        assert!((1..200).all(|flow| of(&group, flow) == 2), "a node sends to its own zone");
        world.targets[1].set(SICK, (false, clock::now()));
        assert!((1..200).any(|flow| of(&group, flow) == 1), "when all are ill all get connections");
    }

    #[test]
    fn a_node_sends_to_its_own_zone_where_cross_zone_is_off() {
        use TargetAt::Usable;
        let (mut group, world) =
            scene(&[(1, Usable, HEALTHY), (2, Usable, HEALTHY), (3, Usable, HEALTHY)], Algorithm::RoundRobin);
        group.targets[1].zone = Some(zone("us-east-1b"));
        group.targets[2].zone = None;
        assert_eq!(spread(&group, &world), [(1, 20), (2, 20), (3, 20)].into());
        group.attributes.cross_zone = false;
        assert_eq!(spread(&group, &world), [(1, 30), (3, 30)].into(), "one for all zones is of each");
        group.targets[2].zone = Some(zone("us-east-1b"));
        world.targets[0].set(SICK, (false, clock::now()));
        let chosen = target(&group, &world).unwrap();
        assert_eq!((chosen.target.port, chosen.all_unhealthy), (1, true), "healthy ones of other zones do not count");
        group.targets[0].zone = Some(zone("us-east-1b"));
        assert_eq!(target(&group, &world).unwrap_err().reason, Reason::NoTargets);
    }

    #[tokio::test(start_paused = true)]
    async fn the_share_of_a_newcomer_grows_in_a_line() {
        use TargetAt::Usable;
        let (mut group, mut world) =
            scene(&[(1, Usable, HEALTHY), (2, Usable, Health::Initial)], Algorithm::RoundRobin);
        let whole = Duration::from_secs(100);
        group.attributes.slow_start = Some(whole);
        let newcomer = Arc::new(TargetState::new(world.targets[1].key, true));
        world.targets[1] = Arc::clone(&newcomer);
        assert_eq!(spread(&group, &world), [(1, 60)].into(), "not healthy yet");
        tokio::time::advance(Duration::from_secs(1000)).await;
        newcomer.set(HEALTHY, (true, clock::now()));
        // At a quarter of the ramp it takes a quarter of its turns.
        for (at_s, expected) in [(0, 0), (25, 7), (50, 15), (75, 23), (100, 30)] {
            assert_eq!(spread(&group, &world).get(&2).copied().unwrap_or_default(), expected, "{at_s} s");
            tokio::time::advance(Duration::from_secs(25)).await;
        }
        newcomer.set(SICK, (true, clock::now()));
        newcomer.set(HEALTHY, (true, clock::now()));
        assert!(!newcomer.has_whole_share(whole), "one that recovers starts again");
        world.targets[0].set(SICK, (true, clock::now()));
        assert_eq!(spread(&group, &world), [(2, 60)].into(), "with nobody else it takes all");
        group.attributes.slow_start = None;
        world.targets[0].set(HEALTHY, (false, clock::now()));
        assert_eq!(spread(&group, &world), [(1, 30), (2, 30)].into());
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
            stickiness: None,
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
