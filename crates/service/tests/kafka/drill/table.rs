//! The table of faults in `docs/operations.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// Names of alerts, without `UsdtFlow`.
pub(super) type Names = BTreeSet<String>;

/// What the runbook says of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) page: Names,
    pub(super) ticket: Names,
}

impl Expected {
    /// Nothing fires.
    pub(super) fn nothing() -> Expected {
        Expected { page: Names::new(), ticket: Names::new() }
    }
}

/// What it says of each, and which were shown.
pub(super) struct Table {
    faults: BTreeMap<String, Expected>,
    shown: Mutex<BTreeSet<String>>,
}

impl Table {
    pub(super) fn read() -> Table {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (_, rest) = text.split_once("| fault | page | ticket | ends |").unwrap();
        let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
        let faults: BTreeMap<String, Expected> = rows.map(row).collect();
        assert!(faults.len() >= 14, "{} faults in the table", faults.len());
        Table { faults, shown: Mutex::default() }
    }

    /// What is said of that fault, which counts as shown from now on.
    pub(super) fn expected(&self, fault: &str) -> Expected {
        self.shown.lock().unwrap().insert(fault.to_owned());
        self.faults.get(fault).unwrap_or_else(|| panic!("no row {fault:?}")).clone()
    }

    pub(super) fn assert_all_shown(&self) {
        let all: BTreeSet<String> = self.faults.keys().cloned().collect();
        assert_eq!(*self.shown.lock().unwrap(), all, "every fault of the table is tried");
    }
}

fn row(line: &str) -> (String, Expected) {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [page, ticket] = [1, 2].map(|at| names(cells[at]));
    (cells[0].to_owned(), Expected { page, ticket })
}

/// What stands in backquotes.
fn names(cell: &str) -> Names {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
