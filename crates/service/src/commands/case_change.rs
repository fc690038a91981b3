//! `usdt-flow case open`, `close` and `book`: what people say of cases.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use flow_codec::case_file::{self, CaseRecord, SourceRecord, Units};
use flow_core::Case;
use rdkafka::Message as _;

use crate::casework::bookings::{self, Booking, BookingKind};
use crate::cli::{BookCaseArgs, CasesPlaceArgs, CloseCaseArgs, GlobalArgs, OpenCaseArgs};
use crate::config::{KafkaConfig, read_file};
use crate::kafka::{TopicReader, write_record};
use crate::report::Explain;
use crate::trace::words::usdt;

/// Writes the record of a case.
pub(super) fn open(args: &OpenCaseArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let case = validated(args)?;
    let (place, known) = Place::find(&args.place, global)?;
    let is_open = known.contains_key(&case.id);
    if is_open && !args.replace {
        bail!(
            "case {} is open in {place} already; --replace writes another definition of it",
            case.id
        );
    }
    let record = case_file::case_to_json(&case);
    let (id, did) = (case.id.clone(), if is_open { "replaced" } else { "opened" });
    place.put(&id, Some(case), known)?;
    println!("{did} case {id} in {place}:\n{record}");
    Ok(())
}

/// Withdraws the record of a case.
pub(super) fn close(args: &CloseCaseArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let (place, known) = Place::find(&args.place, global)?;
    let ids: Vec<&str> = known.keys().map(String::as_str).collect();
    let open = if ids.is_empty() { "no case is".to_owned() } else { ids.join(", ") };
    ensure!(known.contains_key(&args.id), "case {} is not open in {place}; open: {open}", args.id);
    place.put(&args.id, None, known)?;
    println!("closed case {} in {place}", args.id);
    Ok(())
}

/// Appends a booking.
pub(super) fn book(args: &BookCaseArgs) -> anyhow::Result<()> {
    let seized = args.seized.clone().map(|amount| (BookingKind::Seized, amount));
    let recovered = args.recovered.clone().map(|amount| (BookingKind::Recovered, amount));
    let (kind, amount) = seized.or(recovered).context("name --seized or --recovered")?;
    let booking = Booking {
        case: args.id.clone(),
        chain: args.chain.name().to_owned(),
        kind,
        amount,
        date: args.date.clone(),
        reference: args.reference.clone(),
        note: args.note.clone(),
    };
    bookings::append(&args.bookings, &booking)
        .explain("nothing was booked", "usdt-flow case book --help shows how")?;
    let (file, amount) = (args.bookings.display(), usdt(booking.units()?));
    println!("booked in {file}: {} {amount} USDT for case {}", kind.name(), args.id);
    Ok(())
}

/// The case of the arguments, read as the input is.
fn validated(args: &OpenCaseArgs) -> anyhow::Result<Case> {
    let sources: anyhow::Result<Vec<SourceRecord>> =
        args.sources.iter().map(|text| source(text)).collect();
    let record = CaseRecord {
        id: args.id.clone(),
        title: args.title.clone(),
        category: args.category.clone(),
        sources: sources?,
        min_units: Units(args.min_units),
        max_hops: args.max_hops,
    };
    let (case, warnings) = case_file::parse_case(&serde_json::to_vec(&record)?)?;
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    Ok(case)
}

/// `CHAIN:ADDRESS[@SINCE_BLOCK]` or `CHAIN:TX:LOG_INDEX`.
fn source(text: &str) -> anyhow::Result<SourceRecord> {
    let shape = "a source is CHAIN:ADDRESS[@SINCE_BLOCK] or CHAIN:TX:LOG_INDEX";
    let (chain, rest) = text.split_once(':').with_context(|| format!("{text:?}: {shape}"))?;
    let mut record = SourceRecord {
        chain: chain.to_owned(),
        address: None,
        since_block: None,
        tx: None,
        log_index: None,
    };
    if let Some((tx, index)) = rest.split_once(':') {
        let index = index.parse().with_context(|| format!("{text:?}: {shape}"))?;
        (record.tx, record.log_index) = (Some(tx.to_owned()), Some(index));
        return Ok(record);
    }
    let (address, since) = rest.split_once('@').map_or((rest, None), |(a, s)| (a, Some(s)));
    record.address = Some(address.to_owned());
    let since = since.map(|since| since.parse().with_context(|| format!("{text:?}: {shape}")));
    record.since_block = since.transpose()?;
    Ok(record)
}

/// Where cases are written.
enum Place<'a> {
    File(&'a Path),
    Topic(Box<KafkaConfig>, String),
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::File(path) => write!(f, "{}", path.display()),
            Place::Topic(_, topic) => write!(f, "topic {topic}"),
        }
    }
}

/// Open cases by id; none in place of one that cannot be read.
type Known = BTreeMap<String, Option<Case>>;

impl Place<'_> {
    /// The place, and the cases that are open there.
    fn find<'a>(
        args: &'a CasesPlaceArgs,
        global: &GlobalArgs,
    ) -> anyhow::Result<(Place<'a>, Known)> {
        if let Some(path) = &args.cases {
            return Ok((Place::File(path), of_file(path)?));
        }
        let config = super::load(&args.config, args.flags(), global)?.config;
        let topic = config.knowledge.cases_topic.clone().context(
            "input.cases_topic is empty, so the service reads cases from files alone; name the \
             file with --cases",
        )?;
        let known = of_topic(&config.kafka, &topic)?;
        Ok((Place::Topic(Box::new(config.kafka), topic), known))
    }

    /// Writes the case, or that it is closed.
    fn put(&self, id: &str, case: Option<Case>, mut known: Known) -> anyhow::Result<()> {
        match self {
            Place::Topic(kafka, topic) => {
                let value = case.as_ref().map(case_file::case_to_json);
                write_record(kafka, topic, id, value.as_deref())
            }
            Place::File(path) => {
                known.remove(id);
                known.extend(case.map(|case| (id.to_owned(), Some(case))));
                let records: Vec<CaseRecord> =
                    known.values().flatten().map(case_file::case_record).collect();
                let text = format!("{}\n", serde_json::to_string_pretty(&records)?);
                let failed = || format!("cannot write {}", path.display());
                let beside = path.with_extension("new");
                std::fs::write(&beside, text).with_context(failed)?;
                std::fs::rename(&beside, path).with_context(failed)
            }
        }
    }
}

fn of_file(path: &Path) -> anyhow::Result<Known> {
    if !path.exists() {
        return Ok(Known::new());
    }
    let read = case_file::parse_cases(&read_file(path)?).explain(
        format!("{} holds no cases", path.display()),
        "it must be a JSON array of cases, as docs/input.md shows",
    )?;
    Ok(read.cases.into_iter().map(|case| (case.id.clone(), Some(case))).collect())
}

fn of_topic(kafka: &KafkaConfig, topic: &str) -> anyhow::Result<Known> {
    let mut known = Known::new();
    TopicReader::open(kafka, topic)?.read_to_end(|message| {
        let id = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
        match message.payload().filter(|value| !value.is_empty()) {
            Some(value) => {
                known.insert(id, case_file::parse_case(value).ok().map(|(case, _)| case))
            }
            None => known.remove(&id),
        };
        Ok(())
    })?;
    Ok(known)
}
