//! Calls of the multisig: the earliest public sign of a freeze.

use ethers::abi::{ParamType, Token};
use flow_core::{Address, Chain, MultisigAction, MultisigCall};

use super::{address_word, multisig, unhex, usdt};
use crate::error::DecodeError;

/// `submitTransaction(address,uint256,bytes)` of the multisig.
const SUBMIT_TRANSACTION: [u8; 4] = unhex(b"c6427474");
/// `addBlackList(address)` of the token.
const ADD_BLACK_LIST: [u8; 4] = unhex(b"0ecb93c0");
/// `removeBlackList(address)` of the token.
const REMOVE_BLACK_LIST: [u8; 4] = unhex(b"e4997dc5");
/// `destroyBlackFunds(address)` of the token.
const DESTROY_BLACK_FUNDS: [u8; 4] = unhex(b"f3bdc228");

/// Reads the call of `submitTransaction` on the multisig that aims at the USDT
/// contract. Every other call is `None`: confirmations are told by their logs.
///
/// # Errors
/// [`DecodeError::InvalidCall`] if the arguments do not fit the function.
pub(crate) fn decode_call(
    chain: Chain,
    to: Address,
    input: &[u8],
) -> Result<Option<MultisigAction>, DecodeError> {
    let Some((selector, arguments)) = input.split_first_chunk::<4>() else {
        return Ok(None);
    };
    if to != multisig(chain) || *selector != SUBMIT_TRANSACTION {
        return Ok(None);
    }
    let fault = |fault| DecodeError::InvalidCall { function: "submitTransaction", fault };
    // The destination is read as a number, since TRON's wallets keep the 0x41 of
    // an address inside its word, which the library's own type refuses.
    let types = [ParamType::Uint(256), ParamType::Uint(256), ParamType::Bytes];
    let tokens =
        ethers::abi::decode(&types, arguments).map_err(|_| fault("arguments are not encoded"))?;
    let [Token::Uint(destination), Token::Uint(_), Token::Bytes(call)] = &tokens[..] else {
        return Err(fault("arguments are of other types"));
    };
    let mut word = [0; 32];
    destination.to_big_endian(&mut word);
    let destination =
        address_word(chain, &word).ok_or_else(|| fault("the destination is not an address"))?;
    if destination != usdt(chain) {
        return Ok(None);
    }
    let call = decode_token_call(chain, call)?;
    Ok(call.map(|call| MultisigAction::Submission { id: None, call: Some(call) }))
}

/// Reads a call of the USDT contract; `None` if it names no function.
fn decode_token_call(chain: Chain, call: &[u8]) -> Result<Option<MultisigCall>, DecodeError> {
    let Some((selector, arguments)) = call.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let (function, build): (_, fn(Address) -> MultisigCall) = match *selector {
        ADD_BLACK_LIST => ("addBlackList", MultisigCall::AddBlackList),
        REMOVE_BLACK_LIST => ("removeBlackList", MultisigCall::RemoveBlackList),
        DESTROY_BLACK_FUNDS => ("destroyBlackFunds", MultisigCall::DestroyBlackFunds),
        other => return Ok(Some(MultisigCall::Other(other))),
    };
    let address = arguments.first_chunk::<32>().and_then(|word| address_word(chain, word));
    match address {
        Some(address) => Ok(Some(build(address))),
        None => Err(DecodeError::InvalidCall { function, fault: "no address" }),
    }
}

/// The selectors with the functions they are made of.
#[cfg(test)]
pub(super) const SELECTORS: [([u8; 4], &str); 4] = [
    (SUBMIT_TRANSACTION, "submitTransaction(address,uint256,bytes)"),
    (ADD_BLACK_LIST, "addBlackList(address)"),
    (REMOVE_BLACK_LIST, "removeBlackList(address)"),
    (DESTROY_BLACK_FUNDS, "destroyBlackFunds(address)"),
];
