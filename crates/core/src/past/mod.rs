//! A past to ask questions of: what became of units, where units came from,
//! and each transfer in full.
//!
//! What always holds: an answer follows docs/semantics.md to the unit and
//! depends on the past, the labels and the question alone; asking changes
//! nothing. Answers name accounts and transfers by id, and only what is printed
//! is resolved to full facts.
//!
//! Deliberately absent: files, text forms of addresses, progress bars. Whoever
//! waits for an answer is called back with how far it has come.

mod backward;
mod balance;
mod facts;
mod forward;
mod graph;
mod paths;
mod tape;

use std::sync::Arc;

pub use backward::{Origin, Origins, Share};
pub use facts::TransferFacts;
pub use forward::{Held, Hop, Trace};
pub use graph::TraceGraph;
pub use paths::{Paths, TracePath, paths_from_sources, strongest_paths};
pub use tape::Blocks;

use crate::accounts::Accounts;
use crate::history::{History, HistoryError, MemoryArchive};
use crate::movement::AccountId;
use crate::segment::{Image, Segment};
use crate::trace::Labels;
use crate::{AccountKey, Chain, Label};

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PastError {
    /// The past cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// Too many accounts mix the units of too many origins.
    #[error(
        "{accounts} accounts lead to the wallet and hold units of more origins than fit into \
         memory"
    )]
    Wide {
        /// Accounts whose units may have reached the wallet.
        accounts: usize,
    },
}

/// How large a past is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PastSizes {
    /// Accounts ever named.
    pub accounts: usize,
    /// Transfers that moved units.
    pub transfers: usize,
    /// Blocks applied.
    pub blocks: usize,
}

/// The first and the last block of a chain, each with its time in Unix
/// milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    /// The first block.
    pub first: (u64, u64),
    /// The last block.
    pub last: (u64, u64),
}

/// Where a question about the past ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    /// Blocks before this rank count.
    block: u32,
    /// Transfers before this id count.
    transfer: u32,
}

/// See the module.
#[derive(Debug)]
pub struct Past {
    history: History,
    /// With what they hold, where an engine knew.
    accounts: Accounts,
    labels: Arc<Labels>,
}

impl Past {
    /// Opens a past that lies in segments, the oldest first. Reads their
    /// headers and accounts.
    ///
    /// # Errors
    /// If a segment is damaged or does not follow the one before it.
    pub fn open(images: Vec<Arc<dyn Image>>) -> Result<Past, HistoryError> {
        let segments: Result<Vec<Segment>, _> = images.into_iter().map(Segment::open).collect();
        let (history, keys) = History::reopen(segments?, Box::new(MemoryArchive), 1)?;
        let Some(accounts) = Accounts::of(keys) else {
            let what = "an account is introduced twice, or one too many";
            return Err(HistoryError::Segment(what.to_owned()));
        };
        Ok(Past::of(history, accounts, Arc::default()))
    }

    pub(crate) fn of(history: History, accounts: Accounts, labels: Arc<Labels>) -> Past {
        Past { history, accounts, labels }
    }

    /// Reads everything and compares it with every checksum. `progress` is told
    /// the transfers checked and all that there are.
    ///
    /// # Errors
    /// The first damage found.
    pub fn verify(&self, mut progress: impl FnMut(u64, u64)) -> Result<(), HistoryError> {
        let all = self.history.transfers_len() as u64;
        for segment in self.history.segments() {
            segment.verify()?;
            progress(u64::from(segment.first_transfer() + segment.transfers()), all);
        }
        Ok(())
    }

    /// Knows these labels and no others; the later of two for one account
    /// counts. An account that the past never named is left out.
    pub fn set_labels(&mut self, labels: &[Label]) {
        let mut known = Labels::default();
        for label in labels {
            if let Some(id) = self.accounts.find(label.account) {
                known.insert(id, label.clone());
            }
        }
        self.labels = Arc::new(known);
    }

    /// How large it is.
    pub fn sizes(&self) -> PastSizes {
        PastSizes {
            accounts: self.accounts.len(),
            transfers: self.history.transfers_len(),
            blocks: self.history.blocks_len() as usize,
        }
    }

    /// The blocks of the chain that it covers; `None` if it knows none.
    ///
    /// # Errors
    /// If a segment cannot be read.
    pub fn covered(&self, chain: Chain) -> Result<Option<Covered>, HistoryError> {
        let mut covered: Option<Covered> = None;
        let mut meet = |number: u64, timestamp_ms: u64| {
            let here = (number, timestamp_ms);
            let first = covered.map_or(here, |known| known.first);
            covered = Some(Covered { first, last: here });
        };
        for segment in self.history.segments() {
            for block in segment.blocks()?.iter().filter(|block| block.chain == chain) {
                meet(block.number, block.timestamp_ms);
            }
        }
        let tail = self.history.tail.blocks().iter().map(|block| &block.meta);
        for block in tail.filter(|block| block.chain == chain) {
            meet(block.number, block.timestamp_ms);
        }
        Ok(covered)
    }

    /// The account of an id that an answer gave.
    ///
    /// # Panics
    /// If no answer of this past gave the id.
    pub fn account(&self, id: u32) -> AccountKey {
        self.accounts.key(AccountId(id))
    }

    /// The id of an account, if the past ever named it.
    pub fn find(&self, account: AccountKey) -> Option<u32> {
        self.accounts.find(account).map(|id| id.0)
    }

    /// What is known of the account.
    pub fn label(&self, id: u32) -> Option<&Label> {
        self.labels.get(&AccountId(id))
    }

    /// The service where tracing stops, if the account belongs to one.
    fn stop(&self, id: u32) -> Option<&Label> {
        self.label(id).filter(|label| label.stop)
    }

    fn end(&self) -> End {
        let transfers = u32::try_from(self.history.transfers_len()).expect("numbered by 32 bits");
        End { block: self.history.blocks_len(), transfer: transfers }
    }

    /// The end of a question as of block `until` of the chain.
    fn end_of(&self, chain: Chain, until: Option<u64>) -> Result<End, HistoryError> {
        let Some(until) = until else { return Ok(self.end()) };
        for segment in self.history.segments() {
            let mut end = End { block: segment.first_block(), transfer: segment.first_transfer() };
            for block in segment.blocks()? {
                if block.chain == chain && block.number > until {
                    return Ok(end);
                }
                end.block += 1;
                end.transfer += block.transfers;
            }
        }
        let tail = &self.history.tail;
        let beyond = |meta: &crate::movement::BlockMeta| meta.chain == chain && meta.number > until;
        let at = tail.blocks().iter().position(|block| beyond(&block.meta));
        Ok(at.map_or(self.end(), |at| {
            let numbered = |count: usize| u32::try_from(count).expect("numbered by 32 bits");
            let transfers = tail.blocks()[at].transfers_before;
            End {
                block: tail.first_block + numbered(at),
                transfer: tail.first_transfer + numbered(transfers),
            }
        }))
    }
}
