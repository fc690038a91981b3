//! Images: what is refused, and what is as it was.

use flow_core::{MultisigAction, MultisigCall};

use super::listener::{Listener, Told, hash, told};
use super::*;

/// A chain with a bit of everything: final blocks, blocks put out, one that is
/// held, a rival, a block taken back, headers, a call, a removal that came
/// ahead, and an event told in two blocks.
fn busy() -> Listener {
    let config = AssemblerConfig { finality_blocks: 4, ..AssemblerConfig::default() };
    let mut listener = Listener::with(config);
    let number = |n: u64| u8::try_from(n).unwrap();
    for n in 1..=9 {
        listener.hear(Told::Event(told(n, 1, number(n))));
        listener.hear(Told::Event(ChainEvent { block_hash: None, ..told(n, 1, 100 + number(n)) }));
        let transactions = vec![TxHash([number(n); 32])];
        let header = BlockHeader { hash: Some(hash(n, 1)), ..header(n, transactions) };
        listener.hear(Told::Header(header));
        listener.release(u64::MAX);
    }
    let call = MultisigCall::AddBlackList(Address([7; 20]));
    let step = Action::Multisig(MultisigAction::Submission { id: None, call: Some(call) });
    let action = ChainAction::Ledger(step);
    for event in [
        told(6, 2, 60),
        ChainEvent { action, index: None, timestamp_ms: None, ..told(9, 1, 90) },
        ChainEvent { action: ChainAction::IssueLog(5), ..told(8, 1, 91) },
        told(9, 1, 5),
        ChainEvent { removed: true, ..told(10, 3, 70) },
        ChainEvent { removed: true, block_hash: None, ..told(9, 1, 71) },
        ChainEvent { removed: true, block_hash: None, ..told(9, 1, 109) },
    ] {
        listener.hear(Told::Event(event));
    }
    listener
}

fn restored(bytes: &[u8]) -> Result<Assembler, AssemblerImageError> {
    Assembler::restore(Chain::Tron, AssemblerConfig::default(), bytes)
}

fn encoded(assembler: &Assembler) -> Vec<u8> {
    let mut bytes = Vec::new();
    assembler.image().encode(&mut bytes);
    bytes
}

#[test]
fn an_empty_assembler_is_a_few_bytes() {
    let bytes = encoded(&assembler(1));
    assert!(bytes.len() < 30, "{} bytes", bytes.len());
    assert_eq!(encoded(&restored(&bytes).unwrap()), bytes);
}

#[test]
fn an_image_is_appended() {
    let image = busy().assembler.image();
    let (mut bytes, mut alone) = (b"before".to_vec(), Vec::new());
    image.encode(&mut bytes);
    image.encode(&mut alone);
    assert_eq!(bytes.strip_prefix(b"before"), Some(&alone[..]));
}

#[test]
fn an_image_reads_back_whole_and_under_another_configuration() {
    let bytes = busy().image();
    let narrow = AssemblerConfig { window_blocks: 1, events_max: 3, finality_blocks: 2 };
    let mut other = Assembler::restore(Chain::Tron, narrow, &bytes).unwrap();
    assert_eq!(encoded(&other), bytes);
    let (mut out, mut narrower) = (Vec::new(), Vec::new());
    restored(&bytes).unwrap().flush(&mut out);
    other.flush(&mut narrower);
    assert_eq!(shown(&out), ["8: [8, 108, 5]", "9: [9, 0]"]);
    assert_eq!(shown(&narrower), shown(&out));
}

#[test]
fn another_version_and_another_chain_are_refused() {
    let mut bytes = busy().image();
    let error = Assembler::restore(Chain::Ethereum, AssemblerConfig::default(), &bytes);
    let (found, expected) = (Chain::Tron, Chain::Ethereum);
    assert_eq!(error.unwrap_err(), AssemblerImageError::Chain { found, expected });
    bytes[0] = 2;
    assert_eq!(restored(&bytes).unwrap_err(), AssemblerImageError::Version { found: 2 });
}

