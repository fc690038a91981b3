//! An assembler, and a ledger that applies what it puts out.
//!
//! What the assembler promises: between two reverts blocks are put out in
//! rising order, each event once; a final block is never reverted; finality
//! rises, and not beyond the last block put out; nothing is held after a flush.
//! An engine must be able to follow all of it.

use std::collections::BTreeSet;

use flow_codec::{Assembled, Assembler, AssemblerConfig, Decoded, Dropped};
use flow_core::{
    AccountKey, Address, Block, Case, Chain, Effect, Engine, EngineConfig, Event, Policy, Source,
    TxHash,
};

pub(super) struct Listener {
    assembler: Assembler,
    chain: Chain,
    blocks: Vec<Block>,
    finalized: Option<u64>,
    engine: Engine,
    effects: Vec<Effect>,
    /// Whether transaction and index tell an event from every other.
    pub(super) tells_once: bool,
}

impl Listener {
    pub(super) fn new(chain: Chain, config: AssemblerConfig) -> Listener {
        Listener {
            assembler: Assembler::new(chain, config),
            chain,
            blocks: Vec::new(),
            finalized: None,
            engine: engine(chain),
            effects: Vec::new(),
            tells_once: false,
        }
    }

    pub(super) fn hear(&mut self, told: Decoded) {
        let taken = match told {
            Decoded::Event(event) => self.assembler.push(event),
            Decoded::Header(header) => self.assembler.push_header(header),
            Decoded::Solid { number, .. } => {
                self.assembler.note_solid(number);
                Ok(())
            }
            Decoded::Ignored(_) => Ok(()),
        };
        if let Err(dropped) = taken {
            let known = Dropped::REASONS.contains(&dropped.reason());
            assert!(known || dropped == Dropped::Duplicate, "{dropped:?}");
        }
    }

    pub(super) fn release(&mut self, below: u64) {
        let mut out = Vec::new();
        self.assembler.release(below, &mut out);
        out.into_iter().for_each(|told| self.apply(told));
        self.check();
    }

    /// Goes on with a copy of the assembler, made of its image.
    pub(super) fn restore(&mut self, config: AssemblerConfig) {
        let bytes = image(&self.assembler);
        self.assembler = Assembler::restore(self.chain, config, &bytes).expect("its own image");
        assert!(image(&self.assembler) == bytes, "another image");
    }

    pub(super) fn flush(&mut self) {
        let mut out = Vec::new();
        self.assembler.flush(&mut out);
        out.into_iter().for_each(|told| self.apply(told));
        assert_eq!(self.assembler.held_blocks(), 0, "blocks held after a flush");
        self.check();
    }

    /// Nothing more is to come.
    pub(super) fn finish(&mut self) {
        self.release(u64::MAX);
        self.flush();
        self.engine.audit().expect("the books add up");
    }

    fn apply(&mut self, told: Assembled) {
        let last = self.blocks.last().map(|block| block.number);
        let event = match told {
            Assembled::Block(block) => {
                let number = Some(block.number);
                assert!(number > last.max(self.finalized), "{number:?} behind {last:?}");
                assert_eq!(block.chain, self.chain);
                self.blocks.push(block.clone());
                Event::BlockCommitted(block)
            }
            Assembled::Reverted { chain, number } => {
                assert!(Some(number) > self.finalized, "{number} was final");
                assert!(last >= Some(number), "nothing put out leaves at {number}");
                self.blocks.retain(|block| block.number < number);
                Event::BlockReverted { chain, number }
            }
            Assembled::Final { chain, number } => {
                let told = Some(number);
                assert!(told > self.finalized && told <= last, "final {number} of {last:?}");
                self.finalized = told;
                Event::BlockFinalized { chain, number }
            }
            Assembled::Gap(gap) => {
                assert!(last == Some(gap.after) && gap.after < gap.before, "{gap:?}");
                return;
            }
        };
        self.engine.apply(event, &mut self.effects).expect("what is put out can be applied");
    }

    fn check(&self) {
        assert_eq!(self.assembler.final_block(), self.finalized);
        if !self.tells_once {
            return;
        }
        let mut names = BTreeSet::new();
        for block in &self.blocks {
            for event in &block.events {
                let name = (event.tx, event.log_index);
                assert!(names.insert(name), "{name:?} stands twice, then in {}", block.number);
            }
        }
    }
}

pub(super) fn image(assembler: &Assembler) -> Vec<u8> {
    let mut bytes = Vec::new();
    assembler.image().encode(&mut bytes);
    bytes
}

/// An engine that undoes blocks, with sources that the told accounts hold.
fn engine(chain: Chain) -> Engine {
    let mut engine = Engine::new(EngineConfig {
        policies: Policy::ALL.to_vec(),
        revertible: true,
        segment_transfers: 4,
        graph_transfers: 8,
        ..EngineConfig::default()
    });
    let account = AccountKey { chain, address: Address([2; 20]) };
    let case = Case {
        id: "case".to_owned(),
        title: None,
        category: None,
        sources: vec![
            Source::Wallet { account, since_block: 3 },
            Source::Transfer { chain, tx: TxHash([5; 32]), log_index: 1 },
        ],
        min_units: 0,
        max_hops: Some(5),
    };
    let opened = engine.apply(Event::CaseOpened(case), &mut Vec::new());
    opened.expect("a case can be opened");
    engine
}
