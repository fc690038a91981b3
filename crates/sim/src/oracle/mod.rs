//! What taint ought to be, worked out the slow and obvious way.
//!
//! The oracle follows the definition of taint clause by clause with plain maps,
//! one case and one policy at a time and from the first event on. It shares
//! nothing with the engine but the types of its input, so an error would have
//! to be made twice to go unnoticed. [`trace`] checks after every event that
//! the units a case emitted are all accounted for; [`Oracle`] goes event by
//! event, for whoever asks about single transfers.
//!
//! Deliberately absent: speed, undo, late opening and every shortcut.

use std::collections::BTreeMap;

use flow_core::{AccountKey, Amount, Block, Case, Label, Policy};

mod rules;
mod step;
mod units;

pub use step::{Holding, Oracle, Outcome, Step};

/// Where the units of one case are after the last event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseAnswer {
    /// The case's id.
    pub case: String,
    /// Every account that holds tainted units, in the order of accounts; under
    /// `poison` every account ever touched, also an empty one.
    pub rows: Vec<Row>,
    /// The two sides of the conservation identity, which does not hold under
    /// `poison`: there a touched account taints units that nobody emitted.
    pub totals: Totals,
}

/// An account in the trace of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The account.
    pub account: AccountKey,
    /// All units it holds.
    pub balance: Amount,
    /// The tainted ones among them.
    pub tainted: Amount,
    /// Hops from the nearest source; 0 for a source wallet.
    pub hops: u32,
    /// Whether the issuer has frozen it.
    pub frozen: bool,
}

/// Units of one case by what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Units that turned from clean to tainted.
    pub emitted: u128,
    /// Tainted units in accounts that are not frozen.
    pub held: u128,
    /// Tainted units in frozen accounts.
    pub frozen: u128,
    /// Tainted units that reached a service, by its name.
    pub service: BTreeMap<String, u128>,
    /// Tainted units redeemed.
    pub redeemed: u128,
    /// Tainted units destroyed.
    pub destroyed: u128,
    /// Tainted units that arrived in lots too small to follow.
    pub dust: u128,
    /// Tainted units that went further than the case is followed.
    pub horizon: u128,
}

impl Totals {
    /// The right side of the identity: all that has become of emitted units.
    pub fn accounted_for(&self) -> u128 {
        let service: u128 = self.service.values().sum();
        self.held
            + self.frozen
            + service
            + self.redeemed
            + self.destroyed
            + self.dust
            + self.horizon
    }
}

/// Traces each case by itself through all blocks under the policy.
///
/// Labels and cases are known from the first event. Blocks of a chain come in
/// order; how the chains interleave does not matter.
///
/// # Panics
///
/// When what must always hold does not, which would be an error of the oracle.
pub fn trace(
    policy: Policy,
    blocks: &[Block],
    cases: &[Case],
    labels: &[Label],
    opening: &[(AccountKey, Amount)],
) -> Vec<CaseAnswer> {
    let answer = |case| {
        let mut oracle = Oracle::new(policy, case, labels, opening);
        oracle.check();
        for block in blocks {
            for event in &block.events {
                oracle.apply(block, event);
                oracle.check();
            }
        }
        oracle.answer()
    };
    cases.iter().map(answer).collect()
}
