//! The compact format: read back as it was written, as its published schema
//! says, and refused where it is a little wrong.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::path::PathBuf;

use flow_codec::{
    ChainAction, ChainEvent, DecodeError, Decoded, Decoder, Format, LogIndex, compact,
};
use flow_core::{Action, Address, Block, BlockHash, Chain, LedgerEvent, MultisigAction, TxHash};
use proptest::prelude::*;
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, ReflectMessage, Value};

const NUMBER: u64 = 56_804_500;

fn decode(record: &[u8]) -> Result<Vec<Decoded>, DecodeError> {
    let before = Decoded::Solid { chain: Chain::Tron, number: 7 };
    let mut out = vec![before.clone()];
    let result = Decoder::new(None).decode(record, &mut out);
    assert_eq!(out[0], before);
    assert!(result.is_ok() || out.len() == 1, "a part of a refused record");
    result.map(|()| out.split_off(1))
}

fn reason(record: &[u8]) -> &'static str {
    decode(record).expect_err("must be refused").reason()
}

fn account(byte: u8) -> Address {
    Address([byte; 20])
}

fn hash() -> BlockHash {
    let mut bytes = [0xab; 32];
    bytes[..8].copy_from_slice(&NUMBER.to_be_bytes());
    BlockHash(bytes)
}

/// A block with an event of every kind.
fn block() -> Block {
    let (from, to, account, amount) = (account(1), account(2), account(3), 1_968_510_000);
    let actions = [
        Action::Transfer { from, to, amount },
        Action::Issue { to, amount },
        Action::Redeem { from, amount },
        Action::Destroy { account, amount },
        Action::BlacklistAdd { account },
        Action::BlacklistRemove { account },
    ];
    let event = |(action, n): (Action, u8)| LedgerEvent {
        tx: TxHash([n; 32]),
        log_index: Some(u32::from(n) * 100),
        position: 0,
        action,
    };
    Block {
        chain: Chain::Tron,
        number: NUMBER,
        hash: Some(hash()),
        timestamp_ms: 1_701_046_164_000,
        events: actions.into_iter().zip(0..).map(event).collect(),
    }
}

/// What a block must be decoded to, multisig steps left out.
fn told(block: &Block, solid: Option<u64>) -> Vec<Decoded> {
    let Block { chain, number, hash, timestamp_ms, ref events } = *block;
    let header = flow_codec::BlockHeader {
        chain,
        number,
        hash,
        timestamp_ms,
        transactions: Vec::new(),
        removed: false,
        solid,
    };
    let event = |event: &LedgerEvent| ChainEvent {
        chain,
        block: number,
        block_hash: hash,
        timestamp_ms: Some(timestamp_ms),
        tx: event.tx,
        index: event.log_index.map(LogIndex::InBlock),
        action: ChainAction::Ledger(event.action),
        removed: false,
        solid: None,
    };
    let moves = events.iter().filter(|event| !matches!(event.action, Action::Multisig(_)));
    std::iter::once(Decoded::Header(header)).chain(moves.map(event).map(Decoded::Event)).collect()
}

#[test]
fn a_block_reads_back_with_events_of_every_kind() {
    let record = compact::encode(&block(), Some(NUMBER));
    assert_eq!(Format::recognise(&record), Ok(Format::Compact));
    assert_eq!(decode(&record), Ok(told(&block(), Some(NUMBER))));
    let mut named = Vec::new();
    Decoder::new(Some(Format::Compact)).decode(&record, &mut named).unwrap();
    assert_eq!(named, told(&block(), Some(NUMBER)));
}

#[test]
fn other_formats_by_name_do_not_take_it_nor_it_them() {
    let record = compact::encode(&block(), None);
    for format in Format::ALL.into_iter().filter(|format| *format != Format::Compact) {
        let result = Decoder::new(Some(format)).decode(&record, &mut Vec::new());
        assert!(result.is_err(), "{}", format.name());
    }
    let plain = br#"{"chain":"tron"}"#;
    let result = Decoder::new(Some(Format::Compact)).decode(plain, &mut Vec::new());
    assert_eq!(result, Err(DecodeError::UnknownFormat));
}

#[test]
fn multisig_steps_are_left_out() {
    let mut block = block();
    let step = Action::Multisig(MultisigAction::Execution { id: 1 });
    block.events[2].action = step;
    assert_eq!(decode(&compact::encode(&block, None)), Ok(told(&block, None)));
}

