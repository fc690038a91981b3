use flow_core::{Action, MultisigAction, MultisigCall};

use super::call::SELECTORS;
use super::log::{EVENTS, decode_log};
use super::*;
use crate::address::parse;
use crate::{ChainAction, Ignored};

/// The recorded target of the submission of 2025-06-12.
const FROZEN: &str = "THu8CbEHruUGxQzbVUkvqM5YSx7xXH8Wdr";

fn word(address: Address) -> [u8; 32] {
    let mut word = [0; 32];
    word[12..].copy_from_slice(&address.0);
    word
}

fn tron_word(address: Address) -> [u8; 32] {
    let mut word = word(address);
    word[11] = TRON_PREFIX;
    word
}

fn number(number: u64) -> [u8; 32] {
    let mut word = [0; 32];
    word[24..].copy_from_slice(&number.to_be_bytes());
    word
}

fn topic0(signature: &str) -> [u8; 32] {
    ethers::utils::keccak256(signature)
}

fn ledger(action: Action) -> Result<LogMeaning, crate::DecodeError> {
    Ok(LogMeaning::Action(ChainAction::Ledger(action)))
}

fn ignored(reason: Ignored) -> Result<LogMeaning, crate::DecodeError> {
    Ok(LogMeaning::Ignored(reason))
}

#[test]
fn topics_and_selectors_are_those_of_keccak() {
    for abi in &EVENTS {
        assert_eq!(abi.topic0, topic0(abi.signature), "{}", abi.signature);
    }
    for (selector, signature) in SELECTORS {
        assert_eq!(selector, topic0(signature)[..4], "{signature}");
    }
}

#[test]
fn contracts_are_those_of_the_chains() {
    for (chain, address, text) in [
        (Chain::Ethereum, usdt(Chain::Ethereum), "0xdAC17F958D2ee523a2206206994597C13D831ec7"),
        (Chain::Tron, usdt(Chain::Tron), "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"),
        (Chain::Ethereum, multisig(Chain::Ethereum), "0xC6CDE7C39eB2f0F0095F41570af89eFC2C1Ea828"),
        (Chain::Tron, multisig(Chain::Tron), "TBPxhVAsuzoFnKyXtc1o2UySEydPHgATto"),
    ] {
        assert_eq!(crate::address::format(chain, address), text);
    }
}

#[test]
fn both_layouts_of_every_event_mean_the_same() {
    let account = Address([0x5a; 20]);
    let to = Address([0x5b; 20]);
    let cases: [(&str, Vec<[u8; 32]>, Action); 4] = [
        ("AddedBlackList(address)", vec![word(account)], Action::BlacklistAdd { account }),
        ("RemovedBlackList(address)", vec![word(account)], Action::BlacklistRemove { account }),
        (
            "DestroyedBlackFunds(address,uint256)",
            vec![word(account), number(9)],
            Action::Destroy { account, amount: 9 },
        ),
        (
            "Transfer(address,address,uint256)",
            vec![word(account), word(to), number(7)],
            Action::Transfer { from: account, to, amount: 7 },
        ),
    ];
    for (signature, words, action) in cases {
        for chain in Chain::ALL {
            for indexed in 0..=words.len() {
                let mut topics = vec![topic0(signature)];
                topics.extend(&words[..indexed]);
                let data = words[indexed..].concat();
                let meaning = decode_log(chain, usdt(chain), &topics, &data);
                assert_eq!(meaning, ledger(action), "{signature} with {indexed} indexed");
                let mut longer = data.clone();
                longer.extend([0; 32]);
                let error = decode_log(chain, usdt(chain), &topics, &longer).unwrap_err();
                assert_eq!(error.reason(), "invalid_log", "{signature}");
                let error = decode_log(chain, usdt(chain), &topics, &[&data[..], &[0]].concat());
                assert_eq!(error.unwrap_err().reason(), "invalid_log", "{signature}");
            }
        }
    }
}

#[test]
fn issue_and_redeem_are_left_to_the_assembler() {
    for (signature, action) in [
        ("Issue(uint256)", ChainAction::IssueLog(5)),
        ("Redeem(uint256)", ChainAction::RedeemLog(5)),
    ] {
        let meaning = decode_log(Chain::Tron, usdt(Chain::Tron), &[topic0(signature)], &number(5));
        assert_eq!(meaning, Ok(LogMeaning::Action(action)));
    }
}

