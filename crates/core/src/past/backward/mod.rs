//! Where the units that an account holds came from.
//!
//! Tracing backwards ends at services, at wallets that the caller names as
//! sources, at units that an account held before our first event, and at units
//! issued. The share of such an origin is what the account would hold if that
//! origin alone were traced forward as a case. So under `fifo` and `lifo` the
//! shares partition the balance. Under `haircut` each share is rounded by itself:
//! units that round away at a receiver stay with the sender, so the sum may be
//! some units short of the balance or beyond it. Under `dirty-first`,
//! `dirty-last` and `poison` each share is right by itself, but shares overlap
//! or leave units out. [`Origins::remainder`] says how many.
//!
//! Two passes: from the newest transfer to the oldest, to find the accounts
//! whose units can have come there, each up to the last time it matters; then
//! from the oldest to the newest through the same chunks, to work out the shares.

mod cone;
mod mix;
mod purse;

use std::collections::BTreeSet;

use super::{Past, PastError};
use crate::{AccountKey, Amount, Policy};
use cone::Cone;
use mix::Mix;

/// Where tracing backwards ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A labelled service where tracing stops, by its entity.
    Service(String),
    /// A wallet that the caller named as a source.
    Source(u32),
    /// Units that the account held before our first event: loaded, or shown by
    /// a debit that they were needed for.
    Opening(u32),
    /// Units issued to the account.
    Issued(u32),
}

/// What came from one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Where from.
    pub origin: Origin,
    /// Units of it that the account holds.
    pub units: Amount,
    /// The least number of transfers in between.
    pub hops: u32,
    /// When units of it first and last arrived, Unix milliseconds; `None` where
    /// they never moved.
    pub arrived_ms: Option<(u64, u64)>,
}

/// Where an account's units came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins {
    /// The account.
    pub account: u32,
    /// How units are attributed.
    pub policy: Policy,
    /// What the account holds.
    pub balance: Amount,
    /// What came from each origin, the greatest first.
    pub shares: Vec<Share>,
    /// Accounts that the units can have passed through, itself among them.
    pub accounts: usize,
    /// Transfers looked at in the second pass.
    pub transfers: u64,
}

impl Origins {
    /// The balance less all shares: 0 under `fifo` and `lifo`, what rounding
    /// makes under `haircut`; below 0 where shares overlap.
    pub fn remainder(&self) -> i128 {
        let sum: i128 = self.shares.iter().map(|share| i128::from(share.units)).sum();
        i128::from(self.balance) - sum
    }
}

/// Whom to trace back, and where that ends.
#[derive(Clone, Copy, Debug)]
struct Question<'a> {
    past: &'a Past,
    wallet: u32,
    sources: &'a BTreeSet<u32>,
}

impl Question<'_> {
    /// The origin that the account is as a whole, if it is one.
    fn origin(&self, account: u32) -> Option<Origin> {
        if self.sources.contains(&account) {
            return Some(Origin::Source(account));
        }
        self.past.stop(account).map(|label| Origin::Service(label.entity.clone()))
    }
}

impl Past {
    /// Where the units came from that the account holds after block `until` of
    /// its chain, or at the end. `sources`: wallets where tracing ends.
    /// `progress` is told the transfers passed, of both passes, and of how many
    /// at most.
    ///
    /// # Errors
    /// If a segment cannot be read, or the origins are too many.
    pub fn origins(
        &self,
        account: AccountKey,
        policy: Policy,
        until: Option<u64>,
        sources: &[AccountKey],
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Option<Origins>, PastError> {
        let Some(wallet) = self.find(account) else { return Ok(None) };
        let sources: BTreeSet<u32> = sources.iter().filter_map(|key| self.find(*key)).collect();
        let question = Question { past: self, wallet, sources: &sources };
        let end = self.end_of(account.chain, until)?;
        let balance = self.balance_at(wallet, end)?;
        let mut origins =
            Origins { account: wallet, policy, balance, shares: vec![], accounts: 1, transfers: 0 };
        if let Some(origin) = question.origin(wallet) {
            origins.shares.extend(whole(origin, balance));
            return Ok(Some(origins));
        }
        let cone = Cone::find(question, end, &mut progress)?;
        origins.accounts = cone.len();
        let mut mix = Mix::new(question, policy, &cone);
        mix.run(end, &mut progress)?;
        origins.transfers = mix.transfers;
        origins.shares = mix.shares(balance);
        Ok(Some(origins))
    }
}

fn whole(origin: Origin, units: Amount) -> Option<Share> {
    (units > 0).then_some(Share { origin, units, hops: 0, arrived_ms: None })
}
