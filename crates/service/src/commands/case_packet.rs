//! `usdt-flow case packet`: what an issuer or a service asks for before it
//! freezes.

use std::path::{Path, PathBuf};

use flow_codec::address;

use super::case_report::{file_name, write};
use crate::casework::dsse::SigningKey;
use crate::casework::inputs::{self, inputs};
use crate::casework::letter::letter;
use crate::casework::packet::{Asker, PAYLOAD_TYPE, packet};
use crate::cli::{GlobalArgs, PacketArgs};
use crate::trace::names;

/// Traces the case, writes the request, signs it if there is a key.
pub fn execute(args: &PacketArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let case = super::trace::known_case(&args.id, &args.cases)?;
    let account = names::account(&args.address)?;
    let (mut past, config) = super::trace::open_configured(&args.past, &[], args.flags(), global)?;
    // A key that cannot be used is told before anything is written.
    let key = config.casework.key_file.as_deref().map(SigningKey::read).transpose()?;
    let trace = super::case::balanced(&past, &case, args.policy, &args.past)?;
    let asker = Asker {
        reference: args.reference.clone(),
        agency: args.agency.clone(),
        contact: args.contact.clone(),
        date: args.date.clone(),
        note: args.note.clone(),
        to: args.to,
        k: args.k as usize,
        inputs: inputs(&args.cases, &[], &args.past)?,
        command: command(args),
    };
    let packet = packet(&mut past, (&case, &trace), account, &asker)?;
    if packet.record.frozen == Some(true) {
        eprintln!("note: the account is frozen already");
    }
    let address = address::format(account.chain, account.address);
    let folder = format!("packet-{}-{address}", file_name(&args.id));
    let dir: PathBuf = args.output.clone().unwrap_or_else(|| Path::new(&folder).to_owned());
    let json = format!("{}\n", serde_json::to_string_pretty(&packet.record)?);
    write(&dir, "request.json", json.as_bytes())?;
    let letter = letter(&packet);
    write(&dir, "request.md", letter.markdown().as_bytes())?;
    write(&dir, "request.html", letter.html().as_bytes())?;
    if let Some(key) = key {
        let envelope = key.sign(PAYLOAD_TYPE, json.as_bytes());
        let envelope = format!("{}\n", serde_json::to_string_pretty(&envelope)?);
        write(&dir, "request.dsse.json", envelope.as_bytes())?;
        eprintln!("signed with the key {}", key.public().id());
    }
    Ok(())
}

/// The command that gives the same record again.
fn command(args: &PacketArgs) -> String {
    let mut words = ["usdt-flow", "case", "packet"].map(str::to_owned).to_vec();
    words.extend([args.id.clone(), args.address.clone()]);
    let mut flag = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
    args.cases.iter().for_each(|path| flag("--cases", &path.display().to_string()));
    inputs::past_words(&args.past).chunks(2).for_each(|pair| flag(&pair[0], &pair[1]));
    flag("--policy", args.policy.name());
    flag("-k", &args.k.to_string());
    flag("--reference", &args.reference);
    flag("--agency", &args.agency);
    flag("--contact", &args.contact);
    for (name, value) in [("--date", &args.date), ("--note", &args.note)] {
        value.iter().for_each(|value| flag(name, value));
    }
    inputs::shell(&words)
}
