//! Small ledgers in letters: `A>B 10` moves 10 units from account A to B.
//!
//! A letter is the address whose bytes all are that letter. Block `n` of a
//! chain is `n` seconds old. Each transfer has a transaction of its own and is
//! numbered in its block from 0.

use flow_core::{
    AccountKey, Action, Actor, Address, Alert, Amount, ApplyError, Block, BlockHash, Case,
    CaseTotals, Chain, Effect, Engine, EngineConfig, Event, FreezeRecommendation, Label,
    LedgerEvent, MultisigAction, MultisigCall, PathStep, Source, TxHash,
};

/// No limits: every receipt is told and every unit is worth freezing after ten
/// seconds of rest. Thresholds at 10 and 100 units.
pub(crate) fn strict() -> EngineConfig {
    EngineConfig {
        alert_min_units: 0,
        thresholds: vec![10, 100],
        freeze_min_units: 1,
        freeze_rest_ms: 10_000,
        freeze_update_ms: 0,
        ..EngineConfig::default()
    }
}

pub(crate) fn address(letter: char) -> Address {
    Address([u8::try_from(letter).expect("an ASCII letter"); 20])
}

pub(crate) fn account(letter: char) -> AccountKey {
    AccountKey { chain: Chain::Tron, address: address(letter) }
}

pub(crate) fn wallet(letter: char) -> Source {
    Source::Wallet { account: account(letter), since_block: 0 }
}

pub(crate) fn case(id: &str, sources: &[Source]) -> Case {
    Case {
        id: id.to_owned(),
        title: None,
        category: None,
        sources: sources.to_vec(),
        min_units: 0,
        max_hops: None,
    }
}

pub(crate) fn label(letter: char, entity: &str, kind: &str, stop: bool) -> Label {
    Label { account: account(letter), entity: entity.to_owned(), kind: kind.to_owned(), stop }
}

/// The transaction of event `index` in block `number`.
pub(crate) fn tx(number: u64, index: u32) -> TxHash {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    hash[8..12].copy_from_slice(&index.to_be_bytes());
    TxHash(hash)
}

/// A block of `A>B 10, issue A 5, redeem A 5, destroy A 5, freeze A, release A`,
/// and of the steps of the issuer's owners: `call freeze A` (the transaction
/// that submits it, of which `submit 7` is the log), `confirm 7 K`,
/// `revoke 7 K`, `execute 7`, `fail 7`. Events joined by `+` are of one
/// transaction.
pub(crate) fn block(chain: Chain, number: u64, events: &str) -> Block {
    let texts = events.split(',').map(str::trim).filter(|text| !text.is_empty());
    let texts = (0..).zip(texts).flat_map(|(tx, texts)| texts.split('+').map(move |one| (tx, one)));
    let event = |(index, (of, text)): (u32, (u32, &str))| LedgerEvent {
        tx: tx(number, of),
        log_index: Some(index),
        position: 0,
        action: action(text),
    };
    Block {
        chain,
        number,
        hash: Some(BlockHash([7; 32])),
        timestamp_ms: number * 1_000,
        events: (0..).zip(texts).map(event).collect(),
    }
}

