//! What goes into the engine. Everything that can change an answer is an
//! [`Event`], cases and labels included.

use serde::{Deserialize, Serialize};

use crate::{AccountKey, Address, Amount, BlockHash, Case, Chain, Label, TxHash};

/// One input of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The next block of a chain, whole and in ledger order.
    BlockCommitted(Block),
    /// The blocks of a chain from `number` on left the canonical chain. The
    /// state is then what it was before them.
    BlockReverted {
        /// The chain.
        chain: Chain,
        /// The first block that is gone.
        number: u64,
    },
    /// No block of a chain up to `number` can be reverted any more, whether it
    /// was applied already or comes later.
    BlockFinalized {
        /// The chain.
        chain: Chain,
        /// The last final block.
        number: u64,
    },
    /// A case is opened, or replaced by its new definition. It is traced
    /// through the past as if it had been known from the first event.
    CaseOpened(Case),
    /// The case of that id is closed and its trace dropped.
    CaseClosed(String),
    /// An account is labelled, or its label replaced; the past is traced anew.
    LabelSet(Label),
    /// The account's label is withdrawn; the past is traced anew.
    LabelRemoved(AccountKey),
}

/// A block of a chain with its USDT events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The chain it extends.
    pub chain: Chain,
    /// Its number; rises from block to block of a chain, gaps allowed.
    pub number: u64,
    /// Its hash, where the source tells it.
    pub hash: Option<BlockHash>,
    /// Block time in Unix milliseconds.
    pub timestamp_ms: u64,
    /// The events in ledger order.
    pub events: Vec<LedgerEvent>,
}

/// One USDT event of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEvent {
    /// The transaction that emitted it.
    pub tx: TxHash,
    /// Its index as its source numbers logs, where it numbers them. A case
    /// names a source transfer by this index.
    pub log_index: Option<u32>,
    /// See [`crate::TransferRef::position`].
    pub position: u32,
    /// What happened.
    pub action: Action,
}

/// What a USDT event does. Addresses are of the block's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// `Transfer`: debit `from`, credit `to`.
    Transfer {
        /// The account debited.
        from: Address,
        /// The account credited.
        to: Address,
        /// Base units.
        amount: Amount,
    },
    /// `Issue`: credit `to` with new, clean units.
    Issue {
        /// The account credited.
        to: Address,
        /// Base units.
        amount: Amount,
    },
    /// `Redeem`: debit `from`; the units leave circulation.
    Redeem {
        /// The account debited.
        from: Address,
        /// Base units.
        amount: Amount,
    },
    /// `DestroyedBlackFunds`: the funds of a frozen account are burnt.
    Destroy {
        /// The account debited.
        account: Address,
        /// Base units.
        amount: Amount,
    },
    /// `AddedBlackList`: the account can receive but no longer send.
    BlacklistAdd {
        /// The account frozen.
        account: Address,
    },
    /// `RemovedBlackList`: the account can send again.
    BlacklistRemove {
        /// The account released.
        account: Address,
    },
    /// A step of the issuer's multisig wallet: early warning of a freeze.
    /// Moves no units.
    Multisig(MultisigAction),
}

impl Action {
    /// The accounts whose units or freeze it concerns, the sender first.
    #[inline]
    pub(crate) const fn accounts(&self) -> [Option<&Address>; 2] {
        match self {
            Action::Transfer { from, to, .. } => [Some(from), Some(to)],
            Action::Issue { to, .. } => [None, Some(to)],
            Action::Redeem { from: account, .. }
            | Action::Destroy { account, .. }
            | Action::BlacklistAdd { account }
            | Action::BlacklistRemove { account } => [Some(account), None],
            Action::Multisig(_) => [None, None],
        }
    }
}

/// A step of the Gnosis `MultiSigWallet` that owns the USDT contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MultisigAction {
    /// `Submission(id)`, or the call of `submitTransaction` when a transaction
    /// record carries it; only the latter knows `call`, only the former `id`.
    Submission {
        /// The multisig's transaction id.
        id: Option<u64>,
        /// What is to be executed.
        call: Option<MultisigCall>,
    },
    /// `Confirmation(owner, id)`.
    Confirmation {
        /// The multisig's transaction id.
        id: u64,
        /// The owner who confirmed.
        owner: Address,
    },
    /// `Revocation(owner, id)`.
    Revocation {
        /// The multisig's transaction id.
        id: u64,
        /// The owner who took the confirmation back.
        owner: Address,
    },
    /// `Execution(id)`.
    Execution {
        /// The multisig's transaction id.
        id: u64,
    },
    /// `ExecutionFailure(id)`.
    ExecutionFailure {
        /// The multisig's transaction id.
        id: u64,
    },
    /// `RequirementChange(required)`.
    RequirementChange {
        /// Confirmations that the wallet asks for from now on.
        required: u64,
    },
}

/// The call that a multisig transaction makes to the USDT contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MultisigCall {
    /// `addBlackList(address)`.
    AddBlackList(Address),
    /// `removeBlackList(address)`.
    RemoveBlackList(Address),
    /// `destroyBlackFunds(address)`.
    DestroyBlackFunds(Address),
    /// Any other call, by its 4-byte selector.
    Other([u8; 4]),
}
