//! Logs of the token and of its multisig.
//!
//! Each parameter is read from the topics as long as they last and then from
//! the data, so that an event reads alike where a chain indexes its parameters
//! (TRON) and where it does not (Ethereum).

use flow_core::{Action, Address, Amount, Chain, MultisigAction};

use super::{address_word, is_ours, multisig, small_word, unhex, usdt};
use crate::error::DecodeError;
use crate::field::{LogData, Topics};
use crate::{ChainAction, Ignored};

/// What a log means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogMeaning {
    /// It moves units, freezes, or announces a freeze.
    Action(ChainAction),
    /// It is of no concern.
    Ignored(Ignored),
}

/// The events that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Transfer,
    AddedBlackList,
    RemovedBlackList,
    DestroyedBlackFunds,
    Issue,
    Redeem,
    Submission,
    Confirmation,
    Revocation,
    Execution,
    ExecutionFailure,
    RequirementChange,
}

/// An event as its contract declares it.
pub(super) struct EventAbi {
    kind: Kind,
    /// Whose contract emits it.
    emitter: fn(Chain) -> Address,
    pub(super) signature: &'static str,
    pub(super) topic0: [u8; 32],
}

impl EventAbi {
    fn name(&self) -> &'static str {
        self.signature.split_once('(').map_or(self.signature, |(name, _)| name)
    }

    fn parameters(&self) -> impl Iterator<Item = &'static str> {
        let (_, types) = self.signature.split_once('(').unwrap_or_default();
        types.trim_end_matches(')').split(',')
    }
}

const fn event(
    kind: Kind,
    emitter: fn(Chain) -> Address,
    signature: &'static str,
    topic0: &[u8; 64],
) -> EventAbi {
    EventAbi { kind, emitter, signature, topic0: unhex(topic0) }
}

/// In the order of how often they occur.
pub(super) static EVENTS: [EventAbi; 12] = [
    event(
        Kind::Transfer,
        usdt,
        "Transfer(address,address,uint256)",
        b"ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
    ),
    event(
        Kind::AddedBlackList,
        usdt,
        "AddedBlackList(address)",
        b"42e160154868087d6bfdc0ca23d96a1c1cfa32f1b72ba9ba27b69b98a0d819dc",
    ),
    event(
        Kind::RemovedBlackList,
        usdt,
        "RemovedBlackList(address)",
        b"d7e9ec6e6ecd65492dce6bf513cd6867560d49544421d0783ddf06e76c24470c",
    ),
    event(
        Kind::DestroyedBlackFunds,
        usdt,
        "DestroyedBlackFunds(address,uint256)",
        b"61e6e66b0d6339b2980aecc6ccc0039736791f0ccde9ed512e789a7fbdd698c6",
    ),
    event(
        Kind::Issue,
        usdt,
        "Issue(uint256)",
        b"cb8241adb0c3fdb35b70c24ce35c5eb0c17af7431c99f827d44a445ca624176a",
    ),
    event(
        Kind::Redeem,
        usdt,
        "Redeem(uint256)",
        b"702d5967f45f6513a38ffc42d6ba9bf230bd40e8f53b16363c7eb4fd2deb9a44",
    ),
    event(
        Kind::Submission,
        multisig,
        "Submission(uint256)",
        b"c0ba8fe4b176c1714197d43b9cc6bcf797a4a7461c5fe8d0ef6e184ae7601e51",
    ),
    event(
        Kind::Confirmation,
        multisig,
        "Confirmation(address,uint256)",
        b"4a504a94899432a9846e1aa406dceb1bcfd538bb839071d49d1e5e23f5be30ef",
    ),
    event(
        Kind::Revocation,
        multisig,
        "Revocation(address,uint256)",
        b"f6a317157440607f36269043eb55f1287a5a19ba2216afeab88cd46cbcfb88e9",
    ),
    event(
        Kind::Execution,
        multisig,
        "Execution(uint256)",
        b"33e13ecb54c3076d8e8bb8c2881800a4d972b792045ffae98fdf46df365fed75",
    ),
    event(
        Kind::ExecutionFailure,
        multisig,
        "ExecutionFailure(uint256)",
        b"526441bb6c1aba3c9a4a6ca1d6545da9c2333c8c48343ef398eb858d72b79236",
    ),
    event(
        Kind::RequirementChange,
        multisig,
        "RequirementChange(uint256)",
        b"a3f1ee9126a074d9326c682f561767f710e927faa811f7a99829d49dc421797a",
    ),
];

/// Tells what a log means. Its data is still hex and is read last: most logs of
/// a chain are foreign.
pub(crate) fn decode_text_log(
    chain: Chain,
    contract: Address,
    topics: &Topics,
    data: &str,
) -> Result<LogMeaning, DecodeError> {
    if !is_ours(chain, contract) {
        return Ok(LogMeaning::Ignored(Ignored::ForeignContract));
    }
    let topics = topics.words()?;
    match classify(chain, contract, topics) {
        Ok(abi) => {
            let data = LogData::parse(data).ok_or(DecodeError::InvalidLog {
                event: abi.name(),
                fault: "data is not hex, or too long",
            })?;
            action(chain, abi, topics, data.bytes()).map(LogMeaning::Action)
        }
        Err(ignored) => Ok(LogMeaning::Ignored(ignored)),
    }
}

/// The same for a log of which the data is known.
#[cfg(test)]
pub(super) fn decode_log(
    chain: Chain,
    contract: Address,
    topics: &[[u8; 32]],
    data: &[u8],
) -> Result<LogMeaning, DecodeError> {
    match classify(chain, contract, topics) {
        Ok(abi) => action(chain, abi, topics, data).map(LogMeaning::Action),
        Err(ignored) => Ok(LogMeaning::Ignored(ignored)),
    }
}

