//! Network namespaces, and the one thread that works inside them.
//!
//! Only the opening of a socket must happen inside a namespace; binding, listening and connecting may happen on any thread later. The thread
//! of [`Inside`] goes from namespace to namespace and never back to the one of the process: an unprivileged process may not return there, and
//! a thread of anybody else that were left inside one would carry its traffic into the wrong network.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use crate::failure::{Failure, Wanted};

/// Jobs that may wait for the thread; who brings more waits itself.
const JOBS_MAX: usize = 64;

/// A network namespace. It is there for as long as this value, a socket or a program in it.
#[derive(Debug, Clone)]
pub struct Namespace(Arc<OwnedFd>);

impl Namespace {
    /// A new one, with nothing in it but a loopback that is down.
    ///
    /// # Errors
    /// What the kernel answers: `EPERM` without the privilege, `ENOSPC` at the machine's limit.
    pub fn new() -> Result<Self, Failure> {
        let made = thread::spawn(|| {
            unshare(UnshareFlags::NEWNET).wanted("make a network namespace")?;
            File::open("/proc/thread-self/ns/net").wanted("open a network namespace")
        });
        let file = made.join().map_err(|_panic| Failure::to("make a network namespace", Errno::CANCELED))??;
        Ok(Self(Arc::new(file.into())))
    }

    /// The one that a descriptor, which somebody handed over, is of.
    pub(crate) fn of(descriptor: OwnedFd) -> Self {
        Self(Arc::new(descriptor))
    }

    /// The number of its descriptor, by which a netlink message names it.
    pub(crate) fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Puts the calling thread into new namespaces.
///
/// `UnshareFlags::FILES` is never among them, the only one that rustix's page calls unsafe.
#[expect(deprecated, reason = "what replaces it is unsafe for the sake of a flag that is not used here")]
pub(crate) fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    rustix::thread::unshare(flags)
}

/// Switches IPv6 off in the namespace that this runs in: no rule speaks of it yet.
pub(crate) fn without_ipv6() -> Result<(), Failure> {
    for which in ["all", "default"] {
        let written = std::fs::write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "1");
        // A kernel without IPv6 has no such file.
        written.wanted("switch IPv6 off").or_else(|failure| failure.unless(Errno::NOENT))?;
    }
    Ok(())
}

type Job = Box<dyn FnOnce() + Send>;

/// The thread that works inside namespaces. It ends with the last handle.
#[derive(Debug, Clone)]
pub struct Inside {
    jobs: SyncSender<(Namespace, Job)>,
}

impl Inside {
    /// Starts the thread.
    ///
    /// # Errors
    /// That the machine gives no thread.
    pub fn start() -> Result<Self, Failure> {
        let (jobs, todo) = sync_channel::<(Namespace, Job)>(JOBS_MAX);
        let work = move || {
            for (namespace, job) in todo {
                // A job that is dropped answers whoever waits for it.
                if move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).is_ok() {
                    job();
                }
            }
        };
        thread::Builder::new().name("fabric".to_owned()).spawn(work).wanted("start the thread of the fabric")?;
        Ok(Self { jobs })
    }

    /// Does a job inside a namespace and waits for what comes of it. It must not block: everybody's sockets come from this thread.
    ///
    /// # Errors
    /// That the namespace cannot be entered.
    pub fn run<T: Send + 'static>(
        &self,
        namespace: &Namespace,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let refused = |_gone| Failure::to("enter a network namespace", Errno::PERM);
        let (answer, answered) = sync_channel(1);
        let job = move || {
            // Who no longer waits needs no answer.
            let _ = answer.send(job());
        };
        self.jobs.send((namespace.clone(), Box::new(job))).map_err(|_gone| refused(()))?;
        answered.recv().map_err(|_gone| refused(()))
    }

    /// Has a job done inside a namespace without waiting for it. One that cannot be done is dropped.
    ///
    /// # Errors
    /// `EAGAIN` where as many jobs wait as may.
    pub fn begin(&self, namespace: &Namespace, job: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
        let handed = self.jobs.try_send((namespace.clone(), Box::new(job)));
        handed.map_err(|_full| Failure::to("enter a network namespace", Errno::AGAIN))
    }
}
