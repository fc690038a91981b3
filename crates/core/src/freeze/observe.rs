//! What the desk learns of how long units stay, and what it makes of it.

use super::claim::Stake;
use super::dwell::{Chance, Dwell, End, Stay, WalletKind};
use super::{DeskChange, FreezeDesk, actor};
use crate::effect::Actor;
use crate::movement::{AccountId, BlockMeta};
use crate::trace::World;

/// How the desk finds an account whose stay it follows.
#[derive(Clone, Copy)]
pub(super) struct Sighting {
    /// The claims on it are worth a freeze, and it is not frozen.
    pub(super) holds: bool,
    /// Units moved there in this block, and were not burnt.
    pub(super) moved: bool,
}

impl FreezeDesk {
    /// Begins, follows or ends the stay of an account's units.
    pub(super) fn observe(
        &mut self,
        account: AccountId,
        stake: &Stake,
        seen: Sighting,
        block: &BlockMeta,
        world: World<'_>,
    ) {
        let before = self.dwell.stays.get(&account).copied();
        let most = stake.units;
        if let Some(stay) = before {
            if seen.holds && most.saturating_mul(2) >= stay.peak {
                if most > stay.peak {
                    self.set_stay(account, Some(Stay { peak: most, ..stay }));
                }
                return;
            }
            let end = if seen.moved { End::Left } else { End::Censored };
            self.add(&Dwell::ended(&stay, end, block.timestamp_ms));
        }
        let begins = seen.holds.then(|| Stay {
            chain: block.chain,
            kind: kind(account, stake.hops, world),
            since_ms: stake.moved_ms.min(block.timestamp_ms),
            peak: most,
            whole: stake.moved_ms == block.timestamp_ms,
            trial: None,
        });
        if before.is_some() || begins.is_some() {
            self.set_stay(account, begins);
        }
    }

    /// Judges the predictions whose time has come: the units are still there.
    pub(super) fn judge(&mut self, block: &BlockMeta) {
        while let Some(account) = self.dwell.due(block.chain, block.timestamp_ms) {
            let Some(stay) = self.dwell.stays.get(&account).copied() else { return };
            if let Some((_, predicted)) = stay.trial {
                self.add(&Dwell::judged(predicted, true));
            }
            self.set_stay(account, Some(Stay { trial: None, ..stay }));
        }
    }

    /// The chance that the account's units are still there after the usual lag.
    /// `None`: it holds none that are worth a freeze.
    pub(super) fn chance(
        &self,
        account: AccountId,
        block: &BlockMeta,
        world: World<'_>,
    ) -> Option<Chance> {
        let stay = self.dwell.stays.get(&account)?;
        let now = block.timestamp_ms;
        let lag_ms = world.config.freeze_lag_ms[block.chain.index()];
        match &self.tables {
            Some(tables) => Some(self.dwell.chance(stay, tables, now, lag_ms)),
            None => {
                let tables = self.dwell.tables(block.chain, now);
                Some(self.dwell.chance(stay, &tables, now, lag_ms))
            }
        }
    }

    /// Remembers a prediction, to hold it against what comes.
    pub(super) fn try_out(&mut self, account: AccountId, chance: Chance, block: &BlockMeta) {
        if let Some(stay) = self.dwell.stays.get(&account).copied()
            && stay.trial.is_none()
        {
            let due = block.timestamp_ms.saturating_add(chance.lag_ms.max(1));
            self.set_stay(account, Some(Stay { trial: Some((due, chance.ppm)), ..stay }));
        }
    }

    fn set_stay(&mut self, account: AccountId, stay: Option<Stay>) {
        let before = self.dwell.put(account, stay);
        self.changes.push(DeskChange::Stay(account, before));
    }

    fn add(&mut self, cells: &[(usize, u64)]) {
        for (at, more) in cells {
            let cell = &mut self.dwell.cells[*at];
            let before = *cell;
            *cell = cell.saturating_add(*more);
            let at = u16::try_from(*at).expect("a few hundred cells");
            self.changes.push(DeskChange::Cell(at, before));
        }
    }
}

fn kind(account: AccountId, hops: u32, world: World<'_>) -> WalletKind {
    match (actor(account, world), hops) {
        (Actor::Service { .. }, _) => WalletKind::Deposit,
        (Actor::Issuer, 0) => WalletKind::Source,
        (Actor::Issuer, 1) => WalletKind::FirstHop,
        (Actor::Issuer, _) => WalletKind::Further,
    }
}
