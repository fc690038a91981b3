//! `usdt-flow run`: the service.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::cli::{GlobalArgs, RunArgs};
use crate::config::Config;
use crate::http::{self, Health};
use crate::kafka::{Ended, Session, SessionError, Until};
use crate::knowledge::{Knowledge, Watch};
use crate::metrics::Metrics;
use crate::report::Explain;
use crate::summary::Summary;

/// The longest pause between two sessions.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Runs until a signal, or with `--until-end` until the topics are read.
pub fn execute(args: &RunArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let config = super::load(&args.config, args.flags(), global)?.config;
    crate::logging::start(&config.log, global.color)?;
    config
        .require_inputs()
        .explain("there is nothing to do", "see deploy/config/usdt-flow.toml")?;
    // The watch begins first, so that no change falls between the two.
    let watch = Watch::new(&config.knowledge.case_files, &config.knowledge.label_files);
    let known = Knowledge::read(
        &config.knowledge.case_files,
        &config.knowledge.label_files,
        &config.knowledge.opening_files,
    )?;
    let (metrics, health) = (Metrics::new(), Health::new());
    let server = http::serve(config.http.listen, Arc::clone(&metrics), Arc::clone(&health))?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        http = %server.local_addr(),
        brokers = config.kafka.bootstrap_servers,
        cases = known.cases.len(),
        labels = known.labels.len(),
        "starting"
    );
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_signal(Arc::clone(&stop))?;
    let started = Instant::now();
    let session = Session {
        config: &config,
        known: RefCell::new(known),
        watch: RefCell::new(watch),
        metrics: Arc::clone(&metrics),
        health: Arc::clone(&health),
        stop: &stop,
        until: if args.until_end { Until::End } else { Until::Stopped },
    };
    let ended = sessions(&session, &config)?;
    server.stop()?;
    if let Some(Ended { pipeline }) = ended {
        let summary = Summary::of(&pipeline, &metrics, started.elapsed().as_millis());
        if args.until_end {
            pipeline.engine.audit()?;
            eprint!("{}", summary.text());
        }
        if let Some(out) = &args.out {
            crate::replay::write_tables(out, &pipeline.engine, &summary)?;
        }
    }
    Ok(())
}

/// Runs one session after the other until one ends in peace.
fn sessions(session: &Session<'_>, config: &Config) -> anyhow::Result<Option<Ended>> {
    let mut backoff = Duration::from_secs(1);
    loop {
        let began = Instant::now();
        match session.run() {
            Ok(ended) => return Ok(Some(ended)),
            Err(SessionError::Fatal(error)) => return Err(error),
            Err(SessionError::Retry(error)) => {
                if began.elapsed() > BACKOFF_MAX {
                    backoff = Duration::from_secs(1);
                }
                let brokers = &config.kafka.bootstrap_servers;
                tracing::error!(
                    brokers,
                    retry_seconds = backoff.as_secs(),
                    hint = crate::report::hint(&error),
                    "{error:#}; the next session rebuilds the state"
                );
                let until = Instant::now() + backoff;
                while Instant::now() < until {
                    if session.stop.load(Ordering::Relaxed) {
                        return Ok(None);
                    }
                    session.health.heartbeat();
                    std::thread::sleep(Duration::from_millis(20));
                }
                backoff = (backoff * 2).min(BACKOFF_MAX);
            }
        }
    }
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
