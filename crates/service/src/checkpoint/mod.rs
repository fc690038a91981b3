//! Checkpoints: where they lie and how they are checked.
//!
//! A checkpoint is the state of one chain as it was right after a commit, with
//! the positions in the input that it stands for, in one object. The sealed
//! segments of the past are objects of their own, to which checkpoints refer.
//!
//! What always holds: an object is whole and durable under its name before
//! anything refers to it; a flipped byte, a lost tail or a swapped file is
//! noticed before its content is believed, and then the generation before it is
//! used; a save that fails leaves the generations before it as they were.
//!
//! Deliberately absent: what the images of engine and assembler mean, which is
//! theirs to say, and the moment at which one is taken, which is the session's.
//!
//! ```text
//! disk       named objects, each put at once: the one seam to the world
//! object     a disk in a local folder or a bucket of S3
//! container  manifest and images in one object, every byte under a checksum
//! store      generations and segments of one chain
//! writer     saves on a thread of its own
//! ```

pub mod container;
pub mod disk;
mod leftover;
mod manifest;
mod name;
mod object;
mod s3;
mod segment;
mod store;
mod writer;

#[cfg(test)]
mod faulty;

pub use container::{Damage, Parts};
pub(crate) use disk::unix_ms;
pub use disk::{Disk, DiskError};
pub use manifest::{Manifest, OutputPosition, Position, SegmentName};
pub use name::{Generation, scope};
pub use object::{ObjectDisk, UrlError};
pub use s3::S3Options;
pub use store::{CheckpointStore, Damaged, Fault, Loaded, Saved, Search, StoreError};
pub use writer::{CheckpointWriter, Job, Segments, WriteError};
