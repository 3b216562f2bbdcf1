//! A netlink socket: what is sent, and what the kernel says to it. The kernel carries a request out before `send` returns, so that all
//! answers are there then: nothing here waits. A socket belongs to the network namespace in which it was opened.

use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, netlink, recv, sendto, socket_with,
    sockopt,
};

use crate::failure::{Failure, Wanted};
use crate::message::{ACK, HEADER_BYTES, Message};

/// `NLMSG_ERROR`: an answer, well or ill.
const ANSWER: u16 = 2;
/// `NLMSG_DONE`.
const END_OF_LIST: u16 = 3;
/// Bytes that are read at a time; what the kernel sends back of a request is cut there.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Bytes of one transaction that are asked for; what an unprivileged process gets is twice `net.core.wmem_max`, 416 KiB on most machines.
const SEND_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of what waits to be heard, as the kernel counts them: some thousands of messages. What an unprivileged process gets is twice
/// `net.core.rmem_max`. Above: the kernel says that some is lost.
const HEAR_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of a buffer that no request may fill (`netlink_sendmsg`).
const RESERVED_BYTES: usize = 32;

/// A socket towards one part of the kernel.
#[derive(Debug)]
pub(crate) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    /// Towards links, addresses and routes.
    pub(crate) fn route() -> Result<Self, Failure> {
        Self::open(None)
    }

    /// Towards nftables.
    pub(crate) fn netfilter() -> Result<Self, Failure> {
        let opened = Self::open(Some(netlink::NETFILTER))?;
        // Beyond the limit of the machine only a privileged process may go; the others take what they get.
        if sockopt::set_socket_send_buffer_size_force(&opened.socket, SEND_BYTES_MAX).is_err() {
            sockopt::set_socket_send_buffer_size(&opened.socket, SEND_BYTES_MAX).wanted("size a netlink socket")?;
        }
        Ok(opened)
    }

    /// Towards connections that are tracked and packets that are logged, and told of what these groups are told, a bit each.
    pub(crate) fn listening(groups: u32) -> Result<Self, Failure> {
        let opened = Self::open(Some(netlink::NETFILTER))?;
        if sockopt::set_socket_recv_buffer_size_force(&opened.socket, HEAR_BYTES_MAX).is_err() {
            sockopt::set_socket_recv_buffer_size(&opened.socket, HEAR_BYTES_MAX).wanted("size a netlink socket")?;
        }
        bind(&opened.socket, &SocketAddrNetlink::new(0, groups)).wanted("hear of connections")?;
        Ok(opened)
    }

    fn open(protocol: Option<Protocol>) -> Result<Self, Failure> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol);
        Ok(Self { socket: socket.wanted("open a netlink socket")?, sequence: 0 })
    }

    /// Bytes that it takes at once: the kernel keeps some for itself.
    pub(crate) fn room(&self) -> Result<usize, Failure> {
        let size = sockopt::socket_send_buffer_size(&self.socket).wanted("size a netlink socket")?;
        Ok(size.saturating_sub(RESERVED_BYTES))
    }

    /// Has one request carried out.
    pub(crate) fn carry_out(&mut self, message: Message, wanted: &str) -> Result<(), Failure> {
        self.sequence += 1;
        let bytes = message.numbered(self.sequence, ACK);
        self.send(&bytes, wanted)
    }

    /// Has all requests carried out, or none of them: the first and the last bound the transaction, of the others the last tells of success.
    pub(crate) fn carry_out_at_once(&mut self, messages: Vec<Message>, wanted: &str) -> Result<(), Failure> {
        let telling = messages.len().saturating_sub(2);
        let mut bytes = Vec::new();
        for (at, message) in messages.into_iter().enumerate() {
            self.sequence += 1;
            bytes.extend(message.numbered(self.sequence, if at == telling { ACK } else { 0 }));
        }
        self.send(&bytes, &format!("{wanted} ({} bytes in one transaction)", bytes.len()))
    }

    /// Asks for one thing, and gives what the kernel says of it.
    pub(crate) fn ask(&mut self, message: Message, wanted: &str) -> Result<Vec<u8>, Failure> {
        self.sequence += 1;
        self.put(&message.numbered(self.sequence, 0), wanted)?;
        let said = self.hear().wanted(wanted)?;
        match answers(&said).first() {
            Some(Some(errno)) => Err(Failure::to(wanted, *errno)),
            Some(None) | None => Ok(said.get(HEADER_BYTES..).unwrap_or_default().to_vec()),
        }
    }

    /// Asks for a list, and hands out what the kernel says of each of its entries.
    pub(crate) fn list(&mut self, message: Message, wanted: &str, tell: impl FnMut(&[u8])) -> Result<(), Failure> {
        self.begin_list(message, wanted)?;
        self.hear_list(wanted, tell)
    }

    /// Asks for a list.
    pub(crate) fn begin_list(&mut self, message: Message, wanted: &str) -> Result<(), Failure> {
        self.sequence += 1;
        self.put(&message.numbered(self.sequence, 0), wanted)
    }

    /// Hands out what the kernel says of each entry of the list that was asked for. The kernel puts more of it there as some is read.
    pub(crate) fn hear_list(&mut self, wanted: &str, mut tell: impl FnMut(&[u8])) -> Result<(), Failure> {
        loop {
            let said = self.hear().wanted(wanted)?;
            for (kind, body) in messages(&said) {
                match kind {
                    END_OF_LIST => return Ok(()),
                    ANSWER => return answer(body).map_or(Ok(()), |errno| Err(Failure::to(wanted, errno))),
                    _ => tell(body),
                }
            }
        }
    }

    /// Hands out what is there to be heard, each message with its kind; says whether something was.
    pub(crate) fn hear_all(&mut self, mut tell: impl FnMut(u16, &[u8])) -> Result<bool, Errno> {
        let said = match self.hear() {
            Err(Errno::AGAIN) => return Ok(false),
            said => said?,
        };
        messages(&said).for_each(|(kind, body)| tell(kind, body));
        Ok(true)
    }

    fn put(&self, bytes: &[u8], wanted: &str) -> Result<(), Failure> {
        let kernel = SocketAddrNetlink::new(0, 0);
        sendto(&self.socket, bytes, SendFlags::empty(), &kernel).wanted(wanted).map(|_whole| ())
    }

    /// What is there to be heard.
    fn hear(&self) -> Result<Vec<u8>, Errno> {
        let mut buffer = Vec::with_capacity(ANSWER_BYTES_MAX);
        recv(&self.socket, spare_capacity(&mut buffer), RecvFlags::DONTWAIT)?;
        Ok(buffer)
    }

    fn send(&mut self, bytes: &[u8], wanted: &str) -> Result<(), Failure> {
        self.put(bytes, wanted)?;
        let mut is_answered = false;
        loop {
            let buffer = match self.hear() {
                Ok(buffer) => buffer,
                Err(Errno::AGAIN) if is_answered => return Ok(()),
                Err(errno) => return Err(Failure::to(wanted, errno)),
            };
            for errno in answers(&buffer) {
                is_answered = true;
                if let Some(errno) = errno {
                    return Err(Failure::to(wanted, errno));
                }
            }
        }
    }
}

