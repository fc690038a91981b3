//! What can be wrong with a segment, and where.

use super::ImageError;

/// A part of a segment, in the order in which they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Section {
    Header,
    Directory,
    Chunks,
    Index,
    Blocks,
    Others,
    Accounts,
    Hashes,
    Locator,
}

impl Section {
    /// All but the header, which tells where these are.
    pub(super) const STORED: [Section; 8] = [
        Section::Directory,
        Section::Chunks,
        Section::Index,
        Section::Blocks,
        Section::Others,
        Section::Accounts,
        Section::Hashes,
        Section::Locator,
    ];

    const fn name(self) -> &'static str {
        match self {
            Section::Header => "header",
            Section::Directory => "directory",
            Section::Chunks => "chunks",
            Section::Index => "account index",
            Section::Blocks => "blocks",
            Section::Others => "other movements",
            Section::Accounts => "accounts",
            Section::Hashes => "transaction hashes",
            Section::Locator => "transaction locator",
        }
    }
}

impl std::fmt::Display for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a segment cannot be read. Offsets count from the section's beginning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SegmentError {
    /// The bytes could not be had.
    #[error("segment, {section} at {offset}: {source}")]
    Image { section: Section, offset: u64, source: ImageError },
    /// The first bytes are not those of a segment.
    #[error("not a segment: it begins with {found:02x?}")]
    Magic { found: [u8; 8] },
    /// Another version of the format.
    #[error("segment of version {found}, where {expected} is read")]
    Version { found: u32, expected: u32 },
    /// Cut off, or something was appended.
    #[error("segment of {found} bytes, where its header tells of {expected}")]
    Length { expected: u64, found: u64 },
    /// The bytes are not those that were written.
    #[error("segment, {section} at {offset}: the checksum does not match")]
    Checksum { section: Section, offset: u64 },
    /// The bytes cannot mean anything.
    #[error("segment, {section} at {offset}: {what}")]
    Malformed { section: Section, offset: u64, what: &'static str },
    /// The caller asked for something that the segment does not hold.
    #[error("segment, {section}: there is no number {ix} among {len}")]
    Absent { section: Section, ix: u32, len: u32 },
}

/// Why what was pushed cannot become a segment: an error of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BuildError {
    /// More than one segment may hold, or than 32-bit ids can name.
    #[error("a segment takes no more {0}")]
    Full(Section),
    /// A movement names an account that no segment has introduced so far.
    #[error("account {0} moves units before it was introduced")]
    UnknownAccount(u32),
    /// A movement before the first block.
    #[error("a movement lies in no block")]
    OutsideBlock,
}
