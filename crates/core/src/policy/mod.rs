//! Attribution policies: which of the units that leave an account are the
//! tainted ones (docs/semantics.md).
//!
//! A policy decides about one case and one debit; it holds no state. What
//! always holds: `moved ≤ min(tainted, amount)`.

mod haircut;

use crate::Amount;

/// How taint is attributed to the units that leave an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// In proportion: `floor(tainted · amount / balance)`.
    #[default]
    Haircut,
}

impl Policy {
    /// Every policy.
    pub const ALL: [Policy; 1] = [Policy::Haircut];

    /// The name used in files, flags and records.
    pub const fn name(self) -> &'static str {
        match self {
            Policy::Haircut => "haircut",
        }
    }

    /// The policy of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Policy> {
        Policy::ALL.into_iter().find(|policy| policy.name() == name)
    }

    /// Rises when a change of the rule changes an answer; part of alert ids.
    pub const fn version(self) -> u32 {
        match self {
            Policy::Haircut => 1,
        }
    }

    /// Tainted units among the `amount` units debited from an account that
    /// holds `balance`, `tainted` of them tainted; `0 < amount ≤ balance`.
    pub(crate) fn moved(self, tainted: Amount, balance: Amount, amount: Amount) -> Amount {
        match self {
            Policy::Haircut => haircut::moved(tainted, balance, amount),
        }
    }
}
