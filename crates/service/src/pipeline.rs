//! The pipeline: what records mean becomes blocks, blocks become effects.
//!
//! The same code runs live, in `replay` and in the demo; only where records
//! come from and where effects go differs. What always holds: a record that
//! cannot be read or placed is handed back with its reason; the engine's
//! answer depends on the records alone, never on the clock.

use std::sync::Arc;

use flow_codec::{Assembled, Assembler, AssemblerConfig, Decoded, Dropped};
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

/// Why the pipeline must stop.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The engine cannot go on.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// A block that was applied left the canonical chain.
    #[error(
        "{chain} block {block} was reverted after it was applied; alerts raised since may rest on \
         it. Raise input.{chain}.window_blocks to stay further behind the head, and restart: the \
         state is rebuilt from the topics"
    )]
    Reverted {
        /// The chain.
        chain: Chain,
        /// The reverted block.
        block: u64,
    },
}

/// Assemblers and engine, with what they count.
pub struct Pipeline {
    /// The state of all chains and cases.
    pub engine: Engine,
    assemblers: [Assembler; 2],
    metrics: Arc<Metrics>,
    assembled: Vec<Assembled>,
    /// Units moved by `Transfer` events, of whatever sender and receiver.
    pub transferred_units: u128,
}

impl Pipeline {
    /// A pipeline over that engine; `windows` by [`Chain::index`].
    pub fn new(engine: Engine, windows: [AssemblerConfig; 2], metrics: Arc<Metrics>) -> Pipeline {
        let assemblers = Chain::ALL.map(|chain| Assembler::new(chain, windows[chain.index()]));
        Pipeline { engine, assemblers, metrics, assembled: Vec::new(), transferred_units: 0 }
    }

    /// Takes what one record means; a topic speaks of its own chain only.
    /// Returns the newest block that it tells of, and why part of it could not
    /// be taken.
    ///
    /// # Errors
    /// [`PipelineError::Reverted`].
    pub fn accept(
        &mut self,
        expected: Option<Chain>,
        decoded: &mut Vec<Decoded>,
    ) -> Result<(Option<u64>, Option<Rejected>), PipelineError> {
        let mut rejected = None;
        let mut newest = None;
        for item in decoded.drain(..) {
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
            Dropped::RevertedFinal { block, .. } => {
                return Err(PipelineError::Reverted { chain, block });
            }
            Dropped::Late { .. } => self.metrics.chain(chain).late_records.inc(),
            Dropped::Conflict { .. } | Dropped::MixedIndex { .. } | Dropped::OtherBranch { .. } => {
            }
        }
        Ok(Some(Rejected { reason: dropped.reason(), message: dropped.to_string() }))
    }

    /// Applies the blocks of a chain that have waited long enough; `below`: see
    /// [`Assembler::release`].
    ///
    /// # Errors
    /// [`PipelineError::Apply`].
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
    /// [`PipelineError::Apply`].
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
        Ok(self.engine.apply(event, effects)?)
    }

    /// Blocks of the chain that are held open.
    pub fn held_blocks(&self, chain: Chain) -> usize {
        self.assemblers[chain.index()].held_blocks()
    }

    /// Brings the gauges up to date; once a batch is enough.
    pub fn measure(&self) {
        let stats = self.engine.stats();
        let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        self.metrics.accounts.set(gauge(stats.accounts));
        self.metrics.transfers.set(gauge(stats.transfers));
        self.metrics.cases.set(gauge(stats.cases));
        for chain in Chain::ALL {
            let (metrics, assembler) = (self.metrics.chain(chain), &self.assemblers[chain.index()]);
            metrics.held_blocks.set(gauge(assembler.held_blocks()));
            let number = |block: Option<u64>| i64::try_from(block.unwrap_or(0)).unwrap_or(i64::MAX);
            metrics.head_block.set(number(assembler.newest()));
            metrics.final_block.set(number(assembler.solid()));
        }
    }

    fn apply(
        &mut self,
        chain: Chain,
        mut assembled: Vec<Assembled>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), PipelineError> {
        for item in assembled.drain(..) {
            match item {
                Assembled::Gap(gap) => {
                    self.metrics.chain(chain).gaps.inc();
                    tracing::warn!(%chain, after = gap.after, before = gap.before, "gap in the input");
                }
                Assembled::Reverted { chain, number } => {
                    return Err(PipelineError::Reverted { chain, block: number });
                }
                Assembled::Final { .. } => {}
                Assembled::Block(block) => {
                    self.count(&block);
                    self.engine.apply(Event::BlockCommitted(block), effects)?;
                }
            }
        }
        self.assembled = assembled;
        Ok(())
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
