//! Writes invented traffic as records, one a line, for a topic or a file.
//!
//!     cargo run --release -p flow-sim --example records -- java-tron 20000 > records.jsonl
//!
//! Arguments: the format (java-tron, ethereum-etl, json-rpc, plain, or compact,
//! whose records stand behind their length instead of in lines), the duration in
//! slots of 3 seconds, the seed (1 unless given).

use std::io::{BufWriter, Write};

use flow_core::Block;
use flow_sim::feed;
use flow_sim::workload::{Workload, WorkloadConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let feed: fn(&Block) -> Vec<u8> = match arguments.next().as_deref() {
        Some("java-tron") => |block| lines(feed::java_tron(block)),
        Some("ethereum-etl") => |block| lines(feed::ethereum_etl_log(block)),
        Some("json-rpc") => |block| lines(feed::json_rpc_log(block)),
        Some("plain") => |block| lines(feed::plain_json(block)),
        Some("compact") => |block| feed::compact_file([block]),
        other => return Err(format!("no format {other:?}: see the head of this example").into()),
    };
    let blocks = arguments.next().map_or(Ok(1_200), |text| text.parse())?;
    let seed = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let config = WorkloadConfig { seed, blocks, accounts: 200_000, ..WorkloadConfig::default() };
    let mut out = BufWriter::new(std::io::stdout().lock());
    for block in Workload::new(config) {
        out.write_all(&feed(&block))?;
    }
    out.flush()?;
    Ok(())
}

fn lines(records: Vec<String>) -> Vec<u8> {
    records.into_iter().flat_map(|record| record.into_bytes().into_iter().chain(*b"\n")).collect()
}
