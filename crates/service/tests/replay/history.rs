//! A past that is kept on disk changes no answer, and leaves memory.

use flow_core::{Chain, Engine, EngineConfig, Event};
use flow_sim::workload::{Workload, WorkloadConfig};
use usdt_flow::history;

use crate::folder::{Folder, Known, csv_file, csv_rows};

/// Transfers that are sealed together: a tenth of the smallest chain's or less.
const SEGMENT: usize = 400;

fn workload() -> (Workload, Known) {
    let config = WorkloadConfig { blocks: 300, ..WorkloadConfig::default() };
    let workload = Workload::new(config);
    let planted = workload.planted();
    let opening = workload.opening().to_vec();
    (workload, Known { cases: planted.cases, labels: planted.labels, opening })
}

#[test]
fn a_replay_over_a_history_on_disk_equals_one_in_memory() {
    let (workload, known) = workload();
    let folder = Folder::new(&known);
    folder.write("events.csv", csv_file(&csv_rows(&workload.collect::<Vec<_>>())));
    let options = ["--window-blocks", "20", "--policy", "all"];
    let memory = folder.replay(&["events.csv"], &options);
    let segment = SEGMENT.to_string();
    let on_disk = ["--history", "history", "--segment-transfers", &segment];
    let disk = folder.replay(&["events.csv"], &[&options[..], &on_disk].concat());
    assert_eq!(disk, memory);
    let images = history::open_history(&folder.path().join("history")).unwrap();
    assert!(images.len() >= 10, "{} segments", images.len());
    // Another run begins anew; a folder with anything else is not touched.
    assert_eq!(folder.replay(&["events.csv"], &[&options[..], &on_disk].concat()), memory);
    assert_eq!(history::open_history(&folder.path().join("history")).unwrap().len(), images.len());
    folder.write("history/notes.txt", "mine");
    let output = folder.run(&["events.csv", "--history", "history"], b"");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("it holds notes.txt") && told.contains("hint:"), "{told}");
}

#[test]
fn late_cases_over_a_history_on_disk_end_as_those_known_first() {
    let (workload, known) = workload();
    let folder = tempfile::tempdir().unwrap();
    let config = EngineConfig { segment_transfers: SEGMENT, ..EngineConfig::default() };
    let late = EngineConfig { defer_late: true, ..config.clone() };
    let mut on_disk = Engine::with_archive(late, history::archive(Some(folder.path())).unwrap());
    let mut in_memory = Engine::new(config);
    let apply = |engine: &mut Engine, event| engine.apply(event, &mut Vec::new()).unwrap();
    for engine in [&mut on_disk, &mut in_memory] {
        engine.load_opening(&known.opening).unwrap();
        for label in &known.labels {
            apply(engine, Event::LabelSet(label.clone()));
        }
    }
    for case in &known.cases {
        apply(&mut in_memory, Event::CaseOpened(case.clone()));
    }
    for block in workload {
        apply(&mut in_memory, Event::BlockCommitted(block.clone()));
        apply(&mut on_disk, Event::BlockCommitted(block));
        let resident = on_disk.memory().tail_transfers;
        assert!(resident < 2 * SEGMENT, "{resident} transfers in memory");
    }
    for case in &known.cases {
        apply(&mut on_disk, Event::CaseOpened(case.clone()));
    }
    let traces = on_disk.take_late();
    assert_eq!(traces.len(), known.cases.len());
    for mut trace in traces {
        trace.run().unwrap();
        on_disk.join_late(trace, &mut Vec::new()).unwrap();
    }
    assert!(on_disk.memory().segments >= 10);
    assert_eq!(on_disk.taint_rows(), in_memory.taint_rows());
    assert_eq!(on_disk.case_totals(), in_memory.case_totals());
    assert_eq!(on_disk.head(Chain::Tron), in_memory.head(Chain::Tron));
    assert!(!on_disk.taint_rows().is_empty());
}
