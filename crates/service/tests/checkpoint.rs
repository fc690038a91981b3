//! Checkpoints in folders: the commands over them, and a disk that is full.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use flow_core::{Chain, Image};
use usdt_flow::checkpoint::{
    CheckpointStore, CheckpointWriter, Disk, Generation, Manifest, ObjectDisk, Parts, Position,
    S3Options, SegmentName, Segments, WriteError,
};
use usdt_flow::history::open_history;

#[path = "shared/folder.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod folder;
#[path = "shared/slice.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod slice;
#[path = "shared/tmpfs.rs"]
mod tmpfs;

use folder::Folder;
use tmpfs::Tmpfs;

fn store(folder: &Path) -> CheckpointStore {
    let disk = ObjectDisk::open(folder.to_str().unwrap(), &S3Options::default()).unwrap();
    let disk: Arc<dyn Disk> = Arc::new(disk);
    CheckpointStore::open(disk, "usdt-flow", Chain::Tron, 2)
}

/// The state after so many records.
fn state(offset: i64, engine: Vec<u8>, segments: &Segments) -> Parts {
    let position = Position { topic: "t".to_owned(), partition: 0, offset, newest_block: Some(9) };
    let segments = segments.iter().map(|(name, _)| *name).collect();
    let manifest = Manifest { positions: vec![position], segments, ..Manifest::default() };
    Parts { manifest, engine, ..Parts::default() }
}

/// The past of the recorded slice, sealed into real segments.
fn past(folder: &Folder) -> Segments {
    let mut replay = folder.command();
    replay.args(["replay", slice::SLICE, "--history", "history", "--segment-transfers", "10000"]);
    assert!(replay.output().unwrap().status.success());
    let images = open_history(&folder.path().join("history")).unwrap();
    assert!(images.len() > 1);
    let named = |(number, image): (usize, Arc<dyn Image>)| (name(number, image.as_ref()), image);
    images.into_iter().enumerate().map(named).collect()
}

fn name(number: usize, image: &dyn Image) -> SegmentName {
    let mut check = [0; 4];
    image.read_at(136, &mut check).unwrap();
    SegmentName { number, bytes: image.len(), check: u32::from_le_bytes(check) }
}

