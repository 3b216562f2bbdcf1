//! Lines in, files out, by a clock that is moved.

use std::io::Read;
use std::net::Ipv4Addr;
use std::path::Path;

use flate2::read::GzDecoder;
use topology::id::Realm;
use topology::snapshot::logs::LogKind;

use super::gathered::{FILE_BYTES_MAX, FILES_MAX, HELD_BYTES_MAX};
use super::*;

fn place(bucket: &str) -> Arc<LogPlace> {
    let realm = Realm { account: "123456789012".parse().unwrap(), region: "us-east-1".parse().unwrap() };
    let (prefix, balancer) = ("p".to_owned(), "app/lb/0123456789abcdef".to_owned());
    Arc::new(LogPlace {
        kind: LogKind::Access,
        bucket: bucket.to_owned(),
        prefix,
        realm,
        balancer,
        header: String::new(),
    })
}

fn line(place: &Arc<LogPlace>, last: u8, text: &str) -> BalancerLine {
    BalancerLine { place: Arc::clone(place), node: Ipv4Addr::new(10, 0, 0, last), text: text.to_owned() }
}

fn ready(place: &Arc<LogPlace>, text: &str) -> Ready {
    let end = Duration::from_secs(1_392_421_200);
    Ready { place: Arc::clone(place), node: Ipv4Addr::new(10, 0, 0, 1), end, text: text.as_bytes().to_vec(), lines: 1 }
}

/// The files below a directory, their paths from there on and what is in them, in order.
fn files(root: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let mut text = String::new();
            GzDecoder::new(std::fs::File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
            found.push((path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), text));
        }
    }
    found.sort();
    found
}

#[test]
fn a_file_is_where_aws_puts_it_and_whole() {
    let root = tempfile::tempdir().unwrap();
    bucket::write(root.path(), &ready(&place("logs"), "one\ntwo\n")).unwrap();
    let (path, text) = files(root.path()).remove(0);
    let head = "logs/p/AWSLogs/123456789012/elasticloadbalancing/us-east-1/2014/02/14/123456789012_elasticloadbalancing_\
                us-east-1_app.lb.0123456789abcdef_20140214T2340Z_10.0.0.1_";
    let random = path.strip_prefix(head).unwrap_or_else(|| panic!("{path}")).strip_suffix(".log.gz").unwrap();
    assert!(random.len() == 8 && random.bytes().all(|b| b.is_ascii_alphanumeric()), "{random}");
    assert_eq!(text, "one\ntwo\n");
}

#[test]
fn a_link_leads_nowhere_out_of_the_buckets() {
    let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::os::unix::fs::symlink(elsewhere.path(), root.path().join("logs")).unwrap();
    let error = bucket::write(root.path(), &ready(&place("logs"), "one\n")).unwrap_err();
    assert!(error.to_string().contains("leads out of the buckets"), "{error}");
    assert_eq!(files(elsewhere.path()), []);
}

#[test]
fn lines_are_gathered_by_log_node_and_interval_within_bounds() {
    let (one, other) = (place("one"), place("other"));
    let (first, second) = (Duration::from_secs(300), Duration::from_secs(600));
    let mut gathered = Gathered::default();
    assert!(gathered.add(vec![line(&one, 1, "a"), line(&other, 1, "b"), line(&one, 2, "c")], first).is_empty());
    assert!(gathered.add(vec![line(&one, 1, "d")], first).is_empty());
    let ended = gathered.add(vec![line(&one, 1, "e")], second);
    assert_eq!(ended.iter().map(|file| (&file.text[..], file.lines)).collect::<Vec<_>>(), [(&b"a\nd\n"[..], 2)]);
    assert_eq!(gathered.take_ended(Duration::from_secs(299)).len(), 0);
    assert_eq!(gathered.take_ended(first).len(), 2);
    assert_eq!(gathered.take_all().len(), 1);
    let long = "x".repeat(FILE_BYTES_MAX);
    assert!(gathered.add(vec![line(&one, 1, &long)], first).is_empty());
    assert_eq!(gathered.add(vec![line(&one, 1, "y")], first).len(), 1, "a full file is written");
    let (mut held, mut node) = (2, 1);
    while gathered.add(vec![line(&one, node, &long)], first).is_empty() {
        (held, node) = (held + long.len() + 1, node + 1);
        assert!(held <= HELD_BYTES_MAX);
    }
    assert_eq!(gathered.take_all().len(), 0, "all was written");
    let many = (0..=FILES_MAX).map(|at| line(&place(&format!("b{at}")), 1, "z")).collect();
    assert_eq!(gathered.add(many, first).len(), FILES_MAX + 1);
}

#[tokio::test]
async fn files_are_written_when_an_interval_ends_and_at_the_end() {
    let root = tempfile::tempdir().unwrap();
    let (outlet, outflow) = plane::report::outlet::balancer_lines();
    let log_files = LogFiles::start(outflow, root.path().join("s3"));
    let place = place("logs");
    outlet.offer(line(&place, 1, "first"));
    log_files.move_clock(INTERVAL).await;
    let written = files(root.path());
    assert_eq!(written.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["first\n"]);
    outlet.offer(line(&place, 1, "second"));
    log_files.move_clock(Duration::ZERO).await;
    log_files.finish().await;
    let texts: Vec<_> = files(root.path()).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["first\n", "second\n"]);
    assert_eq!((outlet.taken(), outlet.lost(Loss::Failed)), (2, 0));
    // What comes after the end has nobody to take it.
    outlet.offer(line(&place, 1, "third"));
    assert_eq!(outlet.lost(Loss::QueueFull), 1);
}

#[tokio::test]
async fn a_place_that_cannot_be_written_costs_its_lines_alone() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("bad"), "no folder").unwrap();
    let (outlet, outflow) = plane::report::outlet::balancer_lines();
    let log_files = LogFiles::start(outflow, root.path().to_owned());
    for turn in 1..=2 {
        for text in ["lost", "too"] {
            outlet.offer(line(&place("bad"), 1, text));
        }
        outlet.offer(line(&place("good"), 1, "kept"));
        log_files.move_clock(INTERVAL).await;
        assert_eq!((outlet.taken(), outlet.lost(Loss::Failed)), (3 * turn, 2 * turn));
    }
    std::fs::remove_file(root.path().join("bad")).unwrap();
    outlet.offer(line(&place("bad"), 1, "back"));
    log_files.finish().await;
    let texts: Vec<_> = files(root.path()).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["back\n", "kept\n", "kept\n"]);
}
