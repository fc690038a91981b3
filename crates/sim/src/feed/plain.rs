//! The plain event files of `usdt-flow replay`. They know no multisig steps.

use flow_codec::address;
use flow_core::{Action, Address, Block, Chain, LedgerEvent};

/// The header row of [`plain_csv`].
pub const PLAIN_CSV_HEADER: &str = "chain,block,log_index,timestamp,tx,event,from,to,amount";

/// The block's events as rows under [`PLAIN_CSV_HEADER`].
pub fn plain_csv(block: &Block) -> Vec<String> {
    let rows = block.events.iter().filter_map(|event| {
        let fields = Fields::of(block.chain, &event.action)?;
        Some(format!(
            "{},{},{},{},{},{},{},{},{}",
            block.chain,
            block.number,
            index(event),
            block.timestamp_ms,
            address::format_tx(block.chain, event.tx),
            fields.name,
            fields.from.unwrap_or_default(),
            fields.to.unwrap_or_default(),
            fields.amount.map(|amount| amount.to_string()).unwrap_or_default(),
        ))
    });
    rows.collect()
}

/// The block's events as JSON Lines; what does not apply is left out.
pub fn plain_json(block: &Block) -> Vec<String> {
    let lines = block.events.iter().filter_map(|event| {
        let fields = Fields::of(block.chain, &event.action)?;
        let mut line = format!("{{\"chain\":\"{}\",\"block\":{}", block.chain, block.number);
        if let Some(index) = event.log_index {
            line += &format!(",\"log_index\":{index}");
        }
        let tx = address::format_tx(block.chain, event.tx);
        line += &format!(",\"timestamp\":{},\"tx\":\"{tx}\"", block.timestamp_ms);
        line += &format!(",\"event\":\"{}\"", fields.name);
        let optional = [
            fields.from.map(|from| format!(",\"from\":\"{from}\"")),
            fields.to.map(|to| format!(",\"to\":\"{to}\"")),
            fields.amount.map(|amount| format!(",\"amount\":{amount}")),
        ];
        line.extend(optional.into_iter().flatten());
        line.push('}');
        Some(line)
    });
    lines.collect()
}

struct Fields {
    name: &'static str,
    from: Option<String>,
    to: Option<String>,
    amount: Option<u64>,
}

impl Fields {
    fn of(chain: Chain, action: &Action) -> Option<Fields> {
        let (name, from, to, amount) = match *action {
            Action::Transfer { from, to, amount } => {
                ("transfer", Some(from), Some(to), Some(amount))
            }
            Action::Issue { to, amount } => ("issue", None, Some(to), Some(amount)),
            Action::Redeem { from, amount } => ("redeem", Some(from), None, Some(amount)),
            Action::Destroy { account, amount } => ("destroy", Some(account), None, Some(amount)),
            Action::BlacklistAdd { account } => ("blacklist_add", Some(account), None, None),
            Action::BlacklistRemove { account } => ("blacklist_remove", Some(account), None, None),
            Action::Multisig(_) => return None,
        };
        let text = |address: Address| address::format(chain, address);
        Some(Fields { name, from: from.map(text), to: to.map(text), amount })
    }
}

fn index(event: &LedgerEvent) -> String {
    event.log_index.map(|index| index.to_string()).unwrap_or_default()
}
