//! The authorities of a gateway while one takes another's place: the new one is trusted, then the new one issues, then the old one is
//! dropped. Which phase it is, the files say: `authority.pem` issues, `next.pem` is trusted too, and so is `previous.pem`. Whether agents
//! are ready for the next phase is asked elsewhere.
//!
//! Each phase is begun by files that are written and renamed one by one, so that a start in between finds the phase before or the one after.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;
use topology::resource::agent::Knows;

use super::authority::LinkAuthority;
use crate::ca::{AUTHORITY, Authority, AuthorityError, LINK};
use crate::private;

/// The authority that will issue.
const NEXT: &str = "next.pem";
/// The authority that issued.
const PREVIOUS: &str = "previous.pem";

/// How far a rotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// There is one authority.
    Settled,
    /// A new one is trusted, and the old one issues.
    NewTrusted,
    /// The new one issues, and agents of the old one are believed.
    NewIssues,
}

/// Why a rotation does not go on.
#[derive(Debug, Error)]
pub(crate) enum RotationError {
    /// There is nothing to rotate.
    #[error("the server keeps its state in memory, and its authority with it: there is nothing to rotate")]
    InMemory,
    /// A file cannot be written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// An authority cannot be made or read.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// The authorities of a gateway.
#[derive(Debug)]
pub(crate) struct Authorities {
    issuing: LinkAuthority,
    other: Option<LinkAuthority>,
    phase: Phase,
    data_dir: Option<PathBuf>,
}

impl Authorities {
    /// Those of a data directory, one where there is none yet; without a directory one that ends with the process.
    pub(crate) fn open(data_dir: Option<&Path>) -> Result<Self, AuthorityError> {
        let issuing = LinkAuthority::open(data_dir)?;
        let beside = |name: &str| {
            let Some(data_dir) = data_dir else { return Ok::<_, AuthorityError>(None) };
            let there = Authority::load(&LINK.directory(data_dir).join(name))?;
            let there = there.map(LinkAuthority::of).transpose()?;
            // The same as the one that issues was left by a phase that was cut short.
            Ok(there.filter(|there| there.pin() != issuing.pin()))
        };
        let (next, previous) = (beside(NEXT)?, beside(PREVIOUS)?);
        let (other, phase) = match (next, previous) {
            (Some(next), _) => (Some(next), Phase::NewTrusted),
            (None, Some(previous)) => (Some(previous), Phase::NewIssues),
            (None, None) => (None, Phase::Settled),
        };
        Ok(Self { issuing, other, phase, data_dir: data_dir.map(Path::to_owned) })
    }

    /// The one that certifies.
    pub(crate) fn issuing(&self) -> &LinkAuthority {
        &self.issuing
    }

    /// How far a rotation is.
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// Those that agents are to believe, in PEM: the new one beside the old one before it issues, and no old one after.
    pub(crate) fn for_agents(&self) -> String {
        self.trusted().map(LinkAuthority::certificate).collect()
    }

    fn trusted(&self) -> impl Iterator<Item = &LinkAuthority> {
        let next = self.other.as_ref().filter(|_| self.phase == Phase::NewTrusted);
        [&self.issuing].into_iter().chain(next)
    }

    /// Those that agents are believed by, in PEM.
    pub(crate) fn of_agents(&self) -> String {
        [Some(&self.issuing), self.other.as_ref()].into_iter().flatten().map(LinkAuthority::certificate).collect()
    }

    /// What an agent knows that is given a certificate now.
    pub(crate) fn told(&self) -> Knows {
        let trusted: BTreeSet<_> = self.trusted().map(LinkAuthority::pin).collect();
        Knows { issuer: self.issuing.pin(), trusted }
    }

    /// Whether an agent that knows this is ready for the next phase.
    pub(crate) fn is_ready(&self, knows: &Knows) -> bool {
        match (self.phase, &self.other) {
            (Phase::NewTrusted, Some(next)) => knows.trusted.contains(&next.pin()),
            (Phase::NewIssues, _) => knows.issuer == self.issuing.pin(),
            (Phase::Settled | Phase::NewTrusted, _) => true,
        }
    }