#[test]
fn an_image_cut_off_or_with_a_byte_too_many_is_refused() {
    let bytes = busy().image();
    for len in 0..bytes.len() {
        let error = restored(&bytes[..len]).unwrap_err();
        assert!(matches!(error, AssemblerImageError::Malformed { .. }), "{len}: {error}");
    }
    let error = restored(&[&bytes[..], &[0]].concat()).unwrap_err();
    assert_eq!(error.to_string(), "not the image of an assembler: 1 bytes too many");
}

/// What is damaged and yet consistent is taken for what it says, and goes on.
#[test]
fn no_flipped_bit_makes_an_assembler_panic() {
    let bytes = busy().image();
    let (mut taken, mut refused) = (0, 0);
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let Ok(mut assembler) = restored(&flipped) else {
            refused += 1;
            continue;
        };
        taken += 1;
        assert_eq!(encoded(&restored(&encoded(&assembler)).unwrap()), encoded(&assembler));
        let mut out = Vec::new();
        for n in 5..=12 {
            for branch in [1, 2] {
                let event = told(n, branch, 40 + u8::try_from(n).unwrap());
                for event in [event, ChainEvent { removed: true, ..event }, event] {
                    // Whether it is taken depends on the bit.
                    assembler.push(event).ok();
                    assembler.release(u64::MAX, &mut out);
                }
            }
        }
        assembler.flush(&mut out);
    }
    assert!(taken > 1_000 && refused > 300, "{taken} taken, {refused} refused");
}

/// Parts of an image are changed where they stand for something.
#[test]
fn what_contradicts_itself_is_refused() {
    let mut listener = busy();
    listener.assembler.settling = Some(1_000);
    let fault = |listener: &Listener| match restored(&listener.image()) {
        Err(AssemblerImageError::Contradiction { fault }) => fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(fault(&listener), "settling behind the newest block");

    let mut listener = busy();
    listener.assembler.finalized = Some(6);
    assert_eq!(fault(&listener), "heights");

    let mut listener = busy();
    listener.assembler.reverted = Some(2);
    assert_eq!(fault(&listener), "a revert of final blocks");

    let mut listener = busy();
    listener.assembler.clock = 3;
    assert_eq!(fault(&listener), "arrivals ahead of the clock");

    let mut listener = busy();
    listener.assembler.orphaned_events = u64::MAX;
    assert_eq!(fault(&listener), "counters");

    let mut listener = busy();
    listener.assembler.heights.get_mut(&6).unwrap().headed = Some(4);
    assert_eq!(fault(&listener), "a block that is not there");

    let mut listener = busy();
    let height = listener.assembler.heights.get_mut(&6).unwrap();
    height.applied = None;
    assert_eq!(fault(&listener), "a block was passed over");

    let mut listener = busy();
    let height = listener.assembler.heights.get_mut(&7).unwrap();
    height.branches[0].orphan(None);
    assert_eq!(fault(&listener), "the canonical block of a height was taken back");
}

#[test]
fn an_image_of_many_recent_events_shares_them() {
    let mut assembler = assembler(1);
    let mut out = Vec::new();
    for n in 0..400_u32 {
        let mut tx = [0; 32];
        tx[..4].copy_from_slice(&n.to_be_bytes());
        let event =
            ChainEvent { tx: TxHash(tx), ..transfer(n.into(), 0, LogIndex::InTx(0), 1, 2, 3) };
        assembler.push(event).unwrap();
        assembler.release(u64::MAX, &mut out);
    }
    let settled = assembler.recent.settled().next().unwrap();
    let before = std::sync::Arc::strong_count(&settled.events);
    let image = assembler.image();
    let settled = assembler.recent.settled().next().unwrap();
    assert_eq!(std::sync::Arc::strong_count(&settled.events), before + 1);
    let bytes = encoded(&assembler);
    let mut copy = restored(&bytes).unwrap();
    assert_eq!(copy.push(transfer(1, 0, LogIndex::InTx(0), 1, 2, 3)), {
        assembler.push(transfer(1, 0, LogIndex::InTx(0), 1, 2, 3))
    });
    drop(image);
}
