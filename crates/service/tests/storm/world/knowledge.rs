//! When cases and labels come, change and go.

use flow_codec::address;
use flow_core::{Block, Case, Label, Source, TxHash};
use flow_sim::Dice;
use usdt_flow::follow::ChangeKind;

use super::town::Town;

/// A record of a topic of changes.
#[derive(Clone, Debug)]
pub(crate) struct NewChange {
    pub(crate) at_ms: u64,
    pub(crate) kind: ChangeKind,
    pub(crate) key: String,
    /// None withdraws.
    pub(crate) value: Option<String>,
}

/// What topics tell, in order, and what holds in the end.
pub(crate) struct Timeline {
    pub(crate) changes: Vec<NewChange>,
    /// The cases of topics that are open in the end.
    pub(crate) cases: Vec<Case>,
    pub(crate) labels: Vec<Label>,
    /// Whether nothing that was told is ever told otherwise: then alerts are
    /// those of a run that knew all from the start.
    pub(crate) is_steady: bool,
    /// Whether anything comes after the first record.
    pub(crate) is_late: bool,
}

/// Some cases come from files, others by their topic, before all records or
/// among them.
pub(super) fn tell(
    dice: &mut Dice,
    town: &Town,
    blocks: &[Block],
    end_ms: u64,
) -> (Vec<Case>, Timeline) {
    let transfers = transfers(blocks);
    let mut cases = town.cases(dice, &transfers);
    let by_topic = if dice.one_in(2) { dice.index(cases.len() + 1) } else { 0 };
    let told = cases.split_off(cases.len() - by_topic);
    let mut timeline = Timeline {
        changes: Vec::new(),
        cases: Vec::new(),
        labels: Vec::new(),
        is_steady: true,
        is_late: false,
    };
    for case in told {
        let at_ms = if dice.one_in(3) { 0 } else { dice.below(end_ms) };
        timeline.is_late |= at_ms > 0;
        timeline.open(at_ms, case);
    }
    if !timeline.cases.is_empty() && dice.one_in(2) {
        timeline.waver(dice, town, &transfers, end_ms);
    }
    timeline.changes.sort_by_key(|change| change.at_ms);
    (cases, timeline)
}

impl Timeline {
    fn open(&mut self, at_ms: u64, case: Case) {
        let (key, value) = (case.id.clone(), Some(case_json(&case)));
        self.changes.push(NewChange { at_ms, kind: ChangeKind::Case, key, value });
        self.cases.retain(|known| known.id != case.id);
        self.cases.push(case);
    }

    /// Changes what was told: a case is closed, or closed and opened again, or
    /// replaced; a label comes.
    fn waver(&mut self, dice: &mut Dice, town: &Town, transfers: &[(TxHash, u32)], end_ms: u64) {
        self.is_steady = false;
        self.is_late = true;
        let opened = self.changes.iter().map(|change| change.at_ms).max().unwrap_or(0);
        let mut at_ms = opened;
        for _ in 0..dice.between(1, 3) {
            at_ms += 1 + dice.below(end_ms / 3);
            let number = dice.below(4);
            let id = format!("case-{number}");
            let is_open = self.cases.iter().any(|case| case.id == id);
            match dice.below(3) {
                0 if is_open => {
                    self.cases.retain(|case| case.id != id);
                    let (kind, key) = (ChangeKind::Case, id);
                    self.changes.push(NewChange { at_ms, kind, key, value: None });
                }
                1 if is_open => self.open(at_ms, town.case(dice, number, transfers)),
                _ => self.label(dice, town, at_ms),
            }
        }
    }

    fn label(&mut self, dice: &mut Dice, town: &Town, at_ms: u64) {
        let Some(label) = town.labels(dice).pop() else { return };
        let key = address::format_account(label.account);
        let value = Some(label_json(&label));
        self.changes.push(NewChange { at_ms, kind: ChangeKind::Label, key, value });
        self.labels.retain(|known| known.account != label.account);
        self.labels.push(label);
    }
}

/// Transfers by transaction and log index, as the input numbers logs.
fn transfers(blocks: &[Block]) -> Vec<(TxHash, u32)> {
    let events = blocks.iter().flat_map(|block| &block.events);
    let transfers =
        events.filter(|event| matches!(event.action, flow_core::Action::Transfer { .. }));
    transfers.filter_map(|event| Some((event.tx, event.log_index?))).collect()
}

fn case_json(case: &Case) -> String {
    let source = |source: &Source| match *source {
        Source::Wallet { account, since_block } => serde_json::json!({
            "chain": account.chain.name(),
            "address": address::format(account.chain, account.address),
            "since_block": since_block,
        }),
        Source::Transfer { chain, tx, log_index } => serde_json::json!({
            "chain": chain.name(),
            "tx": address::format_tx(chain, tx),
            "log_index": log_index,
        }),
    };
    serde_json::json!({
        "id": case.id,
        "sources": case.sources.iter().map(source).collect::<Vec<_>>(),
        "min_units": case.min_units,
        "max_hops": case.max_hops,
    })
    .to_string()
}

fn label_json(label: &Label) -> String {
    serde_json::json!({
        "chain": label.account.chain.name(),
        "address": address::format(label.account.chain, label.account.address),
        "entity": label.entity,
        "kind": label.kind,
        "stop": label.stop,
    })
    .to_string()
}
