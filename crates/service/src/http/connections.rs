//! Connections of a listener: a bounded number, each with a bounded patience.
//!
//! Where there are too many, the oldest goes: whoever says nothing, or reads
//! nothing, takes no place from one who asks now.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// The most connections of a listener at once.
pub const CONNECTIONS_MAX: usize = 64;

/// The head of a request has so long to come, counted from the end of the last
/// answer.
const HEAD_MAX: Duration = Duration::from_secs(30);

/// The most bytes of a head.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The pause after no connection could be accepted, since descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Requests under way get so long to finish when the server stops.
const DRAIN_MAX: Duration = Duration::from_secs(2);

/// Answers whoever comes, until the sender of `stopped` is gone.
pub(super) async fn serve(listener: TcpListener, router: Router, mut stopped: watch::Receiver<()>) {
    let mut connections = Connections::default();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => connections.admit(stream, &router, &stopped),
                Err(error) => rest(&error).await,
            },
            // Nothing is ever sent: it is the end of the sender.
            _ = stopped.changed() => break,
        }
    }
    drop(listener);
    // Whoever has not finished by then is cut off.
    tokio::time::timeout(DRAIN_MAX, connections.finish()).await.ok();
}

/// Whoever hung up before being accepted is no reason to wait.
async fn rest(error: &std::io::Error) {
    let gone =
        [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset, ErrorKind::ConnectionRefused];
    if !gone.contains(&error.kind()) {
        tracing::warn!("no connection can be accepted: {error}; trying again");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

#[derive(Default)]
struct Connections {
    all: JoinSet<()>,
    /// Those that are open, the oldest first.
    open: VecDeque<AbortHandle>,
}

impl Connections {
    fn admit(&mut self, stream: TcpStream, router: &Router, stopped: &watch::Receiver<()>) {
        while self.all.try_join_next().is_some() {}
        self.open.retain(|connection| !connection.is_finished());
        if self.open.len() >= CONNECTIONS_MAX
            && let Some(oldest) = self.open.pop_front()
        {
            oldest.abort();
        }
        self.open.push_back(self.all.spawn(answer(stream, router.clone(), stopped.clone())));
    }

    async fn finish(&mut self) {
        while self.all.join_next().await.is_some() {}
    }
}

async fn answer(stream: TcpStream, router: Router, mut stopped: watch::Receiver<()>) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection ended early: {error}");
    }
}