fn any_address() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address)
}

fn any_event() -> impl Strategy<Value = LedgerEvent> {
    let action = (0..6_u8, any_address(), any_address(), any::<u64>()).prop_map(
        |(kind, account, to, amount)| match kind {
            0 => Action::Transfer { from: account, to, amount },
            1 => Action::Issue { to, amount },
            2 => Action::Redeem { from: account, amount },
            3 => Action::Destroy { account, amount },
            4 => Action::BlacklistAdd { account },
            _ => Action::BlacklistRemove { account },
        },
    );
    (any::<[u8; 32]>(), any::<Option<u32>>(), action).prop_map(|(tx, log_index, action)| {
        LedgerEvent { tx: TxHash(tx), log_index, position: 0, action }
    })
}

fn any_block() -> impl Strategy<Value = Block> {
    let tron = any::<bool>();
    let events = prop::collection::vec(any_event(), 0..20);
    (tron, any::<u64>(), any::<Option<[u8; 32]>>(), any::<u64>(), events).prop_map(
        |(tron, number, hash, timestamp_ms, events)| {
            let hash = hash.map(|mut bytes| {
                if tron {
                    bytes[..8].copy_from_slice(&number.to_be_bytes());
                }
                BlockHash(bytes)
            });
            let chain = if tron { Chain::Tron } else { Chain::Ethereum };
            Block { chain, number, hash, timestamp_ms, events }
        },
    )
}

proptest! {
    #[test]
    fn any_block_reads_back(block in any_block(), solid in any::<Option<u64>>()) {
        let record = compact::encode(&block, solid);
        prop_assert_eq!(decode(&record), Ok(told(&block, solid)));
        // Whoever reads by the published schema finds the same, and nothing
        // that it has not.
        let message = DynamicMessage::decode(schema("Block"), &record[..]).unwrap();
        prop_assert_eq!(message.unknown_fields().count(), 0);
        prop_assert_eq!(message.encode_to_vec(), record);
    }

    #[test]
    fn a_damaged_record_is_refused_or_read(
        block in any_block(), at in any::<prop::sample::Index>(), to in any::<u8>()
    ) {
        let mut record = compact::encode(&block, None);
        let at = at.index(record.len());
        record[at] = to;
        decode(&record).ok();
    }
}

/// A cut between two fields leaves a shorter message that is well formed.
#[test]
fn a_record_cut_off_tells_nothing_or_fewer_events() {
    let record = compact::encode(&block(), None);
    let all = told(&block(), None);
    let mut whole = 0;
    for len in 0..record.len() {
        match decode(&record[..len]) {
            Ok(told) => {
                let header = matches!(&told[0], Decoded::Header(header) if header.number == NUMBER);
                assert!(header && all[1..].starts_with(&told[1..]), "{len}: {told:?}");
                whole += 1;
            }
            Err(error) => {
                let known = ["invalid_protobuf", "invalid_json", "unknown_chain", "missing_field"];
                assert!(known.contains(&error.reason()), "{len}: {error}");
            }
        }
    }
    // After the time, after the hash, and after each event but the last.
    assert_eq!(whole, 2 + 5);
}

/// A message type of docs/schemas/compact.proto.
fn schema(name: &str) -> prost_reflect::MessageDescriptor {
    thread_local! {
        static POOL: DescriptorPool = {
            let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas");
            let files = protox::compile(["compact.proto"], [folder]).unwrap();
            DescriptorPool::from_file_descriptor_set(files).unwrap()
        };
    }
    POOL.with(|pool| pool.get_message_by_name(&format!("usdt_flow.compact.v1.{name}")).unwrap())
}

fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec().into())
}

/// A transfer by the schema, every field set.
fn event() -> DynamicMessage {
    let mut event = DynamicMessage::new(schema("Event"));
    event.set_field_by_name("tx", bytes(&[9; 32]));
    event.set_field_by_name("log_index", Value::U32(3));
    event.set_field_by_name("kind", Value::EnumNumber(1));
    event.set_field_by_name("from", bytes(&[1; 20]));
    event.set_field_by_name("to", bytes(&[2; 20]));
    event.set_field_by_name("amount", Value::U64(5));
    event
}

