//! All that an assembler remembers, as bytes: a part of a checkpoint.
//!
//! What always holds: the same state gives the same bytes; what follows from
//! something else is not in them, and is worked out when they are read; bytes
//! that contradict themselves are refused, so that no assembler made of bytes,
//! whatever they are, panics later on. Damage that leaves them consistent goes
//! unnoticed: a checksum is up to whoever keeps them.
//!
//! The form is postcard, behind the number of its version. Whoever changes a
//! type that is stored, or one of `flow_core` in it, raises [`VERSION`].

mod branch;
mod height;

use std::collections::{BTreeMap, BTreeSet};

use flow_core::{BlockHash, Chain};
use serde::{Deserialize, Serialize};

use self::height::HeightImage;
use super::identity::{Recent, Settled};
use super::{Assembler, AssemblerConfig, Last, RECENT_EVENTS};

/// The version of the form.
const VERSION: u32 = 1;

/// Counters above this are refused: no assembler has come so far, and one that
/// had could overflow.
const COUNT_MAX: u64 = 1 << 62;

/// A copy of what an [`Assembler`] remembers, to be encoded on another thread.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AssemblerImage {
    chain: Chain,
    newest: Option<u64>,
    has_headers: bool,
    solid: Option<u64>,
    finalized: Option<u64>,
    floor: Option<Last>,
    final_hashes: Vec<(u64, Option<BlockHash>)>,
    gaps: Vec<u64>,
    reverted: Option<u64>,
    settling: Option<u64>,
    contested: Option<(u64, u64)>,
    orphaned_events: u64,
    clock: u64,
    heights: Vec<HeightImage>,
    settled: Vec<Settled>,
}

/// Why bytes are no image of an assembler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssemblerImageError {
    /// Written by another version of this program.
    #[error("an image of version {found}, where version {VERSION} is read")]
    Version {
        /// Its version.
        found: u32,
    },
    /// Cut off, too long, or no image at all.
    #[error("not the image of an assembler: {detail}")]
    Malformed {
        /// What is wrong.
        detail: String,
    },
    /// The image of an assembler of another chain.
    #[error("an image of {found}, where {expected} is wanted")]
    Chain {
        /// The image's chain.
        found: Chain,
        /// The chain asked for.
        expected: Chain,
    },
    /// Its parts do not fit together.
    #[error("the image contradicts itself: {fault}")]
    Contradiction {
        /// What does not fit.
        fault: &'static str,
    },
}

impl From<postcard::Error> for AssemblerImageError {
    fn from(error: postcard::Error) -> Self {
        AssemblerImageError::Malformed { detail: error.to_string() }
    }
}

impl AssemblerImage {
    /// Appends the image's bytes, the same ones for the same state.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let bytes = postcard::to_extend(&(VERSION, self), std::mem::take(into));
        *into = bytes.expect("a vector takes any number of bytes");
    }
}

impl Assembler {
    /// A copy of all that it remembers. Events of final blocks are shared, not
    /// copied, so this takes about as long as copying those of the others.
    pub fn image(&self) -> AssemblerImage {
        let heights = self.heights.iter();
        AssemblerImage {
            chain: self.chain,
            newest: self.newest,
            has_headers: self.has_headers,
            solid: self.solid,
            finalized: self.finalized,
            floor: self.floor,
            final_hashes: self.final_hashes.iter().map(|(number, hash)| (*number, *hash)).collect(),
            gaps: self.gaps.iter().copied().collect(),
            reverted: self.reverted,
            settling: self.settling,
            contested: self.contested,
            orphaned_events: self.orphaned_events,
            clock: self.clock,
            heights: heights.map(|(number, height)| height.image(*number, &self.recent)).collect(),
            settled: self.recent.settled().cloned().collect(),
        }
    }

