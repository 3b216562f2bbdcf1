//! Which target gets a request: its zone, how long it has been there, and whom the client stays with.

use std::collections::BTreeMap;
use std::time::Duration;

use plane::{CookieKey, PlaneConfig};
use topology::id::TargetGroupId;
use topology::net::Traffic;
use topology::observed::{Anomaly, Fact, Health};
use topology::reach::explain;
use topology::reason::Reason;
use topology::resource::action::{Action, Forward, GroupStickiness, StickinessS, Weight};
use topology::resource::attachment::{Attachment, ServedAt};
use topology::resource::target_group::{Target, TargetGroup, TargetZone};

use crate::estate::{
    ALB_EGRESS, Chain, GROUP, LISTENER, TARGET_INGRESS, TARGET_INTERFACE, TARGET_IP, TARGET_PORT, zone,
};
use crate::scene::{Answer, Backend, Scene, let_pass};

/// The port of the second target.
pub(crate) const SECOND: u16 = TARGET_PORT + 1;
/// Another group, of the second target alone.
const OTHER: TargetGroupId = TargetGroupId::from_bits(2);

pub(crate) fn target(port: u16, at: usize) -> Target {
    Target { instance: None, address: TARGET_IP.into(), port, zone: TargetZone::In(zone(at)), draining_until: None }
}

/// Serves the second target at `backend`.
pub(crate) fn attach_second(chain: &mut Chain, backend: &Backend) {
    let attachment = Attachment {
        interface: TARGET_INTERFACE,
        port: Some(SECOND),
        host: ServedAt::Host(backend.address),
        lease: false,
        agent: None,
    };
    chain.estate.attachments.insert(attachment.key(), attachment);
    for rule in [ALB_EGRESS, TARGET_INGRESS] {
        chain.estate.security_group_rules.edit(&rule).unwrap().traffic = Traffic::All;
    }
}

pub(crate) fn edit_group(chain: &mut Chain, edit: impl FnOnce(&mut TargetGroup)) {
    edit(chain.estate.target_groups.edit(&GROUP).unwrap());
}

pub(crate) fn give(group: &mut TargetGroup, wanted: &[(&str, &str)]) {
    let wanted: Vec<_> = wanted.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    group.set_attributes(&wanted).unwrap();
}

/// Two backends and a scene whose group has a target at each, in zones a and b.
async fn pair(config: PlaneConfig, edit: impl FnOnce(&mut Chain)) -> (Backend, Backend, Scene) {
    let one = Backend::answering("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nset-cookie: sid=1\r\n\r\n1").await;
    let two = Backend::answering("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nset-cookie: sid=2\r\n\r\n2").await;
    let scene = Scene::configured(config, &one, |chain| {
        attach_second(chain, &two);
        edit_group(chain, |group| group.set_targets(vec![target(TARGET_PORT, 0), target(SECOND, 1)]).unwrap());
        edit(chain);
    })
    .await;
    for port in [TARGET_PORT, SECOND] {
        scene.fact(|fact| is_healthy(fact, port)).await;
    }
    (one, two, scene)
}

fn is_healthy(fact: &Fact, wanted: u16) -> bool {
    matches!(fact, Fact::TargetHealth { health: Health::Healthy, target, .. } if target.port == wanted)
}

async fn spread(scene: &Scene, requests: u32) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for _ in 0..requests {
        *counts.entry(scene.get("/").await.body).or_default() += 1;
    }
    counts
}

/// The cookies that an answer sets, by name: the value, and what follows it.
fn cookies(answer: &Answer) -> BTreeMap<String, (String, String)> {
    let set = answer.head.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
    let split = |line: &str| {
        let (pair, rest) = line.split_once(';').unwrap_or((line, ""));
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), (value.to_owned(), rest.trim().to_owned()))
    };
    set.map(split).collect()
}

/// Where ten requests with these cookies arrive.
/// Who answers; groups are drawn by chance, and of two with equal weights one is missing in so many draws once in 10¹¹ times.
async fn with_cookies(scene: &Scene, line: &str) -> Vec<String> {
    let mut bodies = Vec::new();
    for _ in 0..40 {
        bodies.push(scene.send("GET /", &format!("cookie: {line}\r\n")).await.body);
    }
    bodies.sort();
    bodies.dedup();
    bodies
}

