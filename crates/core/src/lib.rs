//! The pure core of usdt-flow: the ledger of USDT on each chain, the graph of
//! its transfers, the taint of each case, and what ought to be frozen.
//!
//! [`Engine::apply`] takes one [`Event`] and appends the [`Effect`]s that the
//! shell must carry out. What always holds: the same events in the same order
//! give the same effects, byte for byte; amounts are integers; for each case
//! the units it emitted equal the units accounted for.
//!
//! Deliberately absent: clocks, randomness, threads, files, network, logging,
//! text forms of addresses and every message format.

#![cfg_attr(not(test), deny(clippy::float_arithmetic))]

mod accounts;
mod alert;
mod case;
mod effect;
mod engine;
mod event;
mod freeze;
mod graph;
mod history;
mod image;
mod journal;
mod late;
mod ledger;
mod movement;
mod paged;
mod past;
mod policy;
mod prefetch;
mod primitives;
mod segment;
mod trace;

pub use alert::AlertFacts;
pub use case::{Case, Label, Source};
pub use effect::{
    Actor, Alert, AlertId, AlertStatus, Attribution, CaseLedger, Claim, Effect,
    FreezeRecommendation, FreezeStatus, PathStep, Refusal, RefusedEvent, RiskLevel, Rule,
};
pub use engine::{ApplyError, DeskSum, Engine, EngineConfig, MemoryStats, Sums, UnitSums};
pub use event::{Action, Block, Event, LedgerEvent, MultisigAction, MultisigCall};
pub use freeze::{
    Calibration, Chance, DeskTotals, Escape, Escapes, FreezeRank, NextAddress, Progress,
    Submission, SubmittedCall, WalletKind, Worth, confirmations_required, ranked, smallest_set,
};
pub use history::{Archive, HistoryError, MemoryArchive, verify_segment};
pub use image::{EngineImage, RestoreError, SegmentRef, segment_identity};
pub use late::LateTrace;
pub use ledger::{AccountRow, LedgerStats};
pub use past::{
    Blocks, Covered, Held, Hop, Origin, Origins, Past, PastError, PastSizes, Paths, Share, Trace,
    TraceGraph, TracePath, TransferFacts, paths_from_sources, strongest_paths,
};
pub use policy::Policy;
pub use primitives::{AccountKey, Address, Amount, BlockHash, Chain, TransferRef, TxHash};
#[doc(hidden)]
pub use segment::probe as probe_segment;
pub use segment::{Image, ImageError};
pub use trace::{CaseTotals, Outcome};
