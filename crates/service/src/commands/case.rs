//! `usdt-flow case`: where the money of cases is now.

use std::io::Write;

use flow_core::{Case, Past, Policy, Trace};
use serde_json::{Value, json};

use crate::casework::bookings::{self, Booking};
use crate::cli::{CaseArgs, CaseCommand, CaseOutput, GlobalArgs, PastArgs, ShowCaseArgs};
use crate::knowledge::Knowledge;
use crate::trace::ledger::{self, Ledger};
use crate::trace::{TABLE_ROWS, output};

/// Opens the past, traces the cases through it, prints their ledgers.
pub fn execute(command: &CaseCommand, global: &GlobalArgs) -> anyhow::Result<()> {
    match command {
        CaseCommand::List(args) => list(args, global),
        CaseCommand::Show(args) => show(args, global),
        CaseCommand::Open(args) => super::case_change::open(args, global),
        CaseCommand::Close(args) => super::case_change::close(args, global),
        CaseCommand::Book(args) => super::case_change::book(args),
        CaseCommand::Report(args) => super::case_report::execute(args, global),
        CaseCommand::Packet(args) => super::case_packet::execute(args, global),
    }
}

fn list(args: &CaseArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let past = super::trace::open(&args.past, &[], global)?;
    let cases = Knowledge::read(&args.cases, &[], &[])?.cases;
    let booked = bookings::read_all(&args.bookings)?;
    let mut traces = Vec::new();
    for case in &cases {
        traces.push((case, balanced(&past, case, args.policy, &args.past)?.totals));
    }
    let mut out = output(args.out.as_deref())?;
    match args.output {
        CaseOutput::Table => {
            write!(out, "{}", super::columns(&ledger::lines(&traces)))?;
            for case in &cases {
                booked_lines(&mut out, &booked, &case.id)?;
            }
        }
        CaseOutput::Json => {
            let case = |(case, totals): &(&Case, _)| {
                let mut value = ledger::summary(case, totals);
                value["booked"] = bookings::summary(&booked, &case.id)?;
                anyhow::Ok(value)
            };
            let cases: Vec<Value> = traces.iter().map(case).collect::<anyhow::Result<_>>()?;
            let (policy, as_of) = (args.policy.name(), ledger::as_of(&past)?);
            writeln!(out, "{:#}", json!({ "policy": policy, "as_of": as_of, "cases": cases }))?;
        }
    }
    Ok(out.flush()?)
}

fn show(args: &ShowCaseArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let (id, limit, args) = (&args.id, args.limit, &args.case);
    let booked = bookings::read_all(&args.bookings)?;
    let case = super::trace::known_case(id, &args.cases)?;
    let mut past = super::trace::open(&args.past, &[], global)?;
    let trace = balanced(&past, &case, args.policy, &args.past)?;
    let ledger = Ledger::of(&mut past, case, trace)?;
    let mut out = output(args.out.as_deref())?;
    match args.output {
        CaseOutput::Table => {
            ledger.table(&mut out, &past, limit.unwrap_or(TABLE_ROWS))?;
            booked_lines(&mut out, &booked, id)?;
        }
        CaseOutput::Json => {
            let mut value = ledger.json(&past, limit.unwrap_or(usize::MAX))?;
            value["booked"] = bookings::summary(&booked, id)?;
            writeln!(out, "{value:#}")?;
        }
    }
    Ok(out.flush()?)
}

/// What was booked of a case by hand, for people; nothing if there is nothing.
fn booked_lines(out: &mut dyn Write, booked: &[Booking], case: &str) -> anyhow::Result<()> {
    let lines = bookings::lines(booked, case)?;
    if !lines.is_empty() {
        writeln!(out, "\nBooked by hand for case {case}; the ledger does not rest on it:")?;
    }
    for line in lines {
        writeln!(out, "  {line}")?;
    }
    Ok(())
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
