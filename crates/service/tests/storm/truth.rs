//! The quiet run: every record once and in order, everything known from the
//! start, nothing ever taken back.

use std::collections::BTreeMap;

use flow_codec::wire::{self, LedgerRecord};
use flow_codec::{Assembled, Assembler, AssemblerConfig, Decoded, Decoder};
use flow_core::{AccountRow, Block, Case, CaseTotals, Effect, Engine, EngineConfig, Event, Label};
use serde_json::Value;

use crate::world::World;

/// What must be so in the end.
pub(crate) struct Truth {
    pub(crate) cases: Vec<Case>,
    pub(crate) labels: Vec<Label>,
    pub(crate) blocks: Vec<Block>,
    /// By id, with the record's fields.
    pub(crate) alerts: BTreeMap<String, Value>,
    /// By account.
    pub(crate) freezes: BTreeMap<String, Value>,
    /// By key: with the block that made it due, what is told of a case and day, in
    /// order.
    pub(crate) ledgers: BTreeMap<String, Vec<(u64, Value)>>,
    pub(crate) rows: Vec<(String, AccountRow)>,
    pub(crate) totals: Vec<(String, CaseTotals)>,
}

impl Truth {
    /// Of that world, under those settings of the engine.
    pub(crate) fn of(world: &World, config: &EngineConfig) -> Truth {
        let mut cases = world.cases.clone();
        cases.extend(world.timeline.cases.iter().cloned());
        let mut labels = world.labels.clone();
        let told_later = &world.timeline.labels;
        labels.retain(|label| !told_later.iter().any(|later| later.account == label.account));
        labels.extend(told_later.iter().cloned());
        let blocks = assemble(world);
        let mut engine = Engine::new(EngineConfig { revertible: false, ..config.clone() });
        engine.load_opening(&world.opening).expect("few units");
        let labelled = labels.iter().cloned().map(Event::LabelSet);
        let opened = cases.iter().cloned().map(Event::CaseOpened);
        let applied = blocks.iter().cloned().map(Event::BlockCommitted);
        let mut effects = Vec::new();
        for event in labelled.chain(opened).chain(applied) {
            let mut told = Vec::new();
            engine.apply(event, &mut told).expect("the quiet run applies");
            let block = engine.head(world.chain).map_or(0, |(number, _)| number);
            effects.extend(told.into_iter().map(|effect| (block, effect)));
        }
        let (rows, totals) = (engine.taint_rows(), engine.case_totals());
        let mut truth = Truth {
            cases,
            labels,
            blocks,
            alerts: BTreeMap::new(),
            freezes: BTreeMap::new(),
            ledgers: BTreeMap::new(),
            rows,
            totals,
        };
        effects.iter().for_each(|(block, effect)| truth.note(*block, effect));
        truth
    }

    fn note(&mut self, block: u64, effect: &Effect) {
        match effect {
            Effect::Raise(alert) | Effect::Settle(alert) | Effect::Retract(alert) => {
                let record = parsed(&wire::alert_message(alert).value);
                let id = record["alert_id"].as_str().expect("an alert has an id").to_owned();
                let twice = self.alerts.insert(id, record);
                assert_eq!(twice, None, "a quiet run tells each alert once");
            }
            Effect::Recommend(record) => {
                let message = wire::freeze_message(record);
                self.freezes.insert(message.key, parsed(&message.value));
            }
            Effect::Ledger(ledger) => {
                let message = wire::ledger_message(ledger.chain, &LedgerRecord::of(ledger, 1));
                let told = self.ledgers.entry(message.key).or_default();
                told.push((block, parsed(&message.value)));
            }
            Effect::Refuse(refused) => panic!("a quiet run refuses nothing: {refused:?}"),
        }
    }
}

pub(crate) fn parsed(record: &[u8]) -> Value {
    serde_json::from_slice(record).expect("records are JSON")
}

/// The blocks as their records tell them.
fn assemble(world: &World) -> Vec<Block> {
    let config = AssemblerConfig { window_blocks: usize::MAX, ..AssemblerConfig::default() };
    let mut assembler = Assembler::new(world.chain, config);
    let (mut decoder, mut decoded) = (Decoder::new(None), Vec::new());
    for record in &world.quiet {
        decoder.decode(record, &mut decoded).expect("the world writes what can be read");
        for item in decoded.drain(..) {
            let taken = match item {
                Decoded::Event(event) => assembler.push(event),
                Decoded::Header(header) => assembler.push_header(header),
                other => panic!("the world writes events and headers alone: {other:?}"),
            };
            taken.expect("each once and in order");
        }
    }
    let mut assembled = Vec::new();
    assembler.flush(&mut assembled);
    let block = |item| match item {
        Assembled::Block(block) => Some(block),
        _ => None,
    };
    assembled.into_iter().filter_map(block).collect()
}
