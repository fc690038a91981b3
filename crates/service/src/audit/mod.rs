//! The audit trail: every opening, change and closing of a case or a label, and
//! every recommendation, each entry with the hash of the one before it.
//!
//! Each chain has a trail of its own, since one producer at a time writes for a
//! chain. What always holds: an entry and what it tells of are written in one
//! transaction, so the trail has an entry for a recommendation if and only if
//! its topic has the record; nothing that was written is written again in
//! another way, what was reverted is told of by further entries.

#[cfg(test)]
mod tests;
mod trail;
pub mod verify;

use sha2::{Digest, Sha256};

pub(crate) use trail::{Known, Row, Trail};

/// The SHA-256 of some bytes.
pub(crate) type Hash = [u8; 32];

pub(crate) fn sha256(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}
