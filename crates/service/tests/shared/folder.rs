//! A folder with inputs and outputs, and the real binary run in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use flow_codec::{address, case_file};
use flow_core::{AccountKey, Amount, Case, Label};
use tempfile::TempDir;

pub(crate) struct Folder(TempDir);

impl Folder {
    /// An empty folder.
    pub(crate) fn empty() -> Folder {
        Folder(tempfile::tempdir().expect("a folder can be made"))
    }

    /// A folder with `cases.json`, `labels.csv` and `opening.csv`.
    pub(crate) fn knowing(
        cases: &[Case],
        labels: &[Label],
        opening: &[(AccountKey, Amount)],
    ) -> Folder {
        let folder = Folder::empty();
        let cases: Vec<String> = cases.iter().map(case_file::case_to_json).collect();
        folder.write("cases.json", format!("[{}]", cases.join(",\n")));
        let mut rows = csv::Writer::from_writer(Vec::new());
        let header = ["chain", "address", "entity", "kind", "stop"];
        rows.write_record(header).expect("writes to memory");
        for Label { account, entity, kind, stop } in labels {
            let (chain, address) = columns(*account);
            let row = [chain, &address, entity, kind, &stop.to_string()];
            rows.write_record(row).expect("writes to memory");
        }
        folder.write("labels.csv", rows.into_inner().expect("writes to memory"));
        let mut rows = "chain,address,balance\n".to_owned();
        // A file names each account once; a list of credits need not.
        let mut sums = BTreeMap::<AccountKey, Amount>::new();
        for (account, amount) in opening {
            *sums.entry(*account).or_default() += amount;
        }
        for (account, balance) in &sums {
            let (chain, address) = columns(*account);
            rows += &format!("{chain},{address},{balance}\n");
        }
        folder.write("opening.csv", rows);
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), bytes).expect("the file can be written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).expect("the file can be read")
    }

    /// The binary, to be run here with nothing of ours in its environment.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_usdt-flow"));
        let ours = |name: &str| name.starts_with("USDT_FLOW_") || name == "RUST_LOG";
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(ours) {
                command.env_remove(name);
            }
        }
        command.current_dir(self.path());
        command
    }
}

pub(crate) fn columns(account: AccountKey) -> (&'static str, String) {
    (account.chain.name(), address::format(account.chain, account.address))
}
