//! Lines until their file is written: by log and node, within bounds.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use plane::report::outlet::BalancerLine;
use topology::snapshot::logs::LogPlace;

/// Bytes of one file before it is compressed. Ours. Above: it is written, and another one begins, as AWS does with much traffic.
pub(super) const FILE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of all that wait. Ours. Above: all are written.
pub(super) const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Files that wait. Ours. Above: all are written.
pub(super) const FILES_MAX: usize = 4096;

/// What is about to be a file.
#[derive(Debug)]
pub(super) struct Ready {
    /// Which log it belongs to.
    pub(super) place: Arc<LogPlace>,
    /// The address of the node.
    pub(super) node: Ipv4Addr,
    /// When its interval ends, since 1970.
    pub(super) end: Duration,
    /// The lines, each with its end.
    pub(super) text: Vec<u8>,
    /// How many there are.
    pub(super) lines: u64,
}

/// What a file begins with.
fn begun(place: &LogPlace) -> Vec<u8> {
    if place.header.is_empty() { Vec::new() } else { format!("{}\n", place.header).into_bytes() }
}

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    files: HashMap<(Arc<LogPlace>, Ipv4Addr), Ready>,
    bytes: usize,
}

impl Gathered {
    /// Adds lines of the interval that ends then, and gives back what is to be written now: files of earlier ones, and full ones.
    pub(super) fn add(&mut self, lines: Vec<BalancerLine>, end: Duration) -> Vec<Ready> {
        let mut ready = Vec::new();
        for BalancerLine { place, node, text } in lines {
            let key = (place, node);
            if self.files.get(&key).is_some_and(|file| file.end != end || file.text.len() >= FILE_BYTES_MAX) {
                ready.extend(self.take(&key));
            }
            self.bytes += text.len() + 1;
            let bytes = &mut self.bytes;
            let file = self.files.entry(key).or_insert_with_key(|(place, node)| {
                let text = begun(place);
                *bytes += text.len();
                Ready { place: Arc::clone(place), node: *node, end, text, lines: 0 }
            });
            file.text.extend_from_slice(text.as_bytes());
            file.text.push(b'\n');
            file.lines += 1;
            if self.bytes > HELD_BYTES_MAX || self.files.len() > FILES_MAX {
                ready.extend(self.take_all());
            }
        }
        ready
    }

    fn take(&mut self, key: &(Arc<LogPlace>, Ipv4Addr)) -> Option<Ready> {
        let file = self.files.remove(key)?;
        self.bytes -= file.text.len();
        Some(file)
    }

    /// Files of intervals that are over by now.
    pub(super) fn take_ended(&mut self, now: Duration) -> Vec<Ready> {
        let ended: Vec<_> = self.files.extract_if(|_, file| file.end <= now).map(|(_, file)| file).collect();
        self.bytes -= ended.iter().map(|file| file.text.len()).sum::<usize>();
        ended
    }

    /// All files.
    pub(super) fn take_all(&mut self) -> Vec<Ready> {
        self.bytes = 0;
        self.files.drain().map(|(_, file)| file).collect()
    }
}
