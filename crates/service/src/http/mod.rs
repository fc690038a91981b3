//! The HTTP endpoints: `/metrics` on one listener, `/healthz` and `/readyz` on
//! another, so that each can be let through to its own readers alone. They share
//! a thread and read atomics only, so they answer whatever the pipeline is
//! doing.
//!
//! Deliberately absent: anything that tells about addresses or cases. What is
//! to be frozen is known to the freeze topic's readers and nobody else.

mod connections;
mod health;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
pub use connections::CONNECTIONS_MAX;
pub use health::{Health, Stage};
use tokio::sync::watch;

use crate::config::HttpConfig;
use crate::metrics::Metrics;
use crate::report::Explain as _;

/// A pipeline that has shown no sign of life for so long counts as dead.
const HEARTBEAT_MAX: Duration = Duration::from_secs(30);

#[derive(Clone)]
struct Shared {
    metrics: Arc<Metrics>,
    health: Arc<Health>,
}

/// The running endpoints.
#[derive(Debug)]
pub struct Server {
    metrics: SocketAddr,
    health: SocketAddr,
    stop: watch::Sender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Where `/metrics` is told, with the port that was given for port 0.
    pub fn metrics_addr(&self) -> SocketAddr {
        self.metrics
    }

    /// Where `/healthz` and `/readyz` are told, likewise.
    pub fn health_addr(&self) -> SocketAddr {
        self.health
    }

    /// Lets requests under way finish, then ends the thread.
    pub fn stop(self) -> anyhow::Result<()> {
        // The receivers are gone when the thread ended by itself.
        drop(self.stop);
        match self.thread.join() {
            Ok(ended) => ended.context("the HTTP endpoints failed"),
            Err(_) => anyhow::bail!("the HTTP thread panicked"),
        }
    }
}

/// Listens there and answers on a thread of its own. Returns once the ports are
/// bound.
///
/// # Errors
/// If one of them cannot be listened on.
pub fn serve(
    config: &HttpConfig,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
) -> anyhow::Result<Server> {
    let shared = Shared { metrics, health };
    let for_metrics = listen("http.metrics_listen", config.metrics_listen)?;
    let for_health = listen("http.health_listen", config.health_listen)?;
    let (at_metrics, at_health) = (for_metrics.local_addr()?, for_health.local_addr()?);
    let (stop, stopped) = watch::channel(());
    let both = [
        (for_metrics, metrics_router(shared.clone(), at_health)),
        (for_health, health_router(shared, at_metrics)),
    ];
    let thread =
        thread::Builder::new().name("http".to_owned()).spawn(move || answer(both, &stopped))?;
    Ok(Server { metrics: at_metrics, health: at_health, stop, thread })
}

fn listen(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).explain(
        format!("cannot listen on {address}"),
        format!("set {key} to a free address, or stop what listens there"),
    )?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn answer(both: [(TcpListener, Router); 2], stopped: &watch::Receiver<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let [metrics, health] = both.map(|(listener, router)| {
            let stopped = stopped.clone();
            async move {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                connections::serve(listener, router, stopped).await;
                io::Result::Ok(())
            }
        });
        tokio::try_join!(metrics, health).map(|_| ())
    })
}

fn metrics_router(shared: Shared, health: SocketAddr) -> Router {
    let here = format!("there is /metrics here; /healthz and /readyz are told at {health}");
    router([("/metrics", get(metrics))], here, shared)
}

fn health_router(shared: Shared, metrics: SocketAddr) -> Router {
    let here = format!("there are /healthz and /readyz here; /metrics is told at {metrics}");
    router([("/healthz", get(healthz)), ("/readyz", get(readyz))], here, shared)
}

fn router<const N: usize>(
    routes: [(&str, MethodRouter<Shared>); N],
    here: String,
    shared: Shared,
) -> Router {
    let router = Router::new()
        .fallback(|| async move { problem(StatusCode::NOT_FOUND, &here) })
        .method_not_allowed_fallback(|| async {
            problem(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered")
        });
    let add = |router: Router<Shared>, (path, method)| router.route(path, method);
    routes.into_iter().fold(router, add).with_state(shared)
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

    use flow_core::Chain;

    use super::*;

    fn start(health: &Arc<Health>) -> Server {
        serve(&anywhere(), Metrics::new(), health.clone()).unwrap()
    }

    fn anywhere() -> HttpConfig {
        let listen = ([127, 0, 0, 1], 0).into();
        HttpConfig { metrics_listen: listen, health_listen: listen, linger: Duration::ZERO }
    }

    fn request(at: SocketAddr, line: &str) -> String {
        let mut stream = TcpStream::connect(at).unwrap();
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
        let answer = request(server.health_addr(), "GET /readyz");
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("content-type: application/problem+json"), "{answer}");
        assert!(answer.contains("being rebuilt"), "{answer}");
        health.set_stage(Chain::Tron, Stage::Ready);
        assert!(request(server.health_addr(), "GET /readyz").starts_with("HTTP/1.1 200"));
        server.stop().unwrap();
    }

    #[test]
    fn a_silent_pipeline_is_not_healthy() {
        let mut health = Health::of([Chain::Tron]);
        let inner = Arc::get_mut(&mut health).unwrap();
        inner.started = inner.started.checked_sub(Duration::from_secs(60)).unwrap();
        let server = start(&health);
        assert!(request(server.health_addr(), "GET /healthz").starts_with("HTTP/1.1 503"));
        health.heartbeat(Chain::Tron);
        assert!(request(server.health_addr(), "GET /healthz").starts_with("HTTP/1.1 200"));
        server.stop().unwrap();
    }

    #[test]
    fn metrics_are_told_and_nothing_else() {
        let server = start(&Health::of([]));
        let answer = request(server.metrics_addr(), "GET /metrics");
        assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
        assert!(answer.contains("# HELP usdt_flow_alerts_total"), "{answer}");
        for (at, path) in [
            (server.metrics_addr(), "/cases"),
            (server.metrics_addr(), "/readyz"),
            (server.health_addr(), "/metrics"),
        ] {
            let answer = request(at, &format!("GET {path}"));
            assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
            let other = if at == server.health_addr() { "/metrics is" } else { "/readyz are" };
            assert!(answer.contains(&format!("{other} told at 127.0.0.1:")), "{answer}");
        }
        assert!(request(server.metrics_addr(), "POST /metrics").starts_with("HTTP/1.1 405"));
        server.stop().unwrap();
    }

    #[test]
    fn a_taken_port_is_named() {
        let server = start(&Health::of([]));
        let taken = HttpConfig { health_listen: server.metrics_addr(), ..anywhere() };
        let taken = serve(&taken, Metrics::new(), Health::of([])).unwrap_err();
        assert!(taken.to_string().contains(&server.metrics_addr().to_string()));
        assert!(crate::report::hint(&taken).unwrap().contains("http.health_listen"));
        server.stop().unwrap();
    }

    #[test]
    fn stopping_does_not_wait_for_idle_connections() {
        let server = start(&Health::of([]));
        let idle = TcpStream::connect(server.health_addr()).unwrap();
        server.stop().unwrap();
        drop(idle);
    }
}
