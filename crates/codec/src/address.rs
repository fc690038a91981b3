//! Addresses, accounts and hashes as text.
//!
//! Reading accepts every spelling in use on a chain; writing uses one:
//! base58check on TRON, EIP-55 on Ethereum. What always holds: what is written
//! reads back to the same bytes, and a base58 text with a wrong checksum is
//! refused. The checksum that letter case makes on Ethereum is not judged,
//! since sources write all cases.

use flow_core::{AccountKey, Address, BlockHash, Chain, TxHash};
use hashbrown::HashMap;

use crate::error::{AddressFault, DecodeError, shown};

/// The byte before every TRON address.
pub(crate) const TRON_PREFIX: u8 = 0x41;

/// Length of a TRON address in base58check.
const BASE58_LEN: usize = 34;

/// Reads an address: base58check, `41…`, `0x…` or bare hex on TRON; hex in any
/// letter case, with or without `0x`, on Ethereum.
///
/// # Errors
/// [`DecodeError::InvalidAddress`], of the field `address`.
pub fn parse(chain: Chain, text: &str) -> Result<Address, DecodeError> {
    let parsed = match chain {
        Chain::Tron if text.starts_with('T') => parse_base58(text),
        Chain::Tron => parse_tron_hex(text),
        Chain::Ethereum => parse_hex(strip_0x(text)),
    };
    parsed.map_err(|fault| DecodeError::InvalidAddress {
        field: "address",
        value: shown(text),
        fault,
    })
}

/// Writes an address: base58check on TRON, EIP-55 on Ethereum.
pub fn format(chain: Chain, address: Address) -> String {
    match chain {
        Chain::Ethereum => ethers::utils::to_checksum(&address.0.into(), None),
        Chain::Tron => {
            let mut payload = [TRON_PREFIX; 21];
            payload[1..].copy_from_slice(&address.0);
            bs58::encode(payload).with_check().into_string()
        }
    }
}

/// Reads a transaction hash: 64 hex digits of any case, with or without `0x`.
///
/// # Errors
/// [`DecodeError::InvalidHash`], of the field `tx`.
pub fn parse_tx(text: &str) -> Result<TxHash, DecodeError> {
    parse_word(text).map(TxHash).ok_or_else(|| DecodeError::hash("tx", text))
}

/// Writes a transaction hash in its chain's own spelling.
pub fn format_tx(chain: Chain, tx: TxHash) -> String {
    format_word(chain, &tx.0)
}

/// Reads a block hash: 64 hex digits of any case, with or without `0x`.
///
/// # Errors
/// [`DecodeError::InvalidHash`], of the field `block_hash`.
pub fn parse_block_hash(text: &str) -> Result<BlockHash, DecodeError> {
    parse_word(text).map(BlockHash).ok_or_else(|| DecodeError::hash("block_hash", text))
}

/// Writes a block hash in its chain's own spelling.
pub fn format_block_hash(chain: Chain, hash: BlockHash) -> String {
    format_word(chain, &hash.0)
}

/// Reads `chain:address`, the key of an account in topics and queries.
///
/// # Errors
/// [`DecodeError::UnknownChain`], [`DecodeError::InvalidAddress`], or
/// [`DecodeError::MissingField`] of `chain` where there is no colon.
pub fn parse_account(text: &str) -> Result<AccountKey, DecodeError> {
    let (chain, address) =
        text.split_once(':').ok_or(DecodeError::MissingField { field: "chain" })?;
    let chain = parse_chain(chain)?;
    Ok(AccountKey { chain, address: parse(chain, address)? })
}

/// Writes `chain:address`.
pub fn format_account(account: AccountKey) -> String {
    format!("{}:{}", account.chain, format(account.chain, account.address))
}

/// Reads the name of a chain, spelled exactly.
///
/// # Errors
/// [`DecodeError::UnknownChain`].
pub fn parse_chain(name: &str) -> Result<Chain, DecodeError> {
    Chain::from_name(name).ok_or_else(|| DecodeError::UnknownChain { name: shown(name) })
}

