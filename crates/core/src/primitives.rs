//! The facts of a chain in their binary form: addresses, hashes, amounts.
//!
//! Text forms (base58check, EIP-55, 0x hex) belong to the codec.

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

/// A public chain on which USDT is followed. Each chain is a ledger of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Chain {
    /// Ethereum mainnet, ERC-20 USDT.
    Ethereum = 0,
    /// TRON mainnet, TRC-20 USDT.
    Tron = 1,
}

impl Chain {
    /// Every chain, in the order of their names.
    pub const ALL: [Chain; 2] = [Chain::Ethereum, Chain::Tron];

    /// The name used in files, topics and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Chain::Ethereum => "ethereum",
            Chain::Tron => "tron",
        }
    }

    /// The chain of that [`name`](Self::name), if there is one.
    pub fn from_name(name: &str) -> Option<Chain> {
        Chain::ALL.into_iter().find(|chain| chain.name() == name)
    }

    /// Position in [`Chain::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl std::fmt::Display for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Base units of USDT: 1 USDT is 1 000 000 units (6 decimals on both chains).
pub type Amount = u64;

/// The 20 bytes of an account on an EVM chain. TRON's leading 0x41 is left out.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Address(#[serde(with = "crate::image::raw")] pub [u8; 20]);

impl Address {
    /// The zero address, where mints and burns seem to come from and go to.
    pub const ZERO: Address = Address([0; 20]);

    /// Whether this can be anybody's wallet. The zero address and the tiny
    /// numbers used for tests stand on Tether's blacklist too; none of them
    /// ever becomes a source of taint.
    pub fn is_reserved(self) -> bool {
        self.0[..18].iter().all(|byte| *byte == 0)
    }
}

/// An account: a chain and an address on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountKey {
    /// The chain whose ledger holds the account.
    pub chain: Chain,
    /// Its address there.
    pub address: Address,
}

/// The hash of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TxHash(#[serde(with = "crate::image::raw")] pub [u8; 32]);

/// One word of the four: it is a hash already, and tables are asked for it
/// several times an event.
impl Hash for TxHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (words, _) = self.0.as_chunks::<8>();
        let add = |sum: u64, word: &[u8; 8]| {
            // An odd factor, so that hashes which repeat a word stay apart.
            sum.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(u64::from_le_bytes(*word))
        };
        state.write_u64(words.iter().fold(0, add));
    }
}

/// The hash of a block.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct BlockHash(#[serde(with = "crate::image::raw")] pub [u8; 32]);

/// Which event of a chain is meant, whatever the source that told of it.
///
/// Sources number logs differently (inside the block, inside the transaction,
/// from 0 or from 1), so an alert names the event by `position`: how many USDT
/// events of the same kind precede it in its transaction. Every source yields
/// the same position, so every source yields the same alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TransferRef {
    /// The transaction.
    pub tx: TxHash,
    /// 0-based rank among the USDT events of this kind in the transaction.
    pub position: u32,
}
