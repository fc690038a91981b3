//! Images: the state of an engine as of one moment, in bytes, and back.
//!
//! An [`EngineImage`] is taken while blocks go on being applied (`Engine::
//! begin_image`), is encoded on another thread, and `Engine::restore` makes an
//! engine of it. What always holds: the restored engine answers every event
//! with the effects of the original, byte for byte; the same state gives the
//! same bytes, whatever its history; no bytes whatever make `restore` panic,
//! and what it accepts adds up. The sealed past is not in an image: it names
//! the segments that it rests on.
//!
//! Deliberately absent: checksums, compression and files, which are the
//! shell's; what can be derived, such as indexes, the graph and paths at hand.

mod check;
mod decode;
mod encode;
mod error;
mod format;
mod parts;
pub(crate) mod raw;
mod restore;

use std::sync::Arc;

pub use error::RestoreError;
pub(crate) use restore::{Restored, restore};

use crate::accounts::Account;
use crate::engine::{OpenCase, ToldAlerts};
use crate::freeze::FreezeDesk;
use crate::history::{HistoryError, TailBlock, TailOther};
use crate::journal::Journal;
use crate::ledger::LedgerStats;
use crate::movement::{AccountId, BlockMeta, Mark, Transfer};
use crate::paged::Pages;
use crate::trace::{Labels, Lane, LaneIx, Pending, TaintList};
use crate::{EngineConfig, Image, segment};

/// The state of an engine as it was when the image was begun.
#[derive(Debug)]
pub struct EngineImage {
    pub(crate) config: Arc<EngineConfig>,
    pub(crate) segments: Vec<SegmentRef>,
    /// Accounts that the segments introduce.
    pub(crate) introduced: usize,
    pub(crate) large: Large,
    pub(crate) labels: Arc<Labels>,
    pub(crate) lanes: Vec<(LaneIx, Lane)>,
    pub(crate) pending: [Vec<Pending>; 2],
    pub(crate) woken: Vec<AccountId>,
    pub(crate) cases: Vec<OpenCase>,
    pub(crate) told: Vec<(String, ToldAlerts)>,
    pub(crate) desk: FreezeDesk,
    pub(crate) journal: Journal,
    pub(crate) heads: [Option<BlockMeta>; 2],
    pub(crate) finals: [Option<u64>; 2],
    pub(crate) stats: LedgerStats,
    pub(crate) opening_units: u128,
}

/// What is copied page by page.
#[derive(Debug, Default)]
pub(crate) struct Large {
    pub(crate) accounts: Pages<Account>,
    pub(crate) taints: Pages<TaintList>,
    pub(crate) blocks: Pages<TailBlock>,
    pub(crate) transfers: Pages<(Transfer, Mark)>,
    pub(crate) others: Pages<TailOther>,
}

/// A sealed segment that an image rests on. Number, length and checksum tell
/// which one it is.
#[derive(Clone, Debug)]
pub struct SegmentRef {
    /// Its rank, counted from 0.
    pub number: usize,
    /// Its length in bytes.
    pub bytes: u64,
    /// The checksum of its header, which covers the counts and the checksums of
    /// all sections.
    pub check: u32,
    /// Where its bytes lie.
    pub image: Arc<dyn Image>,
}

impl EngineImage {
    /// The sealed segments that the state rests on, in order.
    pub fn segments(&self) -> &[SegmentRef] {
        &self.segments
    }
}

/// The length in bytes of a sealed segment, and the checksum of its header:
/// with its number they tell which segment it is. Reads the header alone.
///
/// # Errors
/// If the header cannot be read or is damaged, or the length is another than
/// the header tells.
pub fn segment_identity(image: &dyn Image) -> Result<(u64, u32), HistoryError> {
    Ok(segment::identity(image)?)
}
