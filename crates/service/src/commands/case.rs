//! `usdt-flow case`: where the money of cases is now.

use flow_core::{Case, Past, Policy, Trace};
use serde_json::{Value, json};

use crate::cli::{CaseArgs, CaseCommand, CaseOutput, GlobalArgs, PastArgs, ShowCaseArgs};
use crate::knowledge::Knowledge;
use crate::trace::ledger::{self, Ledger};
use crate::trace::{TABLE_ROWS, output};

/// Opens the past, traces the cases through it, prints their ledgers.
pub fn execute(command: &CaseCommand, global: &GlobalArgs) -> anyhow::Result<()> {
    match command {
        CaseCommand::List(args) => list(args, global),
        CaseCommand::Show(args) => show(args, global),
        CaseCommand::Report(args) => super::case_report::execute(args, global),
        CaseCommand::Packet(args) => super::case_packet::execute(args, global),
    }
}

fn list(args: &CaseArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let past = super::trace::open(&args.past, &[], global)?;
    let cases = Knowledge::read(&args.cases, &[], &[])?.cases;
    let mut traces = Vec::new();
    for case in &cases {
        traces.push((case, balanced(&past, case, args.policy, &args.past)?.totals));
    }
    let mut out = output(args.out.as_deref())?;
    match args.output {
        CaseOutput::Table => {
            write!(out, "{}", super::columns(&ledger::lines(&traces)))?;
        }
        CaseOutput::Json => {
            let cases: Vec<Value> =
                traces.iter().map(|(case, totals)| ledger::summary(case, totals)).collect();
            let (policy, as_of) = (args.policy.name(), ledger::as_of(&past)?);
            writeln!(out, "{:#}", json!({ "policy": policy, "as_of": as_of, "cases": cases }))?;
        }
    }
    Ok(out.flush()?)
}

fn show(args: &ShowCaseArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let (id, limit, args) = (&args.id, args.limit, &args.case);
    let case = super::trace::known_case(id, &args.cases)?;
    let mut past = super::trace::open(&args.past, &[], global)?;
    let trace = balanced(&past, &case, args.policy, &args.past)?;
    let ledger = Ledger::of(&mut past, case, trace)?;
    let mut out = output(args.out.as_deref())?;
    match args.output {
        CaseOutput::Table => ledger.table(&mut out, &past, limit.unwrap_or(TABLE_ROWS))?,
        CaseOutput::Json => {
            writeln!(out, "{:#}", ledger.json(&past, limit.unwrap_or(usize::MAX))?)?;
        }
    }
    Ok(out.flush()?)
}

/// The trace of the case, whose books must add up; under `poison` they need
/// not.
pub(super) fn balanced(
    past: &Past,
    case: &Case,
    policy: Policy,
    args: &PastArgs,
) -> anyhow::Result<Trace> {
    let trace = super::trace::follow(past, case, policy, args)?;
    anyhow::ensure!(
        policy == Policy::Poison || trace.totals.is_conserved(),
        "the books of case {} do not add up; this is an error of usdt-flow, please report it",
        case.id
    );
    Ok(trace)
}
