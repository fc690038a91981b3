//! The logs that the USDT contract and its owner's multisig wallet emit.
//!
//! On TRON the blacklist events index their account, on Ethereum they do not;
//! and TRON tells of an issue or a redemption by a `Transfer` from or to the
//! zero address, too.

use flow_core::{Action, Address, Amount, Block, Chain, LedgerEvent, MultisigAction, TxHash};

/// The wallet that owns the Ethereum contract: it alone issues and redeems.
pub const ETHEREUM_OWNER: Address = Address([
    0xc6, 0xcd, 0xe7, 0xc3, 0x9e, 0xb2, 0xf0, 0xf0, 0x09, 0x5f, 0x41, 0x57, 0x0a, 0xf8, 0x9e, 0xfc,
    0x2c, 0x1e, 0xa8, 0x28,
]);

/// The wallet that owns the TRON contract.
pub const TRON_OWNER: Address = Address([
    0x0f, 0xa6, 0x95, 0xd6, 0xb0, 0x65, 0x70, 0x7c, 0xb4, 0xe0, 0xef, 0x73, 0xb7, 0x51, 0xc9, 0x33,
    0x47, 0x68, 0x2b, 0xf2,
]);

const ETHEREUM_USDT: Address = Address([
    0xda, 0xc1, 0x7f, 0x95, 0x8d, 0x2e, 0xe5, 0x23, 0xa2, 0x20, 0x62, 0x06, 0x99, 0x45, 0x97, 0xc1,
    0x3d, 0x83, 0x1e, 0xc7,
]);

const TRON_USDT: Address = Address([
    0xa6, 0x14, 0xf8, 0x03, 0xb6, 0xfd, 0x78, 0x09, 0x86, 0xa4, 0x2c, 0x78, 0xec, 0x9c, 0x7f, 0x77,
    0xe6, 0xde, 0xd1, 0x3c,
]);

/// One log of a block, with its place and the action that it belongs to.
pub(super) struct PlacedLog {
    pub(super) log: Log,
    pub(super) event: LedgerEvent,
    /// Index in the block: the event's own, or else its rank.
    pub(super) in_block: u32,
    /// Index in the transaction, from 0.
    pub(super) in_tx: u32,
    /// Rank of the transaction among those listed.
    pub(super) tx_index: u32,
}

/// One log as the contract emits it.
pub(super) struct Log {
    pub(super) contract: Address,
    pub(super) name: &'static str,
    pub(super) params: Vec<Param>,
    topic0: &'static str,
}

/// One parameter of a log.
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) indexed: bool,
    pub(super) value: Value,
}

/// The value of a parameter.
#[derive(Clone, Copy)]
pub(super) enum Value {
    Address(Address),
    Uint(u64),
}

impl Value {
    /// The ABI's name of the type.
    pub(super) fn type_name(self) -> &'static str {
        match self {
            Value::Address(_) => "address",
            Value::Uint(_) => "uint256",
        }
    }

    /// The 32-byte ABI word in hex.
    pub(super) fn word(self) -> String {
        match self {
            Value::Address(address) => format!("{:0>64}", hex::encode(address.0)),
            Value::Uint(number) => format!("{number:064x}"),
        }
    }
}

impl Log {
    /// All topics in hex, the signature's hash first.
    pub(super) fn topics(&self) -> Vec<String> {
        let indexed = self.params.iter().filter(|param| param.indexed);
        let mut topics = vec![self.topic0.to_owned()];
        topics.extend(indexed.map(|param| param.value.word()));
        topics
    }

    /// The parameters that are not indexed, in hex.
    pub(super) fn data(&self) -> String {
        let plain = self.params.iter().filter(|param| !param.indexed);
        plain.map(|param| param.value.word()).collect()
    }
}

/// The logs of a block in order.
pub(super) fn placed_logs(block: &Block) -> Vec<PlacedLog> {
    let mut placed: Vec<PlacedLog> = Vec::new();
    let mut txs: Vec<TxHash> = Vec::new();
    for event in &block.events {
        if !txs.contains(&event.tx) {
            txs.push(event.tx);
        }
        for (extra, log) in (0_u32..).zip(logs(block.chain, &event.action)) {
            let rank = narrow(placed.len());
            let in_tx = narrow(placed.iter().filter(|other| other.event.tx == event.tx).count());
            let tx_index = narrow(txs.iter().position(|tx| *tx == event.tx).unwrap_or(0));
            let in_block = event.log_index.map_or(rank, |index| index + extra);
            placed.push(PlacedLog { log, event: *event, in_block, in_tx, tx_index });
        }
    }
    placed
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).expect("a block holds far fewer logs")
}

