//! The second pass, from the oldest movement to the newest: what each account
//! of the cone holds of each origin.
//!
//! What always holds: a movement counts for an account only up to its bound,
//! and the account is forgotten there. The first balance seen of an account is
//! its opening, and so is whatever a debit lacks.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::cone::Cone;
use super::purse::{OriginIx, Parcel, Part, Purse};
use super::{Origin, Question, Share};
use crate::history::{other_movement, transfer_of};
use crate::movement::{Debit, Movement, Transfer};
use crate::past::{End, PastError};
use crate::segment::{Columns, Other, Segment};
use crate::{Amount, Policy};

/// Units of so many origins in accounts are kept at once: about 1 GB.
const PARTS_MAX: usize = 1 << 25;

/// See the module.
pub(super) struct Mix<'a> {
    question: Question<'a>,
    policy: Policy,
    cone: &'a Cone,
    origins: Vec<Origin>,
    ranks: HashMap<Origin, OriginIx, FixedState>,
    purses: HashMap<u32, Purse, FixedState>,
    /// By origin: first and last arrival at the wallet.
    arrived_ms: HashMap<OriginIx, (u64, u64), FixedState>,
    /// Parts in all purses.
    parts: usize,
    pub(super) transfers: u64,
}

impl<'a> Mix<'a> {
    pub(super) fn new(question: Question<'a>, policy: Policy, cone: &'a Cone) -> Mix<'a> {
        Mix {
            question,
            policy,
            cone,
            origins: Vec::new(),
            ranks: HashMap::default(),
            purses: HashMap::default(),
            arrived_ms: HashMap::default(),
            parts: 0,
            transfers: 0,
        }
    }

    pub(super) fn run(
        &mut self,
        end: End,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<(), PastError> {
        let history = &self.question.past.history;
        let all = history.transfers_len() as u64;
        for (ix, segment) in history.segments().iter().enumerate() {
            if segment.first_block() < end.block {
                self.segment(segment, &self.cone.chunks[ix], end)?;
            }
            let passed = u64::from(segment.first_transfer() + segment.transfers());
            progress(all + passed, 2 * all);
        }
        let tail = &history.tail;
        let mut next = tail.first_transfer;
        let blocks = end.block.saturating_sub(tail.first_block) as usize;
        for (at, block) in tail.blocks().iter().enumerate().take(blocks) {
            for (movement, _) in tail.movements(at) {
                self.apply(&movement, next, block.meta.timestamp_ms)?;
                next += u32::from(matches!(movement, Movement::Transfer(_)));
            }
        }
        Ok(())
    }

    fn segment(&mut self, segment: &Segment, chunks: &[u32], end: End) -> Result<(), PastError> {
        let blocks = segment.blocks().map_err(crate::history::HistoryError::from)?;
        let others = segment.others().map_err(crate::history::HistoryError::from)?;
        let counts = |other: &Other| segment.first_block() + other.block < end.block;
        let mut others = others.into_iter().filter(counts).peekable();
        let (mut block, mut block_end) = (0, blocks.first().map_or(0, |block| block.transfers));
        let mut columns = Columns::default();
        for chunk in chunks {
            segment.chunk(*chunk, &mut columns).map_err(crate::history::HistoryError::from)?;
            for at in 0..columns.len() {
                let id = columns.transfer(at);
                let (from, to) = (columns.froms()[at], columns.tos()[at]);
                let concerns = self.cone.holds(from, id) || self.cone.holds(to, id);
                if id >= end.transfer || !concerns {
                    continue;
                }
                let ix = id - segment.first_transfer();
                while let Some(other) = others.next_if(|other| other.transfers_before <= ix) {
                    self.other(other, segment)?;
                }
                while block_end <= ix {
                    block += 1;
                    block_end += blocks[block].transfers;
                }
                let movement = Movement::Transfer(transfer_of(id, &columns.row(at)));
                self.apply(&movement, id, blocks[block].timestamp_ms)?;
            }
        }
        others.try_for_each(|other| self.other(other, segment))
    }

    fn other(&mut self, other: Other, segment: &Segment) -> Result<(), PastError> {
        let next = segment.first_transfer() + other.transfers_before;
        self.apply(&other_movement(other.action), next, 0)
    }

    /// `id`: the transfer itself, or the next one.
    fn apply(&mut self, movement: &Movement, id: u32, now_ms: u64) -> Result<(), PastError> {
        match *movement {
            Movement::Transfer(ref transfer) => self.transfer(transfer, now_ms),
            Movement::Issue { to, amount, before } if self.cone.holds(to.0, id) => {
                self.begin(to.0, before);
                self.add(to.0, Origin::Issued(to.0), amount, false);
            }
            Movement::Redeem { from: account, amount, debit }
            | Movement::Destroy { account, amount, debit }
                if self.cone.holds(account.0, id) =>
            {
                self.debit(account.0, debit, amount);
            }
            _ => {}
        }
        if self.parts > PARTS_MAX {
            return Err(PastError::Wide { accounts: self.cone.len() });
        }
        Ok(())
    }

    fn transfer(&mut self, transfer: &Transfer, now_ms: u64) {
        let Transfer { id, from, to, amount, debit, to_before } = *transfer;
        let receives = self.cone.holds(to.0, id.0);
        let parcel = if self.cone.holds(from.0, id.0) {
            self.debit(from.0, debit, amount)
        } else if receives {
            self.out_of(from.0, amount)
        } else {
            return;
        };
        self.transfers += 1;
        if receives {
            self.begin(to.0, to_before);
            if to.0 == self.question.wallet {
                self.note_arrival(&parcel, now_ms);
            }
            self.change(to.0, |purse, policy| purse.put(policy, &parcel));
        }
        if self.cone.ends(from.0, id.0) {
            self.parts -= self.purses.remove(&from.0).map_or(0, |purse| purse.parts.len());
        }
    }

    /// What leaves an account of which every unit has the same origin.
    fn out_of(&mut self, from: u32, amount: Amount) -> Parcel {
        let origin = self.question.origin(from).unwrap_or(Origin::Opening(from));
        let origin = self.rank(origin);
        let line = if self.policy.is_ordered() { vec![(origin, amount)] } else { Vec::new() };
        Parcel { parts: vec![Part { origin, hops: 0, units: amount }], line }
    }

    fn debit(&mut self, account: u32, debit: Debit, amount: Amount) -> Parcel {
        self.begin(account, debit.before - debit.missing);
        if debit.missing > 0 {
            self.add(account, Origin::Opening(account), debit.missing, true);
        }
        self.change(account, |purse, policy| purse.take(policy, debit, amount))
    }

    /// The first movement of an account shows what it held before.
    fn begin(&mut self, account: u32, before: Amount) {
        let purse = self.purses.entry(account).or_default();
        if !std::mem::replace(&mut purse.begun, true) && before > 0 {
            self.add(account, Origin::Opening(account), before, true);
        }
    }

    fn add(&mut self, account: u32, origin: Origin, units: Amount, oldest: bool) {
        let origin = self.rank(origin);
        self.change(account, |purse, policy| purse.add(policy, origin, units, oldest));
    }

    fn change<T>(&mut self, account: u32, change: impl FnOnce(&mut Purse, Policy) -> T) -> T {
        let purse = self.purses.entry(account).or_default();
        let before = purse.parts.len();
        let changed = change(purse, self.policy);
        self.parts = self.parts - before + purse.parts.len();
        changed
    }

    fn rank(&mut self, origin: Origin) -> OriginIx {
        if let Some(rank) = self.ranks.get(&origin) {
            return *rank;
        }
        let rank = u32::try_from(self.origins.len()).expect("at most two for each account");
        self.origins.push(origin.clone());
        self.ranks.insert(origin, rank);
        rank
    }

    fn note_arrival(&mut self, parcel: &Parcel, now_ms: u64) {
        for part in &parcel.parts {
            self.arrived_ms.entry(part.origin).or_insert((now_ms, now_ms)).1 = now_ms;
        }
    }

    /// What the wallet holds in the end, the greatest share first.
    pub(super) fn shares(mut self, balance: Amount) -> Vec<Share> {
        let wallet = self.question.wallet;
        // A wallet that never moved holds what it always held.
        self.begin(wallet, balance);
        let purse = self.purses.remove(&wallet).unwrap_or_default();
        let poison = self.policy == Policy::Poison;
        let share = |part: &Part| Share {
            origin: self.origins[part.origin as usize].clone(),
            units: if poison { balance } else { part.units },
            hops: part.hops,
            arrived_ms: self.arrived_ms.get(&part.origin).copied(),
        };
        let mut shares: Vec<Share> = purse.parts.iter().map(share).collect();
        shares.sort_by(|a, b| {
            let key = |share: &Share| (std::cmp::Reverse(share.units), share.hops);
            key(a).cmp(&key(b)).then_with(|| a.origin.cmp(&b.origin))
        });
        shares
    }
}
