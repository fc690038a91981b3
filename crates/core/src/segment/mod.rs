//! Immutable segments of the past, written once and read ever after.
//!
//! The whole past of a chain does not fit in memory. It lies in segments of up
//! to 2^20 transfers, each complete by itself: blocks, transfers with the
//! balances around them, what else moved units, and the accounts first seen in
//! it. A walk through the past reads chunks of 4096 transfers: all of them, or
//! those in which the index finds the accounts that it follows.
//!
//! What always holds: a segment tells what was pushed, in that order; whatever
//! was damaged since is noticed before it is believed, since every byte is
//! under a checksum and every reader compares it. A segment made to deceive,
//! checksums and all, may tell lies, but readers do not panic on it.
//!
//! Deliberately absent: files, which the shell puts behind [`Image`]; a cache,
//! since whoever walks knows what comes next.
//!
//! ```text
//! header     magic, version, counts, length and checksum of each section
//! directory  of each chunk and each page of the account index: length, check
//! chunks     4096 times: from, to, control word | marks | numbers of the rows
//! index      accounts by id, each with the chunks it occurs in
//! blocks     number and time by difference from the one before, hash
//! others     issues, redemptions, destructions, freezes, releases
//! accounts   chain and address of those first seen here
//! hashes     of the transaction of each transfer
//! locator    from a transaction's hash to the chunks it may be in
//! ```

mod block;
mod build;
mod bytes;
mod chunk;
mod code;
mod error;
mod header;
mod image;
mod index;
mod other;
mod probe;
mod radix;
mod read;
mod row;
mod sections;
#[cfg(test)]
mod tests;
mod tx;

pub use image::{Image, ImageError};
pub use probe::probe;

pub(crate) use block::BlockRow;
pub(crate) use build::SegmentBuilder;
pub(crate) use chunk::{CHUNK, Columns};
pub(crate) use error::{BuildError, Section, SegmentError};
pub(crate) use other::{Other, OtherAction};
pub(crate) use read::Segment;
pub(crate) use row::Row;

/// The length in bytes of a segment, and the checksum of its header, which
/// covers the counts and the checksums of all sections.
///
/// # Errors
/// If the header cannot be read, or is damaged.
pub(crate) fn identity(image: &dyn Image) -> Result<(u64, u32), SegmentError> {
    Ok((image.len(), header::Header::read(image)?.crc))
}

/// Most transfers of a segment: the index names a chunk by one byte.
pub(crate) const TRANSFERS_MAX: u32 = 256 * CHUNK;
