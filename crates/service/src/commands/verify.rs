//! `usdt-flow verify`: alert records and requests to freeze worked out anew by
//! a second implementation.

use std::io::Write;

use flow_codec::address;
use flow_codec::wire::RequestRecord;
use flow_core::Past;
use serde_json::{Value, json};

use crate::casework::dsse::{Envelope, PublicKey};
use crate::casework::packet::PAYLOAD_TYPE;
use crate::cli::{GlobalArgs, VerifyArgs};
use crate::knowledge::Knowledge;
use crate::report::{Explain, Misuse};
use crate::trace::source::{bar, move_on};
use crate::trace::verify::{Difference, Recorded, Verdict, check, read, recorded, request};

/// A record, what it is called, and what became of it.
struct Checked {
    /// `alert_id` of an alert, or who a request is about.
    id: Value,
    name: String,
    is_request: bool,
    verdict: Verdict,
}

/// Reads the records, checks them, prints what it found.
pub fn execute(args: &VerifyArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let checked = checked(args, global).map_err(|error| error.context(Misuse))?;
    let mut out = std::io::stdout().lock();
    for record in &checked {
        if args.json {
            writeln!(out, "{}", object(record))?;
        } else {
            line(&mut out, record, args.quiet)?;
        }
    }
    let mut wrong = 0;
    for (is_request, what) in [(false, "alerts"), (true, "requests")] {
        let these = checked.iter().filter(|record| record.is_request == is_request);
        let verdicts: Vec<&Verdict> = these.map(|record| &record.verdict).collect();
        if verdicts.is_empty() {
            continue;
        }
        let count = |is: fn(&&&Verdict) -> bool| verdicts.iter().filter(is).count();
        let differ = count(|verdict| matches!(verdict, Verdict::Differs(_)));
        let retracted = count(|verdict| matches!(verdict, Verdict::Retracted));
        let refused = count(|verdict| matches!(verdict, Verdict::Refused(_)));
        let right = verdicts.len() - differ - retracted - refused;
        wrong += differ + refused;
        let last = if is_request {
            format!("{refused} refused")
        } else {
            format!("{retracted} retracted")
        };
        let told = format!("{right} {what} ok, {differ} differ, {last}");
        if args.json {
            eprintln!("{told}");
        } else {
            writeln!(out, "{told}")?;
        }
    }
    anyhow::ensure!(wrong == 0, "{wrong} of {} records are not right", checked.len());
    Ok(())
}

fn checked(args: &VerifyArgs, global: &GlobalArgs) -> anyhow::Result<Vec<Checked>> {
    let mut values = Vec::new();
    for path in &args.records {
        values.extend(read(path)?);
    }
    anyhow::ensure!(!values.is_empty(), "there is no record to verify");
    let key = args.public_key.as_deref().map(PublicKey::read).transpose()?;
    let (requests, alerts): (Vec<Value>, Vec<Value>) = values.into_iter().partition(is_request);
    if !alerts.is_empty() && args.cases.is_empty() {
        return Err(anyhow::anyhow!("no file of cases is named"))
            .explain("cannot verify alerts", "name the cases of the run with --cases FILE");
    }
    if !alerts.is_empty() && key.is_some() {
        return Err(anyhow::anyhow!("an alert record is not signed"))
            .explain("cannot check signatures of alerts", "leave out --public-key for them");
    }
    let past = super::trace::open(&args.past, &[], global)?;
    let known = Knowledge::read(&args.cases, &args.past.labels, &[])?;
    let alerts: Vec<Recorded> = alerts.into_iter().map(recorded).collect();
    let bar = bar(args.past.no_progress, Some(0), "verifying");
    let verdicts = check(&past, &known.cases, &known.labels, &alerts, move_on(&bar))?;
    let mut checked: Vec<Checked> = Vec::new();
    for (record, verdict) in alerts.iter().zip(verdicts) {
        let id = record.value["alert_id"].clone();
        checked.push(Checked { id, name: name(record), is_request: false, verdict });
    }
    for value in requests {
        checked.push(judged(&past, &known, &value, key.as_ref(), move_on(&bar))?);
    }
    bar.finish_and_clear();
    Ok(checked)
}

