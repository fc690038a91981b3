//! The formats in which records can be made.

use clap::ValueEnum;
use flow_core::{Block, Chain};
use flow_sim::feed;

/// A format of records in an input topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RecordFormat {
    /// `contractevent` of java-tron's event plugin, about 1.2 kB.
    JavaTron,
    /// JSON of usdt-flow, about 300 bytes.
    Plain,
    /// Logs of ethereum-etl stream.
    EthereumEtl,
    /// Log objects of the Ethereum JSON-RPC.
    JsonRpc,
    /// Protobuf of usdt-flow: a whole block, about 100 bytes an event.
    Compact,
}

impl RecordFormat {
    /// As it is called on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            RecordFormat::JavaTron => "java-tron",
            RecordFormat::Plain => "plain",
            RecordFormat::EthereumEtl => "ethereum-etl",
            RecordFormat::JsonRpc => "json-rpc",
            RecordFormat::Compact => "compact",
        }
    }

    /// The chain that it tells of here.
    pub(super) const fn chain(self) -> Chain {
        match self {
            RecordFormat::JavaTron | RecordFormat::Plain | RecordFormat::Compact => Chain::Tron,
            RecordFormat::EthereumEtl | RecordFormat::JsonRpc => Chain::Ethereum,
        }
    }

    /// What the configuration says of a topic of it: each of these formats is
    /// told by its records.
    pub(super) const fn input_format(self) -> &'static str {
        match self {
            RecordFormat::JavaTron
            | RecordFormat::Plain
            | RecordFormat::EthereumEtl
            | RecordFormat::JsonRpc
            | RecordFormat::Compact => "auto",
        }
    }

    /// How many events each record of that block tells of.
    pub(super) fn events_of_a_record(self, block: &Block) -> u64 {
        if self == RecordFormat::Compact { block.events.len() as u64 } else { 1 }
    }

    /// The records of a block, in ledger order.
    pub(super) fn records(self, block: &Block) -> Vec<Vec<u8>> {
        let texts = match self {
            RecordFormat::JavaTron => feed::java_tron(block),
            RecordFormat::Plain => feed::plain_json(block),
            RecordFormat::EthereumEtl => feed::ethereum_etl_log(block),
            RecordFormat::JsonRpc => feed::json_rpc_log(block),
            RecordFormat::Compact => return vec![feed::compact(block)],
        };
        texts.into_iter().map(String::into_bytes).collect()
    }
}

#[cfg(test)]
mod tests {
    use flow_sim::workload::{Workload, WorkloadConfig};

    use super::*;

    #[test]
    fn every_format_tells_of_its_chain() {
        for format in RecordFormat::value_variants() {
            let config = WorkloadConfig { blocks: 4, ..WorkloadConfig::default() };
            let mut blocks = Workload::new(config);
            let block = blocks.find(|block| block.chain == format.chain()).unwrap();
            let records = format.records(&block);
            let each = *format != RecordFormat::Compact;
            assert!(records.len() >= if each { block.events.len() } else { 1 }, "{format:?}");
            let mut decoded = Vec::new();
            for record in &records {
                flow_codec::Decoder::new(None).decode(record, &mut decoded).unwrap();
            }
            assert!(decoded.iter().all(|item| item.chain() == Some(format.chain())));
        }
    }

    #[test]
    fn names_are_those_of_the_command_line() {
        for format in RecordFormat::value_variants() {
            assert_eq!(format.to_possible_value().unwrap().get_name(), format.name());
        }
    }
}
