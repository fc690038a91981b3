//! `usdt-flow verify`: alert records worked out anew by a second
//! implementation.

use std::io::Write;

use flow_codec::address;
use serde_json::json;

use crate::cli::{GlobalArgs, VerifyArgs};
use crate::knowledge::Knowledge;
use crate::report::Misuse;
use crate::trace::source::{bar, move_on};
use crate::trace::verify::{Difference, Recorded, Verdict, check, read};

/// Reads the records, checks them, prints what it found.
pub fn execute(args: &VerifyArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let (records, verdicts) = checked(args, global).map_err(|error| error.context(Misuse))?;
    let mut out = std::io::stdout().lock();
    for (record, verdict) in records.iter().zip(&verdicts) {
        if args.json {
            writeln!(out, "{}", object(record, verdict))?;
        } else {
            line(&mut out, record, verdict, args.quiet)?;
        }
    }
    let count = |is: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| is(verdict)).count();
    let differ = count(|verdict| matches!(verdict, Verdict::Differs(_)));
    let retracted = count(|verdict| *verdict == Verdict::Retracted);
    let right = verdicts.len() - differ - retracted;
    let told = format!("{right} alerts ok, {differ} differ, {retracted} retracted");
    if args.json {
        eprintln!("{told}");
    } else {
        writeln!(out, "{told}")?;
    }
    anyhow::ensure!(differ == 0, "{differ} of {} alerts differ from the history", verdicts.len());
    Ok(())
}

fn checked(
    args: &VerifyArgs,
    global: &GlobalArgs,
) -> anyhow::Result<(Vec<Recorded>, Vec<Verdict>)> {
    let mut records = Vec::new();
    for path in &args.records {
        records.extend(read(path)?);
    }
    anyhow::ensure!(!records.is_empty(), "there is no record to verify");
    let past = super::trace::open(&args.past, &[], global)?;
    let known = Knowledge::read(&args.cases, &args.past.labels, &[])?;
    let bar = bar(args.past.no_progress, Some(0), "verifying");
    let verdicts = check(&past, &known.cases, &known.labels, &records, move_on(&bar))?;
    bar.finish_and_clear();
    Ok((records, verdicts))
}

/// What the record is called, as far as it says so.
fn name(record: &Recorded) -> String {
    match &record.alert {
        Ok(alert) => {
            let (id, subject) = (hex::encode(alert.id.0), address::format_account(alert.subject));
            format!("{id}  {:<13} {subject}", alert.rule.name())
        }
        Err(_) => record.value["alert_id"].as_str().unwrap_or("a record without id").to_owned(),
    }
}

fn line(
    out: &mut impl Write,
    record: &Recorded,
    verdict: &Verdict,
    quiet: bool,
) -> anyhow::Result<()> {
    let name = name(record);
    match verdict {
        Verdict::Right if !quiet => writeln!(out, "ok         {name}")?,
        Verdict::Retracted if !quiet => writeln!(out, "retracted  {name}")?,
        Verdict::Right | Verdict::Retracted => {}
        Verdict::Differs(differences) => {
            writeln!(out, "differs    {name}")?;
            for Difference { field, recorded, recomputed } in differences {
                writeln!(out, "  {field}: recorded {recorded}, recomputed {recomputed}")?;
            }
        }
    }
    Ok(())
}

fn object(record: &Recorded, verdict: &Verdict) -> serde_json::Value {
    let (result, differences) = match verdict {
        Verdict::Right => ("ok", &[][..]),
        Verdict::Retracted => ("retracted", &[][..]),
        Verdict::Differs(differences) => ("differs", differences.as_slice()),
    };
    let difference = |difference: &Difference| {
        json!({
            "field": difference.field,
            "recorded": difference.recorded,
            "recomputed": difference.recomputed,
        })
    };
    json!({
        "alert_id": record.value["alert_id"],
        "result": result,
        "differences": differences.iter().map(difference).collect::<Vec<_>>(),
    })
}
