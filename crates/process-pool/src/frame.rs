//! Frames: a header of 32 bytes and a payload. Pure: bytes in, bytes out.
//!
//! The check in the header is seeded with the build, so that neither garbage nor another executable's frames are
//! taken for ours. It is no secret: who can write to the socket is the parent, or the worker itself.

use std::fmt;

/// Bytes of a header.
pub(crate) const HEADER: usize = 32;
/// The longest payload that a header can say, less a little.
pub(crate) const LONGEST: usize = u32::MAX as usize - HEADER;
/// The longest text that a worker sends in the place of a result; the rest is cut off.
pub(crate) const LONGEST_TEXT: usize = 4096;
/// `ksp1`, as a word in the machine's order.
const MAGIC: u32 = u32::from_ne_bytes(*b"ksp1");

/// What a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The worker is there, and of this build.
    Hello = 1,
    /// The worker cannot work; the payload says why.
    Unfit = 2,
    /// A function to call; the payload is the argument.
    Job = 3,
    /// The result.
    Done = 4,
    /// The function panicked; the payload is message and place.
    Panicked = 5,
    /// The argument could not be decoded, or the function not found.
    BadArgument = 6,
    /// The result could not be encoded, or is too long.
    BadResult = 7,
    /// No more jobs will come.
    Bye = 8,
}

impl Kind {
    fn from_word(word: u32) -> Option<Self> {
        const ALL: [Kind; 8] = [
            Kind::Hello,
            Kind::Unfit,
            Kind::Job,
            Kind::Done,
            Kind::Panicked,
            Kind::BadArgument,
            Kind::BadResult,
            Kind::Bye,
        ];
        ALL.into_iter().find(|kind| *kind as u32 == word)
    }
}

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// Bytes of the payload.
    pub(crate) length: u32,
    /// The answer has the number of the question.
    pub(crate) call: u32,
    /// How far a job's trampoline lies from the anchor.
    pub(crate) distance: i64,
}

/// Why bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadHeader {
    /// Something else wrote to the stream, or from another build.
    Garbage,
    /// The payload would be longer than allowed.
    TooLong { length: u32, limit: usize },
}

impl fmt::Display for BadHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Garbage => f.write_str("what came over the socket is no frame of this build"),
            Self::TooLong { length, limit } => {
                write!(f, "a message of {length} bytes came, and {limit} are allowed")
            }
        }
    }
}

impl Header {
    pub(crate) fn new(kind: Kind, call: u32) -> Self {
        Self { kind, length: 0, call, distance: 0 }
    }

    pub(crate) fn to_bytes(self, build: u64) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0..4].copy_from_slice(&MAGIC.to_ne_bytes());
        bytes[4..8].copy_from_slice(&(self.kind as u32).to_ne_bytes());
        bytes[8..12].copy_from_slice(&self.length.to_ne_bytes());
        bytes[12..16].copy_from_slice(&self.call.to_ne_bytes());
        bytes[16..24].copy_from_slice(&self.distance.to_ne_bytes());
        let check = check(&bytes, build);
        bytes[24..32].copy_from_slice(&check.to_ne_bytes());
        bytes
    }

    pub(crate) fn from_bytes(
        bytes: &[u8; HEADER],
        build: u64,
        limit: usize,
    ) -> Result<Self, BadHeader> {
        let is_ours = word(bytes, 0) == MAGIC && long(bytes, 24) == check(bytes, build);
        let kind = Kind::from_word(word(bytes, 4)).filter(|_| is_ours).ok_or(BadHeader::Garbage)?;
        let length = word(bytes, 8);
        if length as usize > limit {
            return Err(BadHeader::TooLong { length, limit });
        }
        let distance = long(bytes, 16) as i64;
        Ok(Self { kind, length, call: word(bytes, 12), distance })
    }
}

fn word(bytes: &[u8; HEADER], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_ne_bytes(word)
}

fn long(bytes: &[u8; HEADER], at: usize) -> u64 {
    let mut long = [0; 8];
    long.copy_from_slice(&bytes[at..at + 8]);
    u64::from_ne_bytes(long)
}

fn check(bytes: &[u8; HEADER], build: u64) -> u64 {
    [0, 8, 16].into_iter().fold(build, |sum, at| mix(sum ^ long(bytes, at)))
}

/// The finalizer of splitmix64 (Steele, Lea, Flood, 2014): each bit of the input reaches each of the output.
pub(crate) fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Mixes bytes into one word.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(bytes.len() as u64, |sum, chunk| {
        let mut long = [0; 8];
        long[..chunk.len()].copy_from_slice(chunk);
        mix(sum ^ u64::from_ne_bytes(long))
    })
}

#[cfg(test)]
mod tests;
