//! Attribution policies: which of the units that leave an account are the
//! tainted ones (docs/semantics.md).
//!
//! A policy decides about one case and one debit; it holds no state. What
//! always holds: `moved ≤ min(tainted, amount)`, but for `poison`, under which
//! a touched account counts as tainted whole.

mod haircut;

use serde::{Deserialize, Serialize};

use crate::Amount;
pub(crate) use haircut::Share;

/// How taint is attributed to the units that leave an account.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Policy {
    /// In proportion: `floor(tainted · amount / balance)`.
    #[default]
    Haircut,
    /// The oldest units leave first (Clayton's rule).
    Fifo,
    /// The newest units leave first.
    Lifo,
    /// Tainted units leave first.
    DirtyFirst,
    /// Tainted units leave last.
    DirtyLast,
    /// Any contact taints everything, for good.
    Poison,
}

impl Policy {
    /// Every policy.
    pub const ALL: [Policy; 6] = [
        Policy::Haircut,
        Policy::Fifo,
        Policy::Lifo,
        Policy::DirtyFirst,
        Policy::DirtyLast,
        Policy::Poison,
    ];

    /// The name used in files, flags and records.
    pub const fn name(self) -> &'static str {
        match self {
            Policy::Haircut => "haircut",
            Policy::Fifo => "fifo",
            Policy::Lifo => "lifo",
            Policy::DirtyFirst => "dirty-first",
            Policy::DirtyLast => "dirty-last",
            Policy::Poison => "poison",
        }
    }

    /// The policy of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Policy> {
        Policy::ALL.into_iter().find(|policy| policy.name() == name)
    }

    /// Rises when a change of the rule changes an answer; part of alert ids.
    pub const fn version(self) -> u32 {
        1
    }

    /// Whether it matters which units are which, so that an account's tainted
    /// units are kept as runs of its unit space.
    pub(crate) const fn is_ordered(self) -> bool {
        matches!(self, Policy::Fifo | Policy::Lifo)
    }

    /// Tainted units among those debited from an account, `tainted` of whose
    /// units are tainted. Not for ordered policies.
    #[inline]
    pub(crate) fn moved(self, tainted: Amount, share: &Share) -> Amount {
        match self {
            Policy::Haircut => share.moved(tainted),
            Policy::DirtyFirst => tainted.min(share.amount),
            Policy::DirtyLast => tainted - tainted.min(share.balance - share.amount),
            Policy::Poison => share.amount,
            Policy::Fifo | Policy::Lifo => unreachable!("ordered policies move runs of units"),
        }
    }
}
