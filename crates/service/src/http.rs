//! The HTTP endpoint: `/metrics`, `/healthz`, `/readyz`. It has a thread of its
//! own and reads atomics only, so it answers whatever the pipeline is doing.
//!
//! Deliberately absent: anything that tells about addresses or cases. What is
//! to be frozen is known to the freeze topic's readers and nobody else.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flow_core::Chain;
use tokio::sync::oneshot;

use crate::metrics::Metrics;
use crate::report::Explain as _;

/// A pipeline that has shown no sign of life for so long counts as dead.
const HEARTBEAT_MAX: Duration = Duration::from_secs(30);

/// Requests under way get so long to finish when the server stops.
const DRAIN_MAX: Duration = Duration::from_secs(2);

/// How far the service has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// Files are read, Kafka is being reached.
    Starting = 0,
    /// The state is rebuilt from what was already committed.
    Rebuilding = 1,
    /// The group has not spoken yet.
    Unassigned = 2,
    /// Records are processed as they come.
    Ready = 3,
    /// The service is on its way out.
    Stopping = 4,
    /// Another instance publishes; this one follows and would take over.
    Standby = 5,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Stage; 6] = [
        Stage::Starting,
        Stage::Rebuilding,
        Stage::Unassigned,
        Stage::Ready,
        Stage::Stopping,
        Stage::Standby,
    ];

    /// The name used in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Starting => "starting",
            Stage::Rebuilding => "rebuilding",
            Stage::Unassigned => "unassigned",
            Stage::Ready => "ready",
            Stage::Stopping => "stopping",
            Stage::Standby => "standby",
        }
    }

    const fn reason(self) -> &'static str {
        match self {
            Stage::Starting => "the service is starting",
            Stage::Rebuilding => "the state is being rebuilt from committed records",
            Stage::Unassigned => "the group has not said yet who publishes",
            Stage::Ready => "records are processed as they come",
            Stage::Stopping => "the service is stopping",
            Stage::Standby => "another instance publishes, this one follows",
        }
    }
}

/// How the followers are, told by themselves.
#[derive(Debug)]
pub struct Health {
    started: Instant,
    chains: [ChainHealth; Chain::ALL.len()],
}

/// How one follower is.
#[derive(Debug, Default)]
struct ChainHealth {
    /// Whether the chain is followed at all.
    followed: AtomicBool,
    /// Milliseconds from `started` to the last sign of life.
    heartbeat_ms: AtomicU64,
    stage: AtomicU8,
}

impl ChainHealth {
    fn stage(&self) -> Stage {
        Stage::ALL[usize::from(self.stage.load(Ordering::Relaxed))]
    }
}

impl Health {
    /// Of followers of these chains: alive as of now, and starting.
    pub fn of(chains: impl IntoIterator<Item = Chain>) -> Arc<Health> {
        let health = Health { started: Instant::now(), chains: Default::default() };
        for chain in chains {
            health.chains[chain.index()].followed.store(true, Ordering::Relaxed);
        }
        Arc::new(health)
    }

    /// The follower is at work. To be called more often than every 30 s.
    pub fn heartbeat(&self, chain: Chain) {
        self.chains[chain.index()].heartbeat_ms.store(self.elapsed_ms(), Ordering::Relaxed);
    }

    /// How far the follower has come.
    pub fn set_stage(&self, chain: Chain, stage: Stage) {
        self.chains[chain.index()].stage.store(stage as u8, Ordering::Relaxed);
    }

    /// Brings the metrics of the followers up to date.
    fn measure(&self, metrics: &Metrics) {
        for (chain, health) in Chain::ALL.into_iter().zip(&self.chains) {
            let followed = health.followed.load(Ordering::Relaxed);
            let how = followed.then(|| (health.stage(), self.silence_of(chain)));
            metrics.chain(chain).health(how);
        }
    }

    /// What keeps the service from being ready, if anything does.
    fn not_ready(&self) -> Option<(Chain, Stage)> {
        let mut stages = self.followed().map(|(chain, health)| (chain, health.stage()));
        stages.find(|(_, stage)| !matches!(stage, Stage::Ready | Stage::Standby))
    }

    /// Time since the last sign of life of the follower.
    pub fn silence_of(&self, chain: Chain) -> Duration {
        let last = self.chains[chain.index()].heartbeat_ms.load(Ordering::Relaxed);
        Duration::from_millis(self.elapsed_ms().saturating_sub(last))
    }

    /// Time since the last sign of life of the one that is silent longest.
    fn silence(&self) -> Duration {
        let silences = self.followed().map(|(chain, _)| self.silence_of(chain));
        silences.max().unwrap_or(Duration::ZERO)
    }

    fn followed(&self) -> impl Iterator<Item = (Chain, &ChainHealth)> {
        let all = Chain::ALL.into_iter().zip(&self.chains);
        all.filter(|(_, health)| health.followed.load(Ordering::Relaxed))
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).expect("no process lives so long")
    }
}

#[derive(Clone)]
struct Shared {
    metrics: Arc<Metrics>,
    health: Arc<Health>,
}