// sees: Target groups with protocol HTTP: load_balancing.cross_zone.enabled
#[tokio::test]
async fn without_cross_zone_a_node_sends_to_its_own_zone() {
    let (_one, _two, mut scene) = pair(PlaneConfig::default(), |_| {}).await;
    assert_eq!(spread(&scene, 8).await, [("1".to_owned(), 4), ("2".to_owned(), 4)].into());
    scene.change(|chain| edit_group(chain, |group| give(group, &[("load_balancing.cross_zone.enabled", "false")])));
    // The link's interfaces take turns, and each comes to the node of its zone.
    assert_eq!(spread(&scene, 8).await, [("1".to_owned(), 4), ("2".to_owned(), 4)].into());
    scene.change(|chain| edit_group(chain, |group| group.set_targets(vec![target(TARGET_PORT, 0)]).unwrap()));
    let answers = [scene.get("/").await, scene.get("/").await];
    let mut statuses = answers.each_ref().map(|answer| answer.status);
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 503], "the other zone has no target");
    let refused = answers.iter().find(|answer| answer.status == 503).unwrap();
    let trace = scene.trace(refused);
    assert_eq!(trace.reason, Some(Reason::NoTargets));
    let told = explain(&scene.chain.snapshot(), &trace).hops.pop().unwrap().detail;
    assert!(told.contains("cross_zone.enabled is false") && told.contains(&zone(1).to_string()), "{told}");
}

// sees: Target groups with protocol HTTP: slow_start.duration_seconds
#[tokio::test(start_paused = true)]
async fn a_new_target_gets_a_share_that_grows() {
    let whole = Duration::from_secs(900);
    let (_one, two, mut scene) = pair(PlaneConfig::default(), |chain| {
        edit_group(chain, |group| {
            give(group, &[("slow_start.duration_seconds", "900")]);
            group.set_targets(vec![target(TARGET_PORT, 0)]).unwrap();
        });
        // Probed, and not of the group that is asked.
        let mut other = TargetGroup::clone(chain.estate.target_groups.get(&GROUP).unwrap());
        other.id = OTHER;
        other.set_targets(vec![target(SECOND, 1)]).unwrap();
        chain.estate.target_groups.insert(OTHER, other);
        let groups = [(GROUP, 1i64), (OTHER, 0)].map(|(id, weight)| (id, Weight::try_from(weight).unwrap()));
        let forward = Forward::new(groups.into(), GroupStickiness::Unset).unwrap();
        chain.estate.listeners.edit(&LISTENER).unwrap().set_default_action(Action::Forward(forward)).unwrap();
    })
    .await;
    assert_eq!(spread(&scene, 10).await, [("1".to_owned(), 10)].into());
    let known = scene.facts().len();
    scene.change(|chain| {
        edit_group(chain, |group| group.set_targets(vec![target(TARGET_PORT, 0), target(SECOND, 1)]).unwrap());
    });
    let is_new = |fact: &Fact| matches!(fact, Fact::TargetHealth { health: Health::Healthy, target, .. } if target.port == SECOND && target.group == GROUP);
    while !scene.facts()[known..].iter().any(is_new) {
        let_pass(Duration::from_millis(10)).await;
    }
    let at_first = spread(&scene, 40).await.get("2").copied().unwrap_or_default();
    assert!(at_first <= 4, "{at_first} of 40 at once");
    let_pass(whole / 2).await;
    let half = spread(&scene, 60).await.get("2").copied().unwrap_or_default();
    assert!((12..=20).contains(&half), "{half} of 60 half-way, where 15 are its share");
    let_pass(whole / 2).await;
    assert_eq!(spread(&scene, 40).await.get("2"), Some(&20), "afterwards as many as the other");
    drop(two);
}

