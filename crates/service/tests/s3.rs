//! Checkpoints in a bucket, against a server that speaks S3.
//!
//! `deploy/dev/s3.sh run -- cargo test` starts one and names it in
//! `USDT_FLOW_S3_ENDPOINT`; without it these tests say so and do nothing. The
//! bucket is made where the server allows anybody to, as that one does.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flow_core::Chain;
use usdt_flow::checkpoint::{
    CheckpointStore, Disk, Manifest, ObjectDisk, Parts, Position, S3Options,
};

const BUCKET: &str = "usdt-flow-test";

/// A prefix of its own in the bucket; `None`, and a line that says so, without
/// a server.
fn open(test: &str) -> Option<ObjectDisk> {
    let Ok(endpoint) = std::env::var("USDT_FLOW_S3_ENDPOINT") else {
        eprintln!("SKIPPED: {test}: USDT_FLOW_S3_ENDPOINT names no server that speaks S3");
        return None;
    };
    make_bucket(&endpoint);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    Some(disk(&format!("s3://{BUCKET}/{test}-{since}"), endpoint))
}

fn disk(url: &str, endpoint: String) -> ObjectDisk {
    let endpoint = Some(endpoint);
    let region = "us-east-1".to_owned();
    let options = S3Options { endpoint, region, path_style: true, allow_http: true };
    ObjectDisk::open(url, &options).unwrap()
}

/// Asks without signing; a server that refuses has the bucket or does not.
fn make_bucket(endpoint: &str) {
    let host = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let Ok(mut stream) = TcpStream::connect(host) else { return };
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let request = format!(
        "PUT /{BUCKET} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
}

/// Bytes that are not the same anywhere.
fn noise(len: usize) -> Vec<u8> {
    let mut word = 0x9e37_79b9_u32;
    let step = |_| {
        word ^= word << 13;
        word ^= word >> 17;
        word ^= word << 5;
        word.to_le_bytes()[0]
    };
    (0..len).map(step).collect()
}

#[test]
fn a_bucket_keeps_objects() {
    let Some(disk) = open("objects") else { return };
    assert_eq!(disk.list("a%2Fb.c/tron/x").unwrap(), []);
    assert!(disk.get("a%2Fb.c/tron/x1").unwrap_err().is_not_found());
    disk.put("a%2Fb.c/tron/x1", vec![1; 3]).unwrap();
    disk.put("a%2Fb.c/tron/x1", vec![2; 4]).unwrap();
    disk.put("a%2Fb.c/tron/x2", Vec::new()).unwrap();
    disk.put("a%2Fb.c/tron/y", vec![3]).unwrap();
    disk.put("a%2Fb.c/tron/x/deeper", vec![3]).unwrap();
    let mut listed = disk.list("a%2Fb.c/tron/x").unwrap();
    listed.sort();
    assert_eq!(listed, [("a%2Fb.c/tron/x1".to_owned(), 4), ("a%2Fb.c/tron/x2".to_owned(), 0)]);
    assert_eq!(disk.get("a%2Fb.c/tron/x1").unwrap(), [2; 4]);
    disk.delete("a%2Fb.c/tron/x1").unwrap();
    assert!(disk.get("a%2Fb.c/tron/x1").unwrap_err().is_not_found());
}

#[test]
fn a_long_object_goes_in_parts() {
    let Some(disk) = open("parts") else { return };
    // Parts are of 8 MiB: one whole, one whole and one byte, three and a piece.
    for len in [8 << 20, (8 << 20) + 1, (24 << 20) + 12_345] {
        let bytes = noise(len);
        disk.put("long", bytes.clone()).unwrap();
        assert_eq!(disk.list("").unwrap(), [("long".to_owned(), len as u64)]);
        assert!(disk.get("long").unwrap() == bytes, "{len} bytes come back as they were");
    }
}

#[test]
fn more_objects_than_one_answer_tells_are_listed() {
    let Some(disk) = open("many") else { return };
    for number in 0..1_010 {
        disk.put(&format!("g/segment-{number:06}"), vec![0]).unwrap();
    }
    assert_eq!(disk.list("g/segment-").unwrap().len(), 1_010);
}

#[test]
fn checkpoints_are_saved_and_loaded() {
    let Some(disk) = open("store") else { return };
    let store = CheckpointStore::open(Arc::new(disk), "a group/ü", Chain::Ethereum, 2);
    for offset in 1..=3 {
        let position = Position { topic: "t".to_owned(), partition: 0, offset, newest_block: None };
        let manifest = Manifest { positions: vec![position], ..Manifest::default() };
        store.save(Parts { manifest, engine: noise(9 << 20), ..Parts::default() }, &[]).unwrap();
    }
    assert_eq!(store.generations().unwrap().len(), 2);
    let search = store.load_newest(|_| Ok(())).unwrap();
    let loaded = search.loaded.unwrap();
    assert_eq!(loaded.generation.records, 3);
    assert!(loaded.parts.engine == noise(9 << 20));
    assert_eq!(search.damaged, []);
}

#[test]
fn a_bucket_that_is_not_there_is_told() {
    let Some(_) = open("missing") else { return };
    let endpoint = std::env::var("USDT_FLOW_S3_ENDPOINT").unwrap();
    let disk = disk("s3://usdt-flow-test-missing/x", endpoint);
    for error in [disk.put("a", vec![1]).unwrap_err(), disk.list("a").unwrap_err()] {
        let error = error.to_string();
        assert!(error.contains("make the bucket, or correct checkpoint.url"), "{error}");
    }
}
