//! The table as sentences, and its page.

use super::*;

fn refused(owner: Owner, key: &str, value: &str) -> String {
    Attributes::new(owner).set(key, value).unwrap_err().to_string()
}

#[test]
fn rows_stand_in_key_order_and_admit_their_defaults() {
    use Owner::*;
    for owner in [ApplicationBalancer, NetworkBalancer, HttpGroup, TcpGroup, HttpListener, HttpsListener, TcpListener] {
        assert!(owner.rows().is_sorted_by(|a, b| a.key < b.key), "{owner:?}");
        for row in owner.rows() {
            let default = row.values.default();
            let shown = row.values.show(&default);
            // A bucket that was never set is none, which nobody can ask for.
            if matches!(row.values, Values::Bucket) {
                continue;
            }
            assert_eq!(row.values.parse(&shown), Some(default), "{}", row.key);
            assert_eq!(Attributes::new(owner).set(row.key, &shown), Ok(()), "{}", row.key);
        }
    }
}

#[test]
fn what_is_refused_is_refused_in_awss_words() {
    let rows = [
        (Owner::ApplicationBalancer, "colour", "", "Load balancer attribute key 'colour' is not recognized"),
        (
            Owner::NetworkBalancer,
            "connection_logs.s3.bucket",
            "b",
            "Load balancer attribute key 'connection_logs.s3.bucket' is not supported on load balancers with type 'network'",
        ),
        (
            Owner::ApplicationBalancer,
            "access_logs.s3.bucket",
            "",
            "The value of 'access_logs.s3.bucket' cannot be empty",
        ),
        (
            Owner::ApplicationBalancer,
            "access_logs.s3.prefix",
            "my/AWSLogs",
            "The value of 'access_logs.s3.prefix' cannot contain 'AWSLogs'",
        ),
        (
            Owner::HttpGroup,
            "lambda.multi_value_headers.enabled",
            "true",
            "Target group attribute key 'lambda.multi_value_headers.enabled' is not supported on target groups with protocol 'HTTP'",
        ),
        (
            Owner::ApplicationBalancer,
            "idle_timeout.timeout_seconds",
            "4001",
            "Load balancer attribute value '4001' is not valid for 'idle_timeout.timeout_seconds'",
        ),
        (
            Owner::HttpGroup,
            "slow_start.duration_seconds",
            "29",
            "Target group attribute value '29' is not valid for 'slow_start.duration_seconds'",
        ),
        (
            Owner::HttpListener,
            "routing.http.response.x_frame_options.header_value",
            "a\r\nb: c",
            "Listener attribute values may hold visible ASCII and spaces only",
        ),
    ];
    for (owner, key, value, words) in rows {
        assert_eq!(refused(owner, key, value), words);
    }
}

#[test]
fn header_names_have_letters_and_a_length() {
    let key = "routing.http.request.x_amzn_tls_version.header_name";
    let mut of_listener = Attributes::new(Owner::HttpsListener);
    let longest = "a".repeat(40);
    let too_long = "a".repeat(41);
    for (name, is_fit) in [
        ("X-A_9", true),
        (&longest, true),
        (&too_long, false),
        ("", false),
        ("a b", false),
        ("Host", false),
        ("content-length", false),
    ] {
        assert_eq!(of_listener.set(key, name).is_ok(), is_fit, "{name}");
    }
}

#[test]
fn log_files_have_a_bucket_and_keys_below_it() {
    let (longest, too_long) = ("a".repeat(63), "a".repeat(64));
    let buckets = [("abc", true), (&longest, true), (&too_long, false), ("ab", false), ("a..b", false)];
    let rows = buckets.into_iter().chain([("../up", false), ("-ab", false), ("Abc", false), ("a/b", false)]);
    let mut all = Attributes::new(Owner::ApplicationBalancer);
    for (name, is_fit) in rows {
        assert_eq!(all.set("access_logs.s3.bucket", name).is_ok(), is_fit, "{name}");
    }
    let (longest, too_long) = ("a".repeat(512), "a".repeat(513));
    for (prefix, is_fit) in [
        ("", true),
        ("team one/alb/", true),
        (&longest, true),
        (&too_long, false),
        ("../up", false),
        ("a/./b", false),
        ("a\\b", false),
        ("a\nb", false),
        ("ü", false),
    ] {
        assert_eq!(all.set("access_logs.s3.prefix", prefix).is_ok(), is_fit, "{prefix}");
    }
}

