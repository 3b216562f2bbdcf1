//! Health checks: what a probe looks like, how health changes, and that it outlives snapshots.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use topology::observed::{Fact, Health, TargetKey, Unhealthy};
use topology::reason::Reason;

use crate::estate::{GROUP, TARGET_INGRESS, TARGET_INTERFACE, TARGET_IP, TARGET_PORT};
use crate::scene::{Backend, OK, Scene, header, let_pass};

/// A backend whose probes get the status that is set.
async fn backend_with(status: &Arc<AtomicU16>) -> Backend {
    let status = Arc::clone(status);
    Backend::scripted(move |mut conn, _| {
        let status = Arc::clone(&status);
        async move {
            while let Some(head) = conn.head().await {
                let probe = head.contains("ELB-HealthChecker");
                let status = if probe { status.load(Ordering::SeqCst) } else { 200 };
                conn.send(&format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n")).await;
            }
        }
    })
    .await
}

fn is(health: Health) -> impl Fn(&Fact) -> bool {
    move |fact| matches!(fact, Fact::TargetHealth { health: now, .. } if *now == health)
}

#[tokio::test(start_paused = true)]
async fn the_first_probe_goes_out_at_once_and_one_success_is_enough() {
    let backend = Backend::answering(OK).await;
    let start = Instant::now();
    let scene = Scene::new(&backend).await;
    let fact = scene.fact(is(Health::Healthy)).await;
    assert!(start.elapsed() < Duration::from_secs(1));
    let target = TargetKey { group: GROUP, address: TARGET_IP.into(), port: TARGET_PORT };
    let realm = scene.chain.realm.clone();
    assert_eq!(fact, Fact::TargetHealth { realm, target, health: Health::Healthy });
    let probe = backend.probes().remove(0);
    assert!(probe.starts_with("GET /health HTTP/1.1\r\n"), "{probe}");
    assert_eq!(header(&probe, "host").unwrap(), "10.0.0.50:8080");
    assert_eq!(header(&probe, "connection").unwrap(), "close");
    assert_eq!(header(&probe, "user-agent").unwrap(), "ELB-HealthChecker/2.0");
}

#[tokio::test(start_paused = true)]
async fn thresholds_and_intervals_are_kept() {
    let status = Arc::new(AtomicU16::new(200));
    let backend = backend_with(&status).await;
    let scene = Scene::new(&backend).await;
    scene.fact(is(Health::Healthy)).await;
    let start = Instant::now();
    status.store(500, Ordering::SeqCst);
    scene.fact(is(Health::Unhealthy(Unhealthy::ResponseCodeMismatch(500)))).await;
    assert_eq!(start.elapsed().as_secs(), 60, "two failures, thirty seconds apart");
    let answer = scene.get("/").await;
    assert_eq!(answer.status, 200, "the group fails open");
    assert_eq!(scene.trace(&answer).hints, [Reason::AllUnhealthyFailOpen]);
    let known = scene.facts().len();
    status.store(200, Ordering::SeqCst);
    let recovered = |scene: &Scene| scene.facts()[known..].iter().any(is(Health::Healthy));
    let start = Instant::now();
    while !recovered(&scene) {
        let_pass(Duration::from_secs(1)).await;
    }
    assert!((149..=151).contains(&start.elapsed().as_secs()), "five successes: {:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_a_group_drops_times_out() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| {
        chain.estate.security_group_rules.remove(&TARGET_INGRESS);
    })
    .await;
    let start = Instant::now();
    scene.fact(is(Health::Unhealthy(Unhealthy::Timeout))).await;
    assert_eq!(start.elapsed().as_secs(), 35, "the second probe's own timeout is over");
    assert_eq!(backend.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_becomes_reachable_is_probed_at_once() {
    let backend = Backend::answering(OK).await;
    let mut attachment = None;
    let mut scene = Scene::with(&backend, |chain| {
        attachment = chain.estate.attachments.remove(&(TARGET_INTERFACE, None));
    })
    .await;
    // The first probe waits in silence; the next would go out thirty seconds after it.
    let_pass(Duration::from_secs(1)).await;
    let start = Instant::now();
    let attachment = attachment.unwrap();
    scene.change(|chain| chain.estate.attachments.insert(attachment.key(), (*attachment).clone()));
    scene.fact(is(Health::Healthy)).await;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_target_that_refuses_or_closes_fails_its_checks() {
    let backend = Backend::scripted(|conn, _| async move { drop(conn) }).await;
    let scene = Scene::new(&backend).await;
    scene.fact(is(Health::Unhealthy(Unhealthy::FailedHealthChecks))).await;
}

#[tokio::test(start_paused = true)]
async fn health_outlives_snapshots_and_a_target_that_comes_back_begins_anew() {
    let backend = Backend::answering(OK).await;
    let mut scene = Scene::new(&backend).await;
    scene.fact(is(Health::Healthy)).await;
    scene.change(|chain| {
        chain.estate.target_groups.edit(&GROUP).unwrap().tags.insert("k".into(), "v".into());
    });
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert_eq!(backend.probes().len(), 1, "publishing does not probe again");
    let group = scene.chain.estate.target_groups.edit(&GROUP).unwrap();
    let targets = group.targets().to_vec();
    group.set_targets(Vec::new()).unwrap();
    scene.change(|_| {});
    assert_eq!(scene.get("/").await.outcome(), "NO_TARGETS");
    let known = scene.facts().len();
    scene.change(|chain| chain.estate.target_groups.edit(&GROUP).unwrap().set_targets(targets).unwrap());
    while scene.facts().len() < known + 2 {
        tokio::task::yield_now().await;
    }
    let states: Vec<_> = scene.facts()[known..]
        .iter()
        .filter_map(|fact| if let Fact::TargetHealth { health, .. } = fact { Some(*health) } else { None })
        .collect();
    assert_eq!(states, [Health::Initial, Health::Healthy]);
}