fn logs(chain: Chain, action: &Action) -> Vec<Log> {
    match *action {
        Action::Transfer { from, to, amount } => vec![transfer(chain, from, to, amount)],
        Action::Issue { to, amount } => supply_logs(chain, "Issue", Address::ZERO, to, amount),
        Action::Redeem { from, amount } => {
            supply_logs(chain, "Redeem", from, Address::ZERO, amount)
        }
        Action::Destroy { account, amount } => vec![usdt(
            chain,
            "DestroyedBlackFunds",
            vec![
                blacklisted(chain, "_blackListedUser", account),
                plain("_balance", Value::Uint(amount)),
            ],
        )],
        Action::BlacklistAdd { account } => {
            vec![usdt(chain, "AddedBlackList", vec![blacklisted(chain, "_user", account)])]
        }
        Action::BlacklistRemove { account } => {
            vec![usdt(chain, "RemovedBlackList", vec![blacklisted(chain, "_user", account)])]
        }
        Action::Multisig(step) => multisig(chain, step).into_iter().collect(),
    }
}

fn transfer(chain: Chain, from: Address, to: Address, amount: Amount) -> Log {
    let params = vec![
        indexed("from", Value::Address(from)),
        indexed("to", Value::Address(to)),
        plain("value", Value::Uint(amount)),
    ];
    usdt(chain, "Transfer", params)
}

fn supply_logs(
    chain: Chain,
    name: &'static str,
    from: Address,
    to: Address,
    amount: Amount,
) -> Vec<Log> {
    let told = usdt(chain, name, vec![plain("amount", Value::Uint(amount))]);
    match chain {
        Chain::Ethereum => vec![told],
        Chain::Tron => vec![transfer(chain, from, to, amount), told],
    }
}

/// The log of a multisig step; a submission known by its call alone has none.
fn multisig(chain: Chain, step: MultisigAction) -> Option<Log> {
    let (name, owner, id) = match step {
        MultisigAction::Submission { id, .. } => ("Submission", None, id?),
        MultisigAction::Confirmation { id, owner } => ("Confirmation", Some(owner), id),
        MultisigAction::Revocation { id, owner } => ("Revocation", Some(owner), id),
        MultisigAction::Execution { id } => ("Execution", None, id),
        MultisigAction::ExecutionFailure { id } => ("ExecutionFailure", None, id),
        MultisigAction::RequirementChange { required } => {
            let (name, params) =
                ("RequirementChange", vec![plain("required", Value::Uint(required))]);
            return Some(Log {
                contract: issuer_wallet(chain),
                name,
                params,
                topic0: topic0(name),
            });
        }
    };
    let contract = issuer_wallet(chain);
    let mut params: Vec<Param> =
        owner.map(|owner| indexed("sender", Value::Address(owner))).into_iter().collect();
    params.push(indexed("transactionId", Value::Uint(id)));
    Some(Log { contract, name, params, topic0: topic0(name) })
}

fn usdt(chain: Chain, name: &'static str, params: Vec<Param>) -> Log {
    Log { contract: usdt_contract(chain), name, params, topic0: topic0(name) }
}

/// The USDT contract of a chain.
pub(super) const fn usdt_contract(chain: Chain) -> Address {
    match chain {
        Chain::Ethereum => ETHEREUM_USDT,
        Chain::Tron => TRON_USDT,
    }
}

/// The multisig wallet that owns it.
pub(super) const fn issuer_wallet(chain: Chain) -> Address {
    match chain {
        Chain::Ethereum => ETHEREUM_OWNER,
        Chain::Tron => TRON_OWNER,
    }
}

fn indexed(name: &'static str, value: Value) -> Param {
    Param { name, indexed: true, value }
}

fn plain(name: &'static str, value: Value) -> Param {
    Param { name, indexed: false, value }
}

fn blacklisted(chain: Chain, name: &'static str, account: Address) -> Param {
    Param { name, indexed: chain == Chain::Tron, value: Value::Address(account) }
}

/// Keccak-256 of the event's signature.
fn topic0(name: &str) -> &'static str {
    match name {
        "Transfer" => "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
        "AddedBlackList" => "42e160154868087d6bfdc0ca23d96a1c1cfa32f1b72ba9ba27b69b98a0d819dc",
        "RemovedBlackList" => "d7e9ec6e6ecd65492dce6bf513cd6867560d49544421d0783ddf06e76c24470c",
        "DestroyedBlackFunds" => "61e6e66b0d6339b2980aecc6ccc0039736791f0ccde9ed512e789a7fbdd698c6",
        "Issue" => "cb8241adb0c3fdb35b70c24ce35c5eb0c17af7431c99f827d44a445ca624176a",
        "Redeem" => "702d5967f45f6513a38ffc42d6ba9bf230bd40e8f53b16363c7eb4fd2deb9a44",
        "Submission" => "c0ba8fe4b176c1714197d43b9cc6bcf797a4a7461c5fe8d0ef6e184ae7601e51",
        "Confirmation" => "4a504a94899432a9846e1aa406dceb1bcfd538bb839071d49d1e5e23f5be30ef",
        "Revocation" => "f6a317157440607f36269043eb55f1287a5a19ba2216afeab88cd46cbcfb88e9",
        "Execution" => "33e13ecb54c3076d8e8bb8c2881800a4d972b792045ffae98fdf46df365fed75",
        "ExecutionFailure" => "526441bb6c1aba3c9a4a6ca1d6545da9c2333c8c48343ef398eb858d72b79236",
        "RequirementChange" => "a3f1ee9126a074d9326c682f561767f710e927faa811f7a99829d49dc421797a",
        _ => unreachable!("every name in this file is listed"),
    }
}