fn run(folder: &Folder, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = folder.command().args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn the_commands_list_and_verify_what_lies_there() {
    let folder = Folder::empty();
    let state_folder = folder.path().join("usdt-flow-state");
    let past = past(&folder);
    let store = store(&state_folder);
    let save = |offset| store.save(state(offset, vec![1; 64], &past), &past).unwrap().generation;
    let (older, newer): (Generation, Generation) = (save(1), save(2));

    let (code, out, _) = run(&folder, &["checkpoint", "list"]);
    assert_eq!(code, Some(0));
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["CHAIN", "RECORDS", "BYTES", "NAME"]);
    let row = |of: &Generation| {
        ["tron".to_owned(), of.records.to_string(), of.bytes.to_string(), of.name.clone()]
    };
    assert_eq!(lines[1..], [row(&newer), row(&older)]);

    let (code, out, _) = run(&folder, &["checkpoint", "verify"]);
    assert_eq!(code, Some(0), "{out}");
    assert_eq!(out.matches(" ok ").count(), 2, "{out}");

    // A rotten checkpoint, then a segment that rots where only its own checksums tell.
    flip(&state_folder.join(&newer.name), 300);
    let (code, out, told) = run(&folder, &["checkpoint", "verify", "--format", "json"]);
    assert_eq!(code, Some(1));
    assert!(told.contains("1 of 2 checkpoints cannot be used"), "{told}");
    let rows: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(rows[0]["damage"].as_str().unwrap().contains("checksum"), "{out}");
    assert_eq!((&rows[1]["damage"], &rows[1]["manifest"]["records"]), (&().into(), &1.into()));
    let segment = std::fs::read_dir(state_folder.join("usdt-flow/tron"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_str().unwrap().contains("segment-000001"))
        .unwrap();
    flip(&segment, 5_000);
    let (code, out, told) = run(&folder, &["checkpoint", "verify"]);
    assert_eq!(code, Some(1));
    assert!(told.contains("2 of 2 checkpoints cannot be used"), "{told}");
    assert!(out.contains("segment 1: "), "{out}");
}

#[test]
fn the_commands_change_nothing_and_say_what_is_missing() {
    let folder = Folder::empty();
    let (code, _, told) = run(&folder, &["checkpoint", "list"]);
    assert_eq!(code, Some(1));
    assert!(told.contains("there is no checkpoint folder usdt-flow-state"), "{told}");
    assert!(told.contains("hint: set checkpoint.url"), "{told}");
    assert!(!folder.path().join("usdt-flow-state").exists());
    let (code, _, told) = run(&folder, &["checkpoint", "verify", "--url", ""]);
    assert_eq!(code, Some(1));
    assert!(told.contains("hint: say where they lie with --url"), "{told}");
    let (code, out, told) = run(&folder, &["checkpoint", "verify", "--url", "."]);
    assert_eq!((code, out.lines().count()), (Some(0), 1));
    assert!(told.contains("there is no checkpoint of the group usdt-flow"), "{told}");
}

#[test]
fn a_bucket_that_cannot_be_reached_is_told_without_secrets() {
    let folder = Folder::empty();
    let mut list = folder.command();
    // Nobody listens on port 9, and no route needs to be found to this host.
    list.args(["checkpoint", "list", "--url", "s3://bucket/state"])
        .args(["--set", "checkpoint.s3.endpoint=http://127.0.0.1:9"])
        .args(["--set", "checkpoint.s3.allow_http=true"])
        .args(["--set", "checkpoint.s3.path_style=true"]);
    let told = |command: &mut Command| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        list.env_remove(name);
    }
    let without = told(&mut list);
    assert!(without.contains("AWS_ACCESS_KEY_ID is not set"), "{without}");
    list.env("AWS_ACCESS_KEY_ID", "AKIAHUNTER").env("AWS_SECRET_ACCESS_KEY", "hunter2");
    let with = told(&mut list);
    assert!(with.contains("check that the store runs"), "{with}");
    assert!(with.contains("Connection refused"), "{with}");
    assert!(!with.contains("AKIAHUNTER") && !with.contains("hunter2"), "{with}");
}

/// Bytes that do not pack.
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
fn a_full_disk_is_told_and_checkpoints_go_on_once_there_is_room() {
    let folder = Folder::empty();
    let Some(tmpfs) = Tmpfs::mount(&folder.path().join("small"), 4) else { return };
    let ballast = tmpfs.0.join("ballast");
    let store = Arc::new(store(&tmpfs.0));
    let mut writer = CheckpointWriter::start(Arc::clone(&store)).unwrap();
    let mut save = |offset: i64| {
        let engine = noise(700 << 10);
        assert!(
            writer
                .try_start(Box::new(move || Ok((state(offset, engine, &Vec::new()), Vec::new()))))
        );
        writer.wait().unwrap()
    };
    let newest = || {
        let search = store.load_newest(|_| Ok(())).unwrap();
        assert_eq!(search.damaged, []);
        search.loaded.unwrap().generation.records
    };
    save(1).unwrap();
    save(2).unwrap();
    std::fs::write(&ballast, noise(2 << 20)).unwrap();
    for offset in [3, 4] {
        let error = save(offset).unwrap_err();
        assert!(matches!(error, WriteError::Store(_)));
        assert!(error.to_string().contains("make room there"), "{error}");
        assert_eq!(newest(), 2);
        assert_eq!(store.generations().unwrap().len(), 2);
    }
    // Nothing half written takes the room that is left.
    let files = std::fs::read_dir(tmpfs.0.join("usdt-flow/tron")).unwrap().count();
    assert_eq!(files, 2);
    std::fs::remove_file(&ballast).unwrap();
    save(5).unwrap();
    assert_eq!(newest(), 5);
    drop(writer);
}