fn action(text: &str) -> Action {
    let words: Vec<&str> = text.split_whitespace().collect();
    let amount = |at: usize| words[at].parse::<Amount>().expect("an amount");
    let letter = |at: usize| address(words[at].chars().next().expect("a letter"));
    match words[0] {
        "issue" => Action::Issue { to: letter(1), amount: amount(2) },
        "redeem" => Action::Redeem { from: letter(1), amount: amount(2) },
        "destroy" => Action::Destroy { account: letter(1), amount: amount(2) },
        "freeze" => Action::BlacklistAdd { account: letter(1) },
        "release" => Action::BlacklistRemove { account: letter(1) },
        "call" => {
            let call = match words[1] {
                "freeze" => MultisigCall::AddBlackList(letter(2)),
                "release" => MultisigCall::RemoveBlackList(letter(2)),
                "destroy" => MultisigCall::DestroyBlackFunds(letter(2)),
                other => panic!("{other} is no call"),
            };
            Action::Multisig(MultisigAction::Submission { id: None, call: Some(call) })
        }
        "submit" => {
            Action::Multisig(MultisigAction::Submission { id: Some(amount(1)), call: None })
        }
        "confirm" => {
            Action::Multisig(MultisigAction::Confirmation { id: amount(1), owner: letter(2) })
        }
        "revoke" => {
            Action::Multisig(MultisigAction::Revocation { id: amount(1), owner: letter(2) })
        }
        "execute" => Action::Multisig(MultisigAction::Execution { id: amount(1) }),
        "require" => Action::Multisig(MultisigAction::RequirementChange { required: amount(1) }),
        "fail" => Action::Multisig(MultisigAction::ExecutionFailure { id: amount(1) }),
        _ => {
            let (from, to) = words[0].split_once('>').expect("A>B 10");
            let [from, to] = [from, to].map(|name| address(name.chars().next().expect("a letter")));
            Action::Transfer { from, to, amount: amount(1) }
        }
    }
}

/// An engine that is spoken to in letters and answers in lines.
pub(crate) struct Town {
    pub(crate) engine: Engine,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) freezes: Vec<FreezeRecommendation>,
}

impl Town {
    pub(crate) fn new(config: EngineConfig) -> Town {
        Town { engine: Engine::new(config), alerts: Vec::new(), freezes: Vec::new() }
    }

    /// A strict town with one case, whose source is wallet S.
    pub(crate) fn with_source() -> Town {
        let mut town = Town::new(strict());
        town.open(case("c", &[wallet('S')]));
        town
    }

    pub(crate) fn try_apply(&mut self, event: Event) -> Result<Vec<String>, ApplyError> {
        let mut effects = Vec::new();
        self.engine.apply(event, &mut effects)?;
        self.engine.audit().expect("the books balance after every event");
        Ok(effects.iter().map(|effect| self.note(effect)).collect())
    }

    pub(crate) fn apply(&mut self, event: Event) -> Vec<String> {
        self.try_apply(event).expect("the event applies")
    }

    pub(crate) fn open(&mut self, case: Case) -> Vec<String> {
        self.apply(Event::CaseOpened(case))
    }

    pub(crate) fn close(&mut self, id: &str) -> Vec<String> {
        self.apply(Event::CaseClosed(id.to_owned()))
    }

    pub(crate) fn label(&mut self, label: Label) -> Vec<String> {
        self.apply(Event::LabelSet(label))
    }

    /// Applies a block of TRON; what it caused, a line each.
    pub(crate) fn block(&mut self, number: u64, events: &str) -> Vec<String> {
        self.apply(Event::BlockCommitted(block(Chain::Tron, number, events)))
    }

    /// The alerts alone of a block.
    pub(crate) fn alerts_of(&mut self, number: u64, events: &str) -> Vec<String> {
        only("alert ", self.block(number, events))
    }

    /// The freeze recommendations alone of a block.
    pub(crate) fn freezes_of(&mut self, number: u64, events: &str) -> Vec<String> {
        only("freeze ", self.block(number, events))
    }

    pub(crate) fn totals(&self, id: &str) -> CaseTotals {
        let totals = self.engine.case_totals();
        totals.into_iter().find(|(case, _)| case == id).expect("an open case").1
    }

    /// `case account tainted/balance hops`, a line for each tainted account.
    pub(crate) fn rows(&self) -> Vec<String> {
        let row = |(case, row): (String, flow_core::AccountRow)| {
            let frozen = if row.frozen { " frozen" } else { "" };
            let name = name(row.account.address);
            format!("{case} {name} {}/{} hops {}{frozen}", row.tainted, row.balance, row.hops)
        };
        self.engine.taint_rows().into_iter().map(row).collect()
    }

