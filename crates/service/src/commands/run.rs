//! `usdt-flow run`: the service.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::cli::{GlobalArgs, RunArgs};
use crate::follow::{Ended, Until};
use crate::http::{self, Health};
use crate::instance::Instance;
use crate::kafka::{self, Refused, TlsFailed};
use crate::knowledge::Knowledge;
use crate::metrics::Metrics;
use crate::pipeline::PipelineError;
use crate::report::Explain;
use crate::summary::Summary;

/// Runs until a signal, or with `--until-end` until the topics are read.
pub fn execute(args: &RunArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let config = super::load(&args.config, args.flags(), global)?.config;
    crate::logging::start(&config.log, global.color)?;
    config
        .require_inputs()
        .explain("there is nothing to do", "see deploy/config/usdt-flow.toml")?;
    let known = Knowledge::read(
        &config.knowledge.case_files,
        &config.knowledge.label_files,
        &config.knowledge.opening_files,
    )?;
    let metrics = Metrics::new();
    metrics.limit_memory(config.limits.memory_max_bytes);
    let health = Health::of(config.inputs.iter().map(|input| input.chain));
    let server = http::serve(&config.http, Arc::clone(&metrics), Arc::clone(&health))?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        metrics = %server.metrics_addr(),
        health = %server.health_addr(),
        brokers = config.kafka.bootstrap_servers,
        cases = known.cases.len(),
        labels = known.labels.len(),
        "starting"
    );
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_signal(Arc::clone(&stop))?;
    // A broker that is away may come back; one that refuses us will not change its mind.
    if let Err(error) = kafka::reach(&config.kafka, kafka::HELLO_MAX) {
        if error.chain().any(|cause| cause.is::<Refused>() || cause.is::<TlsFailed>()) {
            return Err(error);
        }
        tracing::warn!(hint = crate::report::hint(&error), "{error:#}; trying on until it answers");
    }
    let started = Instant::now();
    let instance = Instance {
        config: &config,
        known,
        metrics: Arc::clone(&metrics),
        health,
        stop: &stop,
        until: if args.until_end { Until::End } else { Until::Stopped },
    };
    let ended = match instance.run() {
        Ok(ended) => ended,
        Err(error) => {
            if !args.until_end && error.chain().any(|cause| cause.is::<PipelineError>()) {
                linger(&error, config.http.linger);
            }
            return Err(error);
        }
    };
    server.stop()?;
    if ended.len() == config.inputs.len() {
        finish(args, &ended, &metrics, started.elapsed().as_millis())?;
    }
    Ok(())
}

/// Waits until Prometheus has seen what the metrics say of a broken invariant.
fn linger(error: &anyhow::Error, time: Duration) {
    let seconds = time.as_secs();
    tracing::error!(seconds, "{error:#}; nothing more is published, metrics are told for a while");
    std::thread::sleep(time);
}

/// Checks the books once more, and tells what the run came to.
fn finish(args: &RunArgs, ended: &[Ended], metrics: &Metrics, run_ms: u128) -> anyhow::Result<()> {
    let pipelines: Vec<_> = ended.iter().map(|ended| &ended.pipeline).collect();
    let summary = Summary::of(&pipelines, metrics, run_ms);
    if args.until_end {
        for pipeline in &pipelines {
            pipeline.engine.audit()?;
        }
        eprint!("{}", summary.text());
    }
    if let Some(out) = &args.out {
        let engines: Vec<_> = pipelines.iter().map(|pipeline| &pipeline.engine).collect();
        crate::replay::write_tables(out, &engines, &summary)?;
    }
    Ok(())
}

/// The first SIGTERM or SIGINT asks to stop, the second one ends the process.
pub(super) fn stop_on_signal(stop: Arc<AtomicBool>) -> anyhow::Result<JoinHandle<()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot listen for signals")?;
    let (mut term, mut int) = {
        let _guard = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    let wait = move || {
        runtime.block_on(async move {
            loop {
                tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
                if stop.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "second signal: ending at once; the open batch is not committed"
                    );
                    std::process::exit(1);
                }
                tracing::info!("stopping after this batch; a second signal ends at once");
            }
        });
    };
    Ok(std::thread::Builder::new().name("signals".to_owned()).spawn(wait)?)
}
