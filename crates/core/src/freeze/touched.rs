//! Which accounts of a block the desk looks at.

use super::{FreezeDesk, is_service};
use crate::alert::Sight;
use crate::movement::AccountId;
use crate::trace::Touch;

impl FreezeDesk {
    /// Accounts of the block to look at, each once, in the order of their
    /// addresses; `Some`: units moved there, `true`: its funds were burnt.
    pub(super) fn touched(
        &self,
        touches: &[(AccountId, Touch)],
        sight: &Sight<'_>,
    ) -> Vec<(AccountId, Option<bool>)> {
        let moved = |touch: Touch| (touch != Touch::Woken).then_some(touch == Touch::Destroyed);
        let touches = touches.iter().map(|(account, touch)| (*account, moved(*touch)));
        let stirred = self.stirred.iter().map(|(account, stir)| (*account, Some(stir.burnt)));
        let mut touched: Vec<_> = touches.chain(stirred).collect();
        // Of an account the last counts, in which most happened.
        touched.sort_unstable();
        touched.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 = if same { next.1 } else { kept.1 };
            same
        });
        // Most need no look, and only addresses take long to compare.
        touched.retain(|(account, _)| !self.passes_over(*account, sight));
        touched.sort_unstable_by_key(|(account, _)| sight.accounts.key(*account));
        touched
    }

    /// Whether the account needs no look, as most do not: it is private, no case
    /// holds enough there, and the desk follows nothing about it. Told without
    /// regard to how cases are traced, so `false` says nothing.
    pub(super) fn passes_over(&self, account: AccountId, sight: &Sight<'_>) -> bool {
        let enough = sight.world.config.freeze_min_units.max(1);
        let taints = sight.tracer.taints.of(sight.ledger, account);
        taints.iter().all(|taint| taint.units < enough)
            && !self.records.contains_key(&account)
            && !self.windows.contains_key(&account)
            && !self.dwell.stays.contains_key(&account)
            && !is_service(account, sight.world)
    }
}
