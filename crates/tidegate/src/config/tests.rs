//! Settings as they are given, and what is said of those that cannot be.

use super::value::duration;
use super::*;

fn loaded(flags: &UpArgs, variables: &[(&str, &str)], file: &str) -> Result<Config, Vec<String>> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load(flags, variables, Some(file)).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn refused(file: &str) -> Vec<String> {
    loaded(&UpArgs::default(), &[], file).unwrap_err()
}

#[test]
fn the_page_on_configuration_lists_every_setting_with_its_default() {
    let page = include_str!("../../../../docs/configuration.md");
    for (key, default) in SETTINGS {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{key}` | `{}` |", variable_of(key))));
        assert!(row.is_some_and(|row| row.contains(default)), "{key}: {row:?}");
    }
}

#[test]
fn the_file_of_the_debian_package_spells_defaults_out_and_sets_the_data_directory() {
    let file = include_str!("../../../../packaging/debian/tidegate.toml");
    let spelled_out = |line: &&str| line.starts_with('#') && !line.starts_with("# ") && line.len() > 1;
    let lines = file.lines().map(|line| if spelled_out(&line) { &line[1..] } else { line });
    let all = loaded(&UpArgs::default(), &[], &lines.collect::<Vec<_>>().join("\n")).unwrap();
    let some = loaded(&UpArgs::default(), &[], file).unwrap();
    assert_eq!(all.effective, some.effective);
    let none = loaded(&UpArgs::default(), &[], "data_dir = '/var/lib/tidegate'").unwrap();
    assert_eq!(Config { effective: Vec::new(), ..some }, Config { effective: Vec::new(), ..none });
    assert!(file.lines().filter(spelled_out).count() > 15, "settings that are spelled out");
}

#[test]
fn what_is_not_given_has_the_documented_default() {
    let config = loaded(&UpArgs::default(), &[], "").unwrap();
    assert_eq!(config.api, "127.0.0.1:4566".parse().unwrap());
    assert_eq!(config.public, Some("127.0.0.1:8080".parse().unwrap()));
    assert_eq!((config.api_tls, config.metrics), (None, None));
    assert_eq!(config.public_tls, Wanted { address: "127.0.0.1:8443".parse().unwrap(), given: false });
    assert_eq!(config.data_dir, Some(PathBuf::from(".tidegate")));
    assert_eq!(config.s3_root, Some(PathBuf::from(".tidegate/s3")));
    assert_eq!((config.account, config.region.as_str()), (AccountId::DEFAULT, "us-east-1"));
    assert_eq!((config.blocked_connect, config.quotas, config.strict_wire), (None, false, false));
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let file = "region = 'eu-west-1'\naccount_id = '111111111111'\ndelays = 'realistic'";
    let flags = UpArgs { region: Some("eu-west-3".to_owned()), ..UpArgs::default() };
    let variables = [("TIDEGATE_REGION", "eu-west-2"), ("TIDEGATE_ACCOUNT_ID", "222222222222")];
    let config = loaded(&flags, &variables, file).unwrap();
    assert_eq!(config.region.as_str(), "eu-west-3");
    assert_eq!(config.account.to_string(), "222222222222");
    assert_eq!(config.delays, Delays::Realistic);
}

#[test]
fn every_problem_is_reported_at_once_with_its_key() {
    let file = "colour = 'red'\nfabric = 'carrier'\nregion = 7\nephemeral = 'yes'\n\
                egress.colour = ['10.0.0.0/8']\n[timeouts]\nblocked_connect = '1 fortnight'\nidle = '1s'\n";
    let found = refused(file);
    assert_eq!(
        found,
        [
            "colour: is no setting of this program",
            "egress.colour: is no setting of this program",
            "timeouts.idle: is no setting of this program",
            "ephemeral: must be true or false, without quotes",
            "region: must be a string, not integer",
            "fabric: must be auto or proxy or kernel, not \"carrier\"",
            "timeouts.blocked_connect: \"1 fortnight\" is no duration such as \"1s\" or \"250ms\"",
        ]
    );
}

#[test]
fn a_problem_of_a_variable_names_the_variable() {
    let found = loaded(&UpArgs::default(), &[("TIDEGATE_LISTEN_API", "here")], "").unwrap_err();
    assert_eq!(found, ["listen.api: \"here\" is no HOST:PORT with an address for its host (from TIDEGATE_LISTEN_API)"]);
}

#[test]
fn beyond_loopback_needs_allow_remote_and_that_needs_keys() {
    assert_eq!(
        refused("listen.api = '0.0.0.0:4566'\nlisten.public = '192.0.2.1:80'"),
        [
            "listen.api: 0.0.0.0 is not loopback; allow_remote permits that",
            "listen.public: 192.0.2.1 is not loopback; allow_remote permits that",
        ]
    );
    assert_eq!(refused("listen.api = '0.0.0.0:4566'\nallow_remote = true").len(), 1);
    let keys = "[[access_keys]]\nid = 'AKIDEXAMPLE'\nsecret = 'hush'\naccount = '111111111111'\n";
    let config = loaded(&UpArgs::default(), &[], &format!("listen.api = '0.0.0.0:1'\nallow_remote = true\n{keys}"));
    let config = config.unwrap();
    assert_eq!(config.access_keys[0].account.to_string(), "111111111111");
    assert!(!format!("{config:?}").contains("hush"), "the secret is masked");
}

#[test]
fn load_balancers_are_reached_at_an_address_without_a_port_or_nowhere() {
    let of = |text: &str| loaded(&UpArgs::default(), &[], text).map(|config| config.balancers);
    let here = Some(Ipv4Addr::LOCALHOST);
    assert_eq!(of(""), Ok(None), "nothing listens unless it is asked for");
    assert_eq!(of("listen.balancers = 'none'"), Ok(None));
    assert_eq!(of("listen.balancers = 'localhost'"), Ok(here));
    let flags = UpArgs { listen_balancers: Some("127.0.0.1".to_owned()), ..UpArgs::default() };
    let variables = [("TIDEGATE_LISTEN_BALANCERS", "127.0.0.2")];
    assert_eq!(loaded(&flags, &variables, "").unwrap().balancers, here);
    assert_eq!(
        loaded(&UpArgs::default(), &variables, "").unwrap().balancers,
        Some(Ipv4Addr::new(127, 0, 0, 2)),
        "the whole block is loopback"
    );
    let wrong = |text: &str| refused(&format!("listen.balancers = '{text}'")).join("; ");
    for (text, said) in [
        ("0.0.0.0", "listen.balancers: 0.0.0.0 is not loopback; allow_remote permits that"),
        ("::1", "listen.balancers: ::1 is an IPv6 address, and clients of load balancers have IPv4 ones"),
        (
            "127.0.0.1:80",
            "listen.balancers: must be none or an address without a port, such as 127.0.0.1, not \"127.0.0.1:80\"",
        ),
        ("", "listen.balancers: must be none or an address without a port, such as 127.0.0.1, not \"\""),
    ] {
        assert_eq!(wrong(text), said);
    }
    let keys = "[[access_keys]]\nid = 'AKIDEXAMPLE'\nsecret = 'hush'\n";
    let everywhere = of(&format!("listen.balancers = '0.0.0.0'\nallow_remote = true\n{keys}"));
    assert_eq!(everywhere, Ok(Some(Ipv4Addr::UNSPECIFIED)));
}

#[test]
fn access_keys_are_judged_member_by_member() {
    let file = "[[access_keys]]\nid = ''\ncolour = 1\naccount = '12'\n[[access_keys]]\nid = 'A'\nsecret = 's'\n\
                [[access_keys]]\nid = 'A'\nsecret = 's'\n";
    assert_eq!(
        refused(file),
        [
            "access_keys[0].id: must be a string that is not empty",
            "access_keys[0].secret: is missing",
            "access_keys[0].account: must be 12 digits",
            "access_keys[0].colour: is no member of an access key",
            "access_keys[2]: A is listed twice",
        ]
    );
}

#[test]
fn blocks_are_an_array_in_the_file_and_separated_by_commas_elsewhere() {
    let shown = |config: Config| config.egress_allow.iter().map(ToString::to_string).collect::<Vec<_>>();
    let config = loaded(&UpArgs::default(), &[], "egress.allow = ['10.0.0.0/8', '::1']").unwrap();
    assert_eq!(shown(config), ["10.0.0.0/8", "::1/128"]);
    let variables = [("TIDEGATE_EGRESS_ALLOW", "10.0.0.0/8, 127.0.0.1"), ("TIDEGATE_TLS_EXTRA_ROOTS", "a.pem")];
    let config = loaded(&UpArgs::default(), &variables, "egress.allow = []").unwrap();
    assert_eq!(config.extra_roots, Some(PathBuf::from("a.pem")));
    assert_eq!(shown(config), ["10.0.0.0/8", "127.0.0.1/32"]);
    assert_eq!(
        refused("egress.allow = ['10.0.0.0/8', 'here', '10.0.0.0/40']\nregion = ['a']"),
        [
            "region: must be a string, not array",
            "egress.allow: \"here\" is no block such as \"10.0.0.0/8\"",
            "egress.allow: \"10.0.0.0/40\" is no block such as \"10.0.0.0/8\"",
        ]
    );
    assert_eq!(refused("egress.allow = '10.0.0.0/8'"), ["egress.allow: must be an array of strings"]);
    assert_eq!(refused("egress.allow = [1]"), ["egress.allow: must be an array of strings"]);
    assert!(!loaded(&UpArgs::default(), &[], "").unwrap().egress_nat);
    let flags = UpArgs { egress_nat: true, ..UpArgs::default() };
    for (flags, text) in [(&flags, ""), (&UpArgs::default(), "egress.nat = true")] {
        assert!(loaded(flags, &[], text).unwrap().egress_nat);
    }
    assert_eq!(refused("egress.nat = 'on'"), ["egress.nat: must be true or false, without quotes"]);
}

#[test]
fn durations_are_a_number_and_a_unit() {
    for (text, wanted) in [
        ("250ms", Some(Duration::from_millis(250))),
        ("1s", Some(Duration::from_secs(1))),
        ("2m", Some(Duration::from_secs(120))),
        ("1", None),
        ("s", None),
        ("-1s", None),
        ("1.5s", None),
        ("99999999999999999999s", None),
    ] {
        assert_eq!(duration(text), wanted, "{text}");
    }
    assert!(blocked("61s").is_err() && blocked("0s").is_err());
}

#[test]
fn an_authority_of_acme_needs_terms_that_are_agreed_to() {
    let whole = "[acme]\ndirectory = 'https://acme.example/dir'\nterms_agreed = true\ncontact = ['mailto:ops@example.com']\nnames = ['example.com']";
    let acme = loaded(&UpArgs::default(), &[], whole).unwrap().acme.unwrap();
    assert_eq!(acme.challenges, [Challenge::TlsAlpn]);
    let rows = [("example.com", true), ("a.b.Example.com", true), ("badexample.com", false), ("example.org", false)];
    for (name, wanted) in rows {
        assert_eq!(acme.is_for(&[name.to_owned()]), wanted, "{name}");
    }
    assert!(!acme.is_for(&["example.com".to_owned(), "example.org".to_owned()]), "each name counts");
    let redirected = format!("listen.redirect = '127.0.0.1:0'\n{whole}");
    let acme = loaded(&UpArgs::default(), &[], &redirected).unwrap().acme.unwrap();
    assert_eq!(acme.challenges, [Challenge::TlsAlpn, Challenge::Http]);
    assert!(loaded(&UpArgs::default(), &[], "").unwrap().acme.is_none());
}

#[test]
fn what_is_wrong_with_an_authority_of_acme_is_told_at_once() {
    let problems = refused(
        "[acme]\ndirectory = 'http://acme.example/dir'\ncontact = ['ops@example.com']\nnames = ['*.example.com']\nchallenges = ['dns-01']",
    );
    for key in ["acme.directory", "acme.contact", "acme.names", "acme.challenges"] {
        assert!(problems.iter().any(|problem| problem.starts_with(key)), "{key}: {problems:?}");
    }
    let valid = "[acme]\ndirectory = 'https://acme.example/dir'";
    assert!(refused(valid)[0].contains("acme.terms_agreed: must be true"));
    let alone = refused(&format!("{valid}\nterms_agreed = true\nchallenges = ['http-01']"));
    assert!(alone[0].contains("listen.redirect"), "{alone:?}");
    assert!(refused("acme.terms_agreed = true")[0].contains("acme.directory"));
}