/// A block by the schema, every field set.
fn message(events: Vec<DynamicMessage>) -> DynamicMessage {
    let mut block = DynamicMessage::new(schema("Block"));
    block.set_field_by_name("magic", Value::U32(0x5444_5355));
    block.set_field_by_name("chain", Value::EnumNumber(2));
    block.set_field_by_name("number", Value::U64(NUMBER));
    block.set_field_by_name("timestamp_ms", Value::U64(1_701_046_164_000));
    block.set_field_by_name("hash", bytes(&hash().0));
    block.set_field_by_name("parent_hash", bytes(&[7; 32]));
    block.set_field_by_name("solid", Value::U64(NUMBER - 19));
    let events = events.into_iter().map(Value::Message).collect();
    block.set_field_by_name("events", Value::List(events));
    block
}

fn with(mut message: DynamicMessage, field: &str, value: Value) -> DynamicMessage {
    message.set_field_by_name(field, value);
    message
}

fn block_with(field: &str, value: Value) -> Vec<u8> {
    with(message(vec![event()]), field, value).encode_to_vec()
}

fn event_with(field: &str, value: Value) -> Vec<u8> {
    message(vec![event(), with(event(), field, value)]).encode_to_vec()
}

#[test]
fn what_the_schema_says_is_read() {
    for message in [message(vec![event()]), event()] {
        let unset: Vec<String> = message
            .descriptor()
            .fields()
            .filter(|field| !message.has_field(field))
            .map(|field| field.name().to_owned())
            .collect();
        assert_eq!(unset, [""; 0], "the schema has fields that this test does not know");
    }
    let transfer = Action::Transfer { from: account(1), to: account(2), amount: 5 };
    let tx = TxHash([9; 32]);
    let told_event = LedgerEvent { tx, log_index: Some(3), position: 0, action: transfer };
    let expected = Block { events: vec![told_event], ..block() };
    let record = message(vec![event()]).encode_to_vec();
    assert_eq!(decode(&record), Ok(told(&expected, Some(NUMBER - 19))));
}

#[test]
fn every_value_of_an_enumeration_means_something_and_no_other_does() {
    let values = |message: &str, field: &str| -> Vec<i32> {
        let field = schema(message).get_field_by_name(field).unwrap();
        let Kind::Enum(kind) = field.kind() else { panic!("no enumeration") };
        kind.values().map(|value| value.number()).collect()
    };
    let (chains, kinds) = (values("Block", "chain"), values("Event", "kind"));
    assert_eq!((chains.len(), kinds.len()), (1 + Chain::ALL.len(), 7));
    for code in -1..=20 {
        let unhashed = with(message(vec![]), "hash", bytes(b""));
        let chain = decode(&with(unhashed, "chain", Value::EnumNumber(code)).encode_to_vec());
        assert_eq!(chain.is_ok(), code != 0 && chains.contains(&code), "chain {code}");
        let kind = decode(&event_with("kind", Value::EnumNumber(code)));
        assert_eq!(kind.is_ok(), code != 0 && kinds.contains(&code), "kind {code}");
    }
}

#[test]
fn nearly_right_is_refused_for_a_reason() {
    let block = |field, value| reason(&block_with(field, value));
    assert_eq!(block("chain", Value::EnumNumber(0)), "unknown_chain");
    assert_eq!(block("hash", bytes(&hash().0[..31])), "invalid_hash");
    assert_eq!(block("hash", bytes(&[7; 32])), "invalid_hash", "the hash of another number");
    assert_eq!(block("number", Value::U64(NUMBER + 1)), "invalid_hash");
    assert_eq!(block("parent_hash", bytes(&[7; 33])), "invalid_hash");
    let event = |field, value| reason(&event_with(field, value));
    assert_eq!(event("tx", bytes(b"")), "missing_field");
    assert_eq!(event("tx", bytes(&[9; 31])), "invalid_hash");
    assert_eq!(event("kind", Value::EnumNumber(0)), "unknown_event");
    assert_eq!(event("from", bytes(b"")), "missing_field");
    assert_eq!(event("to", bytes(&[2; 21])), "invalid_address", "with TRON's prefix");
    let error = decode(&event_with("from", bytes(&[1; 19]))).unwrap_err();
    let shown = format!("field `from` is not an address: wrong length: `{}`", "01".repeat(19));
    assert_eq!(error.to_string(), shown);
}

#[test]
fn a_block_without_number_or_time_is_refused() {
    for field in ["number", "timestamp_ms"] {
        let mut message = message(vec![event()]);
        message.clear_field_by_name(field);
        let error = decode(&message.encode_to_vec()).unwrap_err();
        assert_eq!(error, DecodeError::MissingField { field });
    }
}

