//! The pipeline: what records mean becomes blocks, blocks become effects.
//!
//! The same code runs live, in `replay` and in the demo; only where records
//! come from and where effects go differs. What always holds: a record that
//! cannot be read or placed is handed back with its reason; the engine's
//! answer depends on the records alone, never on the clock; the engine learns
//! that a block is final before it applies it, where that is known by then, so
//! that what is final already is told once.

use std::sync::Arc;

use flow_codec::{Assembled, Assembler, AssemblerConfig, DecodeError, Decoded, Dropped};
use flow_core::{Action, ApplyError, Block, Chain, Effect, Engine, Event};

use crate::metrics::Metrics;

/// A record that could not be taken, whole or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// One of a closed set of names.
    pub reason: &'static str,
    /// For a person.
    pub message: String,
}

impl From<DecodeError> for Rejected {
    fn from(error: DecodeError) -> Self {
        Rejected { reason: error.reason(), message: error.to_string() }
    }
}

/// Why the pipeline must stop.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The engine cannot go on.
    #[error(transparent)]
    Apply(ApplyError),
    /// A block that was final left the canonical chain.
    #[error(
        "{chain} block {block} was taken back, though blocks up to {final_block} were final. \
         Alerts of blocks from {block} on that were told as final may rest on what is gone: look \
         at them again. If the chain did reorganise so deep, set input.{chain}.finality_blocks \
         above {depth} and start again: the state is rebuilt from the topics. If it did not, or a \
         record itself told that the block was final, the source contradicts itself: repair it \
         first"
    )]
    RevertedFinal {
        /// The chain.
        chain: Chain,
        /// The block that was taken back.
        block: u64,
        /// The last final block.
        final_block: u64,
        /// How far the block lies behind the newest one.
        depth: u64,
    },
}

/// Blocks that were taken back, one by one or together, with nothing in their
/// place yet.
#[derive(Clone, Copy, Debug)]
struct Reorg {
    /// The head before.
    head: u64,
    /// The first block that is gone.
    first: u64,
}

/// Assemblers and engine, with what they count.
pub struct Pipeline {
    /// The state of all chains and cases.
    pub engine: Engine,
    assemblers: [Assembler; 2],
    metrics: Arc<Metrics>,
    assembled: Vec<Assembled>,
    /// Orphaned events that are counted already.
    orphaned: [u64; 2],
    /// By chain: a reorganisation that still waits for its new blocks.
    reorgs: [Option<Reorg>; 2],
    /// Units moved by `Transfer` events, of whatever sender and receiver;
    /// those of blocks that were taken back later are among them.
    pub transferred_units: u128,
}

impl Pipeline {
    /// A pipeline over that engine; `windows` by [`Chain::index`].
    pub fn new(engine: Engine, windows: [AssemblerConfig; 2], metrics: Arc<Metrics>) -> Pipeline {
        let assemblers = Chain::ALL.map(|chain| Assembler::new(chain, windows[chain.index()]));
        Pipeline {
            engine,
            assemblers,
            metrics,
            assembled: Vec::new(),
            orphaned: [0; 2],
            reorgs: [None; 2],
            transferred_units: 0,
        }
    }

    /// A pipeline that goes on where it was: with that engine, and the chain's
    /// assembler.
    pub fn restore(
        engine: Engine,
        chain: Chain,
        assembler: Assembler,
        window: AssemblerConfig,
        metrics: Arc<Metrics>,
    ) -> Pipeline {
        let mut pipeline = Pipeline::new(engine, [window; 2], metrics);
        pipeline.orphaned[chain.index()] = assembler.orphaned_events();
        pipeline.assemblers[chain.index()] = assembler;
        pipeline
    }

    /// The assembler of a chain, for a checkpoint.
    pub fn assembler(&self, chain: Chain) -> &Assembler {
        &self.assemblers[chain.index()]
    }

