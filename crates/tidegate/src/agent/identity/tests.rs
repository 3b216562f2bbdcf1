//! What a directory says of an agent, and what is kept of a renewal.

use std::os::unix::fs::PermissionsExt as _;

use control::enrolment::AgentName;

use super::*;
use crate::link::{CheckedRequest, LinkAuthority};

struct Place {
    directory: tempfile::TempDir,
    authority: LinkAuthority,
}

const AGENT_ID: AgentId = AgentId::from_bits(7);

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), authority: LinkAuthority::open(None).unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("agent")
    }

    fn certified(&self, csr: &[u8], agent: AgentId, generation: u64) -> String {
        let name = AgentName { realm: realm(), agent, generation };
        self.authority.certify(&CheckedRequest::read(csr).unwrap(), &name).unwrap()
    }

    /// An agent whose directory was written.
    fn kept(&self) -> Identity {
        let key = new_key().unwrap();
        let said = Said {
            agent: AGENT_ID,
            realm: realm(),
            vpc: VpcId::from_bits(1),
            zones: BTreeSet::from(["us-east-1a".parse().unwrap()]),
            gateways: vec!["gateway:7443".to_owned()],
            native: vec!["10.0.0.0/24".parse().unwrap()],
            cookie_key: String::new(),
            blocked_connect_ms: None,
            generation: 1,
        };
        let certificate = self.certified(&csr(&key).unwrap(), AGENT_ID, 1);
        let parts = (key.serialize_pem(), certificate, self.authority.certificate().to_owned());
        let identity = Identity::of(&self.path(), said, parts).unwrap();
        identity.keep().unwrap();
        identity
    }
}

fn realm() -> Realm {
    Realm { account: "000000000000".parse().unwrap(), region: "us-east-1".parse().unwrap() }
}

#[test]
fn an_agent_is_read_back_and_is_its_owners_alone() {
    let place = Place::new();
    let kept = place.kept();
    let read = Identity::load(&place.path()).unwrap();
    assert_eq!(read.said(), kept.said());
    assert!(read.client_config(LaneKind::Data).is_ok() && read.client_config(LaneKind::Control).is_ok());
    assert!(!format!("{read:?}").contains("KEY"));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.path()), 0o700);
    let files: Vec<_> = std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 4);
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
    let day = Duration::from_secs(24 * 3600);
    let renew_in = read.renew_at().duration_since(SystemTime::now()).unwrap();
    assert!(renew_in > day / 2 && renew_in < day * 3 / 4, "{renew_in:?}");
}

#[test]
fn the_next_certificate_takes_the_place_of_the_one_before() {
    let place = Place::new();
    let mut identity = place.kept();
    let request = identity.renewal_csr().unwrap();
    let authority = place.authority.certificate().to_owned();
    let other = csr(&new_key().unwrap()).unwrap();
    for (what, chain, generation) in [
        ("another agent's", place.certified(&request, AgentId::from_bits(8), 2), 2),
        ("of another key", place.certified(&other, AGENT_ID, 2), 2),
        ("of another generation than was said", place.certified(&request, AGENT_ID, 3), 2),
        ("of the same generation", place.certified(&request, AGENT_ID, 1), 1),
        ("the authority's", place.authority.certificate().to_owned(), 2),
        ("none", "text".to_owned(), 2),
    ] {
        assert!(
            matches!(identity.renewed(&format!("{chain}{authority}"), generation), Err(IdentityError::Certificate(_))),
            "{what}"
        );
        assert_eq!(Identity::load(&place.path()).unwrap().said().generation, 1, "{what}");
    }
    let next = place.certified(&request, AGENT_ID, 2);
    for nobody in ["", "text"] {
        let chain = format!("{next}{nobody}");
        assert!(matches!(identity.renewed(&chain, 2), Err(IdentityError::Authority)), "{nobody}");
    }
    let other = LinkAuthority::open(None).unwrap();
    let both = format!("{authority}{}", other.certificate());
    identity.renewed(&format!("{next}{both}"), 2).unwrap();
    assert_eq!(std::fs::read_to_string(place.path().join(AUTHORITY)).unwrap(), both);
    assert_eq!(identity.said().generation, 2);
    assert_eq!(Identity::load(&place.path()).unwrap().said(), identity.said());
}

#[test]
fn the_certificate_says_which_one_it_is_where_a_renewal_was_cut() {
    let place = Place::new();
    let identity = place.kept();
    let next = place.certified(&identity.renewal_csr().unwrap(), AGENT_ID, 2);
    private::replace(&place.path().join(CERTIFICATE), next.as_bytes()).unwrap();
    assert_eq!(Identity::load(&place.path()).unwrap().said().generation, 2);
}

#[test]
fn a_directory_that_cannot_be_used_says_which_file_is_wrong() {
    let missing = Identity::load(Path::new("nowhere")).unwrap_err().to_string();
    assert!(missing.starts_with("nowhere holds no agent"), "{missing}");
    for (name, text) in [
        (AGENT, "{}"),
        (AGENT, "{\"agent\": 1}"),
        (KEY, "text"),
        (CERTIFICATE, "text"),
        (CERTIFICATE, ""),
        (AUTHORITY, "text"),
    ] {
        let place = Place::new();
        place.kept();
        std::fs::write(place.path().join(name), text).unwrap();
        let refused = Identity::load(&place.path()).unwrap_err().to_string();
        let named = if name == KEY { "the agent's key" } else { name };
        assert!(refused.contains(named), "{name}: {refused}");
    }
    for name in [KEY, CERTIFICATE, AUTHORITY] {
        let place = Place::new();
        place.kept();
        std::fs::remove_file(place.path().join(name)).unwrap();
        let refused = Identity::load(&place.path()).unwrap_err().to_string();
        assert!(refused.contains(name), "{name}: {refused}");
    }
}
