//! Between the engine's parts and what an image says of them, both ways.

use super::format;
use crate::freeze::DeskChange;
use crate::ledger::Holding;
use crate::movement::{
    AccountId, BlockMeta, Debit, Mark, Movement, NO_LOG_INDEX, Transfer, TransferId,
};
use crate::trace::{Arrival, Node, ROOT, Run, Runs};

pub(super) fn node_out(node: u32) -> Option<u32> {
    Some(node).filter(|node| *node != ROOT)
}

impl From<&Holding> for format::Holding {
    fn from(holding: &Holding) -> Self {
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        let flags = flag(holding.frozen, format::FROZEN) | flag(holding.seen, format::SEEN);
        format::Holding { balance: holding.balance, flags }
    }
}

impl format::Holding {
    pub(super) const fn frozen(&self) -> bool {
        self.flags & format::FROZEN != 0
    }

    pub(super) const fn seen(&self) -> bool {
        self.flags & format::SEEN != 0
    }

    pub(super) const fn holding(&self) -> Holding {
        Holding { balance: self.balance, frozen: self.frozen(), seen: self.seen() }
    }
}

impl From<&BlockMeta> for format::Head {
    fn from(block: &BlockMeta) -> Self {
        let BlockMeta { chain, number, hash, timestamp_ms, has_events } = *block;
        format::Head { chain, number, hash, timestamp_ms, has_events }
    }
}

impl format::Head {
    pub(super) const fn meta(&self) -> BlockMeta {
        let format::Head { chain, number, hash, timestamp_ms, has_events } = *self;
        BlockMeta { chain, number, hash, timestamp_ms, has_events }
    }
}

impl From<&(Transfer, Mark)> for format::Transfer {
    fn from((transfer, mark): &(Transfer, Mark)) -> Self {
        format::Transfer {
            from: transfer.from.0,
            to: transfer.to.0,
            amount: transfer.amount,
            from_before: transfer.debit.before,
            missing: transfer.debit.missing,
            to_before: transfer.to_before,
            tx: mark.tx,
            log_index: Some(mark.log_index).filter(|index| *index != NO_LOG_INDEX),
            position: mark.position,
        }
    }
}

impl format::Transfer {
    pub(super) fn transfer(&self, id: TransferId) -> (Transfer, Mark) {
        let transfer = Transfer {
            id,
            from: AccountId(self.from),
            to: AccountId(self.to),
            amount: self.amount,
            debit: Debit { before: self.from_before, missing: self.missing },
            to_before: self.to_before,
        };
        let log_index = self.log_index.unwrap_or(NO_LOG_INDEX);
        (transfer, Mark { tx: self.tx, log_index, position: self.position })
    }
}

/// What the movement is, which is not a transfer.
pub(super) fn action(movement: &Movement) -> Option<format::Action> {
    Some(match *movement {
        Movement::Transfer(_) => return None,
        Movement::Issue { to, amount, before } => {
            format::Action::Issue { to: to.0, amount, before }
        }
        Movement::Redeem { from, amount, debit: Debit { before, missing } } => {
            format::Action::Redeem { from: from.0, amount, before, missing }
        }
        Movement::Destroy { account, amount, debit: Debit { before, missing } } => {
            format::Action::Destroy { account: account.0, amount, before, missing }
        }
        Movement::Freeze { account } => format::Action::Freeze { account: account.0 },
        Movement::Release { account } => format::Action::Release { account: account.0 },
    })
}

impl format::Action {
    pub(super) const fn movement(&self) -> Movement {
        match *self {
            format::Action::Issue { to, amount, before } => {
                Movement::Issue { to: AccountId(to), amount, before }
            }
            format::Action::Redeem { from, amount, before, missing } => {
                let debit = Debit { before, missing };
                Movement::Redeem { from: AccountId(from), amount, debit }
            }
            format::Action::Destroy { account, amount, before, missing } => {
                let debit = Debit { before, missing };
                Movement::Destroy { account: AccountId(account), amount, debit }
            }
            format::Action::Freeze { account } => Movement::Freeze { account: AccountId(account) },
            format::Action::Release { account } => {
                Movement::Release { account: AccountId(account) }
            }
        }
    }
}

impl From<&Node> for format::Node {
    fn from(node: &Node) -> Self {
        let Node { transfer, parent, tainted } = *node;
        format::Node { transfer: transfer.0, parent: node_out(parent), tainted }
    }
}

impl format::Node {
    pub(super) fn node(&self) -> Node {
        let format::Node { transfer, parent, tainted } = *self;
        Node { transfer: TransferId(transfer), parent: parent.unwrap_or(ROOT), tainted }
    }
}

impl From<&Arrival> for format::Arrival {
    fn from(arrival: &Arrival) -> Self {
        let Arrival { units, hops, node } = *arrival;
        format::Arrival { units, hops, node: node_out(node) }
    }
}

impl format::Arrival {
    pub(super) fn arrival(&self) -> Arrival {
        let format::Arrival { units, hops, node } = *self;
        Arrival { units, hops, node: node.unwrap_or(ROOT) }
    }
}

impl From<&Runs> for format::Runs {
    fn from(runs: &Runs) -> Self {
        let (head, runs) = runs.parts();
        format::Runs { head, runs: runs.map(|run| (run.start, run.len)).collect() }
    }
}

impl format::Runs {
    pub(super) fn runs(&self) -> Runs {
        Runs::of(self.head, self.runs.iter().map(|(start, len)| Run { start: *start, len: *len }))
    }
}

impl From<&DeskChange> for format::DeskChange {
    fn from(change: &DeskChange) -> Self {
        match change {
            DeskChange::Record(account, record) => {
                format::DeskChange::Record(account.0, record.clone())
            }
            DeskChange::DueOf(account, due) => format::DeskChange::DueOf(account.0, *due),
            DeskChange::Due { chain, due, was_there } => format::DeskChange::Due {
                chain: *chain,
                due: (due.0, due.1.0),
                was_there: *was_there,
            },
            DeskChange::Proposal(chain, key, before) => {
                format::DeskChange::Proposal(*chain, *key, before.clone())
            }
            DeskChange::Required(chain, before) => format::DeskChange::Required(*chain, *before),
            DeskChange::Escape(account, before) => format::DeskChange::Escape(account.0, *before),
            DeskChange::Window(account, before) => {
                format::DeskChange::Window(*account, before.clone())
            }
            DeskChange::Stay(account, before) => format::DeskChange::Stay(*account, *before),
            DeskChange::Cell(at, before) => format::DeskChange::Cell(*at, *before),
        }
    }
}

impl format::DeskChange {
    pub(super) fn change(self) -> DeskChange {
        match self {
            format::DeskChange::Record(account, record) => {
                DeskChange::Record(AccountId(account), record)
            }
            format::DeskChange::DueOf(account, due) => DeskChange::DueOf(AccountId(account), due),
            format::DeskChange::Due { chain, due, was_there } => {
                DeskChange::Due { chain, due: (due.0, AccountId(due.1)), was_there }
            }
            format::DeskChange::Proposal(chain, key, before) => {
                DeskChange::Proposal(chain, key, before)
            }
            format::DeskChange::Required(chain, before) => DeskChange::Required(chain, before),
            format::DeskChange::Escape(account, before) => {
                DeskChange::Escape(AccountId(account), before)
            }
            format::DeskChange::Window(account, before) => DeskChange::Window(account, before),
            format::DeskChange::Stay(account, before) => DeskChange::Stay(account, before),
            format::DeskChange::Cell(at, before) => DeskChange::Cell(at, before),
        }
    }
}