    fn note(&mut self, effect: &Effect) -> String {
        match effect {
            Effect::Raise(alert) => {
                self.alerts.push((**alert).clone());
                format!("alert {}", alert_line(alert))
            }
            Effect::Settle(alert) => format!("settle {}", alert_line(alert)),
            Effect::Retract(alert) => format!("retract {}", alert_line(alert)),
            Effect::Recommend(record) => {
                self.freezes.push((**record).clone());
                format!("freeze {}", freeze_line(record))
            }
            Effect::Ledger(ledger) => {
                let totals = &ledger.totals;
                let parts = (totals.held, totals.frozen, totals.service());
                format!("ledger {} @{}: {} {parts:?}", ledger.case, ledger.block, totals.emitted)
            }
            Effect::Refuse(refused) => format!("refuse {}", refused.reason.name()),
        }
    }
}

/// The lines of one kind, without the kind.
pub(crate) fn only(kind: &str, lines: Vec<String>) -> Vec<String> {
    lines.iter().filter_map(|line| line.strip_prefix(kind)).map(str::to_owned).collect()
}

fn name(address: Address) -> char {
    char::from(address.0[0])
}

/// `case rule subject tainted/amount [what else]: path`.
fn alert_line(alert: &Alert) -> String {
    let mut line = format!(
        "{} {} {} {}/{}",
        alert.case,
        alert.rule.name(),
        name(alert.subject.address),
        alert.tainted,
        alert.amount
    );
    if let Some(threshold) = alert.threshold {
        line += &format!(" reached {threshold}");
    }
    if let Some((entity, kind)) = &alert.service {
        line += &format!(" at {entity} ({kind})");
    }
    if alert.retroactive {
        line += " retroactive";
    }
    format!("{line}: {}", path(&alert.path))
}

/// What is told of a submission, of what escaped and where it is now:
/// `freeze 1/2`, `escaped 5 (3 tainted): B 5`, `next B 5`.
pub(crate) fn progress_line(record: &FreezeRecommendation) -> String {
    let mut parts = Vec::new();
    if let Some(submitted) = record.progress.submission {
        let (call, k, n) = (submitted.call.name(), submitted.confirmations, submitted.required);
        parts.push(format!("{call} {k}/{n}{}", if submitted.failed { " failed" } else { "" }));
    }
    let escaped = &record.progress.escaped;
    if escaped.units > 0 {
        let to = |escape: &flow_core::Escape| format!("{} {}", name(escape.to), escape.units);
        let to: Vec<String> = escaped.newest.iter().map(to).collect();
        parts.push(format!(
            "escaped {} ({} tainted): {}",
            escaped.units,
            escaped.tainted,
            to.join(" ")
        ));
    }
    let next = |next: &flow_core::NextAddress| format!("{} {}", name(next.address), next.units);
    let next: Vec<String> = record.next.iter().map(next).collect();
    if !next.is_empty() {
        parts.push(format!("next {}", next.join(" ")));
    }
    if record.urgent {
        parts.push("urgent".to_owned());
    }
    parts.join(", ")
}

/// `account status by whom: case tainted; …`.
fn freeze_line(record: &FreezeRecommendation) -> String {
    let actor = match &record.actor {
        Actor::Issuer => "issuer".to_owned(),
        Actor::Service { entity, .. } => entity.clone(),
    };
    let claims: Vec<String> =
        record.claims.iter().map(|claim| format!("{} {}", claim.case, claim.tainted)).collect();
    format!(
        "{} {} by {actor}: {}",
        name(record.account.address),
        record.status.name(),
        claims.join("; ")
    )
}

/// `S>A 10 A>B 4`: the tainted units of each step.
pub(crate) fn path(steps: &[PathStep]) -> String {
    let step = |step: &PathStep| format!("{}>{} {}", name(step.from), name(step.to), step.tainted);
    steps.iter().map(step).collect::<Vec<_>>().join(" ")
}
