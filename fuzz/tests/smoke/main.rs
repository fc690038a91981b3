//! Every fuzz target on its seeds and on mutations of them, on stable Rust.
//!
//! Deterministic: run number N of a target is always the same input.
//! `FLOW_FUZZ_RUNS` sets how many mutations each target gets.

mod mutate;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use flow_fuzz::{TARGETS, Target, target};

/// Mutations of each target unless told otherwise.
const RUNS: u64 = 20_000;

fn runs() -> Range<u64> {
    let told = std::env::var("FLOW_FUZZ_RUNS").ok();
    0..told.map_or(RUNS, |text| text.parse().expect("FLOW_FUZZ_RUNS is a number"))
}

/// Runs the body; a failure says which input it was.
fn survives(target: Target, what: &str, input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err() {
        panic!("target {}, {what}, input as hex:\n{}", target.name, hex::encode(input));
    }
}

fn smoke(name: &str) {
    let target = target(name).expect("a target of that name");
    let seeds = (target.seeds)();
    assert!(seeds.len() >= 10, "{name} has {} seeds", seeds.len());
    for (number, seed) in seeds.iter().enumerate() {
        survives(target, &format!("seed {number}"), seed);
    }
    for number in runs() {
        let input = mutate::mutation(&seeds, number);
        survives(target, &format!("mutation {number}"), &input);
    }
}

#[test]
fn decode_record() {
    smoke("decode_record");
}

#[test]
fn assemble() {
    smoke("assemble");
}

#[test]
fn assembler_image() {
    smoke("assembler_image");
}

#[test]
fn case_file() {
    smoke("case_file");
}

#[test]
fn segment() {
    smoke("segment");
}

#[test]
fn alert_record() {
    smoke("alert_record");
}

#[test]
fn engine() {
    smoke("engine");
}

#[test]
fn engine_image() {
    smoke("engine_image");
}

/// libFuzzer's wrappers are built by hand only, so that they exist is checked
/// here.
#[test]
fn every_target_has_a_wrapper() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/libfuzzer");
    let manifest = std::fs::read_to_string(format!("{folder}/Cargo.toml")).unwrap();
    for Target { name, .. } in TARGETS {
        let path = format!("fuzz_targets/{name}.rs");
        assert!(manifest.contains(&format!("path = \"{path}\"")), "{name} is not in the manifest");
        let wrapper = std::fs::read_to_string(format!("{folder}/{path}")).unwrap();
        assert!(wrapper.contains(&format!("flow_fuzz::{name}(data)")), "{wrapper}");
    }
}
