//! Arguments of `bench`: what is measured, and over which Kafka.

use clap::{Args, Subcommand, ValueEnum};

use super::parse_set;
use crate::bench::RecordFormat;

/// `usdt-flow bench`.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// How many records a second the service works off, beside a bare consumer of the same topic
    #[command(after_help = "\
Examples:
  usdt-flow bench throughput --brokers 127.0.0.1:9092
  usdt-flow bench throughput --brokers 127.0.0.1:9092 --format java-tron,plain --events 2000000
  Without a Kafka, over a throw-away one:
    deploy/dev/kafka.sh run -- sh -c 'usdt-flow bench throughput --brokers \"$KAFKA_BOOTSTRAP\"'

One partition is filled with invented transfers, always the same ones, and then read in turn
  bare       by a consumer that only counts, set up as the service's own
  usdt-flow  by the service, which follows the crimes among them exactly once (run --until-end)
The rate of the service is the slope of usdt_flow_records_consumed_total, asked for every --scrape-ms,
so joining the group and leaving it are told apart from it. With --poisoned-percent N so many
further records cannot be read; the service must have each in its dead-letter topic. All topics are new and are deleted at
the end, also after Ctrl-C. Run it where nothing else runs, and look at the load that it tells.")]
    Throughput(ThroughputArgs),
    /// How long an alert takes from its event, record in to record out, at a steady rate
    #[command(after_help = "\
Examples:
  usdt-flow bench latency --brokers 127.0.0.1:9092
  usdt-flow bench latency --brokers 127.0.0.1:9092 --rate 5000 --seconds 60 --output json
  What another setting of the service does:
    usdt-flow bench latency --brokers 127.0.0.1:9092 --set kafka.consumer.fetch.wait.max.ms=10
  Without a Kafka, over a throw-away one:
    deploy/dev/kafka.sh run -- sh -c 'usdt-flow bench latency --brokers \"$KAFKA_BOOTSTRAP\"'

Records go out evenly in time, in blocks of a few each. The transfers that leave the wallet of a
case raise two alerts each; a consumer that reads committed records alone waits for them. Both ends
are in this process, so one clock times both. The memory of the service is looked at each second;
with --seconds 3600 or more its slope tells whether anything leaks. Every alert must come, and come once: the exit status
is 1 if one is lost or doubled. All topics are new and are deleted at the end, also after Ctrl-C.")]
    Latency(LatencyArgs),
}

/// What both benches need.
#[derive(Clone, Debug, Args)]
pub struct BenchArgs {
    /// The brokers, HOST:PORT separated by commas
    #[arg(long, alias = "bootstrap-servers", value_name = "HOST:PORT")]
    pub brokers: String,
    /// Replicas of each partition [default: the broker's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=100))]
    pub replication: Option<i32>,
    /// How the records are compressed on their way to the input topic; java-tron does not
    #[arg(long, value_enum, value_name = "CODEC", default_value = "none")]
    pub compression: Compression,
    /// Set any key of the service's configuration, as in --set commit.interval_ms=50
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_set)]
    pub set: Vec<(String, String)>,
    /// How to print the result
    #[arg(long, value_enum, value_name = "FORM", default_value = "table")]
    pub output: BenchOutput,
    /// Show no progress bar
    #[arg(long)]
    pub no_progress: bool,
}

/// `usdt-flow bench throughput`.
#[derive(Debug, Args)]
pub struct ThroughputArgs {
    /// What both benches need.
    #[command(flatten)]
    pub common: BenchArgs,
    /// How many events to make; each is a record, but compact puts a block into one
    #[arg(long, alias = "records", value_name = "N", default_value_t = 500_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub events: u64,
    /// Their format, or several one after the other
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT,…",
        value_delimiter = ',',
        default_value = "java-tron"
    )]
    pub format: Vec<RecordFormat>,
    /// Further records that cannot be read, as a share of those that can
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=100))]
    pub poisoned_percent: u64,
    /// How often the metrics of the service are asked for; Prometheus does so each 15000
    #[arg(long, value_name = "MS", default_value_t = 50, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub scrape_ms: u64,
    /// How many times each reader reads them
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub runs: u32,
}

/// `usdt-flow bench latency`.
#[derive(Debug, Args)]
pub struct LatencyArgs {
    /// What both benches need.
    #[command(flatten)]
    pub common: BenchArgs,
    /// Records a second
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub rate: u64,
    /// For how long to measure
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// For how long to send before that, unmeasured
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    pub warmup_seconds: u64,
    /// How often the service commits: commit.interval_ms
    #[arg(long, value_name = "MS", default_value_t = 20)]
    pub commit_interval_ms: u64,
    /// How many later blocks a block waits for: window_blocks
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub window_blocks: u64,
    /// Records in a block
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub block_records: u64,
    /// How many of a hundred records leave the wallet of the case
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub alert_percent: u64,
    /// The format of the records, each of which must tell of one event
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "java-tron")]
    pub format: RecordFormat,
}

/// How the result of a bench is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchOutput {
    /// For people.
    Table,
    /// One object, for programs.
    Json,
}

/// How records are compressed by their producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Compression {
    /// Not at all.
    None,
    /// Deflate.
    Gzip,
    /// Fast.
    Lz4,
    /// Small.
    Zstd,
}

impl Compression {
    /// The value of librdkafka's `compression.type`.
    pub const fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }
}