/// Addresses by their base58 text. Checking a checksum costs as much as
/// parsing the JSON around it, and most addresses of a stream have been seen
/// before.
#[derive(Debug, Default)]
pub struct AddressCache {
    known: HashMap<[u8; BASE58_LEN], Address, foldhash::fast::FixedState>,
}

impl AddressCache {
    /// Texts held at most, in about 30 MB. At the limit the cache is emptied:
    /// the busy addresses are back at once, and no bookkeeping is needed.
    pub const ENTRIES_MAX: usize = 1 << 18;

    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads an address as [`parse`] does.
    ///
    /// # Errors
    /// Those of [`parse`].
    pub fn parse(&mut self, chain: Chain, text: &str) -> Result<Address, DecodeError> {
        let key = match (chain, <[u8; BASE58_LEN]>::try_from(text.as_bytes())) {
            (Chain::Tron, Ok(key)) => key,
            // Hex is read faster than it is looked up.
            _ => return parse(chain, text),
        };
        if let Some(address) = self.known.get(&key) {
            return Ok(*address);
        }
        let address = parse(chain, text)?;
        if self.known.len() >= Self::ENTRIES_MAX {
            self.known.clear();
        }
        self.known.insert(key, address);
        Ok(address)
    }
}

/// The text without a leading `0x`.
pub(crate) fn strip_0x(text: &str) -> &str {
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text)
}

/// Reads hex digits, and nothing but digits, into all of `bytes`.
pub(crate) fn read_digits(digits: &str, bytes: &mut [u8]) -> Result<(), AddressFault> {
    // The library would pass over a `0x` of its own; the length forbids it.
    if digits.len() != bytes.len() * 2 {
        return Err(AddressFault::Length);
    }
    hex::decode_to_slice(digits, bytes).map_err(|_| AddressFault::Character)
}

/// Reads hex of any length, with or without `0x`.
pub(crate) fn parse_bytes(text: &str) -> Option<Vec<u8>> {
    let digits = strip_0x(text);
    let mut bytes = vec![0; digits.len() / 2];
    read_digits(digits, &mut bytes).ok()?;
    Some(bytes)
}

/// Reads 32 bytes of hex.
pub(crate) fn parse_word(text: &str) -> Option<[u8; 32]> {
    let mut word = [0; 32];
    read_digits(strip_0x(text), &mut word).ok()?;
    Some(word)
}

fn format_word(chain: Chain, word: &[u8; 32]) -> String {
    match chain {
        Chain::Ethereum => format!("0x{}", hex::encode(word)),
        Chain::Tron => hex::encode(word),
    }
}

fn parse_base58(text: &str) -> Result<Address, AddressFault> {
    use bs58::decode::Error;
    if text.len() != BASE58_LEN {
        return Err(AddressFault::Length);
    }
    let mut payload = [0; 25];
    let length =
        bs58::decode(text).with_check(Some(TRON_PREFIX)).onto(&mut payload).map_err(|error| {
            match error {
                Error::InvalidChecksum { .. } => AddressFault::Checksum,
                Error::InvalidVersion { .. } => AddressFault::Prefix,
                Error::InvalidCharacter { .. } | Error::NonAsciiCharacter { .. } => {
                    AddressFault::Character
                }
                _ => AddressFault::Length,
            }
        })?;
    match (length, <[u8; 20]>::try_from(&payload[1..21])) {
        (21, Ok(bytes)) => Ok(Address(bytes)),
        _ => Err(AddressFault::Length),
    }
}

fn parse_tron_hex(text: &str) -> Result<Address, AddressFault> {
    let digits = strip_0x(text);
    match digits.len() {
        42 => parse_hex(digits.strip_prefix("41").ok_or(AddressFault::Prefix)?),
        _ => parse_hex(digits),
    }
}

