//! The security policies of listeners: names, protocols and suites, as AWS publishes them (ALB user guide, "Security policies",
//! 2026-11).

/// The suites of a family of policies, in the order in which they are preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suites {
    /// TLS 1.3's own only.
    Tls13,
    /// With forward secrecy and authenticated encryption.
    Restricted,
    /// With forward secrecy, and SHA-2.
    Forward,
    /// With forward secrecy, and SHA-1 for old clients.
    ForwardOld,
    /// [`Suites::Forward`], and key exchange by RSA.
    Extended,
    /// All of them.
    All,
}

/// What a policy is made of: name, oldest protocol, newest protocol, suites.
type Row = (&'static str, usize, usize, Suites);

const PROTOCOLS: [&str; 4] = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
const TLS10: usize = 0;
const TLS11: usize = 1;
const TLS12: usize = 2;
const TLS13: usize = 3;

/// Every policy but the RFC 9151 family, whose suites are for governments' clients.
static SSL_POLICIES: &[Row] = &[
    ("TLS13-1-3-2021-06", TLS13, TLS13, Suites::Tls13),
    ("TLS13-1-2-2021-06", TLS12, TLS13, Suites::Forward),
    ("TLS13-1-2-Res-2021-06", TLS12, TLS13, Suites::Restricted),
    ("TLS13-1-2-Ext1-2021-06", TLS12, TLS13, Suites::Extended),
    ("TLS13-1-2-Ext2-2021-06", TLS12, TLS13, Suites::All),
    ("TLS13-1-1-2021-06", TLS11, TLS13, Suites::All),
    ("TLS13-1-0-2021-06", TLS10, TLS13, Suites::All),
    ("TLS13-1-3-PQ-2025-09", TLS13, TLS13, Suites::Tls13),
    ("TLS13-1-2-PQ-2025-09", TLS12, TLS13, Suites::Forward),
    ("TLS13-1-2-Res-PQ-2025-09", TLS12, TLS13, Suites::Restricted),
    ("TLS13-1-2-Ext1-PQ-2025-09", TLS12, TLS13, Suites::Extended),
    ("TLS13-1-2-Ext2-PQ-2025-09", TLS12, TLS13, Suites::All),
    ("TLS13-1-0-PQ-2025-09", TLS10, TLS13, Suites::All),
    ("TLS13-1-3-FIPS-2023-04", TLS13, TLS13, Suites::Tls13),
    ("TLS13-1-2-FIPS-2023-04", TLS12, TLS13, Suites::Forward),
    ("TLS13-1-2-Res-FIPS-2023-04", TLS12, TLS13, Suites::Restricted),
    ("TLS13-1-2-Ext0-FIPS-2023-04", TLS12, TLS13, Suites::ForwardOld),
    ("TLS13-1-2-Ext1-FIPS-2023-04", TLS12, TLS13, Suites::Extended),
    ("TLS13-1-2-Ext2-FIPS-2023-04", TLS12, TLS13, Suites::All),
    ("TLS13-1-1-FIPS-2023-04", TLS11, TLS13, Suites::All),
    ("TLS13-1-0-FIPS-2023-04", TLS10, TLS13, Suites::All),
    ("TLS13-1-3-FIPS-PQ-2025-09", TLS13, TLS13, Suites::Tls13),
    ("TLS13-1-2-FIPS-PQ-2025-09", TLS12, TLS13, Suites::Forward),
    ("TLS13-1-2-Res-FIPS-PQ-2025-09", TLS12, TLS13, Suites::Restricted),
    ("TLS13-1-2-Ext0-FIPS-PQ-2025-09", TLS12, TLS13, Suites::ForwardOld),
    ("TLS13-1-2-Ext1-FIPS-PQ-2025-09", TLS12, TLS13, Suites::Extended),
    ("TLS13-1-2-Ext2-FIPS-PQ-2025-09", TLS12, TLS13, Suites::All),
    ("TLS13-1-1-FIPS-PQ-2025-09", TLS11, TLS13, Suites::All),
    ("TLS13-1-0-FIPS-PQ-2025-09", TLS10, TLS13, Suites::All),
    ("FS-1-2-Res-2020-10", TLS12, TLS12, Suites::Restricted),
    ("FS-1-2-Res-2019-08", TLS12, TLS12, Suites::Forward),
    ("FS-1-2-2019-08", TLS12, TLS12, Suites::ForwardOld),
    ("FS-1-1-2019-08", TLS11, TLS12, Suites::ForwardOld),
    ("FS-2018-06", TLS10, TLS12, Suites::ForwardOld),
    ("TLS-1-2-Ext-2018-06", TLS12, TLS12, Suites::All),
    ("TLS-1-2-2017-01", TLS12, TLS12, Suites::Extended),
    ("TLS-1-1-2017-01", TLS11, TLS12, Suites::All),
    ("2016-08", TLS10, TLS12, Suites::All),
    ("2015-05", TLS10, TLS12, Suites::All),
];
const PREFIX: &str = "ELBSecurityPolicy-";

const TLS13_SUITES: [&str; 3] = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", CHACHA];
/// Not approved by FIPS 140.
const CHACHA: &str = "TLS_CHACHA20_POLY1305_SHA256";
/// TLS 1.2's and older, in the order of preference, each with the narrowest family that has it.
const SUITES: [(&str, &[Suites]); 18] = {
    use Suites::{All, Extended, Forward, ForwardOld, Restricted};
    const GCM: &[Suites] = &[Restricted, Forward, ForwardOld, Extended, All];
    const SHA2: &[Suites] = &[Forward, ForwardOld, Extended, All];
    const SHA1: &[Suites] = &[ForwardOld, All];
    const RSA: &[Suites] = &[Extended, All];
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", GCM),
        ("ECDHE-RSA-AES128-GCM-SHA256", GCM),
        ("ECDHE-ECDSA-AES128-SHA256", SHA2),
        ("ECDHE-RSA-AES128-SHA256", SHA2),
        ("ECDHE-ECDSA-AES128-SHA", SHA1),
        ("ECDHE-RSA-AES128-SHA", SHA1),
        ("ECDHE-ECDSA-AES256-GCM-SHA384", GCM),
        ("ECDHE-RSA-AES256-GCM-SHA384", GCM),
        ("ECDHE-ECDSA-AES256-SHA384", SHA2),
        ("ECDHE-RSA-AES256-SHA384", SHA2),
        ("ECDHE-RSA-AES256-SHA", SHA1),
        ("ECDHE-ECDSA-AES256-SHA", SHA1),
        ("AES128-GCM-SHA256", RSA),
        ("AES128-SHA256", RSA),
        ("AES128-SHA", &[All]),
        ("AES256-GCM-SHA384", RSA),
        ("AES256-SHA256", RSA),
        ("AES256-SHA", &[All]),
    ]
};

