//! Images of assemblers, damaged or made to deceive.
//!
//! What is promised: bytes are refused, or make an assembler whose own image
//! makes the same one again, and which takes whatever comes without a panic.
//! What it then puts out may be wrong: a checksum is for whoever keeps images.

use flow_codec::{Assembler, AssemblerConfig};
use flow_core::Chain;

use super::listener::image;
use super::told::Teller;
use crate::bytes::Bytes;

/// Bytes in front of the image: choices of records that the assembler takes.
const CHOICES: usize = 160;

/// Reads the bytes behind the first [`CHOICES`] as an image, and goes on from
/// there.
pub fn assembler_image(data: &[u8]) {
    let Some((choices, stored)) = data.split_at_checked(CHOICES) else { return };
    let mut bytes = Bytes::new(choices);
    let (chain, config) = setting(&mut bytes);
    let mut assembler = match Assembler::restore(chain, config, stored) {
        Ok(assembler) => assembler,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let told = image(&assembler);
    let again = Assembler::restore(chain, config, &told).expect("its own image");
    assert!(image(&again) == told, "another image");
    go_on(&mut assembler, chain, &mut bytes);
    assembler.flush(&mut Vec::new());
}

/// An input: the image of an assembler that took the records of these bytes,
/// and choices of those that come next.
pub(crate) fn input(any: &[u8]) -> Vec<u8> {
    let mut bytes = Bytes::new(any);
    let (chain, config) = setting(&mut bytes);
    let mut assembler = Assembler::new(chain, config);
    go_on(&mut assembler, chain, &mut bytes);
    let mut input: Vec<u8> = any.iter().copied().cycle().take(CHOICES).collect();
    input.extend(image(&assembler));
    input
}

fn setting(bytes: &mut Bytes<'_>) -> (Chain, AssemblerConfig) {
    let config = AssemblerConfig {
        window_blocks: bytes.pick(&[1, 2, 0]),
        events_max: bytes.pick(&[1_000, 1]),
        finality_blocks: bytes.pick(&[8, 3, u64::MAX, 0]),
    };
    (bytes.pick(&Chain::ALL), config)
}

fn go_on(assembler: &mut Assembler, chain: Chain, bytes: &mut Bytes<'_>) {
    let mut teller = Teller::new(chain, bytes);
    let mut out = Vec::new();
    while !bytes.is_empty() {
        match bytes.below(8) {
            // Why a record is refused is no concern of this target.
            0..4 => drop(assembler.push(teller.event(bytes))),
            4 => drop(assembler.push_header(teller.header(bytes))),
            5 => assembler.note_solid(teller.solid(bytes)),
            6 => assembler.release(teller.height(bytes), &mut out),
            _ => {
                teller.rise();
                assembler.release(u64::MAX, &mut out);
            }
        }
    }
}
