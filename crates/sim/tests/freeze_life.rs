//! A freeze as the records of both chains tell it: submission, confirmations,
//! execution, destruction, from the bytes to the desk's records, and what a
//! reorganisation in the middle undoes.

use flow_codec::{Assembled, Assembler, AssemblerConfig, Decoded, Decoder, address, wire};
use flow_core::{
    AccountKey, Action, Address, Block, BlockHash, Case, Chain, Effect, Engine, EngineConfig,
    Event, LedgerEvent, MultisigAction, MultisigCall, Source, TxHash,
};
use flow_sim::feed::{self, AddressWord};

/// The target of the freeze that was submitted on TRON on 2025-06-12.
const TARGET: &str = "THu8CbEHruUGxQzbVUkvqM5YSx7xXH8Wdr";

const THIEF: Address = Address([0x71; 20]);
const NEXT: Address = Address([0x72; 20]);
const OWNERS: [Address; 3] = [Address([1; 20]), Address([2; 20]), Address([3; 20])];

fn target() -> Address {
    address::parse(Chain::Tron, TARGET).expect("a known address")
}

/// Blocks of one minute; each inner list is a transaction.
fn blocks(chain: Chain, plan: &[&[&[Action]]]) -> Vec<Block> {
    let block = |(number, txs): (u64, &&[&[Action]])| {
        let mut events = Vec::new();
        for (tx, actions) in (0_u8..).zip(*txs) {
            let mut hash = [tx + 1; 32];
            hash[..8].copy_from_slice(&number.to_be_bytes());
            events.extend(actions.iter().map(|action| (TxHash(hash), *action)));
        }
        let mut block_hash = [0x0b; 32];
        block_hash[..8].copy_from_slice(&number.to_be_bytes());
        Block {
            chain,
            number,
            hash: Some(BlockHash(block_hash)),
            timestamp_ms: 1_749_771_408_000 + number * 60_000,
            events: (0..)
                .zip(events)
                .map(|(at, (tx, action))| LedgerEvent {
                    tx,
                    log_index: Some(at),
                    position: 0,
                    action,
                })
                .collect(),
        }
    };
    (1..).zip(plan).map(block).collect()
}

/// The theft, the rest, and the life of the freeze of its target.
fn life(chain: Chain) -> Vec<Block> {
    let (id, owners) = (1_234, OWNERS);
    let multisig = Action::Multisig;
    let pay = |from, to, amount| Action::Transfer { from, to, amount };
    let submitted = multisig(MultisigAction::Submission { id: Some(id), call: None });
    let call =
        MultisigAction::Submission { id: None, call: Some(MultisigCall::AddBlackList(target())) };
    let confirm =
        |owner: usize| multisig(MultisigAction::Confirmation { id, owner: owners[owner] });
    let executed = multisig(MultisigAction::Execution { id });
    let frozen = Action::BlacklistAdd { account: target() };
    let burnt = Action::Destroy { account: target(), amount: 6_000_000_000 };
    let second: &[&[Action]] = match chain {
        Chain::Ethereum => &[&[confirm(1)]],
        Chain::Tron => &[],
    };
    let last = if chain == Chain::Ethereum { 2 } else { 1 };
    blocks(
        chain,
        &[
            &[&[pay(THIEF, target(), 10_000_000_000)]],
            &[],
            &[],
            &[],
            &[],
            &[],
            &[&[submitted, confirm(0), multisig(call)]],
            &[&[pay(target(), NEXT, 4_000_000_000)]],
            second,
            &[&[confirm(last), frozen, executed]],
            &[&[burnt]],
        ],
    )
}

fn records(block: &Block, word: AddressWord) -> Vec<String> {
    let mut records = match block.chain {
        Chain::Tron => {
            let header = feed::java_tron_block_trigger(block);
            feed::java_tron(block).into_iter().chain(header).collect()
        }
        Chain::Ethereum => feed::ethereum_etl_log(block),
    };
    records.extend(feed::submissions(block, word));
    records
}

/// The blocks as their records tell them.
fn read_back(blocks: &[Block], word: AddressWord) -> Vec<Block> {
    let chain = blocks[0].chain;
    let config = AssemblerConfig { window_blocks: usize::MAX, ..AssemblerConfig::default() };
    let mut assembler = Assembler::new(chain, config);
    let (mut decoder, mut decoded) = (Decoder::new(None), Vec::new());
    for record in blocks.iter().flat_map(|block| records(block, word)) {
        decoder.decode(record.as_bytes(), &mut decoded).expect("what the feed writes is read");
        for item in decoded.drain(..) {
            let taken = match item {
                Decoded::Event(event) => assembler.push(event),
                Decoded::Header(header) => assembler.push_header(header),
                other => panic!("{record}: {other:?}"),
            };
            taken.expect("each once and in order");
        }
    }
    let mut assembled = Vec::new();
    assembler.flush(&mut assembled);
    let block = |item| if let Assembled::Block(block) = item { Some(block) } else { None };
    assembled.into_iter().filter_map(block).collect()
}