// sees: Target groups with protocol HTTP: stickiness.enabled
#[tokio::test]
async fn a_client_stays_with_its_target_by_the_load_balancers_cookie() {
    let config = || PlaneConfig { cookie_key: Some(CookieKey::new([7; 32])), ..PlaneConfig::default() };
    let sticky = |chain: &mut Chain| edit_group(chain, |group| give(group, &[("stickiness.enabled", "true")]));
    let (_one, _two, mut scene) = pair(config(), sticky).await;
    let first = scene.get("/").await;
    let mine = vec![first.body.clone()];
    let set = cookies(&first);
    assert_eq!(set.keys().collect::<Vec<_>>(), ["AWSALB", "AWSALBCORS", "sid"]);
    let (own, cors) = (&set["AWSALB"], &set["AWSALBCORS"]);
    assert_eq!(own.0, cors.0);
    assert!(own.1.starts_with("Expires=") && own.1.ends_with(" GMT; Path=/"), "{}", own.1);
    assert!(cors.1.ends_with("; Path=/; SameSite=None"), "{}", cors.1);
    let line = format!("AWSALB={}", own.0);
    assert_eq!(with_cookies(&scene, &line).await, mine);
    assert_eq!(with_cookies(&scene, &format!("a=b; AWSALBCORS={}", cors.0)).await, mine);
    assert_eq!(with_cookies(&scene, "AWSALB=forged").await, ["1", "2"]);
    let again = scene.send("GET /", &format!("cookie: {line}\r\n")).await;
    assert!(cookies(&again).contains_key("AWSALB"), "told anew with each answer");

    let (_one, _two, restarted) = pair(config(), sticky).await;
    assert_eq!(with_cookies(&restarted, &line).await, mine, "the key outlives a run");

    // The target goes: the client gets another, and is told.
    let gone = if first.body == "1" { TARGET_PORT } else { SECOND };
    scene.change(|chain| {
        let rest = if gone == SECOND { target(TARGET_PORT, 0) } else { target(SECOND, 1) };
        edit_group(chain, |group| group.set_targets(vec![rest]).unwrap());
    });
    let moved = scene.send("GET /", &format!("cookie: {line}\r\n")).await;
    assert_ne!(moved.body, first.body);
    assert_ne!(cookies(&moved)["AWSALB"].0, own.0);
    scene.change(|chain| edit_group(chain, |group| give(group, &[("stickiness.enabled", "false")])));
    assert_eq!(cookies(&scene.get("/").await).into_keys().collect::<Vec<_>>(), ["sid"]);
}

// sees: Target groups with protocol HTTP: stickiness.type, stickiness.app_cookie.cookie_name
#[tokio::test]
async fn a_client_stays_with_its_target_by_the_targets_own_cookie() {
    let (_one, _two, mut scene) = pair(PlaneConfig::default(), |chain| {
        let by_target = [
            ("stickiness.enabled", "true"),
            ("stickiness.type", "app_cookie"),
            ("stickiness.app_cookie.cookie_name", "sid"),
        ];
        edit_group(chain, |group| give(group, &by_target));
    })
    .await;
    let first = scene.get("/").await;
    let mine = vec![first.body.clone()];
    let set_by_first = cookies(&first);
    let names: Vec<_> = set_by_first.keys().map(String::as_str).collect();
    assert_eq!(names, ["AWSALBAPP-0", "AWSALBAPP-1", "AWSALBAPP-2", "AWSALBAPP-3", "sid"]);
    assert_eq!(set_by_first["AWSALBAPP-1"].0, "_remove_");
    let bound = format!("AWSALBAPP-0={}", set_by_first["AWSALBAPP-0"].0);
    assert_eq!(with_cookies(&scene, &format!("sid=1; {bound}")).await, mine);
    assert_eq!(with_cookies(&scene, &bound).await, ["1", "2"], "only with the target's own cookie");
    scene.change(|chain| edit_group(chain, |group| give(group, &[("stickiness.app_cookie.cookie_name", "other")])));
    assert_eq!(cookies(&scene.get("/").await).into_keys().collect::<Vec<_>>(), ["sid"], "it began nothing");
}

#[tokio::test]
async fn a_client_stays_with_its_group() {
    let (_one, _two, scene) = pair(PlaneConfig::default(), |chain| {
        edit_group(chain, |group| group.set_targets(vec![target(TARGET_PORT, 0)]).unwrap());
        let mut other = TargetGroup::clone(chain.estate.target_groups.get(&GROUP).unwrap());
        other.id = OTHER;
        other.set_targets(vec![target(SECOND, 1)]).unwrap();
        chain.estate.target_groups.insert(OTHER, other);
        let groups = [GROUP, OTHER].map(|id| (id, Weight::try_from(1i64).unwrap()));
        let lasts = GroupStickiness::On(StickinessS::try_from(60i64).unwrap());
        let forward = Forward::new(groups.into(), lasts).unwrap();
        chain.estate.listeners.edit(&LISTENER).unwrap().set_default_action(Action::Forward(forward)).unwrap();
    })
    .await;
    let first = scene.get("/").await;
    let mine = vec![first.body.clone()];
    let set = cookies(&first);
    assert_eq!(set.keys().collect::<Vec<_>>(), ["AWSALBTG", "AWSALBTGCORS", "sid"]);
    assert_eq!(with_cookies(&scene, &format!("AWSALBTG={}", set["AWSALBTG"].0)).await, mine);
    assert_eq!(with_cookies(&scene, &format!("AWSALB={}", set["AWSALBTG"].0)).await.len(), 2, "by its name only");
}

