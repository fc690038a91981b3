//! Movement by movement: what leaves recommended accounts, and where it goes
//! while a freeze is pending.

use super::told::Escape;
use super::{DeskChange, FreezeDesk, is_service};
use crate::Amount;
use crate::alert::Sight;
use crate::movement::{AccountId, BlockMeta, Mark, Movement, Transfer};

impl FreezeDesk {
    /// Whether units are followed that may be clean.
    #[inline]
    pub(crate) fn follows_units(&self) -> bool {
        !self.windows.is_empty()
    }

    /// Follows a movement out of recommended accounts and through windows.
    pub(crate) fn follow(
        &mut self,
        movement: &Movement,
        mark: Mark,
        block: &BlockMeta,
        sight: &Sight<'_>,
    ) {
        match *movement {
            Movement::Transfer(ref transfer) => {
                self.note_escape(transfer, mark, block, sight);
                self.follow_windows(transfer, block, sight);
            }
            Movement::Redeem { from: account, amount, .. } => self.burn(account, amount),
            Movement::Destroy { account, amount, .. } => {
                self.burn(account, amount);
                if self.records.contains_key(&account) {
                    self.stirred.entry(account).or_default().burnt = true;
                }
            }
            Movement::Freeze { account } | Movement::Release { account } => {
                if self.records.contains_key(&account) {
                    self.stirred.entry(account).or_default();
                }
            }
            Movement::Issue { .. } => {}
        }
    }

    /// Notes what leaves a recommended account.
    fn note_escape(
        &mut self,
        transfer: &Transfer,
        mark: Mark,
        block: &BlockMeta,
        sight: &Sight<'_>,
    ) {
        let parcels = sight.tracer.parcels().iter();
        let parcels = parcels.filter(|parcel| sight.tracer.leads(parcel.lane));
        let tainted = parcels.map(|parcel| parcel.units).max().unwrap_or(0);
        let watched = self.windows.contains_key(&transfer.from);
        if tainted == 0 && !watched {
            return;
        }
        let record = self.records.get_mut(&transfer.from);
        let Some(record) = record.filter(|record| watched || record.is_open()) else { return };
        let before = record.progress.escaped.push(Escape {
            to: sight.accounts.key(transfer.to).address,
            transfer: mark.place(),
            block: block.number,
            timestamp_ms: block.timestamp_ms,
            units: transfer.amount,
            tainted,
        });
        self.changes.push(DeskChange::Escape(transfer.from, before));
    }

    fn follow_windows(&mut self, transfer: &Transfer, block: &BlockMeta, sight: &Sight<'_>) {
        if !self.follows_units() || is_service(transfer.from, sight.world) {
            return;
        }
        let carried = self.windows.iter().filter_map(|(target, window)| {
            Some((*target, window.carried(*target, transfer)?, window.clone()))
        });
        for (target, carried, mut window) in carried.collect::<Vec<_>>() {
            window.follow(target, transfer, carried, block);
            self.set_window(target, Some(window));
            self.stirred.entry(target).or_default().escaped = true;
        }
    }

    /// Units of an account leave circulation.
    fn burn(&mut self, account: AccountId, units: Amount) {
        let windows = self.windows.iter();
        let there = windows.filter(|(_, window)| window.frontier.contains_key(&account));
        let there: Vec<_> = there.map(|(target, window)| (*target, window.clone())).collect();
        for (target, mut window) in there {
            window.burn(account, units);
            self.set_window(target, Some(window));
            self.stirred.entry(target).or_default();
        }
    }
}
