//! One pass of the oracle over the history: what it says of the transfers that
//! records name.

use std::collections::{BTreeMap, HashMap};

use flow_codec::wire::ParsedAlert;
use flow_core::{
    AccountKey, Action, Amount, Block, Case, Chain, Label, LedgerEvent, Policy, Rule, TransferRef,
};
use flow_sim::oracle::{Holding, Oracle, Step};

use super::Recorded;

/// A transfer as the history tells it.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    /// Its rank among all events of the history.
    pub(super) rank: u64,
    pub(super) block: u64,
    pub(super) timestamp_ms: u64,
    pub(super) log_index: Option<u32>,
    pub(super) from: AccountKey,
    pub(super) to: AccountKey,
    pub(super) amount: Amount,
    /// What the oracle says of it; nothing of one that moved no units.
    pub(super) step: Option<Step>,
}

/// What was found of one record.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// By policy: the triggering transfer, and the subject's holding after it.
    pub(super) trigger: BTreeMap<Policy, (Fact, Holding)>,
    /// The steps of its path, under its leading policy.
    pub(super) path: BTreeMap<usize, Fact>,
}

/// What a record wants to know of a transfer.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Trigger,
    Step(usize),
}

/// An oracle of one case and policy, and the transfers to look out for.
pub(super) struct Observer<'a> {
    policy: Policy,
    oracle: Oracle,
    records: &'a [Recorded],
    wishes: HashMap<(Chain, TransferRef), Vec<(usize, Wish)>>,
    rank: u64,
}

impl<'a> Observer<'a> {
    pub(super) fn new(
        policy: Policy,
        case: &Case,
        labels: &[Label],
        opening: &[(AccountKey, Amount)],
        records: &'a [Recorded],
        wanted: &[usize],
    ) -> Observer<'a> {
        let mut wishes: HashMap<_, Vec<(usize, Wish)>> = HashMap::new();
        for (rank, alert) in wanted.iter().filter_map(|rank| Some((*rank, alert(records, *rank)?)))
        {
            let chain = alert.subject.chain;
            wishes.entry((chain, alert.trigger)).or_default().push((rank, Wish::Trigger));
            let leads = alert.policy == policy;
            for (at, step) in alert.path.iter().enumerate().filter(|_| leads) {
                let of_step = wishes.entry((chain, step.transfer)).or_default();
                of_step.push((rank, Wish::Step(at)));
            }
        }
        let oracle = Oracle::new(policy, case, labels, opening);
        Observer { policy, oracle, records, wishes, rank: 0 }
    }

    pub(super) fn play(&mut self, block: &Block, seen: &mut [Seen]) {
        for event in &block.events {
            self.rank += 1;
            let step = self.oracle.apply(block, event);
            let place = TransferRef { tx: event.tx, position: event.position };
            let Some(wishes) = self.wishes.get(&(block.chain, place)) else { continue };
            let Some(fact) = fact(self.rank, block, event, step) else { continue };
            for (rank, wish) in wishes {
                let seen = &mut seen[*rank];
                match wish {
                    Wish::Trigger => {
                        let rule = alert(self.records, *rank).map(|alert| alert.rule);
                        let holding = self.oracle.holding(subject(rule, &fact));
                        seen.trigger.insert(self.policy, (fact.clone(), holding));
                    }
                    Wish::Step(at) => {
                        seen.path.insert(*at, fact.clone());
                    }
                }
            }
        }
    }
}

fn alert(records: &[Recorded], rank: usize) -> Option<&ParsedAlert> {
    records[rank].alert.as_deref().ok()
}

/// The wallet that an alert of that rule is about.
pub(super) fn subject(rule: Option<Rule>, fact: &Fact) -> AccountKey {
    if rule == Some(Rule::SourceMoved) { fact.from } else { fact.to }
}

pub(super) fn fact(
    rank: u64,
    block: &Block,
    event: &LedgerEvent,
    step: Option<Step>,
) -> Option<Fact> {
    let Action::Transfer { from, to, amount } = event.action else { return None };
    let chain = block.chain;
    let key = |address| AccountKey { chain, address };
    Some(Fact {
        rank,
        block: block.number,
        timestamp_ms: block.timestamp_ms,
        log_index: event.log_index,
        from: key(from),
        to: key(to),
        amount,
        step,
    })
}
