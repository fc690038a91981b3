//! Where the tainted units of an account lie among all that it holds, for the
//! policies to which that matters: `fifo` and `lifo`.
//!
//! Units form a line in order of arrival, the oldest first. Only runs of
//! tainted units are kept, so a run that leaves or arrives costs what it
//! taints, and clean traffic costs nothing: a clean credit needs no note,
//! since the line's end follows from the balance. What always holds: runs are
//! in order, do not touch each other, and lie within the balance.

use std::collections::VecDeque;

use crate::Amount;
use crate::movement::Debit;

/// Tainted units next to each other: those from `start` to `start + len`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: Amount,
    pub(crate) len: Amount,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Runs {
    /// The place of the oldest unit held. Places wrap around: an account may
    /// receive more than 2^64 units in its life, but never holds as many.
    head: Amount,
    runs: VecDeque<Run>,
}

impl Runs {
    /// Takes out what a debit moves oldest first; appends the tainted runs to
    /// `out`, by their place among the units that leave.
    pub(super) fn take_oldest(&mut self, debit: Debit, amount: Amount, out: &mut Vec<Run>) {
        // What was missing is older than all that was known, and leaves first.
        let known = amount - debit.missing;
        while let Some(run) = self.runs.front_mut() {
            let place = run.start.wrapping_sub(self.head);
            if place >= known {
                break;
            }
            let len = run.len.min(known - place);
            out.push(Run { start: debit.missing + place, len });
            if len < run.len {
                run.start = run.start.wrapping_add(len);
                run.len -= len;
                break;
            }
            self.runs.pop_front();
        }
        self.head = self.head.wrapping_add(known);
    }

    /// Takes out what a debit moves newest first; the newest unit leaves first.
    pub(super) fn take_newest(&mut self, debit: Debit, amount: Amount, out: &mut Vec<Run>) {
        let top = debit.before - debit.missing;
        let bottom = top - (amount - debit.missing);
        while let Some(run) = self.runs.back_mut() {
            let end = run.start.wrapping_sub(self.head) + run.len;
            if end <= bottom {
                break;
            }
            let len = run.len.min(end - bottom);
            out.push(Run { start: top - end, len });
            if len < run.len {
                run.len -= len;
                break;
            }
            self.runs.pop_back();
        }
    }

    /// Puts units behind the `balance` units already held; `arriving`: the
    /// tainted runs by their place among the units that arrive.
    pub(super) fn put(&mut self, balance: Amount, arriving: &[Run]) {
        let end = self.head.wrapping_add(balance);
        for run in arriving {
            let start = end.wrapping_add(run.start);
            match self.runs.back_mut() {
                Some(last) if last.start.wrapping_add(last.len) == start => last.len += run.len,
                _ => self.runs.push_back(Run { start, len: run.len }),
            }
        }
    }

    /// The place of the oldest unit held, and the runs in order.
    pub(crate) fn parts(&self) -> (Amount, impl ExactSizeIterator<Item = &Run>) {
        (self.head, self.runs.iter())
    }

    /// The inverse of [`parts`](Self::parts).
    pub(crate) fn of(head: Amount, runs: impl IntoIterator<Item = Run>) -> Runs {
        Runs { head, runs: runs.into_iter().collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}

/// Tainted units in all runs together.
pub(super) fn units(runs: &[Run]) -> Amount {
    runs.iter().map(|run| run.len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(start: Amount, len: Amount) -> Run {
        Run { start, len }
    }

    fn taken(take: impl FnOnce(&mut Vec<Run>)) -> Vec<Run> {
        let mut out = Vec::new();
        take(&mut out);
        out
    }

    const fn debit(before: Amount, missing: Amount) -> Debit {
        Debit { before, missing }
    }

    #[test]
    fn the_oldest_leave_first_and_keep_their_order() {
        let mut runs = Runs::default();
        runs.put(5, &[run(1, 2), run(4, 3)]); // 5 clean, 1 clean, 2 tainted, 1 clean, 3 tainted
        assert_eq!(taken(|out| runs.take_oldest(debit(12, 0), 7, out)), [run(6, 1)]);
        runs.put(5, &[run(0, 1)]); // the line is: 1 tainted, 1 clean, 3 tainted, 1 tainted
        assert_eq!(taken(|out| runs.take_oldest(debit(6, 0), 6, out)), [run(0, 1), run(2, 4)]);
        assert!(runs.is_empty());
    }

    #[test]
    fn the_newest_leave_first_and_in_reverse() {
        let mut runs = Runs::default();
        runs.put(2, &[run(0, 3), run(5, 1)]); // 2 clean, 3 tainted, 2 clean, 1 tainted, 1 clean
        assert_eq!(taken(|out| runs.take_newest(debit(9, 0), 5, out)), [run(1, 1), run(4, 1)]);
        assert_eq!(taken(|out| runs.take_newest(debit(4, 0), 4, out)), [run(0, 2)]);
        assert!(runs.is_empty());
    }

    #[test]
    fn missing_units_are_the_oldest() {
        let mut oldest = Runs::default();
        oldest.put(1, &[run(0, 2)]);
        let mut newest = oldest.clone();
        assert_eq!(taken(|out| oldest.take_oldest(debit(10, 7), 10, out)), [run(8, 2)]);
        assert_eq!(taken(|out| newest.take_newest(debit(10, 7), 10, out)), [run(0, 2)]);
        assert!(oldest.is_empty() && newest.is_empty());
    }

    #[test]
    fn places_wrap_around() {
        let mut runs = Runs { head: Amount::MAX - 1, runs: VecDeque::new() };
        runs.put(1, &[run(0, 4)]);
        assert_eq!(taken(|out| runs.take_oldest(debit(5, 0), 3, out)), [run(1, 2)]);
        assert_eq!(taken(|out| runs.take_oldest(debit(2, 0), 2, out)), [run(0, 2)]);
    }
}
