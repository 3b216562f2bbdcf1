//! Requests that could be read in two ways, as far as they can still reach a listener, and what becomes of them (ALB user guide,
//! "Desync mitigation mode" and "Classification reasons", 2026-11). Which they are is what AWS's own open classifier says of a parsed
//! request; a test asks it.
//!
//! What the parser in front refuses in every mode has no class here: names that are no tokens, control characters, folded lines, versions
//! that do not exist, targets with blanks, and a `Content-Length` or `Transfer-Encoding` that cannot be read in one way only.

use http::{Method, Request, Version};
use topology::reason::Reason;
use topology::snapshot::attributes::DesyncMode;

use crate::http::body::RequestBody;
use crate::http::framing::WithFraming as _;
use crate::http1::spelling::Spelling;

/// A request that the listener answers with a page.
pub(crate) struct Rejected {
    /// The status.
    pub(crate) status: u16,
    /// Why.
    pub(crate) reason: Reason,
}

impl Rejected {
    /// What becomes of the client's connection.
    pub(crate) fn care(&self) -> Care {
        if self.reason == Reason::DesyncBlocked { Care::Close } else { Care::Keep }
    }
}

/// Whether the connections to the client and to the target may be used again afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Care {
    /// They may.
    Keep,
    /// The request was ambiguous, or blocked: they may not.
    Close,
}

/// How dangerous it is that a request could be read in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// Unusual, and no danger is known.
    Acceptable,
    /// Readers may disagree on where it ends.
    Ambiguous,
    /// It is broken, or made to deceive.
    Severe,
}

/// Why a request is not compliant. Each reason has its tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// `Content-Length: 0` with GET or HEAD.
    GetHeadZeroContentLength,
    /// Another `Content-Length` with them.
    UndefinedContentLengthSemantics,
    /// `Transfer-Encoding` with them, or in HTTP/1.0.
    UndefinedTransferEncodingSemantics,
    /// A header whose name only looks like one of the two.
    SuspiciousHeader,
    /// The same length twice.
    DuplicateContentLength,
    /// Both headers.
    BothTeClPresent,
    /// Both, one of which only looks like it.
    SuspiciousTeClPresent,
    /// Two lengths.
    MultipleContentLength,
    /// A length that is no number.
    BadContentLength,
    /// `chunked` on top of `chunked`.
    MultipleTransferEncodingChunked,
    /// A coding that there is not.
    BadTransferEncoding,
}

impl Oddity {
    /// A length with a method whose body means nothing.
    const fn without_body(bytes: u64) -> Self {
        if bytes == 0 { Self::GetHeadZeroContentLength } else { Self::UndefinedContentLengthSemantics }
    }

    const fn tier(self) -> Tier {
        match self {
            Self::GetHeadZeroContentLength => Tier::Acceptable,
            Self::UndefinedContentLengthSemantics
            | Self::UndefinedTransferEncodingSemantics
            | Self::SuspiciousHeader
            | Self::DuplicateContentLength
            | Self::BothTeClPresent => Tier::Ambiguous,
            Self::SuspiciousTeClPresent
            | Self::MultipleContentLength
            | Self::BadContentLength
            | Self::MultipleTransferEncodingChunked
            | Self::BadTransferEncoding => Tier::Severe,
        }
    }

    /// The class and the reason as access logs write them.
    pub(crate) const fn words(self) -> (&'static str, &'static str) {
        let class = match self.tier() {
            Tier::Acceptable => "Acceptable",
            Tier::Ambiguous => "Ambiguous",
            Tier::Severe => "Severe",
        };
        let why = match self {
            Self::GetHeadZeroContentLength => "GetHeadZeroContentLength",
            Self::UndefinedContentLengthSemantics => "UndefinedContentLengthSemantics",
            Self::UndefinedTransferEncodingSemantics => "UndefinedTransferEncodingSemantics",
            Self::SuspiciousHeader => "SuspiciousHeader",
            Self::DuplicateContentLength => "DuplicateContentLength",
            Self::BothTeClPresent => "BothTeClPresent",
            Self::SuspiciousTeClPresent => "SuspiciousTeClPresent",
            Self::MultipleContentLength => "MultipleContentLength",
            Self::BadContentLength => "BadContentLength",
            Self::MultipleTransferEncodingChunked => "MultipleTransferEncodingChunked",
            Self::BadTransferEncoding => "BadTransferEncoding",
        };
        (class, why)
    }
}

/// What is odd about a request, `None` where it is compliant. One over HTTP/1 is judged by its lines as they were sent, every other by
/// its headers and by what frames it on its way to a target.
pub(super) fn oddity(request: &Request<RequestBody>, spelling: &Spelling) -> Option<Oddity> {
    let mut lines = Lines::default();
    match spelling.sent() {
        Some(sent) => sent.for_each(|(name, value)| lines.read(name, value)),
        None => {
            for (name, value) in request.headers() {
                lines.read(name.as_str().as_bytes(), value.as_bytes());
            }
            for (name, value) in request.body().framing().lines().iter() {
                lines.read(name.as_str().as_bytes(), value.as_bytes());
            }
        }
    }
    lines.judge(request.method(), request.version())
}

/// What the load balancer's mode makes of it.
pub(super) fn care(mode: DesyncMode, oddity: Option<Oddity>) -> Result<Care, Rejected> {
    match (mode, oddity.map(Oddity::tier)) {
        (DesyncMode::Monitor, _) | (_, None) | (DesyncMode::Defensive, Some(Tier::Acceptable)) => Ok(Care::Keep),
        (DesyncMode::Defensive, Some(Tier::Ambiguous)) => Ok(Care::Close),
        (DesyncMode::Defensive, Some(Tier::Severe)) | (DesyncMode::Strictest, Some(_)) => {
            Err(Rejected { status: 400, reason: Reason::DesyncBlocked })
        }
    }
}

