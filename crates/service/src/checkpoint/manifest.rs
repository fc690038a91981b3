//! What a checkpoint stands for: the part of it that is read before the rest.

use serde::{Deserialize, Serialize};

/// Where a chain had come to when the checkpoint was taken.
///
/// Stored as JSON, so that a person can read it out of the object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The name of the chain.
    pub chain: String,
    /// The consumer group that follows it.
    pub group_id: String,
    /// The version of usdt-flow that wrote it, for people.
    pub written_by: String,
    /// When it was written, in milliseconds since 1970; for people and for the
    /// age that is measured, never for order.
    pub written_ms: u64,
    /// The sum of the offsets of `positions`, by which generations are ordered.
    pub records: u64,
    /// How far each partition of the input had been read.
    pub positions: Vec<Position>,
    /// How far each partition of the output topics had been written.
    pub outputs: Vec<OutputPosition>,
    /// The sealed segments that the engine's image refers to, from number 0 on.
    pub segments: Vec<SegmentName>,
    /// What the assembler was configured with, where that matters to its image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assembler: Option<serde_json::Value>,
}

/// How far a partition of the input had been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset of the next record to read.
    pub offset: i64,
    /// The newest block that a record before that told of.
    pub newest_block: Option<u64>,
}

/// How far a partition of an output topic had been written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputPosition {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset behind the last record of the checkpoint's time.
    pub offset: i64,
}

/// Which segment, and which bytes it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SegmentName {
    /// Its number, counted from 0.
    pub number: usize,
    /// Its length.
    pub bytes: u64,
    /// The checksum of its header, which covers those of all its sections.
    pub check: u32,
}
