//! The handing over of an interface's namespace from the process that keeps it to one that wants to work in it: descriptors in one message of
//! a unix socket (`SCM_RIGHTS`). Who may ask, and for which interface, is decided by whoever answers.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use thiserror::Error;

use crate::failure::{Failure, Wanted};
use crate::namespace::Namespace;

/// Bytes of an answer: an address and a domain, or why there is none.
const ANSWER_BYTES_MAX: usize = 1024;
/// The descriptors of an answer: a user namespace and a network namespace.
const DESCRIPTORS: usize = 2;

/// How names become addresses in a VPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Where the resolver of the VPC answers.
    pub resolver: Ipv4Addr,
    /// The domain that short names are looked up in.
    pub domain: String,
}

/// What a process needs to work in the namespace of an interface.
#[derive(Debug)]
pub struct Doorway {
    /// The user namespace that the networks belong to.
    pub(crate) user: OwnedFd,
    pub(crate) network: Namespace,
    pub(crate) names: Names,
}

/// Why nothing was handed over.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unopened {
    /// Whoever was asked says why.
    #[error("{0}")]
    Refused(String),
    /// This machine says why.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Doorway {
    /// The way to a namespace that this process made.
    ///
    /// # Errors
    /// That its own user namespace cannot be opened.
    pub fn to(network: &Namespace, names: Names) -> Result<Self, Failure> {
        let user = File::open("/proc/self/ns/user").wanted("open the user namespace of this process")?;
        Ok(Self { user: user.into(), network: network.clone(), names })
    }

    /// Hands it over, in a message that the buffer of any unix socket has room for.
    ///
    /// # Errors
    /// That the other end is gone.
    pub fn send(&self, through: impl AsFd) -> Result<(), Failure> {
        let Names { resolver, domain } = &self.names;
        let text = format!("{resolver} {domain}\n");
        let descriptors: [BorrowedFd<'_>; DESCRIPTORS] = [self.user.as_fd(), self.network.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut handed = SendAncillaryBuffer::new(&mut space);
        let has_room = handed.push(SendAncillaryMessage::ScmRights(&descriptors));
        debug_assert!(has_room, "the space was made for them");
        let flags = SendFlags::NOSIGNAL;
        sendmsg(through, &[IoSlice::new(text.as_bytes())], &mut handed, flags).wanted("hand a namespace over")?;
        Ok(())
    }

    /// Takes what is handed over. Text without descriptors says why nothing is.
    ///
    /// # Errors
    /// That nothing was handed over.
    pub fn receive(from: impl AsFd) -> Result<Self, Unopened> {
        let mut text = [0; ANSWER_BYTES_MAX];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut handed = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(from, &mut [IoSliceMut::new(&mut text)], &mut handed, RecvFlags::CMSG_CLOEXEC);
        let length = received.wanted("take a namespace over")?.bytes;
        let mut descriptors = handed.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        let mut descriptors = descriptors.by_ref().flatten();
        let text = String::from_utf8_lossy(text.get(..length).unwrap_or_default()).trim_end().to_owned();
        let (Some(user), Some(network)) = (descriptors.next(), descriptors.next()) else {
            return Err(if text.is_empty() {
                Failure::to("take a namespace over", Errno::CONNRESET).into()
            } else {
                Unopened::Refused(text)
            });
        };
        let names = text
            .split_once(' ')
            .and_then(|(resolver, domain)| Some(Names { resolver: resolver.parse().ok()?, domain: domain.to_owned() }));
        let names = names.ok_or_else(|| Failure::to("understand who hands a namespace over", Errno::PROTO))?;
        Ok(Self { user, network: Namespace::of(network), names })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn names() -> Names {
        Names { resolver: Ipv4Addr::new(10, 0, 0, 2), domain: "ec2.internal".to_owned() }
    }

    #[test]
    fn what_is_handed_over_arrives_and_a_refusal_says_why() {
        let own = File::open("/proc/self/ns/net").unwrap();
        let inode = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).unwrap().st_ino;
        let expected = inode(own.as_fd());
        let doorway = Doorway::to(&Namespace::of(own.into()), names()).unwrap();
        let (here, there) = UnixStream::pair().unwrap();
        doorway.send(&here).unwrap();
        let received = Doorway::receive(&there).unwrap();
        assert_eq!(received.names, names());
        assert_eq!(inode(received.network.as_fd()), expected);
        assert_eq!(inode(received.user.as_fd()), inode(doorway.user.as_fd()));
        (&here).write_all(b"there is no such interface\n").unwrap();
        let refused = Doorway::receive(&there).unwrap_err();
        assert_eq!(refused, Unopened::Refused("there is no such interface".to_owned()));
        drop(here);
        let Unopened::Failed(failure) = Doorway::receive(&there).unwrap_err() else { panic!("nobody refused") };
        assert_eq!(failure.errno(), Errno::CONNRESET);
    }
}
