//! Ctrl-C: the bench ends early, and still clears up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};

/// Whether somebody asked to stop.
#[derive(Clone)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens for SIGINT and SIGTERM from now on; the second one ends the
    /// process at once.
    pub(super) fn on_signal() -> anyhow::Result<Stop> {
        use tokio::signal::unix::{SignalKind, signal};
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot listen for signals")?;
        let (mut term, mut int) = {
            let _guard = runtime.enter();
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        let stop = Stop(Arc::new(AtomicBool::new(false)));
        let asked = Arc::clone(&stop.0);
        let wait = move || {
            runtime.block_on(async move {
                loop {
                    tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
                    if asked.swap(true, Ordering::Relaxed) {
                        eprintln!("ending at once; topics of this bench may be left behind");
                        std::process::exit(1);
                    }
                    eprintln!("ending, and deleting the topics of this bench");
                }
            });
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
        Ok(stop)
    }

    /// Fails once somebody asked to stop.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if self.0.load(Ordering::Relaxed) {
            bail!("the bench was interrupted");
        }
        Ok(())
    }
}