// sees: Target groups with protocol HTTP: load_balancing.algorithm.anomaly_mitigation, load_balancing.algorithm.type
#[tokio::test(start_paused = true)]
async fn a_target_that_fails_more_than_its_neighbours_gets_less_until_it_ceases() {
    const THIRD: u16 = TARGET_PORT + 2;
    let failing = Backend::scripted(|mut conn, _| async move {
        while let Some(head) = conn.head().await {
            let status = if head.contains("ELB-HealthChecker") { 200 } else { 500 };
            conn.send(&format!("HTTP/1.1 {status} X\r\ncontent-length: 1\r\n\r\n3")).await;
        }
    })
    .await;
    let (_one, _two, scene) = pair(PlaneConfig::default(), |chain| {
        let attachment = Attachment {
            interface: TARGET_INTERFACE,
            port: Some(THIRD),
            host: ServedAt::Host(failing.address),
            lease: false,
            agent: None,
        };
        chain.estate.attachments.insert(attachment.key(), attachment);
        edit_group(chain, |group| {
            let algorithm = ("load_balancing.algorithm.type", "weighted_random");
            give(group, &[algorithm, ("load_balancing.algorithm.anomaly_mitigation", "on")]);
            group.set_targets(vec![target(TARGET_PORT, 0), target(SECOND, 1), target(THIRD, 0)]).unwrap();
        });
    })
    .await;
    scene.fact(|fact| is_healthy(fact, THIRD)).await;
    let told = |wanted: Anomaly| {
        let is = move |fact: &Fact| matches!(fact, Fact::TargetAnomaly { target, anomaly, .. } if target.port == THIRD && *anomaly == wanted);
        scene.facts().iter().any(is)
    };
    // The clock goes on while sockets are waited for, so that windows may hold any number of requests: it is tried until it is seen.
    let mut last = BTreeMap::new();
    for _ in 0..60 {
        last = spread(&scene, 60).await;
        let_pass(Duration::from_secs(5)).await;
        let is_seen = told(Anomaly { is_anomalous: true, is_mitigated: true });
        if is_seen && last.get("3").is_none_or(|failed| *failed <= 8) {
            break;
        }
    }
    assert!(told(Anomaly { is_anomalous: true, is_mitigated: true }), "{:?}", scene.facts());
    let failed = last.get("3").copied().unwrap_or_default();
    assert!(failed <= 8, "{failed} of 60 went to the target that fails: {last:?}");
    assert!(
        !scene.facts().iter().any(|fact| matches!(fact, Fact::TargetAnomaly { target, .. } if target.port != THIRD))
    );
}

// sees: Target groups with protocol HTTP: target_group_health.unhealthy_state_routing.minimum_healthy_targets.*
#[tokio::test(start_paused = true)]
async fn below_so_many_healthy_targets_all_get_traffic() {
    let one = Backend::answering("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1").await;
    let two = Backend::answering("HTTP/1.1 500 No\r\ncontent-length: 1\r\n\r\n2").await;
    let mut scene = Scene::with(&one, |chain| {
        attach_second(chain, &two);
        edit_group(chain, |group| group.set_targets(vec![target(TARGET_PORT, 0), target(SECOND, 1)]).unwrap());
    })
    .await;
    scene.fact(|fact| is_healthy(fact, TARGET_PORT)).await;
    let is_ill = |fact: &Fact| matches!(fact, Fact::TargetHealth { target, health: Health::Unhealthy(_), .. } if target.port == SECOND);
    scene.fact(is_ill).await;
    for (count, percentage, reached) in
        [("1", "off", 1), ("2", "off", 2), ("1", "50", 1), ("1", "51", 2), ("1", "off", 1)]
    {
        scene.change(|chain| {
            let key = |end: &str| format!("target_group_health.unhealthy_state_routing.minimum_healthy_targets.{end}");
            let wanted = [(key("count"), count), (key("percentage"), percentage)];
            let wanted: Vec<_> = wanted.iter().map(|(key, value)| (key.as_str(), *value)).collect();
            edit_group(chain, |group| give(group, &wanted));
        });
        assert_eq!(spread(&scene, 4).await.len(), reached, "{count}, {percentage}");
    }
}