/// Whether it is a request to freeze, or an envelope, which can hold nothing
/// else.
fn is_request(value: &Value) -> bool {
    value["type"] == flow_codec::wire::REQUEST_TYPE || value.get("payloadType").is_some()
}

/// Checks the envelope of a request, then its evidence.
fn judged(
    past: &Past,
    known: &Knowledge,
    value: &Value,
    key: Option<&PublicKey>,
    progress: impl FnMut(u64, u64),
) -> anyhow::Result<Checked> {
    let refused = |reason: String| Checked {
        id: Value::Null,
        name: "a freeze request".to_owned(),
        is_request: true,
        verdict: Verdict::Refused(reason),
    };
    let json = match opened(value, key) {
        Ok(json) => json,
        Err(reason) => return Ok(refused(reason)),
    };
    let parsed = RequestRecord::read(&json);
    let (request, value) = match (parsed, serde_json::from_slice::<Value>(&json)) {
        (Ok(request), Ok(value)) => (request, value),
        (Err(error), _) => return Ok(refused(error.to_string())),
        (_, Err(error)) => return Ok(refused(error.to_string())),
    };
    let subject = address::format_account(request.1.account);
    let name = format!("freeze request  {subject}  case {}", request.1.case.id);
    let known = (known.cases.as_slice(), known.labels.as_slice());
    let verdict = match request::differences(past, known, &value, &request, progress)? {
        differences if differences.is_empty() => Verdict::Right,
        differences => Verdict::Differs(differences),
    };
    Ok(Checked { id: subject.into(), name, is_request: true, verdict })
}

/// The JSON of a request, out of its envelope if it is in one.
fn opened(value: &Value, key: Option<&PublicKey>) -> Result<Vec<u8>, String> {
    if value.get("payloadType").is_none() {
        return match key {
            None => Ok(value.to_string().into_bytes()),
            Some(_) => Err("it is not signed: give the file request.dsse.json".to_owned()),
        };
    }
    let envelope: Envelope = serde_json::from_value(value.clone())
        .map_err(|error| format!("it is no DSSE envelope: {error}"))?;
    let payload = match key {
        Some(key) => envelope.verified(PAYLOAD_TYPE, key),
        None => {
            eprintln!("note: without --public-key the signature is not checked");
            envelope.payload(PAYLOAD_TYPE)
        }
    };
    payload.map_err(|error| error.to_string())
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

fn line(out: &mut impl Write, record: &Checked, quiet: bool) -> anyhow::Result<()> {
    let name = &record.name;
    match &record.verdict {
        Verdict::Right if !quiet => writeln!(out, "ok         {name}")?,
        Verdict::Retracted if !quiet => writeln!(out, "retracted  {name}")?,
        Verdict::Right | Verdict::Retracted => {}
        Verdict::Differs(differences) => {
            writeln!(out, "differs    {name}")?;
            for Difference { field, recorded, recomputed } in differences {
                writeln!(out, "  {field}: recorded {recorded}, recomputed {recomputed}")?;
            }
        }
        Verdict::Refused(reason) => {
            writeln!(out, "refused    {name}")?;
            writeln!(out, "  {reason}")?;
        }
    }
    Ok(())
}

fn object(record: &Checked) -> Value {
    let (result, differences) = match &record.verdict {
        Verdict::Right => ("ok", &[][..]),
        Verdict::Retracted => ("retracted", &[][..]),
        Verdict::Differs(differences) => ("differs", differences.as_slice()),
        Verdict::Refused(_) => ("refused", &[][..]),
    };
    let difference = |difference: &Difference| {
        json!({
            "field": difference.field,
            "recorded": difference.recorded,
            "recomputed": difference.recomputed,
        })
    };
    let differences = differences.iter().map(difference).collect::<Vec<_>>();
    let mut object = json!({ "result": result, "differences": differences });
    object[if record.is_request { "account" } else { "alert_id" }] = record.id.clone();
    if let Verdict::Refused(reason) = &record.verdict {
        object["reason"] = reason.as_str().into();
    }
    object
}
