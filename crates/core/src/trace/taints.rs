//! For each account the cases that taint it.
//!
//! What always holds: a list is in the order of lanes; an account that no case
//! ever tainted has none and costs no look-up.

use smallvec::SmallVec;

use super::lane::{LaneIx, ROOT};
use crate::Amount;
use crate::accounts::SLOTS_MAX;
use crate::movement::AccountId;
use crate::paged::Paged;
use crate::prefetch::prefetch;

/// What tracing asks of the accounts, and remembers there.
pub(crate) trait Book {
    /// Where the account's taints stand in [`Taints`]; 0: never tainted.
    fn slot(&self, account: AccountId) -> u32;
    /// Remembers that place.
    fn set_slot(&mut self, account: AccountId, slot: u32);
    /// Whether the issuer has frozen it.
    fn is_frozen(&self, account: AccountId) -> bool;
}

/// One case's units in one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taint {
    pub(crate) lane: LaneIx,
    pub(crate) units: Amount,
    /// Least hop of the units that arrived since the account last held none.
    pub(crate) hops: u32,
    /// How those units came: the end of their path in the lane's tree.
    pub(crate) node: u32,
    /// Active source.
    pub(crate) source: bool,
    /// Everything the account holds is tainted: a source, or touched under
    /// `poison`.
    pub(crate) whole: bool,
    /// The first receipt has been told.
    pub(crate) told: bool,
    /// Thresholds reached so far, from the lowest.
    pub(crate) thresholds: u8,
    /// Block time of the last tainted units in or out, Unix milliseconds.
    pub(crate) moved_ms: u64,
}

impl Taint {
    pub(super) const fn clean(lane: LaneIx) -> Taint {
        Taint {
            lane,
            units: 0,
            hops: 0,
            node: ROOT,
            source: false,
            whole: false,
            told: false,
            thresholds: 0,
            moved_ms: 0,
        }
    }
}

/// The taints of one account.
pub(crate) type TaintList = SmallVec<[Taint; 1]>;

/// See the module.
#[derive(Debug)]
pub(crate) struct Taints {
    pub(crate) lists: Paged<TaintList>,
}

impl Default for Taints {
    fn default() -> Self {
        // Slot 0 is the empty list of every clean account.
        Taints { lists: vec![TaintList::new()].into() }
    }
}

impl Taints {
    /// Whether so many accounts more can become tainted: an account has 29 bits to
    /// say where its taints are.
    pub(crate) fn has_room(&self, more: usize) -> bool {
        self.lists.len().saturating_add(more) <= SLOTS_MAX
    }

    /// The account's taints in the order of lanes.
    pub(crate) fn of(&self, book: &impl Book, account: AccountId) -> &[Taint] {
        &self.lists[book.slot(account) as usize]
    }

    /// Brings near what is in that place.
    #[inline]
    pub(crate) fn prefetch(&self, slot: u32) {
        prefetch(&self.lists, slot as usize);
    }

    /// Then the first and the last of the taints there, if they lie elsewhere.
    #[inline]
    pub(crate) fn prefetch_spilled(&self, slot: u32) {
        let list = &self.lists[slot as usize];
        if list.spilled() {
            prefetch(list, 0);
            prefetch(list, list.len().saturating_sub(1));
        }
    }

    pub(crate) fn of_mut(&mut self, book: &impl Book, account: AccountId) -> &mut [Taint] {
        self.lists.at_mut(book.slot(account) as usize)
    }

    pub(crate) fn get(&self, book: &impl Book, account: AccountId, lane: LaneIx) -> Option<&Taint> {
        let list = self.of(book, account);
        list.binary_search_by_key(&lane, |taint| taint.lane).ok().map(|at| &list[at])
    }

    /// The taint of that lane, made if absent; `true` if it was made.
    pub(super) fn entry(
        &mut self,
        book: &mut impl Book,
        account: AccountId,
        lane: LaneIx,
    ) -> (&mut Taint, bool) {
        let list = self.list(book, account);
        match list.binary_search_by_key(&lane, |taint| taint.lane) {
            Ok(at) => (&mut list[at], false),
            Err(at) => {
                list.insert(at, Taint::clean(lane));
                (&mut list[at], true)
            }
        }
    }

    /// Takes over taints of lanes that the account has none of, in the order of
    /// lanes; none is left in `fresh`.
    pub(super) fn merge(
        &mut self,
        book: &mut impl Book,
        account: AccountId,
        fresh: &mut Vec<Taint>,
    ) {
        let Some(first) = fresh.first().copied() else { return };
        let list = self.list(book, account);
        if list.last().is_none_or(|known| known.lane < first.lane) {
            list.extend(fresh.drain(..));
            return;
        }
        // From the end on, so that each moves once.
        let mut from = list.len();
        list.resize(from + fresh.len(), first);
        let mut to = list.len();
        while let Some(taint) = fresh.pop() {
            while from > 0 && list[from - 1].lane > taint.lane {
                (from, to) = (from - 1, to - 1);
                list[to] = list[from];
            }
            to -= 1;
            list[to] = taint;
        }
    }

    /// Takes over a taint that another tracer worked out.
    pub(super) fn put(&mut self, book: &mut impl Book, account: AccountId, taint: Taint) {
        *self.entry(book, account, taint.lane).0 = taint;
    }

    /// Forgets the lane in that account.
    pub(super) fn remove(&mut self, book: &impl Book, account: AccountId, lane: LaneIx) {
        self.lists.at_mut(book.slot(account) as usize).retain(|taint| taint.lane != lane);
    }

    /// Puts an earlier list back.
    pub(crate) fn restore(&mut self, book: &mut impl Book, account: AccountId, list: TaintList) {
        if book.slot(account) != 0 || !list.is_empty() {
            *self.list(book, account) = list;
        }
    }

    fn list(&mut self, book: &mut impl Book, account: AccountId) -> &mut TaintList {
        if book.slot(account) == 0 {
            let slot = u32::try_from(self.lists.len()).expect("fewer lists than accounts");
            self.lists.push(TaintList::new());
            book.set_slot(account, slot);
        }
        self.lists.at_mut(book.slot(account) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tainted_account_costs() {
        assert_eq!(size_of::<Taint>(), 32);
        assert_eq!(size_of::<TaintList>(), 48);
    }
}
