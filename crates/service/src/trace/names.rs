//! Accounts and transfers as people write them on the command line.

use flow_codec::{address, wire};
use flow_core::{AccountKey, Chain, Past, TransferFacts};

use crate::report::Explain;

/// Reads an address with its chain before a colon, or without where its
/// spelling tells the chain.
///
/// # Errors
/// If it is no address, or its chain is unclear.
pub fn account(text: &str) -> anyhow::Result<AccountKey> {
    let hint = "write it as tron:T… or ethereum:0x…";
    if text.contains(':') {
        let parsed = address::parse_account(text);
        return parsed.explain(format!("cannot understand the address {text}"), hint);
    }
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let chain = match (text.starts_with('T'), digits.len()) {
        (true, _) | (false, 42) => Chain::Tron,
        (false, 40) if text.starts_with("0x") => Chain::Ethereum,
        _ => {
            return Err(anyhow::anyhow!("its spelling does not tell the chain"))
                .explain(format!("cannot understand the address {text}"), hint);
        }
    };
    let parsed = address::parse(chain, text);
    let address = parsed.explain(format!("cannot understand the address {text}"), hint)?;
    Ok(AccountKey { chain, address })
}

/// Reads an address that the past must know; returns its id there.
///
/// # Errors
/// If it is no address, or was never seen.
pub fn seen(past: &Past, text: &str) -> anyhow::Result<(AccountKey, u32)> {
    let key = account(text)?;
    let Some(id) = past.find(key) else {
        let other = Chain::ALL.into_iter().find(|chain| *chain != key.chain);
        let elsewhere = other.map(|chain| AccountKey { chain, address: key.address });
        let hint = match elsewhere.filter(|key| past.find(*key).is_some()) {
            Some(key) => format!("it was seen as {}", address::format_account(key)),
            None => "check the address, and whether the history covers its transfers".to_owned(),
        };
        let name = address::format_account(key);
        let covers = covers(past, key.chain)?;
        return Err(anyhow::anyhow!("{name} was never seen in this history; {covers}"))
            .explain(format!("there is nothing to tell of {name}"), hint);
    };
    Ok((key, id))
}

/// Which blocks of the chain the past covers, in words.
///
/// # Errors
/// If the past cannot be read.
pub fn covers(past: &Past, chain: Chain) -> anyhow::Result<String> {
    Ok(match past.covered(chain)? {
        None => format!("it covers no block of {chain}"),
        Some(covered) => {
            let time = |(_, ms): (u64, u64)| wire::rfc3339_utc(ms);
            format!(
                "it covers {chain} blocks {} to {} ({} to {})",
                covered.first.0,
                covered.last.0,
                time(covered.first),
                time(covered.last)
            )
        }
    })
}

/// Reads `CHAIN:TRANSACTION:LOG_INDEX` of a transfer that the past knows.
///
/// # Errors
/// If it is none, or there is no such transfer.
pub fn transfer(past: &mut Past, text: &str) -> anyhow::Result<TransferFacts> {
    let hint = "write it as tron:TRANSACTION:LOG_INDEX, the log index as the input numbers logs";
    let failed = || format!("cannot understand the transfer {text}");
    let mut parts = text.split(':');
    let (Some(chain), Some(tx), Some(index), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(anyhow::anyhow!("three parts were expected")).explain(failed(), hint);
    };
    let chain = address::parse_chain(chain).explain(failed(), hint)?;
    let tx = address::parse_tx(tx).explain(failed(), hint)?;
    let index: u32 = index.parse().explain(failed(), hint)?;
    let there = past.transfers_of(chain, &tx)?;
    let found = there.iter().find(|facts| facts.log_index == Some(index)).copied();
    found.map_or_else(
        || {
            let known: Vec<String> = there
                .iter()
                .filter_map(|facts| facts.log_index)
                .map(|index| index.to_string())
                .collect();
            let hint = match known.as_slice() {
                [] => covers(past, chain)?,
                known => format!("log indices of that transaction: {}", known.join(", ")),
            };
            Err(anyhow::anyhow!("there is no such transfer of units in this history"))
                .explain(format!("cannot follow {text}"), hint)
        },
        Ok,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spelling_tells_the_chain_or_it_is_asked_for() {
        let chain = |text: &str| account(text).map(|key| key.chain);
        let hex = "a614f803b6fd780986a42c78ec9c7f77e6ded13c";
        assert_eq!(chain("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t").unwrap(), Chain::Tron);
        assert_eq!(chain(&format!("41{hex}")).unwrap(), Chain::Tron);
        assert_eq!(chain(&format!("0x{hex}")).unwrap(), Chain::Ethereum);
        assert_eq!(chain(&format!("tron:{hex}")).unwrap(), Chain::Tron);
        assert!(chain(hex).is_err());
        assert!(chain("bitcoin:1A1z").is_err());
        assert!(chain("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u").is_err());
    }
}
