//! Tests of the notebook of events.

use topology::id::AccountId;

use super::query::Found;
use super::*;

const ALL: Page = Page { events_max: 100, bytes_max: 1_000_000, looks_max: 1000 };

fn group(name: &str) -> LogGroupArn {
    LogGroupArn {
        realm: Realm { account: AccountId::DEFAULT, region: "us-east-1".parse().unwrap() },
        name: name.parse().unwrap(),
    }
}

fn table(groups: &[(&str, i64, Option<u32>)]) -> Table<LogGroupName, LogGroup> {
    let mut table = Table::default();
    for (name, created, retention_days) in groups {
        let group = LogGroup {
            name: name.parse().unwrap(),
            created: Moment(*created),
            retention_days: *retention_days,
            class: "STANDARD".to_owned(),
            tags: Default::default(),
        };
        table.insert(group.name.clone(), group);
    }
    table
}

fn book(groups: &[(&str, i64, Option<u32>)]) -> LogBook {
    let book = LogBook::in_memory().unwrap();
    book.follow(&group("/").realm, &table(groups)).unwrap();
    book
}

fn append(book: &LogBook, name: &str, events: &[(i64, &str)]) -> u64 {
    let group = group(name);
    let lines: Vec<_> =
        events.iter().map(|(at, message)| Line { group: &group, stream: "s", at: Moment(*at), message }).collect();
    book.append(&lines, Moment(1000)).unwrap()
}

fn range(order: Order) -> Range {
    Range { from: None, until: None, beyond: None, order, now: Moment(1000) }
}

fn messages(found: &Found) -> Vec<&str> {
    found.events.iter().map(|event| event.message.as_str()).collect()
}

fn read(book: &LogBook, name: &str) -> Vec<String> {
    let found = book.of_stream(&group(name), "s", range(Order::Forward), ALL).unwrap();
    messages(&found).into_iter().map(str::to_owned).collect()
}

#[test]
fn pages_follow_each_other_in_both_directions() {
    let book = book(&[("/a", 1, None)]);
    append(&book, "/a", &[(3, "c"), (1, "a"), (2, "b"), (2, "b2")]);
    let page = Page { events_max: 3, ..ALL };
    let first = book.of_stream(&group("/a"), "s", range(Order::Forward), page).unwrap();
    assert_eq!(messages(&first), ["a", "b", "b2"]);
    let next = Range { beyond: first.more_beyond, ..range(Order::Forward) };
    let second = book.of_stream(&group("/a"), "s", next, page).unwrap();
    assert_eq!((messages(&second), second.more_beyond), (vec!["c"], None));
    let back = book.of_stream(&group("/a"), "s", range(Order::Backward), page).unwrap();
    assert_eq!(messages(&back), ["c", "b2", "b"]);
    let part = Range { from: Some(Moment(2)), until: Some(Moment(3)), ..range(Order::Forward) };
    assert_eq!(messages(&book.of_group(&group("/a"), part, ALL, |_, m| m != "b").unwrap()), ["b2"]);
}

#[test]
fn events_follow_their_group() {
    let book = book(&[("/a", 1, None), ("/b", 1, None)]);
    append(&book, "/a", &[(1, "old")]);
    append(&book, "/b", &[(1, "stays")]);
    assert_eq!(append(&book, "/c", &[(1, "homeless")]), 1);
    book.follow(&group("/").realm, &table(&[("/a", 2, None), ("/b", 1, None)])).unwrap();
    assert!(matches!(book.streams(&group("/a")), Ok(streams) if streams.is_empty()), "a group made anew is empty");
    assert_eq!(read(&book, "/b"), ["stays"]);
    book.keep_realms(&[]).unwrap();
    assert!(matches!(book.streams(&group("/b")), Err(LogError::Unknown)));
}

#[test]
fn retention_hides_at_once_and_deletes_later() {
    let book = book(&[("/a", 1, None)]);
    append(&book, "/a", &[(1, "old"), (DAY_MS, "new")]);
    book.follow(&group("/").realm, &table(&[("/a", 1, Some(1))])).unwrap();
    let later = Range { now: Moment(DAY_MS + 2), ..range(Order::Forward) };
    assert_eq!(messages(&book.of_stream(&group("/a"), "s", later, ALL).unwrap()), ["new"]);
    let before = book.bytes(&group("/a"));
    book.expire(Moment(DAY_MS + 2)).unwrap();
    assert_eq!(book.bytes(&group("/a")), before - weight("old"));
}

#[test]
fn the_oldest_of_the_largest_group_give_way() {
    let book = book(&[("/a", 1, None), ("/b", 1, None)]);
    append(&book, "/b", &[(0, "small")]);
    book.lock().bytes_max = 400;
    append(&book, "/a", &(0..12).map(|at| (at, "ten bytes.")).collect::<Vec<_>>());
    assert!(book.bytes(&group("/a")) + book.bytes(&group("/b")) <= 400);
    let left = book.of_stream(&group("/a"), "s", range(Order::Forward), ALL).unwrap();
    assert_eq!(left.events.last().unwrap().place.at, Moment(11), "the newest stay");
    assert_eq!(read(&book, "/b"), ["small"]);
}

#[test]
fn what_was_appended_is_read_by_the_next_program() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("logs.db");
    let groups = table(&[("/a", 1, None)]);
    let book = LogBook::open(&file).unwrap();
    book.follow(&group("/").realm, &groups).unwrap();
    append(&book, "/a", &[(1, "kept")]);
    let bytes = book.bytes(&group("/a"));
    drop(book);
    let book = LogBook::open(&file).unwrap();
    book.follow(&group("/").realm, &groups).unwrap();
    assert_eq!((read(&book, "/a"), book.bytes(&group("/a"))), (vec!["kept".to_owned()], bytes));
}