#[test]
fn the_nearest_wrong_neighbours_are_not_heard() {
    let chain = Chain::Ethereum;
    let words = [word(Address([1; 20])), word(Address([2; 20]))];
    let transfer = topic0("Transfer(address,address,uint256)");
    for neighbour in [
        "Approval(address,address,uint256)",
        "OwnershipTransferred(address,address)",
        "Params(uint256,uint256)",
        "Pause()",
        "Deprecate(address)",
        // The multisig's event, but told by the token.
        "Submission(uint256)",
        "Transfer(address,address,uint)",
        "AddedBlacklist(address)",
    ] {
        let topics = [topic0(neighbour), words[0], words[1]];
        let meaning = decode_log(chain, usdt(chain), &topics, &number(1));
        assert_eq!(meaning, ignored(Ignored::OtherEvent), "{neighbour}");
    }
    let topics = [transfer, words[0], words[1]];
    for foreign in [Address([3; 20]), usdt(Chain::Tron), multisig(Chain::Tron), Address::ZERO] {
        let meaning = decode_log(chain, foreign, &topics, &number(1));
        assert_eq!(meaning, ignored(Ignored::ForeignContract));
    }
    // The token's event, but told by the multisig.
    let meaning = decode_log(chain, multisig(chain), &topics, &number(1));
    assert_eq!(meaning, ignored(Ignored::OtherEvent));
    assert_eq!(decode_log(chain, usdt(chain), &[], &[]), ignored(Ignored::OtherEvent));
}

#[test]
fn the_tron_prefix_is_read_on_tron_alone() {
    let account = parse(Chain::Tron, FROZEN).unwrap();
    let topics = [topic0("AddedBlackList(address)"), tron_word(account)];
    let read = |chain| decode_log(chain, usdt(chain), &topics, &[]);
    assert_eq!(read(Chain::Tron), ledger(Action::BlacklistAdd { account }));
    assert_eq!(read(Chain::Ethereum).unwrap_err().reason(), "invalid_log");
    let mut dirty = word(account);
    dirty[11] = 0x42;
    let topics = [topics[0], dirty];
    let error = decode_log(Chain::Tron, usdt(Chain::Tron), &topics, &[]).unwrap_err();
    assert_eq!(error.reason(), "invalid_log");
}

#[test]
fn amounts_fit_or_are_refused() {
    let chain = Chain::Tron;
    let topics = [topic0("Transfer(address,address,uint256)"), [0; 32], [0; 32]];
    let read = |data: &[u8]| decode_log(chain, usdt(chain), &topics, data);
    let most = Action::Transfer { from: Address::ZERO, to: Address::ZERO, amount: u64::MAX };
    assert_eq!(read(&number(u64::MAX)), ledger(most));
    let mut above = [0; 32];
    above[23] = 1;
    for data in [above, [0xff; 32]] {
        assert_eq!(read(&data).unwrap_err().reason(), "amount_too_large");
    }
}

#[test]
fn the_multisig_is_heard_step_by_step() {
    let chain = Chain::Ethereum;
    let owner = Address([9; 20]);
    let cases: [(&str, Vec<[u8; 32]>, MultisigAction); 6] = [
        (
            "Submission(uint256)",
            vec![number(4)],
            MultisigAction::Submission { id: Some(4), call: None },
        ),
        (
            "Confirmation(address,uint256)",
            vec![word(owner), number(4)],
            MultisigAction::Confirmation { id: 4, owner },
        ),
        (
            "Revocation(address,uint256)",
            vec![word(owner), number(4)],
            MultisigAction::Revocation { id: 4, owner },
        ),
        ("Execution(uint256)", vec![number(4)], MultisigAction::Execution { id: 4 }),
        ("ExecutionFailure(uint256)", vec![number(4)], MultisigAction::ExecutionFailure { id: 4 }),
        (
            "RequirementChange(uint256)",
            vec![number(4)],
            MultisigAction::RequirementChange { required: 4 },
        ),
    ];
    for (signature, words, action) in cases {
        // Indexed on one chain, in the data on the other: each reads alike.
        for chain in Chain::ALL {
            let topics = [vec![topic0(signature)], words.clone()].concat();
            let meaning = decode_log(chain, multisig(chain), &topics, &[]);
            assert_eq!(meaning, ledger(Action::Multisig(action)), "{signature}");
            let meaning = decode_log(chain, multisig(chain), &[topic0(signature)], &words.concat());
            assert_eq!(meaning, ledger(Action::Multisig(action)), "{signature}");
        }
    }
    let topics = [topic0("Execution(uint256)"), [0xff; 32]];
    let error = decode_log(chain, multisig(chain), &topics, &[]).unwrap_err();
    assert_eq!(error.reason(), "invalid_log");
}

