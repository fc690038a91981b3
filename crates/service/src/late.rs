//! Cases that come late, traced through the past on threads of their own while
//! blocks go on being applied.
//!
//! What always holds: a trace is handed back once, by [`LateTraces::finished`],
//! or dropped because its case changed meanwhile; the threads end with the
//! value that started them. So many run at once that one core is left for the
//! stream, and the others wait for their turn.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle, available_parallelism};
use std::time::{Duration, Instant};

use anyhow::Context;
use flow_core::{HistoryError, LateTrace};

/// The pause between two words about a trace that takes its time.
const TELL_PAUSE: Duration = Duration::from_secs(10);

/// A trace on its thread. `Ok(None)`: it was given up.
type Traced = Result<Option<LateTrace>, HistoryError>;

/// See the module.
#[derive(Debug)]
pub(crate) struct LateTraces {
    waiting: VecDeque<LateTrace>,
    running: Vec<Running>,
    most: usize,
}

#[derive(Debug)]
struct Running {
    case: String,
    began: Instant,
    given_up: Arc<AtomicBool>,
    thread: JoinHandle<Traced>,
}

impl LateTraces {
    /// None yet.
    pub(crate) fn new() -> LateTraces {
        let cores = available_parallelism().map_or(1, usize::from);
        LateTraces {
            waiting: VecDeque::new(),
            running: Vec::new(),
            most: cores.saturating_sub(1).max(1),
        }
    }

    /// Those under way, and those that wait for their turn.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.running.len()
    }

    /// Whether there are any.
    pub(crate) fn is_busy(&self) -> bool {
        self.len() > 0
    }

    /// Takes traces, and starts as many as may run. An older trace of the same
    /// case is of no further use and is given up.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub(crate) fn start(&mut self, traces: Vec<LateTrace>) -> anyhow::Result<()> {
        for trace in traces {
            self.waiting.retain(|older| older.case() != trace.case());
            for older in self.running.iter().filter(|older| older.case == trace.case()) {
                older.given_up.store(true, Ordering::Relaxed);
            }
            self.waiting.push_back(trace);
        }
        self.start_waiting()
    }

    /// Traces that have come to the end of the sealed past.
    ///
    /// # Errors
    /// If one failed: the past cannot be read.
    pub(crate) fn finished(&mut self) -> anyhow::Result<Vec<LateTrace>> {
        let mut finished = Vec::new();
        for ended in self.running.extract_if(.., |running| running.thread.is_finished()) {
            finished.extend(ended.hand_back()?);
        }
        self.start_waiting()?;
        Ok(finished)
    }

    fn start_waiting(&mut self) -> anyhow::Result<()> {
        while self.running.len() < self.most
            && let Some(trace) = self.waiting.pop_front()
        {
            self.running.push(Running::start(trace)?);
        }
        Ok(())
    }
}

impl Drop for LateTraces {
    fn drop(&mut self) {
        for running in &self.running {
            running.given_up.store(true, Ordering::Relaxed);
        }
    }
}

impl Running {
    fn start(trace: LateTrace) -> anyhow::Result<Running> {
        let case = trace.case().to_owned();
        let transfers = trace.progress().1;
        tracing::info!(case, transfers, "tracing a late case through the past");
        let given_up = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&given_up);
        let thread = Builder::new()
            .name(format!("late {case}"))
            .spawn(move || run(trace, &flag))
            .with_context(|| format!("cannot start a thread to trace case {case}"))?;
        Ok(Running { case, began: Instant::now(), given_up, thread })
    }

    fn hand_back(self) -> anyhow::Result<Option<LateTrace>> {
        let case = self.case;
        let traced =
            self.thread.join().ok().with_context(|| format!("tracing case {case} panicked"))?;
        let trace =
            traced.with_context(|| format!("case {case} cannot be traced through the past"))?;
        match &trace {
            Some(_) => {
                let seconds = self.began.elapsed().as_secs_f64();
                tracing::info!(case, seconds, "a late case was traced through the past");
            }
            None => tracing::info!(case, "a late trace was given up: its case changed"),
        }
        Ok(trace)
    }
}

fn run(mut trace: LateTrace, given_up: &AtomicBool) -> Traced {
    let mut told = Instant::now();
    while trace.step()? {
        if given_up.load(Ordering::Relaxed) {
            return Ok(None);
        }
        if told.elapsed() >= TELL_PAUSE {
            told = Instant::now();
            let (transfers, of) = trace.progress();
            tracing::info!(case = trace.case(), transfers, of, "tracing a late case");
        }
    }
    Ok(Some(trace))
}

#[cfg(test)]
mod tests {
    use flow_core::{Chain, Engine, EngineConfig, Event};
    use flow_sim::workload::{Workload, WorkloadConfig};

    use super::*;

    /// Waits for all traces and joins them.
    fn join_all(late: &mut LateTraces, engine: &mut Engine) {
        let began = Instant::now();
        while late.len() > 0 {
            for trace in late.finished().unwrap() {
                engine.join_late(trace, &mut Vec::new()).unwrap();
            }
            assert!(began.elapsed() < Duration::from_secs(60), "never traced");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn cases_traced_on_threads_while_blocks_apply_end_as_those_known_first() {
        let config =
            WorkloadConfig { blocks: 300, chains: vec![Chain::Tron], ..Default::default() };
        let workload = Workload::new(config);
        let (cases, opening) = (workload.planted().cases, workload.opening().to_vec());
        let labels = workload.planted().labels;
        let blocks: Vec<_> = workload.collect();
        let small = EngineConfig { segment_transfers: 100, ..EngineConfig::default() };
        let engine = |config: EngineConfig| {
            let mut engine = Engine::new(config);
            engine.load_opening(&opening).unwrap();
            for label in &labels {
                engine.apply(Event::LabelSet(label.clone()), &mut Vec::new()).unwrap();
            }
            engine
        };
        let apply = |engine: &mut Engine, event| engine.apply(event, &mut Vec::new()).unwrap();
        let mut early = engine(small.clone());
        for case in &cases {
            apply(&mut early, Event::CaseOpened(case.clone()));
        }
        let mut late_engine = engine(EngineConfig { defer_late: true, ..small });
        let mut late = LateTraces::new();
        for (at, block) in blocks.into_iter().enumerate() {
            apply(&mut early, Event::BlockCommitted(block.clone()));
            apply(&mut late_engine, Event::BlockCommitted(block));
            if at == 200 {
                // The first one twice: what began for its older definition is dropped.
                let mut older = cases[0].clone();
                older.min_units += 1;
                apply(&mut late_engine, Event::CaseOpened(older));
                late.start(late_engine.take_late()).unwrap();
                for case in &cases {
                    apply(&mut late_engine, Event::CaseOpened(case.clone()));
                }
                late.start(late_engine.take_late()).unwrap();
                assert!(late.len() > 0 && late_engine.has_late());
            }
        }
        join_all(&mut late, &mut late_engine);
        assert!(!late_engine.has_late());
        assert!(!early.taint_rows().is_empty());
        assert_eq!(late_engine.taint_rows(), early.taint_rows());
        assert_eq!(late_engine.case_totals(), early.case_totals());
    }
}