/// A security policy.
#[derive(Debug, Clone, Copy)]
pub struct SslPolicy(&'static Row);

impl PartialEq for SslPolicy {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for SslPolicy {}

impl SslPolicy {
    /// The policy that listeners have where none is named (ELBv2 API reference, CreateListener, 2026-11).
    pub const DEFAULT_NAME: &'static str = "ELBSecurityPolicy-2016-08";

    /// Every policy.
    pub fn all() -> impl Iterator<Item = Self> {
        SSL_POLICIES.iter().map(Self)
    }

    /// The policy of this name, such as `ELBSecurityPolicy-TLS13-1-2-2021-06`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.strip_prefix(PREFIX)?;
        Self::all().find(|policy| policy.0.0 == name)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> String {
        format!("{PREFIX}{}", self.0.0)
    }

    /// Its protocols, the oldest first: `TLSv1`, `TLSv1.1`, `TLSv1.2` and `TLSv1.3`.
    #[must_use]
    pub fn protocols(self) -> &'static [&'static str] {
        let (_, oldest, newest, _) = self.0;
        PROTOCOLS.get(*oldest..=*newest).unwrap_or_default()
    }

    /// Its suites in the order of preference, in OpenSSL's names.
    #[must_use]
    pub fn suites(self) -> Vec<&'static str> {
        let &(name, _, newest, family) = self.0;
        let is_fips = name.contains("-FIPS-");
        let own = TLS13_SUITES.into_iter().filter(|suite| newest == TLS13 && !(is_fips && *suite == CHACHA));
        let older = SUITES.into_iter().filter(|(_, families)| families.contains(&family)).map(|(suite, _)| suite);
        own.chain(older).collect()
    }

    /// Whether keys are exchanged so that no quantum computer reads what was said.
    #[must_use]
    pub fn is_post_quantum(self) -> bool {
        self.0.0.contains("-PQ-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the table in the ALB user guide, "Security policies" (2026-11), the RFC 9151 family apart.
    #[test]
    fn every_policy_of_the_guide_is_classified() {
        let families = [
            ("TLS13-1-3 TLS13-1-2 TLS13-1-2-Res TLS13-1-2-Ext1 TLS13-1-2-Ext2 TLS13-1-1 TLS13-1-0", "-2021-06"),
            ("TLS13-1-3 TLS13-1-2 TLS13-1-2-Res TLS13-1-2-Ext1 TLS13-1-2-Ext2 TLS13-1-0", "-PQ-2025-09"),
            (FIPS, "-FIPS-2023-04"),
            (FIPS, "-FIPS-PQ-2025-09"),
            ("FS-1-2-Res-2020-10 FS-1-2-Res-2019-08 FS-1-2-2019-08 FS-1-1-2019-08 FS-2018-06", ""),
            ("TLS-1-2-Ext-2018-06 TLS-1-2-2017-01 TLS-1-1-2017-01 2016-08 2015-05", ""),
        ];
        let mut count = 0;
        for (names, suffix) in families {
            for name in names.split(' ') {
                assert!(SslPolicy::named(&format!("{PREFIX}{name}{suffix}")).is_some(), "{name}{suffix}");
                count += 1;
            }
        }
        assert_eq!(count, SSL_POLICIES.len(), "a policy that the guide does not have");
    }

    const FIPS: &str =
        "TLS13-1-3 TLS13-1-2 TLS13-1-2-Res TLS13-1-2-Ext0 TLS13-1-2-Ext1 TLS13-1-2-Ext2 TLS13-1-1 TLS13-1-0";

    #[test]
    fn a_policy_has_the_suites_of_its_family() {
        for (name, count, first, last) in [
            ("TLS13-1-3-2021-06", 3, "TLS_AES_128_GCM_SHA256", CHACHA),
            ("TLS13-1-3-FIPS-2023-04", 2, "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"),
            ("TLS13-1-2-2021-06", 11, "TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES256-SHA384"),
            ("TLS13-1-2-Res-2021-06", 7, "TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES256-GCM-SHA384"),
            ("TLS13-1-2-Ext1-2021-06", 15, "TLS_AES_128_GCM_SHA256", "AES256-SHA256"),
            ("FS-2018-06", 12, "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-SHA"),
            ("2016-08", 18, "ECDHE-ECDSA-AES128-GCM-SHA256", "AES256-SHA"),
        ] {
            let suites = SslPolicy::named(&format!("{PREFIX}{name}")).map(SslPolicy::suites).unwrap();
            assert_eq!((suites.len(), suites.first(), suites.last()), (count, Some(&first), Some(&last)), "{name}");
        }
    }
}
