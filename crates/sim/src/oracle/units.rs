//! The units of one account or of one parcel, and which of them are tainted.
//!
//! Units lie in runs from the oldest to the newest. Under `fifo` and `lifo` it
//! matters which units are which, so a debit takes runs from one end and a
//! credit lays them on the newest. Under the other policies a place in the
//! order means nothing, and the units are stirred: tainted first, then clean.
//!
//! What always holds: no run is empty, neighbours differ, and the two sums are
//! those of the runs.

use std::collections::VecDeque;

use flow_core::{Amount, Policy};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    units: Amount,
    tainted: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Units {
    /// From the oldest to the newest. In a parcel: in the order of leaving.
    runs: VecDeque<Run>,
    total: Amount,
    tainted: Amount,
}

impl Units {
    pub(super) fn clean(amount: Amount) -> Self {
        Units::stirred(0, amount)
    }

    pub(super) fn all_tainted(amount: Amount) -> Self {
        Units::stirred(amount, 0)
    }

    fn stirred(tainted: Amount, clean: Amount) -> Self {
        let mut units = Units::default();
        units.push_newest(Run { units: tainted, tainted: true });
        units.push_newest(Run { units: clean, tainted: false });
        units
    }

    pub(super) fn total(&self) -> Amount {
        self.total
    }

    pub(super) fn tainted(&self) -> Amount {
        self.tainted
    }

    pub(super) fn runs(&self) -> impl Iterator<Item = (Amount, bool)> {
        self.runs.iter().map(|run| (run.units, run.tainted))
    }

    /// Lays a parcel on the newest units, in the order in which it left.
    pub(super) fn add(&mut self, policy: Policy, parcel: Units) {
        for run in parcel.runs {
            self.push_newest(run);
        }
        if !matches!(policy, Policy::Fifo | Policy::Lifo) {
            *self = Units::stirred(self.tainted, self.total - self.tainted);
        }
    }

    /// Puts units under all others: those of a history before the first event.
    pub(super) fn add_oldest(&mut self, amount: Amount, tainted: bool) {
        if amount == 0 {
            return;
        }
        let runs = std::mem::take(self).runs;
        self.push_newest(Run { units: amount, tainted });
        for run in runs {
            self.push_newest(run);
        }
    }

    /// Takes `amount` units, which is at most what there is.
    pub(super) fn take(&mut self, policy: Policy, amount: Amount) -> Units {
        match policy {
            Policy::Fifo => self.take_runs(amount, VecDeque::pop_front, VecDeque::push_front),
            Policy::Lifo => self.take_runs(amount, VecDeque::pop_back, VecDeque::push_back),
            _ => self.take_stirred(amount, moved(policy, self.total, self.tainted, amount)),
        }
    }

    /// Takes runs from one end; of the last of them, a part may stay there.
    fn take_runs(
        &mut self,
        amount: Amount,
        pop: fn(&mut VecDeque<Run>) -> Option<Run>,
        put_back: fn(&mut VecDeque<Run>, Run),
    ) -> Units {
        let mut taken = Units::default();
        while taken.total < amount {
            let run = pop(&mut self.runs).expect("a debit is at most the balance");
            let leaving = run.units.min(amount - taken.total);
            taken.push_newest(Run { units: leaving, ..run });
            if leaving < run.units {
                put_back(&mut self.runs, Run { units: run.units - leaving, ..run });
            }
        }
        self.total -= taken.total;
        self.tainted -= taken.tainted;
        taken
    }

    fn take_stirred(&mut self, amount: Amount, tainted: Amount) -> Units {
        let kept_tainted = self.tainted - tainted;
        let kept = self.total - amount;
        *self = Units::stirred(kept_tainted, kept - kept_tainted);
        Units::stirred(tainted, amount - tainted)
    }

    fn push_newest(&mut self, run: Run) {
        self.total += run.units;
        self.tainted += if run.tainted { run.units } else { 0 };
        match self.runs.back_mut() {
            _ if run.units == 0 => {}
            Some(newest) if newest.tainted == run.tainted => newest.units += run.units,
            _ => self.runs.push_back(run),
        }
    }

    /// Panics when the sums are not those of the runs.
    pub(super) fn check(&self) {
        let sum = |kind: fn(&Run) -> bool| {
            self.runs.iter().filter(|run| kind(run)).map(|run| u128::from(run.units)).sum::<u128>()
        };
        assert_eq!(sum(|_| true), u128::from(self.total));
        assert_eq!(sum(|run| run.tainted), u128::from(self.tainted));
        assert!(self.runs.iter().all(|run| run.units > 0));
        let mut pairs = self.runs.iter().zip(self.runs.iter().skip(1));
        assert!(pairs.all(|(older, newer)| older.tainted != newer.tainted));
    }
}

/// Tainted units that leave with `amount` of `balance` units, `tainted` of them
/// tainted, under a policy that does not ask which units are which.
fn moved(policy: Policy, balance: Amount, tainted: Amount, amount: Amount) -> Amount {
    match policy {
        Policy::Haircut => {
            let moved = u128::from(tainted) * u128::from(amount) / u128::from(balance);
            Amount::try_from(moved).expect("no more than the tainted units leave")
        }
        Policy::DirtyFirst => tainted.min(amount),
        Policy::DirtyLast => tainted - tainted.min(balance - amount),
        // A touched account holds nothing but tainted units, another none.
        Policy::Poison if tainted > 0 => amount,
        Policy::Poison => 0,
        Policy::Fifo | Policy::Lifo => unreachable!("these take runs"),
    }
}