    /// Takes what one record means; a topic speaks of its own chain only.
    /// Returns the newest block that it tells of, and why part of it could not
    /// be taken.
    ///
    /// # Errors
    /// [`PipelineError::RevertedFinal`].
    pub fn accept(
        &mut self,
        expected: Option<Chain>,
        decoded: impl IntoIterator<Item = Decoded>,
    ) -> Result<(Option<u64>, Option<Rejected>), PipelineError> {
        let mut rejected = None;
        let mut newest = None;
        for item in decoded {
            if let (Some(expected), Some(told)) = (expected, item.chain())
                && expected != told
            {
                let message = format!("a record of {told} in a topic of {expected}");
                rejected = Some(Rejected { reason: "wrong_chain", message });
                continue;
            }
            let (chain, block, dropped) = match item {
                Decoded::Event(event) => {
                    (event.chain, event.block, self.assemblers[event.chain.index()].push(event))
                }
                Decoded::Header(header) => {
                    let (chain, block) = (header.chain, header.number);
                    (chain, block, self.assemblers[chain.index()].push_header(header))
                }
                Decoded::Solid { chain, number } => {
                    self.assemblers[chain.index()].note_solid(number);
                    (chain, number, Ok(()))
                }
                Decoded::Ignored(reason) => {
                    self.metrics.ignored(reason).inc();
                    continue;
                }
            };
            newest = newest.max(Some(block));
            if let Err(dropped) = dropped {
                rejected = self.dropped(chain, dropped)?.or(rejected);
            }
        }
        Ok((newest, rejected))
    }

    fn dropped(&self, chain: Chain, dropped: Dropped) -> Result<Option<Rejected>, PipelineError> {
        match dropped {
            Dropped::Duplicate => {
                self.metrics.chain(chain).duplicates.inc();
                return Ok(None);
            }
            Dropped::RevertedFinal { block, final_block } => {
                return Err(self.reverted_final(chain, block, final_block));
            }
            Dropped::Late { .. } => self.metrics.chain(chain).late_records.inc(),
            Dropped::Conflict { .. } | Dropped::MixedIndex { .. } | Dropped::OtherBranch { .. } => {
            }
        }
        Ok(Some(Rejected { reason: dropped.reason(), message: dropped.to_string() }))
    }

    fn reverted_final(&self, chain: Chain, block: u64, final_block: u64) -> PipelineError {
        self.metrics.chain(chain).deep_reorgs.inc();
        let newest = self.newest(chain).unwrap_or(block);
        let depth = newest.saturating_sub(block);
        PipelineError::RevertedFinal { chain, block, final_block, depth }
    }

    /// Applies the blocks of a chain that have waited long enough; `below`: see
    /// [`Assembler::release`].
    ///
    /// # Errors
    /// See [`PipelineError`].
    pub fn advance(
        &mut self,
        chain: Chain,
        below: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), PipelineError> {
        let mut assembled = std::mem::take(&mut self.assembled);
        self.assemblers[chain.index()].release(below, &mut assembled);
        self.apply(chain, assembled, effects)
    }

    /// Applies every block of a chain that is held: nothing more is to come.
    ///
    /// # Errors
    /// See [`PipelineError`].
    pub fn flush(&mut self, chain: Chain, effects: &mut Vec<Effect>) -> Result<(), PipelineError> {
        let mut assembled = std::mem::take(&mut self.assembled);
        self.assemblers[chain.index()].flush(&mut assembled);
        self.apply(chain, assembled, effects)
    }

    /// Applies a change of cases or labels.
    ///
    /// # Errors
    /// [`PipelineError::Apply`].
    pub fn learn(&mut self, event: Event, effects: &mut Vec<Effect>) -> Result<(), PipelineError> {
        self.engine.apply(event, effects).map_err(PipelineError::Apply)
    }

    /// Blocks of the chain that are held open.
    pub fn held_blocks(&self, chain: Chain) -> usize {
        self.assemblers[chain.index()].held_blocks()
    }

    /// The newest block of the chain that a record told of.
    pub fn newest(&self, chain: Chain) -> Option<u64> {
        self.assemblers[chain.index()].newest()
    }

    /// The last block of the chain that was applied; 0 before the first.
    pub fn head(&self, chain: Chain) -> u64 {
        self.engine.head(chain).map_or(0, |(number, _)| number)
    }

    /// Blocks of the chain below this one are final, as far as is known.
    pub fn final_below(&self, chain: Chain) -> u64 {
        below(self.assemblers[chain.index()].final_by_now())
    }

    /// Blocks of the chain below this one are told to be final, or lie deep
    /// enough.
    pub fn told_final_below(&self, chain: Chain) -> u64 {
        below(self.assemblers[chain.index()].told_final())
    }

    /// No block of the chain from that one on is final, whatever records tell.
    pub fn hold_finality(&mut self, chain: Chain, from: u64) {
        self.assemblers[chain.index()].hold_finality(from);
    }

