//! Requests to freeze, checked against the history by the second
//! implementation.
//!
//! What always holds: balance, tainted units, hops and every transfer of every
//! trail are worked out anew as of the block that the request names. What its
//! author says (reference, contact, note, how it was made) is taken as it
//! stands, and that a trail is the strongest is not checked.

use std::collections::{BTreeMap, HashMap};

use flow_codec::wire::{
    ActByRecord, ParsedRequest, RequestRecord, StepRecord, TrailRecord, Units, contract,
    rfc3339_utc,
};
use flow_codec::{address, case_file};
use flow_core::{AccountKey, Action, Actor, Case, Label, Past, PathStep};
use flow_sim::oracle::{Oracle, Outcome, Row};
use serde_json::Value;

use super::Difference;
use super::compare::{Chain, chain_of_proof, compare, is_active_source};
use super::recompute::{Fact, fact};
use flow_codec::wire::share_ppm;

/// What the oracle says of a request.
#[derive(Debug, Default)]
struct Found {
    /// Number and time of the last block up to the one that the request names.
    head: Option<(u64, u64)>,
    /// The account, if it holds tainted units.
    row: Option<Row>,
    /// What arrived there as at a service: units and least hops.
    arrived: (u64, Option<u32>),
    /// By trail and step: the transfer.
    steps: BTreeMap<(usize, usize), Fact>,
}

/// Everything that is not as the request says. `cases`: where files of cases
/// are given, the case must stand there as the request tells it.
///
/// # Errors
/// If the history cannot be read.
pub fn differences(
    past: &Past,
    (cases, labels): (&[Case], &[Label]),
    value: &Value,
    (record, request): &(RequestRecord, ParsedRequest),
    progress: impl FnMut(u64, u64),
) -> anyhow::Result<Vec<Difference>> {
    let mut differences = Vec::new();
    let case = match cases.iter().find(|case| case.id == request.case.id) {
        Some(case) => case,
        None if cases.is_empty() => &request.case,
        None => {
            let known = "no such case in the file of cases".to_owned();
            differences.push(difference("case.id", &request.case.id, known));
            return Ok(differences);
        }
    };
    let found = replay(past, labels, case, request, progress)?;
    match found.head {
        Some((block, _)) if block == request.block => {}
        head => {
            let last = head.map_or("no block".to_owned(), |(block, _)| format!("block {block}"));
            let told = format!("the history has {last} as the last one up to it");
            differences.push(difference("block", &request.block.to_string(), told));
            return Ok(differences);
        }
    }
    prove(request, case, &found, &mut differences);
    let right = rebuilt(record, request, case, labels, &found);
    let right = serde_json::to_value(right).expect("a record is plain JSON");
    compare("", value, &right, &mut differences);
    Ok(differences)
}

fn difference(field: &str, recorded: &str, recomputed: String) -> Difference {
    Difference { field: field.to_owned(), recorded: recorded.to_owned(), recomputed }
}

fn replay(
    past: &Past,
    labels: &[Label],
    case: &Case,
    request: &ParsedRequest,
    mut progress: impl FnMut(u64, u64),
) -> anyhow::Result<Found> {
    let chain = request.account.chain;
    let mut wishes = HashMap::<_, Vec<(usize, usize)>>::new();
    for (trail, steps) in request.trails.iter().enumerate() {
        for (step, transfer) in steps.iter().enumerate() {
            wishes.entry(*transfer).or_default().push((trail, step));
        }
    }
    let mut oracle = Oracle::new(request.policy, case, labels, &past.opening()?);
    let (mut found, mut rank) = (Found::default(), 0);
    let blocks = past.sizes().blocks as u64;
    for (at, block) in past.blocks().enumerate() {
        let block = block?;
        if at % 1_024 == 0 {
            progress(at as u64, blocks);
        }
        // Chains share no units, so another chain's blocks change nothing here.
        if block.chain != chain || block.number > request.block {
            continue;
        }
        found.head = Some((block.number, block.timestamp_ms));
        for event in &block.events {
            rank += 1;
            let step = oracle.apply(&block, event);
            if let (Some(step), Action::Transfer { to, .. }) = (&step, event.action)
                && to == request.account.address
                && matches!(step.outcome, Outcome::Service(_))
                && step.moved > 0
            {
                let (units, hops) = found.arrived;
                let least = hops.map_or(step.hops, |hops| hops.min(step.hops));
                found.arrived = (units.saturating_add(step.moved), Some(least));
            }
            let place = flow_core::TransferRef { tx: event.tx, position: event.position };
            let Some(wanted) = wishes.get(&place) else { continue };
            if let Some(fact) = fact(rank, &block, event, step) {
                found.steps.extend(wanted.iter().map(|wish| (*wish, fact.clone())));
            }
        }
    }
    found.row = oracle.answer().rows.into_iter().find(|row| row.account == request.account);
    Ok(found)
}

