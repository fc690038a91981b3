//! `usdt-flow demo`: the real pipeline, with nothing to set up.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use flow_core::{Chain, FreezeStatus, Rule};
use rdkafka::mocking::MockCluster;

use crate::cli::{DemoArgs, GlobalArgs};
use crate::config::{Config, Flag, Layers};
use crate::demo::{Feeder, Printer, Story, TOPICS};
use crate::follow::{Ended, Until};
use crate::http::Health;
use crate::instance::Instance;
use crate::metrics::Metrics;
use crate::summary::Summary;

/// Slots of 3 seconds in the invented story: one hour.
const BLOCKS: u64 = 1_200;

/// Tells the story through Kafka and prints what comes out.
pub fn execute(args: &DemoArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let started = Instant::now();
    let story = if args.real {
        Story::recorded()?
    } else {
        Story::invented(args.seed, args.blocks.unwrap_or(BLOCKS))
    };
    writeln!(std::io::stdout(), "{}\n", story.introduction)?;
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let prefix = format!("usdt.flow.demo.{now_s}");
    // Lives as long as the demo: dropping it stops the broker.
    let embedded = match args.kafka {
        Some(_) => None,
        None => Some(MockCluster::new(1).context("cannot start the embedded broker")?),
    };
    let servers = match (&args.kafka, &embedded) {
        (Some(servers), _) => servers.clone(),
        (None, Some(cluster)) => cluster.bootstrap_servers(),
        (None, None) => unreachable!("without a real broker there is an embedded one"),
    };
    let config = configuration(&servers, &prefix, global)?;
    crate::logging::start(&config.log, global.color)?;
    match &embedded {
        Some(cluster) => create_topics(cluster, &config)?,
        None => super::topics::create_all(&config)?,
    }
    let metrics = Metrics::new();
    let (ended, shown) = play(args, global, &story, &config, &prefix, &metrics)?;
    let pipelines: Vec<_> = ended.iter().map(|ended| &ended.pipeline).collect();
    for pipeline in &pipelines {
        pipeline.engine.audit()?;
    }
    let summary = Summary::of(&pipelines, &metrics, started.elapsed().as_millis());
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{shown} records came out of the output topics. Where the money is now:\n")?;
    write!(out, "{}", summary.text())?;
    if args.kafka.is_some() {
        writeln!(out, "\nThe topics stay at {servers}, under {prefix}.")?;
    }
    Ok(())
}

/// Runs feeder, pipeline and printer side by side.
fn play(
    args: &DemoArgs,
    global: &GlobalArgs,
    story: &Story,
    config: &Config,
    prefix: &str,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<(Vec<Ended>, u64)> {
    let stop = Arc::new(AtomicBool::new(false));
    super::run::stop_on_signal(Arc::clone(&stop))?;
    let (total, published) = (AtomicU64::new(u64::MAX), AtomicU64::new(u64::MAX));
    let over = Arc::new(AtomicBool::new(false));
    let color = global.color.colored(std::io::stdout().is_terminal());
    let printer = Printer::open(config, color, args.quiet)?;
    let feeder = Feeder {
        kafka: config.kafka.clone(),
        prefix: prefix.to_owned(),
        metrics: Arc::clone(metrics),
        stop: Arc::clone(&over),
        speed: args.speed,
    };
    let instance = Instance {
        config,
        known: story.known.clone(),
        metrics: Arc::clone(metrics),
        health: Health::of(config.inputs.iter().map(|input| input.chain)),
        stop: &stop,
        until: Until::Records(&total),
    };
    std::thread::scope(|scope| {
        let feeding = scope.spawn(|| {
            let fed = feeder.feed(&story.blocks, &total);
            if fed.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
            fed
        });
        let printing = scope.spawn(|| {
            let printed = printer.print(&published);
            if printed.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
            printed
        });
        let ended = instance.run();
        over.store(true, Ordering::Relaxed);
        let written = Rule::ALL.map(|rule| metrics.alerts_raised(rule)).iter().sum::<u64>()
            + FreezeStatus::ALL
                .map(|s| metrics.freeze_recommendations(s).get())
                .iter()
                .sum::<u64>();
        published.store(if ended.is_ok() { written } else { 0 }, Ordering::Relaxed);
        let fed = feeding.join().expect("the feeder does not panic");
        let shown = printing.join().expect("the printer does not panic")?;
        fed?;
        Ok((ended?, shown))
    })
}

fn configuration(servers: &str, prefix: &str, global: &GlobalArgs) -> anyhow::Result<Config> {
    let topics = |chain: Chain| {
        let names = TOPICS.iter().filter(|(_, of)| *of == chain);
        names.map(|(name, _)| format!("{prefix}.{name}")).collect::<Vec<_>>().join(",")
    };
    let flag = |key: &str, value: &str| Flag::new(key, value, "demo");
    let mut flags = vec![
        flag("log.level", "warn"),
        flag("kafka.bootstrap_servers", servers),
        flag("kafka.group_id", prefix),
        flag("output.topic_prefix", prefix),
        flag("input.cases_topic", ""),
        flag("input.labels_topic", ""),
        flag("input.tron.topics", &topics(Chain::Tron)),
        flag("input.ethereum.topics", &topics(Chain::Ethereum)),
        // The story has no reorganisations, so nothing in it is provisional.
        flag("input.tron.finality_blocks", "0"),
        flag("input.ethereum.finality_blocks", "0"),
        // Enough to see each step of a theft without the crumbs.
        flag("engine.alert_min_units", "500000000"),
        flag("checkpoint.url", ""),
    ];
    flags.extend(global.flags());
    let layers = Layers { flags, ..Layers::default() };
    Ok(Config::load(&layers)?.config)
}

fn create_topics<C: rdkafka::ClientContext>(
    cluster: &MockCluster<'_, C>,
    config: &Config,
) -> anyhow::Result<()> {
    let inputs = config.inputs.iter().flat_map(|input| &input.topics).map(|topic| &topic.name);
    let output = &config.output;
    let outputs = [
        &output.alerts_topic,
        &output.freezes_topic,
        &output.deadletter_topic,
        &output.ledgers_topic,
        &output.audit_topic,
    ];
    let chains = i32::try_from(Chain::ALL.len())?;
    let owners = [(&output.owners_topic, chains)];
    let one = |topic| (topic, 1);
    for (topic, partitions) in inputs.chain(outputs).map(one).chain(owners) {
        cluster
            .create_topic(topic, partitions, 1)
            .with_context(|| format!("cannot create topic {topic}"))?;
    }
    Ok(())
}