    /// Brings the gauges of a chain up to date; once a batch is enough.
    pub fn measure(&mut self, chain: Chain) {
        let stats = self.engine.stats();
        let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        self.metrics.cases.set(gauge(stats.cases));
        let (metrics, assembler) = (self.metrics.chain(chain), &self.assemblers[chain.index()]);
        metrics.accounts.set(gauge(stats.accounts));
        metrics.transfers.set(gauge(stats.transfers));
        metrics.remembered(&self.engine.memory());
        metrics.held_blocks.set(gauge(assembler.held_blocks()));
        let number = |block: Option<u64>| i64::try_from(block.unwrap_or(0)).unwrap_or(i64::MAX);
        metrics.head_block.set(number(assembler.newest()));
        metrics.final_block.set(number(assembler.solid().max(assembler.final_block())));
        let orphaned = assembler.orphaned_events();
        let before = std::mem::replace(&mut self.orphaned[chain.index()], orphaned);
        metrics.orphaned_events.inc_by(orphaned.saturating_sub(before));
    }

    /// Brings the sums over everything up to date: a walk over cases, tainted
    /// accounts and recommendations.
    pub fn sum(&self, chain: Chain) {
        self.metrics.chain(chain).summed(chain, &self.engine.sums());
        let desk = self.metrics.desk();
        desk.stands(chain, &self.engine.desk_totals(chain));
        desk.could_freeze(chain, &self.engine.freeze_ranks());
    }

    fn apply(
        &mut self,
        chain: Chain,
        mut assembled: Vec<Assembled>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), PipelineError> {
        finality_first(&mut assembled);
        for item in assembled.drain(..) {
            let event = match item {
                Assembled::Gap(gap) => {
                    self.metrics.chain(chain).gaps.inc();
                    tracing::warn!(%chain, after = gap.after, before = gap.before, "gap in the input");
                    continue;
                }
                Assembled::Reverted { chain, number } => {
                    self.note_revert(chain, number);
                    Event::BlockReverted { chain, number }
                }
                Assembled::Final { chain, number } => Event::BlockFinalized { chain, number },
                Assembled::Block(block) => {
                    self.end_reorg(chain);
                    self.count(&block);
                    Event::BlockCommitted(block)
                }
            };
            self.engine.apply(event, effects).map_err(|error| self.failed(error))?;
        }
        self.assembled = assembled;
        Ok(())
    }

    /// Sources take blocks back one by one: they are one reorganisation until
    /// the next block comes.
    fn note_revert(&mut self, chain: Chain, number: u64) {
        let head = self.head(chain);
        let reorg = &mut self.reorgs[chain.index()];
        if reorg.is_none() {
            self.metrics.chain(chain).reorgs.inc();
        }
        let reorg = reorg.get_or_insert(Reorg { head, first: number });
        reorg.first = reorg.first.min(number);
    }

    fn end_reorg(&mut self, chain: Chain) {
        let Some(Reorg { head, first }) = self.reorgs[chain.index()].take() else { return };
        let depth_blocks = (head + 1).saturating_sub(first);
        tracing::warn!(%chain, block = first, depth_blocks, "the chain was reorganised");
        self.metrics.reorganized(depth_blocks);
    }

    fn failed(&self, error: ApplyError) -> PipelineError {
        match error {
            ApplyError::RevertedFinal { chain, block, last_final } => {
                self.reverted_final(chain, block, last_final)
            }
            ApplyError::NotConserved { chain, .. } => {
                self.metrics.chain(chain).conservation_failures.inc();
                PipelineError::Apply(error)
            }
            other => PipelineError::Apply(other),
        }
    }

    fn count(&mut self, block: &Block) {
        let metrics = self.metrics.chain(block.chain);
        metrics.applied(block.timestamp_ms);
        for event in &block.events {
            metrics.events(&event.action).inc();
            if let Action::Transfer { amount, .. } = event.action {
                self.transferred_units += u128::from(amount);
            }
        }
    }
}

/// The first block above that one, of all if there is none.
fn below(last: Option<u64>) -> u64 {
    last.map_or(0, |number| number.saturating_add(1))
}

/// Moves word of finality ahead of the blocks that it may speak of, but not
/// ahead of a revert: what takes the place of reverted blocks may be final.
fn finality_first(assembled: &mut [Assembled]) {
    let is_block = |item: &Assembled| matches!(item, Assembled::Block(_));
    let is_final = |item: &Assembled| matches!(item, Assembled::Final { .. });
    if let Some(first) = assembled.iter().position(is_block)
        && let Some(at) = assembled.iter().position(is_final)
        && first < at
    {
        assembled[first..=at].rotate_right(1);
    }
}
