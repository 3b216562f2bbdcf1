//! One message of netlink as bytes: a header, a fixed part, and attributes that may hold attributes. Numbers of netlink itself are in the
//! machine's order; nftables wants its own in network order, which is its callers' business. After the kernel's
//! `include/uapi/linux/netlink.h`.

/// `NLM_F_REQUEST`.
const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`: an answer is wanted even if all is well.
pub(crate) const ACK: u16 = 0x4;
/// `NLM_F_CREATE`.
pub(crate) const CREATE: u16 = 0x400;
/// `NLM_F_EXCL`: it must not be there yet.
pub(crate) const EXCLUSIVE: u16 = 0x200;
/// `NLM_F_APPEND`.
pub(crate) const APPEND: u16 = 0x800;
/// `NLM_F_DUMP`: all that there is, in many messages.
pub(crate) const LIST: u16 = 0x300;
/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;
/// Bytes of a message's header.
pub(crate) const HEADER_BYTES: usize = 16;

/// Bytes of an attribute's header.
const ATTRIBUTE_HEADER_BYTES: usize = 4;

/// The attributes that were read, each with its kind; what is cut ends them.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let &[a, b, c, d] = bytes.first_chunk::<ATTRIBUTE_HEADER_BYTES>()?;
        let (length, kind) = (usize::from(u16::from_ne_bytes([a, b])), u16::from_ne_bytes([c, d]) & !NESTED);
        let value = bytes.get(ATTRIBUTE_HEADER_BYTES..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The value of the first attribute of this kind; nothing where there is none.
pub(crate) fn attribute(bytes: &[u8], kind: u16) -> &[u8] {
    attributes(bytes).find(|(found, _)| *found == kind).map_or(&[], |(_, value)| value)
}

/// A message that is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A request of this kind.
    pub(crate) fn new(kind: u16, flags: u16) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&(flags | REQUEST).to_ne_bytes());
        bytes.extend_from_slice(&[0; 8]);
        Self { bytes }
    }

    /// Adds bytes of the fixed part.
    #[must_use]
    pub(crate) fn fixed(mut self, bytes: &[u8]) -> Self {
        self.plain(bytes);
        self
    }

    /// Adds bytes as they are.
    pub(crate) fn plain(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.pad();
    }

    /// Adds an attribute.
    pub(crate) fn put(&mut self, kind: u16, value: &[u8]) {
        let start = self.open(kind);
        self.bytes.extend_from_slice(value);
        self.close(start);
    }

    /// Adds an attribute that is text, with the zero at its end.
    pub(crate) fn text(&mut self, kind: u16, value: &str) {
        let start = self.open(kind);
        self.bytes.extend_from_slice(value.as_bytes());
        self.bytes.push(0);
        self.close(start);
    }

    /// Adds an attribute that is a number in network order, as nftables has them.
    pub(crate) fn number(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_be_bytes());
    }

    /// Adds an attribute that holds attributes.
    pub(crate) fn nest(&mut self, kind: u16, inner: impl FnOnce(&mut Self)) {
        let start = self.open(kind | NESTED);
        inner(self);
        self.close(start);
    }

    /// How many bytes it has so far.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes as they are sent under this number; `flags` are added to those that it has.
    pub(crate) fn numbered(mut self, sequence: u32, flags: u16) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).expect("a message is smaller than 4 GiB");
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        let flags = u16::from_ne_bytes([self.bytes[6], self.bytes[7]]) | flags;
        self.bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes
    }

    fn open(&mut self, kind: u16) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        start
    }

    fn close(&mut self, start: usize) {
        let length = u16::try_from(self.bytes.len() - start).expect("the callers keep attributes below 64 KiB");
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_what_is_held_and_not_the_padding() {
        let mut message = Message::new(16, ACK).fixed(&[1, 2, 3, 4]);
        message.nest(1, |inner| inner.text(2, "ab"));
        let bytes = message.numbered(7, CREATE);
        let u16_at = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        assert_eq!(bytes.len(), 16 + 4 + 4 + 8);
        assert_eq!(u32::from_ne_bytes(bytes[..4].try_into().unwrap()), 32);
        assert_eq!((u16_at(4), u16_at(6)), (16, REQUEST | ACK | CREATE));
        assert_eq!((u16_at(20), u16_at(22)), (12, 1 | NESTED));
        assert_eq!((u16_at(24), u16_at(26)), (7, 2), "three bytes of text and their header");
        assert_eq!(&bytes[28..], b"ab\0\0");
        assert_eq!((attribute(attribute(&bytes[20..], 1), 2), attribute(&bytes[20..], 2)), (&b"ab\0"[..], &b""[..]));
        let (kind, inner) = attributes(&bytes[20..]).next().unwrap();
        assert_eq!((kind, attributes(inner).collect::<Vec<_>>()), (1, vec![(2, &b"ab\0"[..])]));
        for cut in [&bytes[20..28], &[0; 8], &[9, 0, 1, 0], &[]] {
            assert_eq!(attributes(cut).count(), 0, "{cut:?}");
        }
    }
}