#[test]
fn what_an_older_program_kept_is_read() {
    let kept = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let of_another = kept(&[("routing.http.request.x_amzn_tls_version.header_name", "X-V")]);
    let read = Attributes::stored(Owner::HttpListener, of_another).unwrap();
    assert_eq!(read, Attributes::new(Owner::HttpListener));
    let refused_now = kept(&[("stickiness.enabled", "true")]);
    let read = Attributes::stored(Owner::TcpGroup, refused_now.clone()).unwrap();
    assert_eq!(read.kept(), refused_now);
    let taken_then = kept(&[("stickiness.app_cookie.cookie_name", "my cookie")]);
    let read = Attributes::stored(Owner::HttpGroup, taken_then).unwrap();
    assert_eq!(read, Attributes::new(Owner::HttpGroup), "a name that no cookie has bound nobody");
    let taken_then = kept(&[("access_logs.s3.bucket", ""), ("access_logs.s3.prefix", "../AWSLogs")]);
    let read = Attributes::stored(Owner::ApplicationBalancer, taken_then).unwrap();
    assert_eq!(read, Attributes::new(Owner::ApplicationBalancer), "nothing was ever written there");
    let taken_then = kept(&[("routing.http.request.x_amzn_tls_version.header_name", "Host")]);
    let read = Attributes::stored(Owner::HttpsListener, taken_then).unwrap();
    assert_eq!(read, Attributes::new(Owner::HttpsListener), "no header was ever called so");
    for unreadable in [kept(&[("colour", "red")]), kept(&[("slow_start.duration_seconds", "soon")])] {
        assert!(Attributes::stored(Owner::HttpGroup, unreadable).is_err());
    }
}

#[test]
fn what_was_set_is_kept_and_read_again() {
    use Owner::*;
    for owner in [ApplicationBalancer, NetworkBalancer, HttpGroup, TcpGroup, HttpListener, HttpsListener, TcpListener] {
        for row in owner.rows() {
            let text = match row.values {
                Values::Boolean { default } => (!default).to_string(),
                Values::Number { high, .. } | Values::ZeroOrNumber { high, .. } => high.to_string(),
                Values::OffOrNumber { low, .. } => low.to_string(),
                Values::Choice(all) => (*all.last().unwrap()).to_owned(),
                Values::HeaderName { .. } => "X-Other".to_owned(),
                Values::CookieName => "sid".to_owned(),
                Values::Bucket => "my-logs.2".to_owned(),
                Values::HeaderValue | Values::KeyPrefix => "a b".to_owned(),
            };
            let mut all = Attributes::new(owner);
            all.set(row.key, &text).unwrap();
            assert_eq!(all.shown().find(|(key, _)| *key == row.key), Some((row.key, text)));
            assert_eq!(Attributes::stored(owner, all.kept()), Ok(all), "{}", row.key);
        }
    }
}

#[test]
fn what_another_owner_has_not_is_forgotten() {
    let mut of_listener = Attributes::new(Owner::HttpsListener);
    of_listener.set("routing.http.request.x_amzn_tls_version.header_name", "X-V").unwrap();
    of_listener.set("routing.http.response.server.enabled", "false").unwrap();
    let plain = of_listener.handed_to(Owner::HttpListener);
    assert_eq!(plain.kept().into_keys().collect::<Vec<_>>(), ["routing.http.response.server.enabled"]);
}

#[test]
fn the_page_says_what_the_table_says() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/load-balancer-attributes.md");
    let wanted = page(&seen::gather());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert!(found == wanted, "docs/load-balancer-attributes.md is stale: run this test with UPDATE=1");
}

#[test]
fn a_test_sees_what_each_attribute_changes_that_is_carried_out() {
    let seen = seen::gather();
    let mut unseen = Vec::new();
    for (owner, title) in page::OWNERS {
        let carried_out = owner.rows().filter(|row| matches!(row.standing, Standing::CarriedOut(_)));
        let found = carried_out.filter(|row| !seen.contains_key(&(title, row.key)));
        unseen.extend(found.map(|row| format!("{title}: {}", row.key)));
    }
    let known: Vec<_> = seen::UNSEEN.iter().map(|(row, _)| (*row).to_owned()).collect();
    assert_eq!(unseen, known, "say above a test that it sees them (attribute/seen.rs), or write one");
}

#[test]
fn what_cannot_be_taken_is_told_at_once_and_in_order() {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let wanted = [
        ("zonal_shift.config.enabled", "true"),
        ("colour", "blue"),
        ("waf.fail_open.enabled", "false"),
        ("idle_timeout.timeout_seconds", "0"),
    ];
    let wanted: Vec<_> = wanted.iter().map(pair).collect();
    let told = |idle| {
        let problems = Owner::ApplicationBalancer.problems(&wanted, idle);
        problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let unknown = "Load balancer attribute key 'colour' is not recognized";
    let unfit = "Load balancer attribute value '0' is not valid for 'idle_timeout.timeout_seconds'";
    assert_eq!(told(Idle::Taken), [unknown, unfit]);
    let idle = "Load balancer attribute key 'zonal_shift.config.enabled' is not carried out by Tidegate: no zone can be shifted away from";
    assert_eq!(told(Idle::Refused), [idle, unknown, unfit]);
}