/// The running endpoint.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Server {
    /// The address listened on, with the port that was given for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Lets requests under way finish, then ends the thread.
    pub fn stop(self) -> anyhow::Result<()> {
        // The receiver is gone when the thread ended by itself.
        drop(self.stop);
        match self.thread.join() {
            Ok(ended) => ended.context("the HTTP endpoint failed"),
            Err(_) => anyhow::bail!("the HTTP thread panicked"),
        }
    }
}

/// Listens there and answers on a thread of its own. Returns once the port is
/// bound.
pub fn serve(
    listen: SocketAddr,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
) -> anyhow::Result<Server> {
    let listener = TcpListener::bind(listen).explain(
        format!("cannot listen on {listen}"),
        "set http.listen to a free address, or stop what listens there",
    )?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel();
    let router = router(Shared { metrics, health });
    let thread = thread::Builder::new()
        .name("http".to_owned())
        .spawn(move || answer(listener, router, stopped))?;
    Ok(Server { address, stop, thread })
}

fn answer(listener: TcpListener, router: Router, stopped: oneshot::Receiver<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (drain, draining) = oneshot::channel::<()>();
        let signal = async move {
            // Dropping the sender is the signal; nothing is ever sent.
            stopped.await.ok();
            drop(drain);
        };
        let limit = async move {
            draining.await.ok();
            tokio::time::sleep(DRAIN_MAX).await;
        };
        tokio::select! {
            ended = axum::serve(listener, router).with_graceful_shutdown(signal) => ended,
            () = limit => Ok(()),
        }
    })
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(|| async {
            problem(StatusCode::NOT_FOUND, "there are /metrics, /healthz and /readyz")
        })
        .method_not_allowed_fallback(|| async {
            problem(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered")
        })
        .with_state(shared)
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    shared.health.measure(&shared.metrics);
    ([(header::CONTENT_TYPE, kind)], shared.metrics.encode()).into_response()
}

async fn healthz(State(shared): State<Shared>) -> Response {
    let silence = shared.health.silence();
    if silence < HEARTBEAT_MAX {
        return "ok\n".into_response();
    }
    let detail = format!("the pipeline has given no sign of life for {} s", silence.as_secs());
    problem(StatusCode::SERVICE_UNAVAILABLE, &detail)
}

async fn readyz(State(shared): State<Shared>) -> Response {
    match shared.health.not_ready() {
        None => "ready\n".into_response(),
        Some((chain, stage)) => {
            let detail = format!("{chain}: {}", stage.reason());
            problem(StatusCode::SERVICE_UNAVAILABLE, &detail)
        }
    }
}

/// An error as RFC 9457 has it.
fn problem(status: StatusCode, detail: &str) -> Response {
    let body = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
    });
    let kind = [(header::CONTENT_TYPE, "application/problem+json")];
    (status, kind, body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    fn start(health: &Arc<Health>) -> Server {
        serve(([127, 0, 0, 1], 0).into(), Metrics::new(), health.clone()).unwrap()
    }

    fn request(server: &Server, line: &str) -> String {
        let mut stream = TcpStream::connect(server.local_addr()).unwrap();
        write!(stream, "{line} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn readiness_follows_the_stage() {
        let health = Health::of(Chain::ALL);
        let server = start(&health);
        health.set_stage(Chain::Tron, Stage::Rebuilding);
        health.set_stage(Chain::Ethereum, Stage::Standby);
        let answer = request(&server, "GET /readyz");
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("content-type: application/problem+json"), "{answer}");
        assert!(answer.contains("being rebuilt"), "{answer}");
        health.set_stage(Chain::Tron, Stage::Ready);
        assert!(request(&server, "GET /readyz").starts_with("HTTP/1.1 200"));
        server.stop().unwrap();
    }

    #[test]
    fn a_silent_pipeline_is_not_healthy() {
        let mut health = Health::of([Chain::Tron]);
        let inner = Arc::get_mut(&mut health).unwrap();
        inner.started = inner.started.checked_sub(Duration::from_secs(60)).unwrap();
        let server = start(&health);
        assert!(request(&server, "GET /healthz").starts_with("HTTP/1.1 503"));
        health.heartbeat(Chain::Tron);
        assert!(request(&server, "GET /healthz").starts_with("HTTP/1.1 200"));
        server.stop().unwrap();
    }

    #[test]
    fn metrics_are_told_and_nothing_else() {
        let server = start(&Health::of([]));
        let answer = request(&server, "GET /metrics");
        assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
        assert!(answer.contains("# HELP usdt_flow_alerts_total"), "{answer}");
        assert!(request(&server, "GET /cases").starts_with("HTTP/1.1 404"));
        assert!(request(&server, "POST /metrics").starts_with("HTTP/1.1 405"));
        server.stop().unwrap();
    }

    #[test]
    fn a_taken_port_is_named() {
        let server = start(&Health::of([]));
        let taken = serve(server.local_addr(), Metrics::new(), Health::of([])).unwrap_err();
        assert!(taken.to_string().contains(&server.local_addr().to_string()));
        server.stop().unwrap();
    }

    #[test]
    fn stopping_does_not_wait_for_idle_connections() {
        let server = start(&Health::of([]));
        let idle = TcpStream::connect(server.local_addr()).unwrap();
        let began = Instant::now();
        server.stop().unwrap();
        assert!(began.elapsed() < DRAIN_MAX + Duration::from_secs(5));
        drop(idle);
    }
}
