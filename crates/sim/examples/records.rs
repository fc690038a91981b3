//! Writes invented traffic as records, one a line, for a topic or a file.
//!
//!     cargo run --release -p flow-sim --example records -- java-tron 20000 > records.jsonl
//!
//! Arguments: the format (java-tron, ethereum-etl, json-rpc, plain), the
//! duration in slots of 3 seconds, the seed (1 unless given).

use std::io::{BufWriter, Write};

use flow_core::Block;
use flow_sim::feed;
use flow_sim::workload::{Workload, WorkloadConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let feed: fn(&Block) -> Vec<String> = match arguments.next().as_deref() {
        Some("java-tron") => feed::java_tron,
        Some("ethereum-etl") => feed::ethereum_etl_log,
        Some("json-rpc") => feed::json_rpc_log,
        Some("plain") => feed::plain_json,
        other => return Err(format!("no format {other:?}: see the head of this example").into()),
    };
    let blocks = arguments.next().map_or(Ok(1_200), |text| text.parse())?;
    let seed = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let config = WorkloadConfig { seed, blocks, accounts: 200_000, ..WorkloadConfig::default() };
    let mut out = BufWriter::new(std::io::stdout().lock());
    for block in Workload::new(config) {
        for record in feed(&block) {
            out.write_all(record.as_bytes())?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(())
}