/// The messages in what was read, each with its kind; the body of the last may be cut.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        bytes = bytes.get(length.max(HEADER_BYTES).next_multiple_of(4)..).unwrap_or_default();
        Some((kind, rest.get(..length.saturating_sub(HEADER_BYTES)).unwrap_or(rest)))
    })
}

/// The error that an answer tells of, if it does.
fn answer(body: &[u8]) -> Option<Errno> {
    let code = i32::from_ne_bytes(*body.first_chunk::<4>()?);
    (code != 0).then(|| Errno::from_raw_os_error(code.saturating_neg()))
}

/// The answers in what was read: the error of each, if it is one.
fn answers(bytes: &[u8]) -> Vec<Option<Errno>> {
    let whole = messages(bytes).filter(|(kind, body)| *kind == ANSWER && body.len() >= size_of::<i32>());
    whole.map(|(_, body)| answer(body)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: i32) -> Vec<u8> {
        let mut bytes = Message::new(ANSWER, 0).fixed(&code.to_ne_bytes());
        bytes.plain(&[0; 16]);
        bytes.numbered(1, 0)
    }

    #[test]
    fn each_answer_is_read_and_what_is_cut_ends_the_reading() {
        let both = [answer(0), answer(-1)].concat();
        assert_eq!(answers(&both), [None, Some(Errno::PERM)]);
        assert_eq!(answers(&both[..20]), [None], "the body of the first is cut");
        assert_eq!(answers(&both[..10]), []);
        assert_eq!(answers(&Message::new(3, 0).numbered(1, 0)), [], "another kind is no answer");
        assert_eq!(answers(&[0; 64]).len(), 0, "a length of nothing does not hold the reading up");
    }
}