/// Tells what an event means of which a source gives the name and the decoded
/// parameters in place of topics and data. `parameter` is asked for each by its
/// position, and whether it is an address.
pub(crate) fn decode_named_log(
    chain: Chain,
    contract: Address,
    name: &str,
    parameter: impl Fn(usize, bool) -> Result<Parameter, DecodeError>,
) -> Result<LogMeaning, DecodeError> {
    if !is_ours(chain, contract) {
        return Ok(LogMeaning::Ignored(Ignored::ForeignContract));
    }
    let known = EVENTS.iter().find(|abi| (abi.emitter)(chain) == contract && abi.name() == name);
    let Some(abi) = known else {
        return Ok(LogMeaning::Ignored(Ignored::OtherEvent));
    };
    let mut data = Vec::with_capacity(LogData::MAX);
    for (position, kind) in abi.parameters().enumerate() {
        let mut word = [0; 32];
        match parameter(position, kind == "address")? {
            Parameter::Address(address) => word[12..].copy_from_slice(&address.0),
            Parameter::Number(number) => word[24..].copy_from_slice(&number.to_be_bytes()),
        }
        data.extend_from_slice(&word);
    }
    action(chain, abi, &[abi.topic0], &data).map(LogMeaning::Action)
}

/// A parameter that a source has decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Parameter {
    /// An address.
    Address(Address),
    /// An amount or an id.
    Number(u64),
}

/// The event of a log, or why it is of no concern.
fn classify(
    chain: Chain,
    contract: Address,
    topics: &[[u8; 32]],
) -> Result<&'static EventAbi, Ignored> {
    if !is_ours(chain, contract) {
        return Err(Ignored::ForeignContract);
    }
    EVENTS
        .iter()
        .find(|abi| Some(&abi.topic0) == topics.first() && (abi.emitter)(chain) == contract)
        .ok_or(Ignored::OtherEvent)
}

fn action(
    chain: Chain,
    abi: &EventAbi,
    topics: &[[u8; 32]],
    data: &[u8],
) -> Result<ChainAction, DecodeError> {
    let words = Words { chain, event: abi.name(), indexed: &topics[1..], data };
    let action = match abi.kind {
        Kind::Transfer => {
            let [from, to, value] = words.exactly()?;
            Action::Transfer {
                from: words.address(from)?,
                to: words.address(to)?,
                amount: amount(value)?,
            }
        }
        Kind::AddedBlackList => {
            let [account] = words.exactly()?;
            Action::BlacklistAdd { account: words.address(account)? }
        }
        Kind::RemovedBlackList => {
            let [account] = words.exactly()?;
            Action::BlacklistRemove { account: words.address(account)? }
        }
        Kind::DestroyedBlackFunds => {
            let [account, value] = words.exactly()?;
            Action::Destroy { account: words.address(account)?, amount: amount(value)? }
        }
        Kind::Issue => {
            let [value] = words.exactly()?;
            return Ok(ChainAction::IssueLog(amount(value)?));
        }
        Kind::Redeem => {
            let [value] = words.exactly()?;
            return Ok(ChainAction::RedeemLog(amount(value)?));
        }
        _ => Action::Multisig(multisig_action(abi.kind, &words)?),
    };
    Ok(ChainAction::Ledger(action))
}

fn multisig_action(kind: Kind, words: &Words<'_>) -> Result<MultisigAction, DecodeError> {
    if matches!(kind, Kind::Confirmation | Kind::Revocation) {
        let [owner, id] = words.exactly()?;
        let (owner, id) = (words.address(owner)?, words.id(id)?);
        return Ok(match kind {
            Kind::Confirmation => MultisigAction::Confirmation { id, owner },
            _ => MultisigAction::Revocation { id, owner },
        });
    }
    let [id] = words.exactly()?;
    let id = words.id(id)?;
    Ok(match kind {
        Kind::Execution => MultisigAction::Execution { id },
        Kind::ExecutionFailure => MultisigAction::ExecutionFailure { id },
        Kind::RequirementChange => MultisigAction::RequirementChange { required: id },
        _ => MultisigAction::Submission { id: Some(id), call: None },
    })
}

/// The parameters of a log: indexed ones from the topics, the rest in data.
struct Words<'a> {
    chain: Chain,
    event: &'static str,
    indexed: &'a [[u8; 32]],
    data: &'a [u8],
}

impl<'a> Words<'a> {
    /// All parameters, if there are exactly `N`.
    fn exactly<const N: usize>(&self) -> Result<[&'a [u8; 32]; N], DecodeError> {
        let (words, rest) = self.data.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(self.fault("data is not made of whole words"));
        }
        if self.indexed.len() + words.len() != N {
            return Err(self.fault("wrong number of topics and data words"));
        }
        let mut all = self.indexed.iter().chain(words);
        Ok(std::array::from_fn(|_| all.next().expect("counted above")))
    }

    fn address(&self, word: &[u8; 32]) -> Result<Address, DecodeError> {
        address_word(self.chain, word).ok_or_else(|| self.fault("a word is not an address"))
    }

    fn id(&self, word: &[u8; 32]) -> Result<u64, DecodeError> {
        small_word(word).ok_or_else(|| self.fault("a number is above 2^64 - 1"))
    }

    fn fault(&self, fault: &'static str) -> DecodeError {
        DecodeError::InvalidLog { event: self.event, fault }
    }
}

fn amount(word: &[u8; 32]) -> Result<Amount, DecodeError> {
    small_word(word)
        .ok_or_else(|| DecodeError::AmountTooLarge { value: format!("0x{}", hex::encode(word)) })
}
