//! Debian's Prometheus and Alertmanager, run for a test.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// Where `deploy` lies.
pub(crate) const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy");

/// The folder of the programs; `None` where they cannot be had, and then the
/// test is skipped and says so.
pub(crate) fn programs() -> Option<PathBuf> {
    let script = format!("{DEPLOY}/dev/prometheus.sh");
    let done = Command::new("bash").args([&script, "fetch"]).output().unwrap();
    if done.status.success() {
        return Some(PathBuf::from(String::from_utf8(done.stdout).unwrap().trim()));
    }
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let required = std::env::var("USDT_FLOW_REQUIRE_PROMETHEUS").is_ok_and(|v| v == "1");
    assert!(!required, "Prometheus is required: {said}");
    eprintln!("skipped: Prometheus cannot be had: {said}");
    None
}

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A program that listens, ended with this value.
pub(crate) struct Running {
    child: Child,
    pub(crate) listen: String,
    folder: tempfile::TempDir,
}

impl Running {
    fn start(
        program: &Path,
        arguments: &[String],
        listen: String,
        folder: tempfile::TempDir,
    ) -> Running {
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut running = Running { child, listen, folder };
        let began = Instant::now();
        while get(&running.listen, "/-/ready").0 != 200 {
            let ended = running.child.try_wait().unwrap();
            assert!(ended.is_none() && began.elapsed() < PATIENCE, "{}", running.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        running
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Prometheus over these targets, each half second, with these files of rules;
    /// its alerts tell the scene.
    pub(crate) fn prometheus(
        programs: &Path,
        targets: &[String],
        rules: &[String],
        alertmanager: Option<&str>,
        scene: &str,
    ) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let managers = alertmanager.map_or(String::new(), |address| {
            format!(
                "alerting:\n  alertmanagers:\n    - static_configs: [{{targets: [{address:?}]}}]\n"
            )
        });
        let config = format!(
            "global: {{scrape_interval: 500ms, evaluation_interval: 500ms, external_labels: {{runbooks: docs, scene: {scene:?}}}}}\n\
             rule_files: {rules:?}\n{managers}\
             scrape_configs:\n  - job_name: usdt-flow\n    static_configs: [{{targets: {targets:?}}}]\n"
        );
        std::fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        let listen = format!("127.0.0.1:{}", free_port());
        let arguments = [
            "--config.file=prometheus.yml".to_owned(),
            "--storage.tsdb.path=data".to_owned(),
            format!("--web.listen-address={listen}"),
        ];
        Running::start(&programs.join("prometheus"), &arguments, listen, folder)
    }

    /// Alertmanager with that configuration.
    pub(crate) fn alertmanager(programs: &Path, config: &str) -> Running {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("alertmanager.yml"), config).unwrap();
        let listen = format!("127.0.0.1:{}", free_port());
        let arguments = [
            "--config.file=alertmanager.yml".to_owned(),
            "--storage.path=data".to_owned(),
            "--cluster.listen-address=".to_owned(),
            format!("--web.listen-address={listen}"),
        ];
        Running::start(&programs.join("prometheus-alertmanager"), &arguments, listen, folder)
    }

    /// What the API says.
    pub(crate) fn api(&self, path: &str) -> Value {
        let (status, body) = get(&self.listen, path);
        let answer: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
        assert!(status == 200 && answer["status"] == "success", "{path}: {status} {body}");
        answer["data"].clone()
    }

    /// The values that an expression has now.
    pub(crate) fn values(&self, expression: &str) -> Vec<f64> {
        let answer = self.api(&format!("/api/v1/query?query={}", encoded(expression)));
        let series = answer["result"].as_array().cloned().unwrap_or_default();
        let value = |series: &Value| series["value"][1].as_str().unwrap().parse().unwrap();
        series.iter().map(value).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Status and body; status 0 while nothing answers.
pub(crate) fn get(address: &str, path: &str) -> (u16, String) {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // HTTP/1.0: the answer comes in one piece, and ends the connection.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().unwrap_or_default();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.to_owned())
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
