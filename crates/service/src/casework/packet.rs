//! What an issuer or a service asks for before it freezes an account.
//!
//! What always holds: a service's account is never named to the issuer, and
//! every figure holds as of the last block of the past, so that whoever has the
//! chain can work it out again.

use flow_codec::wire::{
    ActByRecord, InputRecord, REQUEST_TYPE, RequestRecord, SCHEMA_VERSION, StepRecord, TrailRecord,
    Units, contract, rfc3339_utc, share_ppm,
};
use flow_codec::{address, case_file};
use flow_core::{AccountKey, Actor, Case, Label, Outcome, Past, Trace};

use super::inputs::Input;
use super::trail::{Trail, Trails, trails};
use crate::cli::Recipient;
use crate::report::Explain;
use crate::trace::hop::FullHop;
use crate::trace::names;

/// The media type of a signed request.
pub const PAYLOAD_TYPE: &str = "application/vnd.usdt-flow.freeze-request.v1+json";

/// What the asker says.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The file number of the police or the prosecutor.
    pub reference: String,
    /// The authority that asks.
    pub agency: String,
    /// Who answers questions, and how to reach them.
    pub contact: String,
    /// The date of the request.
    pub date: Option<String>,
    /// What else there is to say.
    pub note: Option<String>,
    /// Who is to be asked; else as the label of the account says.
    pub to: Option<Recipient>,
    /// So many trails.
    pub k: usize,
    /// What the figures rest on.
    pub inputs: Vec<Input>,
    /// The command that gives the same again.
    pub command: String,
}

/// A request, with its trails in full.
#[derive(Clone, Debug)]
pub struct Packet {
    /// What is sent.
    pub record: RequestRecord,
    /// The trails, for people.
    pub trails: Vec<Trail>,
}

/// What a case has in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holding {
    tainted: u64,
    hops: u32,
    /// Of a wallet: its balance, and whether it is frozen.
    wallet: Option<(u64, bool)>,
}

/// The request to freeze that account for the case that was traced.
///
/// # Errors
/// If nothing tainted is there, the account is nobody's, the issuer would be
/// asked for a service's account, or the past cannot be read.
pub fn packet(
    past: &mut Past,
    (case, trace): (&Case, &Trace),
    account: AccountKey,
    asker: &Asker,
) -> anyhow::Result<Packet> {
    let name = address::format_account(account);
    let failed = || format!("cannot ask to freeze {name}");
    let (_, id) = names::seen(past, &name)?;
    if account.address.is_reserved() {
        return Err(anyhow::anyhow!("it is nobody's wallet"))
            .explain(failed(), "units there cannot be moved, so nothing needs to be frozen");
    }
    let label = past.label(id).cloned();
    refuse_recipient(label.as_ref(), asker.to).explain(
        failed(),
        "leave out --to, and the label says who is asked; docs/casework.md has the rules",
    )?;
    let Some(holding) = holding(past, trace, id, label.as_ref())? else {
        let hint = format!(
            "usdt-flow case show {} tells who holds tainted units; {}",
            case.id,
            names::covers(past, account.chain)?
        );
        return Err(anyhow::anyhow!("no tainted unit of the case is there"))
            .explain(failed(), hint);
    };
    let Trails { trails, given_up } = trails(past, trace, id, asker.k)?;
    let covered = past.covered(account.chain)?.expect("the account was seen there");
    let (block, time_ms) = covered.last;
    let balance = holding.wallet.map(|(balance, _)| balance);
    let record = RequestRecord {
        r#type: REQUEST_TYPE.to_owned(),
        schema_version: SCHEMA_VERSION,
        reference: asker.reference.clone(),
        agency: asker.agency.clone(),
        contact: asker.contact.clone(),
        date: asker.date.clone(),
        note: asker.note.clone(),
        act_by: ActByRecord::from(&Actor::of(label.as_ref())),
        chain: account.chain.name().to_owned(),
        contract: contract(account.chain).to_owned(),
        address: address::format(account.chain, account.address),
        block,
        time: rfc3339_utc(time_ms),
        balance: balance.map(Units),
        tainted: Units(holding.tainted),
        clean: balance.map(|balance| Units(balance.saturating_sub(holding.tainted))),
        share_ppm: balance.map(|balance| share_ppm(holding.tainted, balance)),
        hops: holding.hops,
        frozen: holding.wallet.map(|(_, frozen)| frozen),
        policy: trace.policy.name().to_owned(),
        policy_version: trace.policy.version(),
        case: case_file::case_record(case),
        trails: trails.iter().map(trail_record).collect(),
        trails_given_up: given_up,
        software: concat!("usdt-flow ", env!("CARGO_PKG_VERSION")).to_owned(),
        command: asker.command.clone(),
        inputs: asker.inputs.iter().map(input_record).collect(),
        confidential: true,
    };
    Ok(Packet { record, trails })
}

fn refuse_recipient(label: Option<&Label>, to: Option<Recipient>) -> anyhow::Result<()> {
    let service = label.filter(|label| label.is_of_service());
    let label = match (to, service) {
        (Some(Recipient::Issuer), Some(label)) => label,
        (Some(Recipient::Service), None) => {
            anyhow::bail!("no label gives the account to a service")
        }
        _ => return Ok(()),
    };
    let Label { entity, kind, .. } = label;
    let why = if label.stop {
        "units of its customers mix there, and the issuer freezes no account of a service; its \
         compliance desk can hold what arrived"
    } else {
        "only the service knows whose deposits they are, and can hold them at once"
    };
    anyhow::bail!("it is an account of {entity} ({kind}): {why}")
}

fn holding(
    past: &Past,
    trace: &Trace,
    id: u32,
    label: Option<&Label>,
) -> anyhow::Result<Option<Holding>> {
    if label.is_some_and(|label| label.stop) {
        let arrivals =
            trace.hops.iter().filter(|hop| hop.to == id && hop.outcome == Outcome::Service);
        let tainted = arrivals.clone().fold(0, |sum: u64, hop| sum.saturating_add(hop.moved));
        let hops = arrivals.map(|hop| hop.hops).min().unwrap_or(0);
        return Ok((tainted > 0).then_some(Holding { tainted, hops, wallet: None }));
    }
    let Some(held) = trace.held.iter().find(|held| held.account == id && held.tainted > 0) else {
        return Ok(None);
    };
    let wallet = Some((past.balance(id, None)?, held.frozen));
    Ok(Some(Holding { tainted: held.tainted, hops: held.hops, wallet }))
}

fn trail_record(trail: &Trail) -> TrailRecord {
    TrailRecord {
        strength: Units(trail.strength),
        steps: trail.hops.iter().map(step_record).collect(),
    }
}

fn step_record(full: &FullHop) -> StepRecord {
    let (from, to) = full.ends();
    StepRecord {
        block: full.facts.block,
        time: full.time(),
        tx: full.tx(),
        log_index: full.facts.log_index,
        event_position: full.facts.transfer.position,
        from,
        to,
        amount: Units(full.hop.amount),
        sender_balance: Units(full.hop.before),
        sender_tainted: Units(full.hop.tainted_before),
        tainted: Units(full.hop.moved),
    }
}

fn input_record(input: &Input) -> InputRecord {
    InputRecord {
        holds: input.holds.to_owned(),
        name: input.name.clone(),
        bytes: input.bytes,
        sha256: input.sha256.clone(),
        segments: input.segments,
    }
}

/// Who is asked, in words.
pub fn asked(record: &RequestRecord) -> String {
    match &record.act_by.entity {
        Some(entity) => format!("the compliance desk of {entity}"),
        None => "Tether, the issuer of USDT".to_owned(),
    }
}
