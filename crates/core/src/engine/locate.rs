//! From the addresses of events to the ids of their accounts.
//!
//! What is known of accounts lies scattered over more memory than any cache
//! holds. So the processor is asked for all of it at each step, and waits for
//! many accounts at a time, not for one after another.

use super::{ApplyError, Engine};
use crate::accounts::Tag;
use crate::movement::AccountId;
use crate::trace::Book;
use crate::{AccountKey, Chain, LedgerEvent};

/// Events whose accounts are located together: what is known of them fits into
/// the nearest cache.
pub(super) const AHEAD: usize = 64;

/// In place of an account that an event does not have.
pub(super) const NOBODY: AccountId = AccountId(u32::MAX);

/// An account that an event names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sought {
    key: AccountKey,
    tag: Tag,
    /// Whom it most likely means, then whom it does.
    id: Option<AccountId>,
}

impl Engine {
    /// Finds the accounts of some events, and gives ids to new ones.
    pub(super) fn locate(
        &mut self,
        chain: Chain,
        events: &[LedgerEvent],
    ) -> Result<(), ApplyError> {
        let Engine { ledger, tracer, graph, sought, located, .. } = self;
        let accounts = &mut ledger.accounts;
        sought.clear();
        for event in events {
            for address in event.action.accounts().into_iter().flatten() {
                let key = AccountKey { chain, address: *address };
                sought.push(Sought { key, tag: accounts.ask(key), id: None });
            }
        }
        for Sought { tag, id, .. } in &mut *sought {
            *id = accounts.guess(*tag);
        }
        for Sought { key, tag, id } in &mut *sought {
            *id = Some(accounts.intern_guessed(*key, *tag, *id).ok_or(ApplyError::Full)?);
        }
        let mut ids = sought.iter().filter_map(|sought| sought.id);
        located.clear();
        located.extend(events.iter().map(|event| {
            let accounts = event.action.accounts();
            accounts.map(|account| account.and_then(|_| ids.next()).unwrap_or(NOBODY))
        }));
        // A clean account has no taints, and no node in the graph.
        let slot = |sought: &Sought| Some((sought.id?, ledger.slot(sought.id?)));
        let tainted = || sought.iter().filter_map(slot).filter(|(_, slot)| *slot != 0);
        for (id, slot) in tainted() {
            tracer.taints.prefetch(slot);
            graph.prefetch(id);
        }
        for (id, slot) in tainted() {
            tracer.taints.prefetch_spilled(slot);
            graph.prefetch_node(id);
        }
        Ok(())
    }
}
