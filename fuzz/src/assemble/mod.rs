//! Events, headers and removals into blocks, in any order and of any kind.
//!
//! An input is either lines of records, decoded and pushed one after the other,
//! or (when its first byte is no brace) choices that make records of a few
//! heights, branches and transactions. See [`listener`] for what is promised.

mod image;
mod listener;
mod told;

pub use image::assembler_image;
pub(crate) use image::input;

use flow_codec::{AssemblerConfig, Decoded, Decoder, LogIndex};
use flow_core::Chain;

use crate::bytes::Bytes;
use listener::Listener;
use told::Teller;

/// Records of one input that are pushed.
const RECORDS_MAX: usize = 400;

/// Pushes what the bytes tell into an assembler that waits for few blocks.
pub fn assemble(data: &[u8]) {
    if data.trim_ascii_start().starts_with(b"{") { lines(data) } else { choices(data) }
}

fn lines(data: &[u8]) {
    let config = AssemblerConfig { window_blocks: 1, events_max: 40, finality_blocks: 12 };
    let mut listeners = Chain::ALL.map(|chain| Listener::new(chain, config));
    let mut decoder = Decoder::new(None);
    let mut decoded = Vec::new();
    for line in data.split(|byte| *byte == b'\n').take(RECORDS_MAX) {
        // A line that is refused tells nothing.
        decoder.decode(line, &mut decoded).ok();
        for told in decoded.drain(..) {
            if let Some(chain) = told.chain() {
                listeners[chain.index()].hear(told);
                listeners[chain.index()].release(u64::MAX);
            }
        }
    }
    for listener in &mut listeners {
        // Lines may number logs in either way, so an identity tells no more
        // here than the assembler says of it.
        listener.finish();
    }
}

fn choices(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let config = AssemblerConfig {
        window_blocks: bytes.pick(&[1, 2, 4, 0, usize::MAX]),
        events_max: bytes.pick(&[1_000, 10, 3, 1, 0]),
        finality_blocks: bytes.pick(&[8, 16, 64, 3, u64::MAX, 1, 0]),
    };
    let chain = bytes.pick(&Chain::ALL);
    let mut teller = Teller::new(chain, &mut bytes);
    let mut listener = Listener::new(chain, config);
    listener.tells_once = teller.numbers_alike();
    for _ in 0..RECORDS_MAX {
        if bytes.is_empty() {
            break;
        }
        match bytes.below(16) {
            0..8 => listener.hear(Decoded::Event(teller.event(&mut bytes))),
            8..10 => listener.hear(Decoded::Header(teller.header(&mut bytes))),
            10 => listener.hear(Decoded::Solid { chain, number: teller.solid(&mut bytes) }),
            11..14 => {
                teller.rise();
                listener.release(u64::MAX);
            }
            14 => listener.release(teller.height(&mut bytes)),
            _ => match bytes.below(3) {
                0 => teller.rise(),
                1 => listener.restore(config),
                _ => listener.flush(),
            },
        }
    }
    listener.finish();
}

/// How one input's source numbers logs.
#[derive(Clone, Copy)]
enum Numbering {
    InBlock,
    InTx,
    /// As no source should, and each once in a while without.
    Mixed,
}

impl Numbering {
    fn index(self, bytes: &mut Bytes<'_>) -> Option<LogIndex> {
        let byte = bytes.byte();
        let number = u32::from(byte & 7);
        match self {
            Numbering::InBlock => Some(LogIndex::InBlock(number)),
            Numbering::InTx => Some(LogIndex::InTx(number)),
            Numbering::Mixed => match byte >> 3 & 3 {
                0 => None,
                1 => Some(LogIndex::InTx(number)),
                2 => Some(LogIndex::InBlock(number)),
                _ => Some(LogIndex::InBlock(u32::MAX - number)),
            },
        }
    }
}
