//! What the issuer's owners have submitted to their multisig wallet.
//!
//! `Submission(id)` names no target and the call names no id: the two are of
//! one transaction, and those of one transaction belong together in the order
//! in which they come. What always holds: a submission that was carried out is
//! kept to the end of its block and then forgotten.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::told::{Submission, SubmittedCall};
use crate::movement::{AccountId, BlockMeta};
use crate::{Address, Chain, MultisigAction, TxHash};

/// A submission that nobody carried out for so long is forgotten: 90 days.
const PENDING_MS_MAX: u64 = 90 * 24 * 3_600_000;

/// Transaction, and rank among its submissions.
pub(crate) type ProposalKey = (TxHash, u32);

/// One submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proposal {
    pub(crate) id: Option<u64>,
    /// None: not known, or about no account.
    pub(crate) call: Option<(SubmittedCall, AccountId)>,
    pub(crate) block: u64,
    pub(crate) at_ms: u64,
    /// Who has confirmed, in order.
    pub(crate) owners: Vec<Address>,
    pub(crate) failed: bool,
    /// It is over at the end of the block.
    pub(crate) executed: bool,
}

/// The submissions of one chain.
pub(crate) type Book = BTreeMap<ProposalKey, Proposal>;

/// Confirmations that the issuer's wallet on that chain asks for until it says
/// otherwise: 3 on Ethereum, 2 on TRON.
pub const fn required(chain: Chain) -> u32 {
    match chain {
        Chain::Ethereum => 3,
        Chain::Tron => 2,
    }
}

/// What a step makes of the submission that it is about; `None` if it is about
/// none that is known, or changes nothing. `call`: that of a submission, with
/// its account.
pub(super) fn after_step(
    book: &Book,
    tx: TxHash,
    step: MultisigAction,
    call: Option<(SubmittedCall, AccountId)>,
    block: &BlockMeta,
) -> Option<(ProposalKey, Proposal)> {
    if let MultisigAction::Submission { id, .. } = step {
        return Some(submitted(book, tx, id, call, block));
    }
    let (MultisigAction::Confirmation { id, .. }
    | MultisigAction::Revocation { id, .. }
    | MultisigAction::Execution { id }
    | MultisigAction::ExecutionFailure { id }
    | MultisigAction::Submission { id: Some(id), .. }) = step
    else {
        return None;
    };
    let (key, before) = book.iter().find(|(_, proposal)| proposal.id == Some(id))?;
    let mut after = before.clone();
    match step {
        MultisigAction::Confirmation { owner, .. } => {
            if let Err(at) = after.owners.binary_search(&owner) {
                after.owners.insert(at, owner);
            }
        }
        MultisigAction::Revocation { owner, .. } => after.owners.retain(|known| *known != owner),
        MultisigAction::Execution { .. } => (after.executed, after.failed) = (true, false),
        MultisigAction::ExecutionFailure { .. } => after.failed = true,
        MultisigAction::Submission { .. } | MultisigAction::RequirementChange { .. } => {}
    }
    (after != *before).then_some((*key, after))
}

/// A submission of that transaction that lacks what this tells, with it; else a
/// new one.
fn submitted(
    book: &Book,
    tx: TxHash,
    id: Option<u64>,
    call: Option<(SubmittedCall, AccountId)>,
    block: &BlockMeta,
) -> (ProposalKey, Proposal) {
    let told = book.range((tx, 0)..=(tx, u32::MAX));
    let lacks = |proposal: &Proposal| match id {
        Some(_) => proposal.id.is_none(),
        None => proposal.call.is_none(),
    };
    if let Some((key, half)) = told.clone().find(|(_, proposal)| lacks(proposal)) {
        let mut whole = half.clone();
        (whole.id, whole.call) = (whole.id.or(id), whole.call.or(call));
        return (*key, whole);
    }
    let rank = told.last().map_or(0, |((_, rank), _)| rank.saturating_add(1));
    let proposal = Proposal {
        id,
        call,
        block: block.number,
        at_ms: block.timestamp_ms,
        owners: Vec::new(),
        failed: false,
        executed: false,
    };
    ((tx, rank), proposal)
}

/// Submissions that are over at the end of a block of that time.
pub(super) fn over(book: &Book, now_ms: u64) -> Vec<ProposalKey> {
    let is_over = |proposal: &Proposal| {
        proposal.executed || proposal.at_ms.saturating_add(PENDING_MS_MAX) < now_ms
    };
    book.iter().filter(|(_, proposal)| is_over(proposal)).map(|(key, _)| *key).collect()
}

/// The newest submission about the account; so many confirmations are asked for.
pub(super) fn about(book: &Book, account: AccountId, required: u32) -> Option<Submission> {
    let mine = book.iter().filter_map(|(key, proposal)| {
        let (call, target) = proposal.call?;
        (target == account).then_some((key, proposal, call))
    });
    let (key, proposal, call) = mine.max_by_key(|(key, proposal, _)| (proposal.at_ms, **key))?;
    Some(Submission {
        call,
        id: proposal.id,
        tx: key.0,
        block: proposal.block,
        timestamp_ms: proposal.at_ms,
        confirmations: u32::try_from(proposal.owners.len()).unwrap_or(u32::MAX),
        required,
        failed: proposal.failed,
    })
}

impl Proposal {
    /// Whether it is to freeze that account and can still be carried out.
    pub(super) fn awaits(&self, account: AccountId) -> bool {
        self.call == Some((SubmittedCall::Freeze, account)) && !self.executed
    }
}
