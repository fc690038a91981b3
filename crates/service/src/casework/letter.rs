//! A request to freeze, for people to read.

use flow_codec::wire::RequestRecord;

use super::document::{Document, Text};
use super::packet::{Packet, asked};
use super::report::{columns, trail_rows};
use super::{Unit, percent};

/// The letter that goes with the record of a request.
pub fn letter(packet: &Packet) -> Document {
    let record = &packet.record;
    let verb = if record.act_by.entity.is_some() { "hold funds at" } else { "freeze" };
    let mut document = Document::new(format!("Request to {verb} {}", record.address));
    document.say(Text::strong("Confidential: whoever reads this can warn the holder."));
    document.table(&[], who(record));
    document.say(format!("To {}.", asked(record)));
    document.say(what_is_asked(record));
    if let Some(note) = &record.note {
        document.say(note.as_str());
    }
    document.chapter("The account");
    document.table(&[], account(record));
    document.chapter("Trail from the crime");
    trail(packet, &mut document);
    document.chapter("How this can be checked");
    check(record, &mut document);
    document
}

fn fact(name: &str, value: impl Into<Text>) -> Vec<Text> {
    vec![Text::plain(name), value.into()]
}

fn who(record: &RequestRecord) -> Vec<Vec<Text>> {
    let mut facts = vec![
        fact("Reference", record.reference.as_str()),
        fact("From", record.agency.as_str()),
        fact("Contact", record.contact.as_str()),
    ];
    facts.extend(record.date.as_ref().map(|date| fact("Date", date.as_str())));
    facts
}

fn what_is_asked(record: &RequestRecord) -> String {
    let case = record.case.title.as_ref().unwrap_or(&record.case.id);
    let units =
        format!("{} USDT that are traced to the case “{case}”", Unit::Usdt.of(record.tainted.0));
    match (&record.act_by.entity, record.balance) {
        (None, _) if record.frozen == Some(true) => format!(
            "The account below is frozen already. It holds {units}; we ask that the freeze be \
             kept."
        ),
        (None, _) => format!("We ask that the account below be frozen. It holds {units}."),
        (Some(_), Some(_)) => format!(
            "We ask that the funds at your deposit address below be held, and that its customer \
             be named to us and not be warned. It holds {units}."
        ),
        (Some(_), None) => format!(
            "We ask that the deposits below be held, and that the customers to whom they were \
             credited be named to us and not be warned. At your account arrived {units}."
        ),
    }
}

fn account(record: &RequestRecord) -> Vec<Vec<Text>> {
    let both =
        |units: u64| Text::plain(format!("{} USDT ({units} base units)", Unit::Usdt.of(units)));
    let mut facts = vec![
        fact("Chain", record.chain.as_str()),
        fact("USDT contract", Text::code(&record.contract)),
        fact("Address", Text::code(&record.address)),
        fact("As of block", format!("{} ({})", record.block, record.time)),
    ];
    match (record.balance, record.clean, record.share_ppm) {
        (Some(balance), Some(clean), Some(share)) => {
            facts.push(fact("Balance", both(balance.0)));
            facts.push(fact("Tainted units", both(record.tainted.0)));
            facts.push(fact("Tainted share of the balance", percent(share)));
            facts.push(fact("Clean units that a freeze would catch", both(clean.0)));
            let frozen = if record.frozen == Some(true) { "yes" } else { "no" };
            facts.push(fact("Frozen already", frozen));
        }
        _ => facts.push(fact("Tainted units that arrived in all", both(record.tainted.0))),
    }
    facts.push(fact("Transfers from the source, at least", record.hops.to_string()));
    facts.push(fact(
        "Rule of attribution",
        format!("{} (version {})", record.policy, record.policy_version),
    ));
    facts
}

fn trail(packet: &Packet, document: &mut Document) {
    if packet.trails.is_empty() {
        document.say("The account is itself a source of the case: nothing lies between.");
    }
    for (at, trail) in packet.trails.iter().enumerate() {
        let strength = Unit::Usdt.of(trail.strength);
        document.say(format!("Way {}, strength {strength} USDT:", at + 1));
        let names = ["#:", "when", "transfer", "moved (USDT):", "tainted (USDT):"];
        document.table(&columns(&names), trail_rows(&packet.record.policy, Unit::Usdt, trail));
    }
    if packet.record.trails_given_up {
        document.say("The search for more ways was given up; there may be others.");
    }
    document.say(
        "Each way shows transfers by which tainted units could come to the account, in the order \
         in which they happened. Strength is the fewest tainted units that one of them moved. \
         Other units may have come by other ways; the tainted units above count them all.",
    );
}

fn check(record: &RequestRecord, document: &mut Document) {
    document.say(
        "The record that goes with this letter holds the same for a program. Whoever has the \
         transfers of the chain and the files below can work every figure out anew, with a second \
         implementation that was written from the definition alone:",
    );
    document.listing("usdt-flow verify request.json --events EVENTS --labels LABELS");
    document.say(format!("It was made by {} with", record.software));
    document.listing(record.command.as_str());
    let rows = record.inputs.iter().map(|input| {
        vec![
            Text::plain(&input.holds),
            Text::code(&input.name),
            input.bytes.to_string().into(),
            Text::code(&input.sha256),
        ]
    });
    document.table(&columns(&["what", "file", "bytes:", "SHA-256"]), rows.collect());
}