#[test]
fn fields_that_do_not_apply_are_not_looked_at() {
    for kind in [5, 6] {
        let mut freeze = with(event(), "kind", Value::EnumNumber(kind));
        freeze.set_field_by_name("to", bytes(b"nonsense"));
        assert_eq!(decode(&message(vec![freeze]).encode_to_vec()).unwrap().len(), 2);
    }
}

#[test]
fn what_may_be_left_out_is_none() {
    let mut bare = event();
    bare.clear_field_by_name("log_index");
    bare.clear_field_by_name("amount");
    let mut message = message(vec![bare]);
    for field in ["hash", "parent_hash", "solid"] {
        message.clear_field_by_name(field);
    }
    let decoded = decode(&message.encode_to_vec()).unwrap();
    let [Decoded::Header(header), Decoded::Event(event)] = &decoded[..] else { panic!() };
    assert_eq!((header.hash, header.solid, event.index), (None, None, None));
    let action = Action::Transfer { from: account(1), to: account(2), amount: 0 };
    assert_eq!(event.action, ChainAction::Ledger(action));
}

/// Bytes that no writer of the schema makes.
#[test]
fn what_the_schema_has_not_is_refused() {
    let whole = message(vec![event()]).encode_to_vec();
    let behind = |more: &[u8]| reason(&[&whole[..], more].concat());
    for (more, fault) in [
        (&[0x50, 1][..], "field 10"),
        (&[0x00, 1], "field 0"),
        (&[0x19, 1, 2, 3, 4, 5, 6, 7, 8], "the chain as eight bytes"),
        (&[0x1a, 0], "the chain as bytes"),
        (&[0x1b, 0x1c], "a group"),
        (&[0x1f], "no type of field"),
        (&[0x32, 0x7f], "bytes longer than the rest"),
        (&[0x32, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "2^64 - 1 bytes"),
        (&[0x20], "a number cut off"),
        (&[0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], "above 2^64"),
        (&[0x15, b'U', b'S', b'D', b'C'], "another magic"),
        (&[0x4a, 2, 0x38, 0], "an event's field 7"),
    ] {
        assert_eq!(behind(more), "invalid_protobuf", "{fault}");
    }
    assert_eq!(behind(&[0x4a, 0]), "missing_field", "an event of nothing");
    let mut index = vec![0x0a, 32];
    index.extend([9; 32]);
    index.extend([0x10, 0xff, 0xff, 0xff, 0xff, 0x1f]);
    index.splice(0..0, [0x4a, u8::try_from(index.len()).unwrap()]);
    assert_eq!(behind(&index), "invalid_number", "a log index above 2^32");
}

#[test]
fn the_last_of_a_field_told_twice_holds_wherever_it_stands() {
    let first = message(vec![event()]).encode_to_vec();
    let time = [0x28, 7];
    let told = decode(&[&first[..], &time].concat()).unwrap();
    let [Decoded::Header(header), Decoded::Event(event)] = &told[..] else { panic!() };
    assert_eq!((header.timestamp_ms, event.timestamp_ms), (7, Some(7)));
}

#[test]
fn a_record_that_does_not_begin_with_its_magic_is_of_another_format() {
    let record = compact::encode(&block(), None);
    for other in [&record[5..], &record[1..], &[&b"\0\0\0\0\x01"[..], &record].concat()] {
        assert_ne!(Format::recognise(other), Ok(Format::Compact));
        let named = Decoder::new(Some(Format::Compact)).decode(other, &mut Vec::new());
        assert_eq!(named, Err(DecodeError::UnknownFormat));
    }
}

#[test]
fn records_of_a_file_are_told_by_their_length() {
    let records = [block(), Block { events: Vec::new(), ..block() }]
        .map(|block| compact::encode(&block, None));
    let mut file = Vec::new();
    for record in &records {
        compact::write_delimited(record, &mut file);
    }
    let mut rest = &file[..];
    for record in &records {
        let (len, start) = compact::delimited(&rest[..compact::PEEK]).unwrap();
        assert_eq!(&rest[start..start + len], record);
        rest = &rest[start + len..];
    }
    assert!(rest.is_empty());
    for none in [&b""[..], b"{", b"chain,block", &records[0], &[0x80; 12], &file[..4]] {
        assert_eq!(compact::delimited(none), None);
    }
}