/// `submitTransaction(destination, 0, selector ++ argument)`.
fn submission(destination: [u8; 32], selector: [u8; 4], argument: &[u8]) -> Vec<u8> {
    let inner = [&selector[..], argument].concat();
    let length = u64::try_from(inner.len()).unwrap();
    let mut input = hex::decode("c6427474").unwrap();
    for word in [destination, number(0), number(96), number(length)] {
        input.extend(word);
    }
    input.extend(&inner);
    input.resize(input.len().next_multiple_of(32) + 4, 0);
    input
}

fn submitted(call: MultisigCall) -> Result<Option<MultisigAction>, crate::DecodeError> {
    Ok(Some(MultisigAction::Submission { id: None, call: Some(call) }))
}

#[test]
fn a_submission_names_its_target_in_either_encoding() {
    let account = parse(Chain::Tron, FROZEN).unwrap();
    for chain in Chain::ALL {
        for (selector, call) in [
            (0x0ecb_93c0_u32, MultisigCall::AddBlackList(account)),
            (0xe499_7dc5, MultisigCall::RemoveBlackList(account)),
            (0xf3bd_c228, MultisigCall::DestroyBlackFunds(account)),
            (0xcc87_2b66, MultisigCall::Other([0xcc, 0x87, 0x2b, 0x66])),
        ] {
            let selector = selector.to_be_bytes();
            let strict = submission(word(usdt(chain)), selector, &word(account));
            assert_eq!(decode_call(chain, multisig(chain), &strict), submitted(call));
        }
    }
    // As recorded on TRON: the 0x41 stays inside the word of the inner call.
    let chain = Chain::Tron;
    let freeze = 0x0ecb_93c0_u32.to_be_bytes();
    for destination in [word(usdt(chain)), tron_word(usdt(chain))] {
        let recorded = submission(destination, freeze, &tron_word(account));
        let read = decode_call(chain, multisig(chain), &recorded);
        assert_eq!(read, submitted(MultisigCall::AddBlackList(account)));
    }
}

#[test]
fn other_calls_submit_nothing() {
    let chain = Chain::Ethereum;
    let freeze = 0x0ecb_93c0_u32.to_be_bytes();
    let account = Address([7; 20]);
    let input = submission(word(usdt(chain)), freeze, &word(account));
    assert_eq!(decode_call(chain, usdt(chain), &input), Ok(None));
    assert_eq!(decode_call(Chain::Tron, multisig(chain), &input), Ok(None));
    let elsewhere = submission(word(Address([8; 20])), freeze, &word(account));
    assert_eq!(decode_call(chain, multisig(chain), &elsewhere), Ok(None));
    let confirm = [hex::decode("c01a8c84").unwrap(), number(3).to_vec()].concat();
    assert_eq!(decode_call(chain, multisig(chain), &confirm), Ok(None));
    for short in [&[][..], &input[..3]] {
        assert_eq!(decode_call(chain, multisig(chain), short), Ok(None));
    }
}

#[test]
fn a_call_that_does_not_fit_is_refused() {
    let chain = Chain::Ethereum;
    let freeze = 0x0ecb_93c0_u32.to_be_bytes();
    let whole = submission(word(usdt(chain)), freeze, &word(Address([7; 20])));
    let reason = |input: &[u8]| decode_call(chain, multisig(chain), input).unwrap_err().reason();
    assert_eq!(reason(&whole[..whole.len() / 2]), "invalid_call");
    assert_eq!(reason(&submission(word(usdt(chain)), freeze, &[0; 31])), "invalid_call");
    assert_eq!(reason(&submission(word(usdt(chain)), freeze, &[0xff; 32])), "invalid_call");
    assert_eq!(reason(&submission([0xff; 32], freeze, &[0; 32])), "invalid_call");
    // An offset and a length far outside the data.
    let mut wild = whole.clone();
    wild[4 + 64..4 + 96].fill(0xff);
    assert_eq!(reason(&wild), "invalid_call");
}
