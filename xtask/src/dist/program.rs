//! The program that packages hold, and what its file says of where it can run (ELF, System V ABI, chapters 4 and 5): for which machines it
//! is, and which C library it asks for. Programs of 64 bits, little end first, alone.

use std::path::{Path, PathBuf};

/// Machines by their number in the file, with their names in Rust, Debian and npm.
const MACHINES: [(u16, Machine); 2] = [(62, Machine::X86), (183, Machine::Arm)];
/// Kinds of segments.
const LOAD: u32 = 1;
const DYNAMIC: u32 = 2;
const INTERPRETER: u32 = 3;
/// Kinds of rows of the dynamic segment: where its text is and how long.
const STRTAB: u64 = 5;
const STRSZ: u64 = 10;
/// What versions of the C library's functions begin with.
const VERSIONED: &[u8] = b"GLIBC_";

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Machine {
    X86,
    Arm,
}

impl Machine {
    /// As Rust and Linux name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Machine::X86 => "x86_64",
            Machine::Arm => "aarch64",
        }
    }

    /// As Debian names it, and images.
    pub(super) fn debian(self) -> &'static str {
        match self {
            Machine::X86 => "amd64",
            Machine::Arm => "arm64",
        }
    }
}

/// A version of the C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Libc {
    pub(super) major: u32,
    pub(super) minor: u32,
}

pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
    pub(super) machine: Machine,
    /// The newest that it asks for, or none where it is linked to no library.
    pub(super) libc: Option<Libc>,
}

impl Program {
    pub(super) fn load(path: &Path) -> Result<Program, String> {
        let bytes = super::read(path)?;
        let known = examine(&bytes).ok_or_else(|| {
            format!(
                "{} is no program of Linux for 64 bits that stands alone or asks for GNU's C library",
                path.display()
            )
        })?;
        Ok(Program { path: path.to_path_buf(), machine: known.0, libc: known.1, bytes })
    }
}

fn examine(bytes: &[u8]) -> Option<(Machine, Option<Libc>)> {
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let number = u16::from_le_bytes(array(bytes, 18)?);
    let machine = MACHINES.iter().find(|(known, _)| *known == number)?.1;
    let segments = segments(bytes)?;
    let Some(dynamic) = segments.iter().find(|segment| segment.kind == DYNAMIC) else { return Some((machine, None)) };
    let text = text(bytes, &segments, dynamic)?;
    let names = text.split(|byte| *byte == 0);
    let libc = names.filter_map(|name| version(name.strip_prefix(VERSIONED)?)).max();
    let is_loaded = segments.iter().any(|segment| segment.kind == INTERPRETER);
    (is_loaded == libc.is_some()).then_some((machine, libc))
}

struct Segment {
    kind: u32,
    offset: usize,
    address: u64,
    bytes: usize,
}

fn segments(bytes: &[u8]) -> Option<Vec<Segment>> {
    let table = usize::try_from(u64::from_le_bytes(array(bytes, 32)?)).ok()?;
    let size = usize::from(u16::from_le_bytes(array(bytes, 54)?));
    let count = usize::from(u16::from_le_bytes(array(bytes, 56)?));
    let segment = |number: usize| {
        let at = table.checked_add(number * size)?;
        let word = |offset: usize| Some(u64::from_le_bytes(array(bytes, at.checked_add(offset)?)?));
        Some(Segment {
            kind: u32::from_le_bytes(array(bytes, at)?),
            offset: usize::try_from(word(8)?).ok()?,
            address: word(16)?,
            bytes: usize::try_from(word(32)?).ok()?,
        })
    };
    (0..count).map(segment).collect()
}

/// The text of the dynamic segment: names of libraries, functions and versions, each with a zero behind it.
fn text<'a>(bytes: &'a [u8], segments: &[Segment], dynamic: &Segment) -> Option<&'a [u8]> {
    let rows = bytes.get(dynamic.offset..dynamic.offset.checked_add(dynamic.bytes)?)?;
    let row = |kind: u64| {
        let found = rows.chunks_exact(16).find(|row| row.starts_with(&kind.to_le_bytes()))?;
        Some(u64::from_le_bytes(array(found, 8)?))
    };
    let (address, length) = (row(STRTAB)?, usize::try_from(row(STRSZ)?).ok()?);
    let holds = |segment: &&Segment| {
        segment.kind == LOAD && address.checked_sub(segment.address).is_some_and(|into| into < segment.bytes as u64)
    };
    let segment = segments.iter().find(holds)?;
    let start = segment.offset.checked_add(usize::try_from(address - segment.address).ok()?)?;
    bytes.get(start..start.checked_add(length)?)
}

/// `2.34`, or `2.2.5` of which the last does not count.
fn version(text: &[u8]) -> Option<Libc> {
    let mut numbers = std::str::from_utf8(text).ok()?.split('.').map(str::parse);
    Some(Libc { major: numbers.next()?.ok()?, minor: numbers.next()?.ok()? })
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let versions = ["2.2.5", "2.34", "2.9", "PRIVATE"].map(|text| version(text.as_bytes()));
        assert_eq!(versions.into_iter().flatten().max(), Some(Libc { major: 2, minor: 34 }));
    }

    #[test]
    fn this_test_s_own_program_asks_for_a_c_library_and_broken_files_for_nothing() {
        let program = Program::load(&std::env::current_exe().unwrap()).unwrap();
        assert_eq!(program.machine.name(), std::env::consts::ARCH);
        assert!(program.libc.unwrap() > Libc { major: 2, minor: 2 });
        for broken in [&b"#!/bin/sh\n"[..], &program.bytes[..60], &program.bytes[..200]] {
            assert_eq!(examine(broken), None);
        }
        let (mut other, from) = (program.bytes, VERSIONED);
        while let Some(at) = other.windows(from.len()).position(|window| window == from) {
            other[at] = b'X';
        }
        assert_eq!(examine(&other), None, "a program that is loaded with another C library");
    }
}