fn engine(chain: Chain) -> Engine {
    let mut engine = Engine::new(EngineConfig { revertible: true, ..EngineConfig::default() });
    let thief = AccountKey { chain, address: THIEF };
    let case = Case {
        id: "theft".to_owned(),
        title: None,
        category: None,
        sources: vec![Source::Wallet { account: thief, since_block: 0 }],
        min_units: 0,
        max_hops: None,
    };
    engine.load_opening(&[(thief, 10_000_000_000)]).expect("fits");
    engine.apply(Event::CaseOpened(case), &mut Vec::new()).expect("opens");
    engine
}

fn apply(engine: &mut Engine, event: Event) -> Vec<String> {
    let mut effects = Vec::new();
    engine.apply(event, &mut effects).expect("applies");
    engine.audit().expect("the books balance after every event");
    effects.iter().filter_map(line).collect()
}

/// What a record for the target says, as a subscriber reads it.
fn line(effect: &Effect) -> Option<String> {
    let Effect::Recommend(record) = effect else { return None };
    if record.account.address != target() {
        return None;
    }
    let message = wire::freeze_message(record);
    let read: wire::FreezeRecord = serde_json::from_slice(&message.value).expect("as written");
    let submission = read.submission.as_ref();
    let confirmed = submission.map(|told| format!(" {} of {}", told.confirmations, told.required));
    let escape = |told: &wire::EscapeRecord| format!(" escaped {}", told.amount.0 / 1_000_000);
    Some(format!(
        "{}{}{}{} caught {}{}",
        read.block,
        [" ", read.status.as_str()].concat(),
        confirmed.unwrap_or_default(),
        read.escapes.iter().map(escape).collect::<String>(),
        read.caught.0 / 1_000_000,
        if read.urgent { " urgent" } else { "" },
    ))
}

fn told(engine: &mut Engine, blocks: &[Block]) -> Vec<String> {
    let each = blocks.iter().cloned().map(Event::BlockCommitted);
    each.flat_map(|event| apply(engine, event)).collect()
}

fn expected(chain: Chain) -> Vec<&'static str> {
    match chain {
        Chain::Tron => vec![
            "6 raised caught 0",
            "7 submitted 1 of 2 caught 0",
            "8 submitted 1 of 2 escaped 4000 caught 0 urgent",
            "10 frozen 2 of 2 escaped 4000 caught 6000",
            "11 destroyed 2 of 2 escaped 4000 caught 6000",
        ],
        Chain::Ethereum => vec![
            "6 raised caught 0",
            "7 submitted 1 of 3 caught 0",
            "8 submitted 1 of 3 escaped 4000 caught 0 urgent",
            "9 confirmed 2 of 3 escaped 4000 caught 0",
            "10 frozen 3 of 3 escaped 4000 caught 6000",
            "11 destroyed 3 of 3 escaped 4000 caught 6000",
        ],
    }
}

#[test]
fn a_recorded_life_walks_through_its_states_on_both_chains() {
    for chain in Chain::ALL {
        for word in [AddressWord::Strict, AddressWord::Prefixed] {
            let mut engine = engine(chain);
            // Blocks without an event have no record on Ethereum; time goes on.
            let mut blocks = read_back(&life(chain), word);
            let known: Vec<u64> = blocks.iter().map(|block| block.number).collect();
            blocks.extend(life(chain).into_iter().filter(|block| !known.contains(&block.number)));
            blocks.sort_by_key(|block| block.number);
            assert_eq!(told(&mut engine, &blocks), expected(chain), "{chain} {word:?}");
        }
    }
}

/// The call data of the freeze on record, as its transaction carries it.
#[test]
fn the_feed_writes_a_submission_as_it_was_recorded() {
    let block = &life(Chain::Tron)[6];
    let [record] = &feed::submissions(block, AddressWord::Prefixed)[..] else { panic!("one") };
    let target = format!("0ecb93c0{:0>64}", format!("41{}", hex::encode(target().0)));
    assert!(record.contains(&target), "{record}");
    assert!(record.contains("\"data\":\"c6427474"), "{record}");
}

#[test]
fn a_reorganisation_in_the_middle_of_a_life_undoes_what_it_should() {
    for chain in Chain::ALL {
        let blocks = life(chain);
        for cut in 5..blocks.len() {
            let mut engine = engine(chain);
            told(&mut engine, &blocks);
            let number = blocks[cut].number;
            let retold = apply(&mut engine, Event::BlockReverted { chain, number });
            let before: Vec<&str> = expected(chain);
            let mut before = before.iter().filter(|line| {
                let block: u64 = line.split(' ').next().and_then(|n| n.parse().ok()).expect("one");
                block < number
            });
            // The last that holds is told again, but for its urgency.
            let last = before.next_back().map(|line| line.trim_end_matches(" urgent"));
            let last = last.and_then(|line| line.split_once(' ')).map(|(_, what)| what);
            let again = retold.last().and_then(|line| line.split_once(' ')).map(|(_, what)| what);
            assert_eq!(again, last.or(Some("withdrawn caught 0")), "{chain} from {number}");
            let rest = told(&mut engine, &blocks[cut..]);
            let all = expected(chain);
            assert_eq!(rest, all[all.len() - rest.len()..], "{chain} from {number} on");
        }
    }
}
