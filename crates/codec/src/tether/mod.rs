//! The USDT contracts, the multisig wallets that own them, and what their logs
//! and calls mean.
//!
//! What always holds: only the genuine contract of a chain is heard, whatever
//! a token calls itself; a log is told by its topic0, never by a name alone.
//! Decoding a log allocates nothing; the ABI library serves the rare calls.

mod call;
mod log;

use flow_core::{Address, Chain};

use crate::address::TRON_PREFIX;

pub(crate) use call::decode_call;
pub(crate) use log::{LogMeaning, Parameter, decode_named_log, decode_text_log};

/// The USDT contract of a chain.
pub const fn usdt(chain: Chain) -> Address {
    match chain {
        Chain::Ethereum => const { Address(unhex(b"dac17f958d2ee523a2206206994597c13d831ec7")) },
        Chain::Tron => const { Address(unhex(b"a614f803b6fd780986a42c78ec9c7f77e6ded13c")) },
    }
}

/// The multisig wallet that owns the USDT contract of a chain.
pub const fn multisig(chain: Chain) -> Address {
    match chain {
        Chain::Ethereum => const { Address(unhex(b"c6cde7c39eb2f0f0095f41570af89efc2c1ea828")) },
        Chain::Tron => const { Address(unhex(b"0fa695d6b065707cb4e0ef73b751c93347682bf2")) },
    }
}

/// Whether the contract is one of those heard.
pub(crate) fn is_ours(chain: Chain, contract: Address) -> bool {
    contract == usdt(chain) || contract == multisig(chain)
}

/// An address in its word: behind twelve zero bytes, or on TRON behind eleven
/// and its 0x41, which wallets there leave in.
fn address_word(chain: Chain, word: &[u8; 32]) -> Option<Address> {
    let (padding, address) = word.split_first_chunk::<12>()?;
    let tron = chain == Chain::Tron && padding[11] == TRON_PREFIX;
    let zeros = if tron { &padding[..11] } else { &padding[..] };
    if zeros.iter().any(|byte| *byte != 0) {
        return None;
    }
    address.try_into().ok().map(Address)
}

/// The number in a word, if it fits.
fn small_word(word: &[u8; 32]) -> Option<u64> {
    let (high, low) = word.split_at(24);
    if high.iter().any(|byte| *byte != 0) {
        return None;
    }
    low.try_into().ok().map(u64::from_be_bytes)
}

/// Bytes from hex digits, at compile time.
const fn unhex<const N: usize>(digits: &[u8]) -> [u8; N] {
    assert!(digits.len() == 2 * N);
    let mut bytes = [0; N];
    let mut at = 0;
    while at < N {
        bytes[at] = nibble(digits[2 * at]) * 16 + nibble(digits[2 * at + 1]);
        at += 1;
    }
    bytes
}

const fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => panic!("not a lower-case hex digit"),
    }
}

#[cfg(test)]
mod tests;