/// What the lines of a head say of its body.
#[derive(Debug, Default)]
struct Lines {
    codings: Codings,
    lengths: Lengths,
}

/// The lines of `Transfer-Encoding`, also those whose name only looks like it.
#[derive(Debug, Default)]
struct Codings {
    any: bool,
    disguised: bool,
    /// Whether the last coding is `chunked`.
    is_chunked: bool,
    worst: Option<Oddity>,
}

/// The lines of `Content-Length`, also those whose name only looks like it.
#[derive(Debug, Default)]
struct Lengths {
    first: Option<u64>,
    disguised: bool,
    worst: Option<Oddity>,
}

/// Of what is equally bad, what was found first counts.
fn worsen(worst: &mut Option<Oddity>, found: Option<Oddity>) {
    if worst.map(Oddity::tier) < found.map(Oddity::tier) {
        *worst = found;
    }
}

impl Lines {
    #[inline]
    fn read(&mut self, name: &[u8], value: &[u8]) {
        // Almost every name is told apart by its length or its first byte.
        if name.len() < "content-length".len() || name[0].is_ascii_alphanumeric() && !b"cCtT".contains(&name[0]) {
            return;
        }
        match Likeness::of(name, b"transfer-encoding") {
            Likeness::None => match Likeness::of(name, b"content-length") {
                Likeness::None => {}
                likeness => {
                    self.lengths.disguised |= likeness == Likeness::Letters;
                    self.lengths.read(value);
                }
            },
            likeness => {
                self.codings.any = true;
                self.codings.disguised |= likeness == Likeness::Letters;
                self.codings.read(value);
            }
        }
    }

    fn judge(&self, method: &Method, version: Version) -> Option<Oddity> {
        let Self { codings, lengths } = self;
        let is_disguised = codings.disguised || lengths.disguised;
        let mut worst = is_disguised.then_some(Oddity::SuspiciousHeader);
        if version == Version::HTTP_10 && codings.any {
            worsen(&mut worst, Some(Oddity::UndefinedTransferEncodingSemantics));
            return worst;
        }
        worsen(&mut worst, codings.worst);
        worsen(&mut worst, lengths.worst);
        if *method == Method::GET || *method == Method::HEAD {
            worsen(&mut worst, codings.any.then_some(Oddity::UndefinedTransferEncodingSemantics));
            worsen(&mut worst, lengths.first.map(Oddity::without_body));
        }
        if codings.any && lengths.first.is_some() {
            let both = if is_disguised { Oddity::SuspiciousTeClPresent } else { Oddity::BothTeClPresent };
            worsen(&mut worst, Some(both));
        }
        worst
    }
}

impl Codings {
    fn read(&mut self, value: &[u8]) {
        for coding in value.split(|byte| *byte == b',') {
            // Parameters do not matter.
            let coding = coding.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            let is_known = KNOWN_CODINGS.iter().any(|known| known.eq_ignore_ascii_case(coding));
            let is_chunked = coding.eq_ignore_ascii_case(b"chunked");
            if !is_known {
                worsen(&mut self.worst, Some(Oddity::BadTransferEncoding));
                continue;
            }
            if self.is_chunked && is_chunked {
                worsen(&mut self.worst, Some(Oddity::MultipleTransferEncodingChunked));
            }
            self.is_chunked = is_chunked;
        }
    }
}

impl Lengths {
    fn read(&mut self, value: &[u8]) {
        let found = match (number_of(value), self.first) {
            (None, _) => Some(Oddity::BadContentLength),
            (Some(bytes), None) => {
                self.first = Some(bytes);
                None
            }
            (Some(bytes), Some(first)) if bytes == first => Some(Oddity::DuplicateContentLength),
            (Some(_), Some(_)) => Some(Oddity::MultipleContentLength),
        };
        worsen(&mut self.worst, found);
    }
}

const KNOWN_CODINGS: [&[u8]; 5] = [b"chunked", b"compress", b"deflate", b"gzip", b"identity"];

/// A decimal number; nothing at all counts as zero.
fn number_of(value: &[u8]) -> Option<u64> {
    value.trim_ascii().iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// How much the name of a header is like another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    /// Not at all.
    None,
    /// It has the same letters up to something that is none, and nothing but such behind: `transfer_encoding`, `content-length.`
    Letters,
    /// It is the same.
    Same,
}

impl Likeness {
    /// Compares a name, a token of HTTP, with one of small letters and hyphens.
    fn of(name: &[u8], known: &[u8]) -> Self {
        if name.len() < known.len() {
            return Self::None;
        }
        if name.eq_ignore_ascii_case(known) {
            return Self::Same;
        }
        let skipped = |from: &mut usize| {
            while name.get(*from).is_some_and(|byte| !byte.is_ascii_alphanumeric()) {
                *from += 1;
            }
        };
        let mut at = 0;
        skipped(&mut at);
        for letter in known {
            let Some(byte) = name.get(at) else { return Self::None };
            match letter {
                // Whatever stands for a hyphen.
                b'-' => {
                    at += 1;
                    skipped(&mut at);
                }
                letter if byte.eq_ignore_ascii_case(letter) => at += 1,
                _ => break,
            }
        }
        skipped(&mut at);
        if at == name.len() { Self::Letters } else { Self::None }
    }
}

#[cfg(test)]
mod tests;
