//! From the addresses of events to the ids of their accounts.
//!
//! What is known of accounts lies scattered over more memory than any cache
//! holds. So the processor is asked for it some groups of events ahead, one step
//! for each group: where an id may stand, then the account, then its taints.
//! Meanwhile events whose accounts have come are applied, so that work hides the
//! wait. A group asks for no more at once than a core can wait for.

use std::ops::Range;

use super::{ApplyError, Engine};
use crate::accounts::Tag;
use crate::movement::AccountId;
use crate::trace::Book;
use crate::{AccountKey, Chain, LedgerEvent};

/// Events that go through a step together.
const GROUP: usize = 8;

/// Steps before a group is applied.
pub(super) const STEPS: usize = 4;

/// In place of an account that an event does not have.
pub(super) const NOBODY: AccountId = AccountId(u32::MAX);

/// Until the last group of so many events is applied.
pub(super) const fn steps(events: usize) -> usize {
    events.div_ceil(GROUP) + STEPS
}

/// Where among so many events the group stands that is as far behind the first
/// in its steps.
pub(super) fn group(events: usize, step: usize, behind: usize) -> Range<usize> {
    let upto = |groups: Option<usize>| events.min(groups.unwrap_or(0) * GROUP);
    upto(step.checked_sub(behind))..upto((step + 1).checked_sub(behind))
}

/// An account that an event names.
#[derive(Clone, Copy, Debug)]
struct Sought {
    tag: Tag,
    /// Whom it most likely means.
    guess: Option<AccountId>,
}

/// What is known of the accounts of a block's events; kept for its memory.
#[derive(Debug, Default)]
pub(super) struct Located {
    sought: Vec<Sought>,
    /// How many of them went through the second step and the third.
    guessed: usize,
    taken: usize,
    /// By event.
    pub(super) ids: Vec<[AccountId; 2]>,
}

impl Engine {
    /// Begins with the events of another block.
    pub(super) fn begin_locating(&mut self) {
        let Located { sought, guessed, taken, ids } = &mut self.located;
        sought.clear();
        ids.clear();
        (*guessed, *taken) = (0, 0);
    }

    /// First step: asks for where the ids may stand.
    #[inline]
    pub(super) fn ask(&mut self, chain: Chain, events: &[LedgerEvent]) {
        for event in events {
            for address in event.action.accounts().into_iter().flatten() {
                let tag = self.ledger.accounts.ask(AccountKey { chain, address: *address });
                self.located.sought.push(Sought { tag, guess: None });
            }
        }
    }

    /// Second step, for all that were asked for: the ids that they most likely
    /// have, and what is known of these is asked for.
    #[inline]
    pub(super) fn guess(&mut self) {
        let Located { sought, guessed, .. } = &mut self.located;
        for Sought { tag, guess } in &mut sought[*guessed..] {
            *guess = self.ledger.accounts.guess(*tag);
        }
        *guessed = sought.len();
    }

    /// Third step: finds the accounts of the next events, gives ids to new ones,
    /// and asks for their taints.
    #[inline]
    pub(super) fn identify(
        &mut self,
        chain: Chain,
        events: &[LedgerEvent],
    ) -> Result<(), ApplyError> {
        let Engine { ledger, tracer, graph, located, .. } = self;
        for event in events {
            let mut ids = [NOBODY; 2];
            for (id, address) in ids.iter_mut().zip(event.action.accounts()) {
                let Some(address) = address else { continue };
                let Sought { tag, guess } = located.sought[located.taken];
                located.taken += 1;
                let Some(found) = ledger.accounts.intern_guessed(chain, address, tag, guess) else {
                    return Err(ApplyError::Full);
                };
                *id = found;
                // A clean account has no taints, and no node in the graph.
                let slot = ledger.slot(found);
                if slot != 0 {
                    tracer.taints.prefetch(slot);
                    graph.prefetch(found);
                }
            }
            located.ids.push(ids);
        }
        Ok(())
    }

    /// Fourth step, for the events at these places: asks for what the taints of
    /// their accounts and the places in the graph point to.
    #[inline]
    pub(super) fn ask_for_taints(&self, events: Range<usize>) {
        for id in self.located.ids[events].as_flattened().iter().filter(|id| **id != NOBODY) {
            let slot = self.ledger.slot(*id);
            if slot != 0 {
                self.tracer.taints.prefetch_spilled(slot);
                self.graph.prefetch_node(*id);
            }
        }
    }
}