    /// Begins the next phase.
    pub(crate) fn advance(&self) -> Result<Self, RotationError> {
        let data_dir = self.data_dir.as_deref().ok_or(RotationError::InMemory)?;
        let directory = LINK.directory(data_dir);
        let [issuing, next, previous] = [AUTHORITY, NEXT, PREVIOUS].map(|name| directory.join(name));
        match self.phase {
            Phase::Settled => {
                // What a phase left that was cut short is no authority of this rotation.
                for left in [&next, &previous] {
                    remove(left)?;
                }
                Authority::at(LINK, &next)?;
            }
            Phase::NewTrusted => {
                copy(&issuing, &previous)?;
                copy(&next, &issuing)?;
                remove(&next)?;
            }
            Phase::NewIssues => remove(&previous)?,
        }
        Ok(Self::open(Some(data_dir))?)
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> RotationError {
    let path = path.to_owned();
    move |source| RotationError::File { path, source }
}

fn copy(from: &Path, to: &Path) -> Result<(), RotationError> {
    let text = fs::read(from).map_err(failed(from))?;
    private::replace(to, &text).map_err(failed(to))
}

fn remove(path: &Path) -> Result<(), RotationError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pins(authorities: &Authorities) -> (Phase, Knows) {
        (authorities.phase(), authorities.told())
    }

    #[test]
    fn one_authority_takes_the_place_of_another_in_three_steps_that_outlive_a_start() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Authorities::open(Some(directory.path())).unwrap();
        let mut authorities = open();
        let old = authorities.issuing().pin();
        let mut seen = Vec::new();
        for _ in 0..3 {
            authorities = authorities.advance().unwrap();
            assert_eq!(pins(&authorities), pins(&open()));
            seen.push((authorities.phase(), authorities.told(), authorities.of_agents().matches("BEGIN").count()));
        }
        let new = authorities.issuing().pin();
        assert_ne!(old, new);
        let knows = |issuer, trusted: &[_]| Knows { issuer, trusted: trusted.iter().copied().collect() };
        assert_eq!(
            seen,
            [
                (Phase::NewTrusted, knows(old, &[old, new]), 2),
                (Phase::NewIssues, knows(new, &[new]), 2),
                (Phase::Settled, knows(new, &[new]), 1),
            ]
        );
        assert_eq!(fs::read_dir(directory.path().join("link")).unwrap().count(), 2, "nothing is left");
        assert!(matches!(Authorities::open(None).unwrap().advance(), Err(RotationError::InMemory)));
    }

    #[test]
    fn a_phase_that_was_cut_short_is_the_one_before_or_the_one_after() {
        for cut_after in 0..3 {
            let directory = tempfile::tempdir().unwrap();
            let trusted = Authorities::open(Some(directory.path())).unwrap().advance().unwrap();
            let link = directory.path().join("link");
            let steps: [&dyn Fn(); 3] = [
                &|| copy(&link.join(AUTHORITY), &link.join(PREVIOUS)).unwrap(),
                &|| copy(&link.join(NEXT), &link.join(AUTHORITY)).unwrap(),
                &|| remove(&link.join(NEXT)).unwrap(),
            ];
            steps[..=cut_after].iter().for_each(|step| step());
            let found = Authorities::open(Some(directory.path())).unwrap();
            let wanted = if cut_after == 0 { Phase::NewTrusted } else { Phase::NewIssues };
            assert_eq!(found.phase(), wanted, "{cut_after}");
            assert_eq!(found.of_agents().matches("BEGIN").count(), 2, "agents of both are believed: {cut_after}");
            // And it goes on from there.
            let mut last = found;
            while last.phase() != Phase::Settled {
                last = last.advance().unwrap();
            }
            assert!(trusted.told().trusted.contains(&last.issuing().pin()), "{cut_after}");
            let again = last.advance().unwrap();
            assert_eq!(again.phase(), Phase::NewTrusted, "{cut_after}");
        }
    }

    #[test]
    fn an_agent_is_ready_once_it_knows_what_the_next_phase_needs() {
        let directory = tempfile::tempdir().unwrap();
        let settled = Authorities::open(Some(directory.path())).unwrap();
        let trusted = settled.advance().unwrap();
        let issues = trusted.advance().unwrap();
        for (what, phase, knows, is_ready) in [
            ("nothing is asked", &settled, settled.told(), true),
            ("it does not trust the new one", &trusted, settled.told(), false),
            ("it does", &trusted, trusted.told(), true),
            ("the old one made its certificate", &issues, trusted.told(), false),
            ("the new one did", &issues, issues.told(), true),
        ] {
            assert_eq!(phase.is_ready(&knows), is_ready, "{what}");
        }
    }
}
