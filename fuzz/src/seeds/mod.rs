//! Inputs to start from: each reaches far into its target, so that mutations of
//! it fail late.
//!
//! What always holds: seeds follow from the code alone, invented traffic and
//! the examples of tests and documentation, so that none is ever out of date.

mod engine_made;
mod text;

pub use engine_made::{alerts, segments};
pub(crate) use text::templates;
pub use text::{case_files, feeds, records};

/// What parsers look for, and values at bounds, for mutations to put in.
pub const WORDS: [&str; 64] = [
    "null",
    "true",
    "false",
    "{}",
    "[]",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\"",
    "\\u0000",
    "\\ud800",
    "\n",
    "\r\n",
    "\u{feff}",
    "\"\"",
    "-1",
    "0",
    "1",
    "1.5",
    "1e3",
    "1e400",
    "00",
    "0x",
    "0x0",
    "0xffffffffffffffff",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "\"removed\":true",
    "\"removed\":false",
    "\"latestSolidifiedBlockNumber\":",
    "\"triggerName\":\"blockTrigger\"",
    "\"triggerName\":\"solidityTrigger\"",
    "\"triggerName\":\"transactionTrigger\"",
    "\"topics\":",
    "\"parentHash\":",
    "\"type\":\"block\"",
    "\"type\":\"log\"",
    "\"type\":\"token_transfer\"",
    "\"type\":\"transaction\"",
    "\"jsonrpc\":\"2.0\"",
    "\"result\":",
    "\"chain\":\"tron\"",
    "\"chain\":\"ethereum\"",
    "tron",
    "ethereum",
    "transfer",
    "issue",
    "redeem",
    "destroy",
    "blacklist_add",
    "blacklist_remove",
    "retracted",
    "final",
    "poison",
    "0x0000000000000000000000000000000000000000",
    "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
    "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb",
    "0xdac17f958d2ee523a2206206994597c13d831ec7",
];

/// Images of engines in the middle of a story, behind the number of the story.
pub fn images() -> Vec<Vec<u8>> {
    let scenes = (0_u8..).zip(crate::image::scenes());
    scenes.map(|(number, scene)| [&[number], scene.image.as_slice()].concat()).collect()
}

/// Assemblers that took some records, and choices of more.
pub fn assembler_images() -> Vec<Vec<u8>> {
    let len = |seed: u8| 60 + 30 * usize::from(seed);
    (0..40).map(|seed| crate::assemble::input(&any_bytes(seed, len(seed)))).collect()
}

/// Stories have no form but their bytes, so these are any bytes.
pub fn stories() -> Vec<Vec<u8>> {
    (0..40).map(|seed| any_bytes(seed, 60 + 20 * usize::from(seed))).collect()
}

/// Bytes that look random and are always the same.
fn any_bytes(seed: u8, len: usize) -> Vec<u8> {
    let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}
