//! The HTTP endpoint under requests that nobody should send.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flow_core::Chain;
use flow_sim::Dice;
use usdt_flow::config::HttpConfig;
use usdt_flow::http::{CONNECTIONS_MAX, Health, Server, serve};
use usdt_flow::metrics::Metrics;

/// Requests in a test run; `USDT_FLOW_HTTP_REQUESTS` asks for more.
const REQUESTS: u64 = 20_000;

/// Whoever has asked waits no longer for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

const WELL_FORMED: [&str; 6] = [
    "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "HEAD /metrics HTTP/1.0\r\n\r\n",
    "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nExpect: 100-continue\r\n\r\n",
];

/// What parsers of HTTP stumble over.
const TOKENS: [&[u8]; 19] = [
    b"\r\n",
    b"\n",
    b"\0",
    b"Content-Length: -1\r\n",
    b"Content-Length: 18446744073709551616\r\n",
    b"Content-Length: 1\r\nContent-Length: 2\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n",
    b"FFFFFFFFFFFFFFFFF\r\n",
    b"HTTP/9.9",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\0\0\x04\x08\0\0\0\0\0\0\0\0\0",
    b"\0\0\x05\x01\x05\0\0\0\x01\x82\x84\x86\x41\x8a",
    b"\xff\xff\xff\x05\xff\0\0\0\x02",
    b"%00%2e%2e%2f",
    b"http://[::1]:99999/",
    b"Host: \xff\xfe\r\n",
    b" ",
    b":",
    b"\t",
];

fn count() -> u64 {
    let asked = std::env::var("USDT_FLOW_HTTP_REQUESTS").ok();
    asked.and_then(|count| count.parse().ok()).unwrap_or(REQUESTS)
}

fn server() -> Server {
    let listen = ([127, 0, 0, 1], 0).into();
    let config =
        HttpConfig { metrics_listen: listen, health_listen: listen, linger: Duration::ZERO };
    serve(&config, Metrics::new(), Health::of(Chain::ALL)).unwrap()
}

fn at(dice: &mut Dice, bytes: &[u8]) -> usize {
    dice.index(bytes.len() + 1)
}

/// A request, spoilt here and there.
fn request(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = dice.pick(&WELL_FORMED).as_bytes().to_vec();
    for _ in 0..dice.between(0, 4) {
        let place = at(dice, &bytes);
        match dice.between(0, 5) {
            0 if place < bytes.len() => bytes[place] = u8::try_from(dice.between(0, 255)).unwrap(),
            1 => bytes.truncate(place),
            2 => bytes.splice(place..place, dice.pick(&TOKENS).iter().copied()).for_each(drop),
            3 => bytes.extend_from_within(place..),
            4 => {
                let length = usize::try_from(dice.between(1, 100_000)).unwrap();
                bytes.splice(place..place, vec![b'a'; length]).for_each(drop);
            }
            _ => bytes.extend(dice.pick(&WELL_FORMED).bytes()),
        }
    }
    bytes
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.metrics_addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Everything that is answered until the other end has closed. May be nothing:
/// who stops sending counts as gone, unless the answer was under way by then.
fn ask(server: &Server, dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(server);
    // It may close as soon as it has seen enough.
    let cut = at(dice, bytes);
    for part in [&bytes[..cut], &bytes[cut..]] {
        if stream.write_all(part).is_err() {
            break;
        }
    }
    stream.shutdown(Shutdown::Write).ok();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("no end of the answer: {error}; asked {:?}", bytes.escape_ascii()),
    }
    answer
}

/// Whoever asks as one should, and stays for the answer, gets it whole.
fn assert_answers(server: &Server) {
    let mut stream = connect(server);
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("# HELP usdt_flow_alerts_total"), "{answer}");
}

#[test]
fn no_request_breaks_it() {
    static PANICS: AtomicU64 = AtomicU64::new(0);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        before(info);
    }));
    let server = server();
    let mut dice = Dice::new(1);
    let (mut answered, mut refused) = (0_u64, 0_u64);
    for number in 0..count() {
        if number % 100 == 0 {
            assert_answers(&server);
        }
        let bytes = request(&mut dice);
        let answer = ask(&server, &mut dice, &bytes);
        let (asked, told) = (bytes.escape_ascii(), answer.escape_ascii());
        if answer.is_empty() {
            continue;
        }
        answered += 1;
        assert!(answer.starts_with(b"HTTP/1."), "{asked}: {told}");
        let status = std::str::from_utf8(&answer[9..12]).unwrap();
        let known = ["100", "200", "400", "404", "405", "413", "414", "431", "501", "503", "505"];
        assert!(known.contains(&status), "{asked}: {told}");
        refused += u64::from(status.starts_with('4'));
    }
    assert_answers(&server);
    assert!(answered * 2 > count() && refused * 20 > count(), "{answered}, {refused}");
    server.stop().unwrap();
    assert_eq!(PANICS.load(Ordering::Relaxed), 0);
}

/// Those that came first are gone: no more than so many take memory.
#[test]
fn who_says_nothing_keeps_nobody_waiting_and_goes_when_others_come() {
    let server = server();
    let silent: Vec<TcpStream> = (0..CONNECTIONS_MAX * 3)
        .map(|at| {
            let mut stream = TcpStream::connect(server.metrics_addr()).unwrap();
            let begun = &WELL_FORMED[0].as_bytes()[..at % 40];
            stream.write_all(begun).unwrap();
            stream
        })
        .collect();
    assert_answers(&server);
    for mut gone in &silent[..CONNECTIONS_MAX * 2] {
        gone.set_read_timeout(Some(PATIENCE)).unwrap();
        let ended = gone.read(&mut [0]);
        assert!(
            ended.as_ref().is_ok_and(|bytes| *bytes == 0)
                || ended.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset),
            "{ended:?}"
        );
    }
    server.stop().unwrap();
    drop(silent);
}
