//! What one account holds, by origin.
//!
//! What always holds: under `fifo` and `lifo` every unit held stands once in
//! the line, so one line of runs serves all origins: which units leave does not
//! depend on where they came from. Under the other policies each origin's units
//! are counted as if it were the only case.

use std::collections::VecDeque;

use crate::movement::Debit;
use crate::policy::Share;
use crate::{Amount, Policy};

/// Rank of an origin in order of first sight.
pub(super) type OriginIx = u32;

/// Units of one origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) origin: OriginIx,
    /// The least hop of units that arrived since there were none.
    pub(super) hops: u32,
    /// Under `poison` not counted: whatever there is.
    pub(super) units: Amount,
}

/// Units on their way.
#[derive(Debug, Default)]
pub(super) struct Parcel {
    /// By origin, rising.
    pub(super) parts: Vec<Part>,
    /// Under ordered policies: the units in the order of leaving.
    pub(super) line: Vec<(OriginIx, Amount)>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Purse {
    /// By origin, rising; none is empty but under `poison`.
    pub(super) parts: Vec<Part>,
    /// Under ordered policies: all units from the oldest to the newest.
    line: VecDeque<(OriginIx, Amount)>,
    /// A movement of the account was seen.
    pub(super) begun: bool,
}

impl Purse {
    /// Units that nobody sent: there before all others where they are missing,
    /// on top of them where they were issued.
    pub(super) fn add(&mut self, policy: Policy, origin: OriginIx, units: Amount, oldest: bool) {
        self.join(Part { origin, hops: 0, units }, policy);
        if policy.is_ordered() {
            if oldest {
                self.line.push_front((origin, units));
            } else {
                self.line.push_back((origin, units));
            }
        }
    }

    /// Takes out what a debit moves, after what was missing has been added.
    pub(super) fn take(&mut self, policy: Policy, debit: Debit, amount: Amount) -> Parcel {
        if policy.is_ordered() {
            return self.take_line(policy, amount);
        }
        let mut parcel = Parcel::default();
        let share = Share::of(amount, debit.before);
        for part in &mut self.parts {
            // In a past that was made to deceive there may be more units than held.
            let held = part.units.min(debit.before);
            let moved = match policy {
                Policy::Poison => amount,
                _ => policy.moved(held, &share),
            };
            if moved > 0 {
                part.units = held.saturating_sub(moved);
                parcel.parts.push(Part { units: moved, ..*part });
            }
        }
        self.forget_empty(policy);
        parcel
    }

    fn take_line(&mut self, policy: Policy, amount: Amount) -> Parcel {
        let mut parcel = Parcel::default();
        let mut left = amount;
        while left > 0 {
            let oldest_first = policy == Policy::Fifo;
            let run = if oldest_first { self.line.pop_front() } else { self.line.pop_back() };
            let Some((origin, len)) = run else { break };
            let leaving = len.min(left);
            left -= leaving;
            parcel.line.push((origin, leaving));
            if leaving < len && oldest_first {
                self.line.push_front((origin, len - leaving));
            } else if leaving < len {
                self.line.push_back((origin, len - leaving));
            }
        }
        self.split(&mut parcel);
        self.forget_empty(policy);
        parcel
    }

    /// Takes the runs of a parcel out of the parts.
    fn split(&mut self, parcel: &mut Parcel) {
        let mut runs = parcel.line.clone();
        runs.sort_unstable();
        for (origin, len) in runs {
            let Ok(at) = self.parts.binary_search_by_key(&origin, |part| part.origin) else {
                continue;
            };
            let part = &mut self.parts[at];
            part.units = part.units.saturating_sub(len);
            match parcel.parts.last_mut() {
                Some(last) if last.origin == origin => last.units += len,
                _ => parcel.parts.push(Part { units: len, ..*part }),
            }
        }
    }

    fn forget_empty(&mut self, policy: Policy) {
        if policy != Policy::Poison {
            self.parts.retain(|part| part.units > 0);
        }
    }

    /// Puts in what arrives, one hop further than it was.
    pub(super) fn put(&mut self, policy: Policy, parcel: &Parcel) {
        for part in &parcel.parts {
            self.join(Part { hops: part.hops.saturating_add(1), ..*part }, policy);
        }
        for (origin, len) in &parcel.line {
            match self.line.back_mut() {
                Some((last, run)) if last == origin => *run += len,
                _ => self.line.push_back((*origin, *len)),
            }
        }
    }

    fn join(&mut self, arriving: Part, policy: Policy) {
        let found = self.parts.binary_search_by_key(&arriving.origin, |part| part.origin);
        match found {
            Ok(at) => {
                let part = &mut self.parts[at];
                part.hops = part.hops.min(arriving.hops);
                if policy != Policy::Poison {
                    part.units = part.units.saturating_add(arriving.units);
                }
            }
            Err(at) => self.parts.insert(at, arriving),
        }
    }
}
