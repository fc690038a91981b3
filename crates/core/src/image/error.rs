//! Why an engine cannot be restored.

use crate::history::HistoryError;

/// Why an engine cannot be restored from an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// Another version of the format.
    #[error("an image of version {found}, where {expected} is read")]
    Version {
        /// The image's.
        found: u32,
        /// The one that is read.
        expected: u32,
    },
    /// The image was taken under other settings, on which its state depends.
    #[error("the image was taken with another setting of {0}")]
    Settings(&'static str),
    /// Another number of segments than the image rests on.
    #[error("the image rests on {expected} segments, and {found} are there")]
    SegmentCount {
        /// Those of the image.
        expected: usize,
        /// Those given.
        found: usize,
    },
    /// A segment is not the one that the image rests on.
    #[error(
        "segment {number} has {found:?} bytes and checksum, where the image rests on {expected:?}"
    )]
    OtherSegment {
        /// Its rank.
        number: usize,
        /// Length and checksum that the image names.
        expected: (u64, u32),
        /// Those of the segment given.
        found: (u64, u32),
    },
    /// A segment cannot be read, or does not follow the one before it.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The bytes are no image, or one that no engine can have had.
    #[error("the image is malformed: {0}")]
    Malformed(&'static str),
    /// The units of a case do not add up.
    #[error("the image is malformed: the units of case {0} do not add up")]
    NotConserved(String),
}