fn parse_hex(digits: &str) -> Result<Address, AddressFault> {
    let mut bytes = [0; 20];
    read_digits(digits, &mut bytes)?;
    Ok(Address(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_prefix_is_passed_over_and_not_two() {
        let word = "ab".repeat(32);
        assert!(parse_word(&word).is_some());
        assert!(parse_word(&format!("0x{word}")).is_some());
        assert_eq!(parse_word(&format!("0x0x{word}")), None);
        let address = "ab".repeat(20);
        assert!(parse(Chain::Ethereum, &format!("0x{address}")).is_ok());
        assert!(parse(Chain::Ethereum, &format!("0x0x{address}")).is_err());
        assert_eq!(parse_bytes("0xab01"), Some(vec![0xab, 0x01]));
        assert_eq!(parse_bytes("0x0xab"), None);
        assert_eq!(parse_bytes("abc"), None);
    }

    const USDT: &str = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t";
    const USDT_HEX: &str = "a614f803b6fd780986a42c78ec9c7f77e6ded13c";

    fn fault(chain: Chain, text: &str) -> AddressFault {
        match parse(chain, text) {
            Err(DecodeError::InvalidAddress { fault, .. }) => fault,
            other => panic!("{text} gave {other:?}"),
        }
    }

    #[test]
    fn every_tron_spelling_is_the_same_address() {
        let address = parse(Chain::Tron, USDT).unwrap();
        assert_eq!(hex::encode(address.0), USDT_HEX);
        for text in [
            USDT_HEX.to_owned(),
            format!("0x{USDT_HEX}"),
            format!("41{USDT_HEX}"),
            format!("0x41{}", USDT_HEX.to_uppercase()),
        ] {
            assert_eq!(parse(Chain::Tron, &text), Ok(address), "{text}");
        }
        assert_eq!(format(Chain::Tron, address), USDT);
    }

    #[test]
    fn ethereum_is_read_in_any_case_and_written_eip_55() {
        // The first example of EIP-55 itself.
        let checksummed = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        let address = parse(Chain::Ethereum, checksummed).unwrap();
        let bare = checksummed[2..].to_owned();
        for text in [bare.to_lowercase(), bare.to_uppercase(), format!("0X{bare}")] {
            assert_eq!(parse(Chain::Ethereum, &text), Ok(address), "{text}");
        }
        assert_eq!(format(Chain::Ethereum, address), checksummed);
    }

    #[test]
    fn each_fault_is_told_apart() {
        let mistyped = USDT.replace("TR7N", "TR7M");
        assert_eq!(fault(Chain::Tron, &mistyped), AddressFault::Checksum);
        assert_eq!(fault(Chain::Tron, &USDT[..33]), AddressFault::Length);
        assert_eq!(fault(Chain::Tron, &USDT.replace('Q', "0")), AddressFault::Character);
        assert_eq!(fault(Chain::Tron, &format!("42{USDT_HEX}")), AddressFault::Prefix);
        assert_eq!(fault(Chain::Ethereum, USDT), AddressFault::Length);
        assert_eq!(fault(Chain::Ethereum, &"xy".repeat(20)), AddressFault::Character);
        assert_eq!(fault(Chain::Ethereum, &format!("41{USDT_HEX}")), AddressFault::Length);
        assert_eq!(fault(Chain::Ethereum, ""), AddressFault::Length);
    }

    #[test]
    fn the_cache_answers_as_parsing_does() {
        let mut cache = AddressCache::new();
        let mistyped = USDT.replace("TR7N", "TR7M");
        for _ in 0..2 {
            for text in [USDT, USDT_HEX, &mistyped, ""] {
                assert_eq!(cache.parse(Chain::Tron, text), parse(Chain::Tron, text));
            }
            // The same text means nothing on the other chain, cached or not.
            assert!(cache.parse(Chain::Ethereum, USDT).is_err());
        }
    }

    #[test]
    fn accounts_and_hashes_read_back() {
        for chain in Chain::ALL {
            let account = AccountKey { chain, address: Address([7; 20]) };
            assert_eq!(parse_account(&format_account(account)), Ok(account));
            let tx = TxHash([0xab; 32]);
            assert_eq!(parse_tx(&format_tx(chain, tx)), Ok(tx));
            let hash = BlockHash([0xcd; 32]);
            assert_eq!(parse_block_hash(&format_block_hash(chain, hash)), Ok(hash));
        }
        assert_eq!(parse_account("TR7N").unwrap_err().reason(), "missing_field");
        assert_eq!(parse_account("Tron:TR7N").unwrap_err().reason(), "unknown_chain");
        assert_eq!(parse_tx("0xabcd").unwrap_err().reason(), "invalid_hash");
    }
}
