//! The storm: crashes, repeats, reorderings, gaps, reorganisations, zombies and
//! bad disks over the real followers, with Kafka and disks simulated. One seed
//! is one run, and each must end as a quiet one does.
//!
//! `USDT_FLOW_STORM_SEEDS=20000` asks for more seeds;
//! `USDT_FLOW_STORM_SEED=123` runs one, and `USDT_FLOW_STORM_TRACE=1` tells it
//! step by step.

mod counts;
mod kafka;
mod plan;
mod sim;
mod truth;
mod verdict;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use flow_core::Chain;
use usdt_flow::metrics::Metrics;

use counts::Counts;
use kafka::OutputTopic;
use plan::Plan;
use sim::{Fate, Sim, live};
use truth::{Truth, parsed};
use verdict::Verdict;

/// Seeds of a test run.
const SEEDS: u64 = 2_000;

/// What must have happened in so many seeds, or the storm is no storm.
const EXPECTED: [&str; 33] = [
    "changes learnt while following",
    "checkpoints damaged",
    "checkpoints rotten",
    "commits aborted",
    "commits lost",
    "commits of a zombie refused",
    "commits undecided for a while",
    "commits whose answer was lost",
    "crash at commit",
    "crash at commit_done",
    "crash at drain_published",
    "crash at fence_done",
    "crash at put",
    "crash at put_done",
    "disks full",
    "failure at get",
    "failure at published_ends",
    "freeze at commit",
    "freeze at fence",
    "gaps told",
    "ledgers of cases told",
    "ledgers of days that ended",
    "ledgers told closed",
    "lulls",
    "objects left half written",
    "questions whether markers alone are left",
    "records sent twice",
    "reorganisations applied",
    "segments rotten",
    "sessions fenced",
    "sessions from a checkpoint",
    "sessions handed over",
    "times that old input was deleted",
];

/// Runs a seed to its end.
fn run(plan: &Plan) -> Result<Counts, String> {
    let truth = Truth::of(&plan.world, &plan.config.engine);
    let sim = Arc::new(Sim::new(plan.state()));
    let metrics: Vec<Arc<Metrics>> = plan.starts.iter().map(|_| Metrics::new()).collect();
    let mut fates: Vec<Fate> = std::thread::scope(|scope| {
        let thread = |(seat, metrics)| {
            let sim = &sim;
            scope.spawn(move || live(sim, plan, seat, metrics))
        };
        let threads: Vec<_> = metrics.iter().enumerate().map(thread).collect();
        let panicked = |_| Fate::Failed("it panicked".to_owned());
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    });
    judge(plan, &truth, &sim, &mut fates)?;
    let mut counts = sim.state().counts.clone();
    count_ledgers(&sim.state().kafka.outputs[4], &mut counts);
    count(plan, &metrics, &mut counts)?;
    Ok(counts)
}

fn judge(plan: &Plan, truth: &Truth, sim: &Sim, fates: &mut [Fate]) -> Verdict {
    for (seat, fate) in fates.iter().enumerate() {
        if let Fate::Failed(why) = fate {
            return Err(format!("instance {seat}: {why}"));
        }
    }
    let state = sim.state();
    verdict::topics(plan, truth, &state.kafka)?;
    let owner = state.last_owner.map(|owner| owner.seat);
    for (seat, fate) in fates.iter_mut().enumerate() {
        if let Fate::Ended(ended) = fate {
            let engine = &mut ended.pipeline.engine;
            let own = owner == Some(seat);
            let desk = if own { verdict::desk(truth, &state.kafka, engine) } else { Ok(()) };
            let all = desk.and_then(|()| verdict::engine(truth, &plan.world.opening, engine));
            all.map_err(|why| format!("instance {seat}: {why}"))?;
        }
    }
    Ok(())
}

/// Counts what was told of cases over time.
fn count_ledgers(topic: &OutputTopic, counts: &mut Counts) {
    let records: Vec<_> = topic.visible().map(|written| parsed(&written.value)).collect();
    let with = |name: &str, value: &str| records.iter().filter(|r| r[name] == value).count() as u64;
    counts.add("ledgers of cases told", records.len() as u64);
    counts.add("ledgers of days that ended", with("day", "2025-12-31"));
    counts.add("ledgers told closed", with("status", "closed"));
}

/// Counts what the followers saw, and what the world had in store.
fn count(plan: &Plan, metrics: &[Arc<Metrics>], counts: &mut Counts) -> Verdict {
    let chain = plan.world.chain;
    let sum = |read: fn(&Metrics, Chain) -> u64| {
        metrics.iter().map(|metrics| read(metrics, chain)).sum::<u64>()
    };
    let gaps = sum(|metrics, chain| metrics.chain(chain).gaps.get());
    counts.add("gaps told", gaps);
    counts.add("gaps", plan.world.gaps as u64);
    counts.add("takeovers", sum(|metrics, chain| metrics.chain(chain).takeovers.get()));
    counts.add("reorganisations", plan.world.reorgs);
    counts.add("reorganisations applied", sum(|metrics, chain| metrics.chain(chain).reorgs.get()));
    counts.add("checkpoints damaged", sum(|m, chain| m.chain(chain).checkpoints_damaged.get()));
    counts.add("seeds", 1);
    Ok(())
}

/// Runs a seed; a failure says how to repeat it.
fn storm(seed: u64) -> Counts {
    let ran = catch_unwind(AssertUnwindSafe(|| run(&Plan::new(seed))));
    let why = match ran {
        Ok(Ok(counts)) => return counts,
        Ok(Err(why)) => why,
        Err(_) => "it panicked".to_owned(),
    };
    panic!(
        "seed {seed} failed: {why}\nrepeat it with USDT_FLOW_STORM_SEED={seed} \
         USDT_FLOW_STORM_TRACE=1 cargo test -p usdt-flow --test storm"
    );
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

fn storms(part: u64) {
    let mut counts = Counts::default();
    if let Some(seed) = number("USDT_FLOW_STORM_SEED") {
        if seed % 2 == part {
            println!("{}", storm(seed));
        }
        return;
    }
    let seeds = number("USDT_FLOW_STORM_SEEDS").unwrap_or(SEEDS);
    for seed in (part..seeds).step_by(2) {
        counts.absorb(&storm(seed));
    }
    println!("{counts}");
    for name in EXPECTED.iter().filter(|_| seeds >= SEEDS) {
        assert!(counts.of(name) > 0, "{name} never happened");
    }
}

#[test]
fn storms_end_as_quiet_runs_do_even_seeds() {
    storms(0);
}

#[test]
fn storms_end_as_quiet_runs_do_odd_seeds() {
    storms(1);
}
