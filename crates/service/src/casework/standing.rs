//! Where a case stands: who holds tainted units, and who could freeze them.
//!
//! What always holds: advice follows the rules of the freeze desk
//! (docs/semantics.md), as of the last block of the past.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use flow_codec::wire::share_ppm;
use flow_core::{
    AccountKey, Amount, Chain, Covered, EngineConfig, Held, Label, Outcome, Past, Trace,
};

/// Where a case stands as of the last block of each chain.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Wallets that hold tainted units, most first.
    pub wallets: Vec<Wallet>,
    /// Accounts of services that tainted units reached, most first.
    pub services: Vec<ServiceAccount>,
}

/// A wallet that holds tainted units.
#[derive(Clone, Debug)]
pub struct Wallet {
    /// Its id in the past.
    pub id: u32,
    /// The wallet.
    pub account: AccountKey,
    /// Tainted units that it holds.
    pub tainted: Amount,
    /// All units that it holds.
    pub balance: Amount,
    /// Tainted per million of all.
    pub share_ppm: u64,
    /// Transfers between the source and the wallet.
    pub hops: u32,
    /// Block time of the last tainted units in or out, Unix milliseconds.
    pub moved_ms: u64,
    /// Who runs it, where that is known.
    pub label: Option<Label>,
    /// What to do about it.
    pub advice: Advice,
}

/// What to do about a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// The issuer has frozen it.
    Frozen,
    /// It holds less than is worth a freeze.
    TooLittle,
    /// Nobody's wallet.
    Reserved,
    /// Its units have moved too lately to be at rest.
    Moving,
    /// Ask the issuer to freeze it.
    AskIssuer,
    /// Ask the service that it is a deposit address of.
    AskService,
}

/// An account of a service, at which tracing ends.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// Its id in the past.
    pub id: u32,
    /// The account.
    pub account: AccountKey,
    /// Whose it is.
    pub label: Label,
    /// Tainted units that arrived in all.
    pub arrived: Amount,
    /// Transfers that brought them.
    pub transfers: u64,
    /// Ranks in the trace of the first and the last of these.
    pub ranks: (usize, usize),
    /// Whether it is enough to ask the service.
    pub ask: bool,
}

/// Where the case that was traced stands.
///
/// # Errors
/// If the past cannot be read.
pub fn standing(past: &Past, trace: &Trace, config: &EngineConfig) -> anyhow::Result<Standing> {
    let mut wallets = Vec::new();
    let mut heads = BTreeMap::new();
    for chain in Chain::ALL {
        heads.insert(chain, past.covered(chain)?);
    }
    for held in &trace.held {
        wallets.push(wallet(past, held, &heads, config)?);
    }
    wallets.sort_by_key(|wallet| (Reverse(wallet.tainted), wallet.account));
    Ok(Standing { wallets, services: services(past, trace, config) })
}

fn wallet(
    past: &Past,
    held: &Held,
    heads: &BTreeMap<Chain, Option<Covered>>,
    config: &EngineConfig,
) -> anyhow::Result<Wallet> {
    let Held { account: id, tainted, hops, frozen, moved_ms } = *held;
    let account = past.account(id);
    let balance = past.balance(id, None)?;
    let label = past.label(id).cloned();
    let now_ms = heads[&account.chain].map_or(0, |covered| covered.last.1);
    let advice = if frozen {
        Advice::Frozen
    } else if account.address.is_reserved() {
        Advice::Reserved
    } else if tainted < config.freeze_min_units.max(1) {
        Advice::TooLittle
    } else if moved_ms.saturating_add(config.freeze_rest_ms) > now_ms {
        Advice::Moving
    } else if label.as_ref().is_some_and(Label::is_of_service) {
        Advice::AskService
    } else {
        Advice::AskIssuer
    };
    let share_ppm = share_ppm(tainted, balance);
    Ok(Wallet { id, account, tainted, balance, share_ppm, hops, moved_ms, label, advice })
}

fn services(past: &Past, trace: &Trace, config: &EngineConfig) -> Vec<ServiceAccount> {
    let mut reached = BTreeMap::<u32, ServiceAccount>::new();
    for (rank, hop) in trace.hops.iter().enumerate() {
        let Some(label) = past.label(hop.to).filter(|_| hop.outcome == Outcome::Service) else {
            continue;
        };
        let here = reached.entry(hop.to).or_insert_with(|| ServiceAccount {
            id: hop.to,
            account: past.account(hop.to),
            label: label.clone(),
            arrived: 0,
            transfers: 0,
            ranks: (rank, rank),
            ask: false,
        });
        here.arrived = here.arrived.saturating_add(hop.moved);
        here.transfers += 1;
        here.ranks.1 = rank;
        here.ask = here.arrived >= config.freeze_min_units.max(1);
    }
    let mut services: Vec<ServiceAccount> = reached.into_values().collect();
    services.sort_by_key(|service| (Reverse(service.arrived), service.account));
    services
}
