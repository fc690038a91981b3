//! Mutations of seeds: the same number gives the same input.

use flow_fuzz::seeds::WORDS;
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Longest input.
const LEN_MAX: usize = 16_384;

/// One of the seeds with one to six changes.
pub(super) fn mutation(seeds: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut rng = Pcg64Mcg::seed_from_u64(number);
    let mut input = seeds[rng.random_range(0..seeds.len())].clone();
    for _ in 0..rng.random_range(1..=6_u32) {
        let other = &seeds[rng.random_range(0..seeds.len())];
        change(&mut input, other, &mut rng);
    }
    input.truncate(LEN_MAX);
    input
}

fn change(input: &mut Vec<u8>, other: &[u8], rng: &mut Pcg64Mcg) {
    let at = rng.random_range(0..=input.len());
    let len = rng.random_range(0..=(input.len() - at).min(40));
    match rng.random_range(0..9_u32) {
        0 => input.truncate(at),
        1 => drop(input.drain(at..at + len)),
        2 => {
            let again = input[at..at + len].to_vec();
            input.splice(at..at, again);
        }
        3 => splice(input, at, other, rng),
        4 => put_word(input, at, len, rng),
        5 => put_number(input, at, rng),
        6 => flip(input, at, |byte, rng| byte ^ 1 << rng.random_range(0..8_u32), rng),
        7 => flip(input, at, |_, rng| rng.random_range(0..=u8::MAX), rng),
        _ => flip(input, at, |byte, rng| byte.wrapping_add(rng.random_range(0..3_u8)), rng),
    }
}

fn flip(input: &mut [u8], at: usize, change: fn(u8, &mut Pcg64Mcg) -> u8, rng: &mut Pcg64Mcg) {
    if let Some(byte) = input.get_mut(at) {
        *byte = change(*byte, rng);
    }
}

/// The front of one seed and the end of another.
fn splice(input: &mut Vec<u8>, at: usize, other: &[u8], rng: &mut Pcg64Mcg) {
    input.truncate(at);
    input.extend_from_slice(&other[rng.random_range(0..=other.len())..]);
}

/// A word in the place of nothing, or of some bytes.
fn put_word(input: &mut Vec<u8>, at: usize, len: usize, rng: &mut Pcg64Mcg) {
    let word = WORDS[rng.random_range(0..WORDS.len())];
    let len = if rng.random() { len } else { 0 };
    input.splice(at..at + len, word.bytes());
}

/// Another number in the place of the next run of digits.
fn put_number(input: &mut Vec<u8>, at: usize, rng: &mut Pcg64Mcg) {
    let Some(start) = input[at..].iter().position(u8::is_ascii_digit) else { return };
    let start = at + start;
    let len = input[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = rng.next_u64() >> rng.random_range(0..64_u32);
    input.splice(start..start + len, number.to_string().bytes());
}