/// Whether each trail leads from a source of the case to the account.
fn prove(request: &ParsedRequest, case: &Case, found: &Found, wrong: &mut Vec<Difference>) {
    for (at, trail) in request.trails.iter().enumerate() {
        let facts = found.steps.range((at, 0)..(at + 1, 0));
        let facts: BTreeMap<usize, Fact> =
            facts.map(|((_, step), fact)| (*step, fact.clone())).collect();
        let steps: Vec<PathStep> =
            trail.iter().enumerate().map(|(at, place)| step(*place, facts.get(&at))).collect();
        let chain = Chain { path: &steps, omitted: 0, case, facts: &facts };
        for (field, recorded, objection) in chain_of_proof(&chain) {
            wrong.push(difference(&format!("trails[{at}].{field}"), &recorded, objection));
        }
        let end = steps.len().checked_sub(1).and_then(|last| facts.get(&last));
        if end.is_some_and(|end| end.to != request.account) {
            let objection = "the trail ends elsewhere".to_owned();
            wrong.push(difference(&format!("trails[{at}]"), "", objection));
        }
    }
    let head = found.head.map_or(0, |(block, _)| block);
    if request.trails.is_empty() && !is_active_source(case, request.account, head) {
        let objection = "the account is no source, so there must be one".to_owned();
        wrong.push(difference("trails", "nothing", objection));
    }
}

fn step(transfer: flow_core::TransferRef, fact: Option<&Fact>) -> PathStep {
    let nobody = flow_core::Address([0; 20]);
    PathStep {
        transfer,
        block: fact.map_or(0, |fact| fact.block),
        timestamp_ms: fact.map_or(0, |fact| fact.timestamp_ms),
        from: fact.map_or(nobody, |fact| fact.from.address),
        to: fact.map_or(nobody, |fact| fact.to.address),
        amount: fact.map_or(0, |fact| fact.amount),
        tainted: fact.and_then(|fact| fact.step.as_ref()).map_or(0, |step| step.moved),
    }
}

/// The request as it ought to be. What cannot be worked out is taken over.
fn rebuilt(
    record: &RequestRecord,
    request: &ParsedRequest,
    case: &Case,
    labels: &[Label],
    found: &Found,
) -> RequestRecord {
    let AccountKey { chain, address } = request.account;
    let label = labels.iter().rev().find(|label| label.account == request.account);
    let at_service = label.is_some_and(|label| label.stop);
    let row = found.row.filter(|_| !at_service);
    let (balance, tainted) = row.map_or((0, 0), |row| (row.balance, row.tainted));
    let of_wallet = |units: u64| (!at_service).then_some(Units(units));
    let trails = record.trails.iter().enumerate();
    RequestRecord {
        act_by: ActByRecord::from(&Actor::of(label)),
        contract: contract(chain).to_owned(),
        address: address::format(chain, address),
        time: rfc3339_utc(found.head.map_or(0, |(_, time_ms)| time_ms)),
        balance: of_wallet(balance),
        tainted: Units(if at_service { found.arrived.0 } else { tainted }),
        clean: of_wallet(balance.saturating_sub(tainted)),
        share_ppm: (!at_service).then(|| share_ppm(tainted, balance)),
        hops: if at_service { found.arrived.1 } else { row.map(|row| row.hops) }.unwrap_or(0),
        frozen: (!at_service).then(|| row.is_some_and(|row| row.frozen)),
        case: case_file::case_record(case),
        trails: trails.map(|(at, trail)| right_trail(trail, at, found)).collect(),
        confidential: true,
        ..record.clone()
    }
}

fn right_trail(trail: &TrailRecord, at: usize, found: &Found) -> TrailRecord {
    let steps = trail.steps.iter().enumerate();
    let steps: Vec<StepRecord> =
        steps.map(|(step, told)| right_step(told, found.steps.get(&(at, step)))).collect();
    let strength = steps.iter().map(|step| step.tainted.0).min().unwrap_or(0);
    TrailRecord { strength: Units(strength), steps }
}

/// A step that is not there has been told; it is not told field by field.
fn right_step(told: &StepRecord, fact: Option<&Fact>) -> StepRecord {
    let Some(fact) = fact else { return told.clone() };
    let key = |account: AccountKey| address::format(account.chain, account.address);
    let (before, tainted, moved) = fact
        .step
        .as_ref()
        .map_or((0, 0, 0), |step| (step.from_before, step.from_tainted, step.moved));
    StepRecord {
        block: fact.block,
        time: rfc3339_utc(fact.timestamp_ms),
        tx: told.tx.clone(),
        log_index: fact.log_index,
        event_position: told.event_position,
        from: key(fact.from),
        to: key(fact.to),
        amount: Units(fact.amount),
        sender_balance: Units(before),
        sender_tainted: Units(tainted),
        tainted: Units(moved),
    }
}
