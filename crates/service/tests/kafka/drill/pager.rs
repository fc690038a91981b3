//! A receiver of pages.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(90);

/// Waits for word on that alert.
pub(super) fn wait_for(pages: &Receiver<Value>, alert: &str, status: &str) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let page = pages.recv_timeout(left).unwrap_or_else(|_| panic!("never {status}"));
        let alerts = page["alerts"].as_array().unwrap();
        let found = alerts
            .iter()
            .find(|told| told["labels"]["alertname"] == alert && told["status"] == status);
        if let Some(told) = found {
            return told.clone();
        }
    }
}

/// Its address, and what it is sent.
pub(super) fn start() -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, pages) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Who hangs up has nothing to say, and the end of the test ends this.
            let Some(()) = stream.ok().and_then(|stream| answer(stream, &sender)) else { continue };
        }
    });
    (address, pages)
}

fn answer(mut stream: TcpStream, pages: &Sender<Value>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_lowercase();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()?;
    pages.send(serde_json::from_slice(&body).ok()?).ok()
}
