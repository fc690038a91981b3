//! Cases and their sources, and the labels of known services.

use serde::{Deserialize, Serialize};

use crate::{AccountKey, Amount, Chain, TxHash};

/// A named set of sources, traced as if it were the only case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its id, unique among the open cases.
    pub id: String,
    /// What people call it.
    pub title: Option<String>,
    /// The kind of crime, in the investigators' words.
    pub category: Option<String>,
    /// Where the tainted units come from.
    pub sources: Vec<Source>,
    /// Arrivals of fewer tainted units are dust: they arrive clean.
    pub min_units: Amount,
    /// Units further from a source than this are dropped at the horizon.
    pub max_hops: Option<u32>,
}

/// Where tainted units of a case come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Source {
    /// Every unit in the wallet from `since_block` on. Hop count 0.
    Wallet {
        /// The wallet.
        account: AccountKey,
        /// Active from the first event of the chain at or after this block.
        since_block: u64,
    },
    /// The units moved by one transfer. Hop count 1 on arrival.
    Transfer {
        /// The chain of the transfer.
        chain: Chain,
        /// Its transaction.
        tx: TxHash,
        /// Its log index, as the input numbers logs.
        log_index: u32,
    },
}

/// What is known of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The account.
    pub account: AccountKey,
    /// Who runs it, for example `Binance`.
    pub entity: String,
    /// What it is: `exchange`, `deposit`, `bridge`, `mixer`…
    pub kind: String,
    /// Whether tracing ends there.
    pub stop: bool,
}

impl Label {
    /// Whether a service can act on the account, and the issuer would not.
    pub fn is_of_service(&self) -> bool {
        self.stop || self.kind == "deposit"
    }
}
