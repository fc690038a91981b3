//! Records of every format, JSON and CSV.
//!
//! What the decoders promise: a record is decoded whole or refused whole, with
//! a reason; the format is told from the record alone; the records before one
//! never change what it means.

use flow_codec::{CsvLayout, DecodeError, Decoded, Decoder, Format};
use flow_core::Chain;

use crate::seeds::templates;

/// Lines or rows of one input that are looked at.
const LINES_MAX: usize = 64;

/// Characters of the longest text that an error has: some 80 of the value at
/// fault, and what is said of it.
const ERROR_MAX: usize = 400;

/// The headers behind which rows are decoded that bring none.
const HEADERS: [&[&str]; 3] = [
    &["chain", "block", "log_index", "timestamp", "tx", "event", "from", "to", "amount"],
    &["amount", "to", "note", "from", "event", "tx", "block", "chain"],
    &["block_number", "timestamp_s", "log_index", "tx_hash", "contract", "from", "to", "value_raw"],
];

/// Decodes the bytes as one record, as lines of records, and as rows of CSV.
pub fn decode_record(data: &[u8]) {
    let mut warm = Decoder::new(None);
    for template in templates() {
        warm.decode(template.as_bytes(), &mut Vec::new()).expect("a template is well formed");
    }
    decode_each_way(&mut warm, data);
    if data.contains(&b'\n') {
        data.split(|byte| *byte == b'\n')
            .take(LINES_MAX)
            .for_each(|line| decode_each_way(&mut warm, line));
    }
    decode_rows(data);
}

fn decode_each_way(warm: &mut Decoder, record: &[u8]) {
    let told = decode_json(warm, record);
    assert_eq!(told, decode_json(&mut Decoder::new(None), record), "earlier records tell");
    let recognised = Format::recognise(record);
    for format in Format::ALL {
        let by_name = decode_json(&mut Decoder::new(Some(format)), record);
        if recognised == Ok(format) {
            assert_eq!(told, by_name, "{} is another format when named", format.name());
        }
    }
    if let Err(error) = recognised {
        assert_eq!(told, Err(error), "decoded without a format");
    }
}

fn decode_json(decoder: &mut Decoder, record: &[u8]) -> Result<Vec<Decoded>, DecodeError> {
    whole(|out| decoder.decode(record, out))
}

/// What was appended, if all is as promised.
fn whole(
    decode: impl FnOnce(&mut Vec<Decoded>) -> Result<(), DecodeError>,
) -> Result<Vec<Decoded>, DecodeError> {
    let before = Decoded::Solid { chain: Chain::Tron, number: 7 };
    let mut out = vec![before.clone()];
    let result = decode(&mut out);
    assert_eq!(out.first(), Some(&before), "what was there is changed");
    let told = out.split_off(1);
    match &result {
        Ok(()) => assert!(!told.is_empty(), "a record that means nothing"),
        Err(error) => {
            assert!(told.is_empty(), "a part of a refused record");
            assert!(!error.reason().is_empty());
            let text = error.to_string();
            assert!(text.chars().count() <= ERROR_MAX, "{text}");
        }
    }
    result.map(|()| told)
}

fn decode_rows(data: &[u8]) {
    let own = csv::ReaderBuilder::new().flexible(true).from_reader(data).headers().cloned();
    if let Ok(header) = own {
        match CsvLayout::from_header(header.iter()) {
            Ok(layout) => decode_rows_as(&layout, data),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    for header in HEADERS {
        if let Ok(layout) = CsvLayout::from_header(header.iter().copied()) {
            decode_rows_as(&layout, data);
        }
    }
}

fn decode_rows_as(layout: &CsvLayout, data: &[u8]) {
    let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(data);
    let mut warm = Decoder::new(None);
    for row in reader.byte_records().take(LINES_MAX).flatten() {
        let told = whole(|out| warm.decode_row(layout, &row, out));
        let alone = whole(|out| Decoder::new(None).decode_row(layout, &row, out));
        assert_eq!(told, alone, "earlier rows tell");
    }
}
