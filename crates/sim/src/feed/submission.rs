//! Transactions that submit something to the issuer's multisig wallet: they
//! alone tell whom it is about.

use flow_codec::address;
use flow_core::{Action, Address, Block, Chain, LedgerEvent, MultisigAction, MultisigCall};

use super::log::{issuer_wallet, usdt_contract};

/// How a TRON transaction writes an address into its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressWord {
    /// Behind twelve zero bytes, as the ABI says.
    Strict,
    /// With TRON's 0x41 before it, as wallets there leave it in.
    Prefixed,
}

/// The block's submissions whose call is known: as `transactionTrigger` of
/// java-tron, or as `ethereumetl stream` sends them to `transactions`.
pub fn submissions(block: &Block, word: AddressWord) -> Vec<String> {
    let call = |event: &LedgerEvent| match event.action {
        Action::Multisig(MultisigAction::Submission { call: Some(call), .. }) => {
            Some(transaction(block, event, &call_data(block.chain, call, word)))
        }
        _ => None,
    };
    block.events.iter().filter_map(call).collect()
}

fn transaction(block: &Block, event: &LedgerEvent, data: &str) -> String {
    let (tx, wallet) = (hex::encode(event.tx.0), issuer_wallet(block.chain));
    match block.chain {
        Chain::Tron => format!(
            "{{\"timeStamp\":{time},\"triggerName\":\"transactionTrigger\",\
             \"transactionId\":\"{tx}\",\"blockNumber\":{number},\"result\":\"SUCCESS\",\
             \"contractType\":\"TriggerSmartContract\",\"toAddress\":\"{wallet}\",\
             \"data\":\"{data}\"}}",
            time = block.timestamp_ms,
            number = block.number,
            wallet = address::format(Chain::Tron, wallet),
        ),
        Chain::Ethereum => format!(
            "{{\"type\": \"transaction\", \"hash\": \"0x{tx}\", \"to_address\": \"0x{wallet}\", \
             \"value\": 0, \"input\": \"0x{data}\", \"receipt_status\": 1, \
             \"block_number\": {number}, \"block_timestamp\": {seconds}}}",
            wallet = hex::encode(wallet.0),
            number = block.number,
            seconds = block.timestamp_ms / 1_000,
        ),
    }
}

/// `submitTransaction(usdt, 0, call)` in hex.
fn call_data(chain: Chain, call: MultisigCall, form: AddressWord) -> String {
    let (selector, account) = match call {
        MultisigCall::AddBlackList(account) => ("0ecb93c0".to_owned(), Some(account)),
        MultisigCall::RemoveBlackList(account) => ("e4997dc5".to_owned(), Some(account)),
        MultisigCall::DestroyBlackFunds(account) => ("f3bdc228".to_owned(), Some(account)),
        MultisigCall::Other(selector) => (hex::encode(selector), None),
    };
    let word = |address: Address| {
        let prefixed = chain == Chain::Tron && form == AddressWord::Prefixed;
        let prefix = if prefixed { "41" } else { "" };
        format!("{:0>64}", format!("{prefix}{}", hex::encode(address.0)))
    };
    let inner = format!("{selector}{}", account.map(word).unwrap_or_default());
    let padding = "0".repeat((64 - inner.len() % 64) % 64);
    format!(
        "c6427474{}{:064x}{:064x}{:064x}{inner}{padding}",
        word(usdt_contract(chain)),
        0,
        0x60,
        inner.len() / 2,
    )
}