    /// The assembler of which the bytes are an image, as it was, under a
    /// configuration that may differ.
    ///
    /// # Errors
    /// If the bytes are no image, one of another version or chain, or one that
    /// contradicts itself.
    pub fn restore(
        chain: Chain,
        config: AssemblerConfig,
        bytes: &[u8],
    ) -> Result<Assembler, AssemblerImageError> {
        let (found, rest) = postcard::take_from_bytes::<u32>(bytes)?;
        if found != VERSION {
            return Err(AssemblerImageError::Version { found });
        }
        let (image, rest) = postcard::take_from_bytes::<AssemblerImage>(rest)?;
        if !rest.is_empty() {
            let detail = format!("{} bytes too many", rest.len());
            return Err(AssemblerImageError::Malformed { detail });
        }
        if image.chain != chain {
            return Err(AssemblerImageError::Chain { found: image.chain, expected: chain });
        }
        image.check()?;
        Assembler::new(chain, config).with(image)
    }

    fn with(self, image: AssemblerImage) -> Result<Assembler, AssemblerImageError> {
        let mut recent = restore_settled(image.settled)?;
        let mut heights = BTreeMap::new();
        for height in image.heights {
            heights.insert(height.number, height.restore(self.chain, &mut recent)?);
        }
        let mut assembler = Assembler {
            heights,
            recent,
            newest: image.newest,
            has_headers: image.has_headers,
            solid: image.solid,
            finalized: image.finalized,
            floor: image.floor,
            final_hashes: image.final_hashes.into_iter().collect(),
            gaps: image.gaps.into_iter().collect(),
            reverted: image.reverted,
            settling: image.settling,
            contested: image.contested,
            orphaned_events: image.orphaned_events,
            clock: image.clock,
            ..self
        };
        assembler.derive()?;
        Ok(assembler)
    }

    /// Works out what follows from the heights.
    fn derive(&mut self) -> Result<(), AssemblerImageError> {
        self.last = self.last_applied();
        let held = || self.heights.iter().filter(|(_, height)| height.applied.is_none());
        self.held_events = held().map(|(_, height)| height.len()).sum();
        let ready = held().filter(|(_, height)| height.current.is_some());
        self.ready = ready.map(|(number, _)| *number).collect::<BTreeSet<u64>>();
        let in_order = match (self.last, self.ready.first()) {
            (Some(last), Some(first)) => last.number < *first,
            _ => true,
        };
        ensure(in_order, "a block was passed over")
    }
}

impl AssemblerImage {
    /// Checks what no single height can tell.
    fn check(&self) -> Result<(), AssemblerImageError> {
        let is_final = |number: u64| self.finalized.is_some_and(|last| number <= last);
        let numbers = || self.heights.iter().map(|height| height.number);
        ensure(rises(numbers()) && !numbers().any(is_final), "heights")?;
        let settled = || self.settled.iter().map(|settled| settled.block);
        ensure(rises(settled()) && settled().all(is_final), "final events")?;
        let hashes = || self.final_hashes.iter().map(|(number, _)| *number);
        ensure(rises(hashes()) && hashes().all(is_final), "final hashes")?;
        ensure(self.floor.is_none_or(|floor| is_final(floor.number)), "the last final block")?;
        ensure(rises(self.gaps.iter().copied()), "gaps")?;
        ensure(!self.reverted.is_some_and(is_final), "a revert of final blocks")?;
        ensure(self.settling <= self.newest, "settling behind the newest block")?;
        ensure(self.contested.is_none_or(|(from, to)| from <= to), "contested heights")?;
        ensure(self.clock.max(self.orphaned_events) <= COUNT_MAX, "counters")?;
        let arrivals = self.heights.iter().map(HeightImage::last_arrival);
        ensure(arrivals.max().is_none_or(|last| last <= self.clock), "arrivals ahead of the clock")
    }
}

fn restore_settled(settled: Vec<Settled>) -> Result<Recent, AssemblerImageError> {
    let mut recent = Recent::new(RECENT_EVENTS);
    for Settled { block, events } in settled {
        for identity in events.iter() {
            ensure(recent.insert_new(*identity, block), "a final event stands twice")?;
        }
        recent.push_settled(Settled { block, events });
    }
    Ok(recent)
}

fn rises<T: PartialOrd>(items: impl Iterator<Item = T>) -> bool {
    items.is_sorted_by(|before, after| before < after)
}

fn ensure(holds: bool, fault: &'static str) -> Result<(), AssemblerImageError> {
    if holds { Ok(()) } else { Err(AssemblerImageError::Contradiction { fault }) }
}
