//! The real binary: its configuration, its life, its outputs.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::broker::Broker;
use crate::prometheus::free_port;

const PATIENCE: Duration = Duration::from_secs(120);

/// The command, with nothing of ours in its environment.
pub(crate) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_usdt-flow"));
    // The outcome must not depend on who runs the tests.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("USDT_FLOW_")) {
        command.env_remove(name);
    }
    command.env_remove("RUST_LOG");
    command
}

/// A folder with a cases file.
pub(crate) struct Folder {
    path: tempfile::TempDir,
}

impl Folder {
    pub(crate) fn new(cases: &str) -> Folder {
        let path = tempfile::tempdir().unwrap();
        std::fs::write(path.path().join("cases.json"), cases).unwrap();
        Folder { path }
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn path(&self) -> &Path {
        self.path.path()
    }

    fn cases(&self) -> PathBuf {
        self.path.path().join("cases.json")
    }
}

/// The outputs of a replay.
pub(crate) struct Replayed {
    out: tempfile::TempDir,
}

impl Replayed {
    pub(crate) fn table(&self, name: &str) -> String {
        std::fs::read_to_string(self.out.path().join(name)).unwrap()
    }

    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        self.table(name).lines().map(str::to_owned).collect()
    }
}

/// Replays files with the folder's cases.
pub(crate) fn replay(folder: &Folder, files: &[&str]) -> Replayed {
    let out = tempfile::tempdir().unwrap();
    let status = binary()
        .arg("replay")
        .args(files)
        .arg("--cases")
        .arg(folder.cases())
        .arg("--out")
        .arg(out.path())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    Replayed { out }
}

/// A configured service with topics of its own.
pub(crate) struct Service<'a> {
    broker: &'a Broker,
    folder: &'a Folder,
    prefix: String,
    inputs: String,
    settings: String,
    instance: Option<String>,
    listen: Option<Listen>,
    state: Option<PathBuf>,
    /// Address, lines of `[kafka]`, password.
    security: Option<(String, String, String)>,
    out: tempfile::TempDir,
}

impl<'a> Service<'a> {
    pub(crate) fn new(broker: &'a Broker, folder: &'a Folder, name: &str) -> Service<'a> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let prefix = format!("test.{name}.{now}.{}", std::process::id());
        let out = tempfile::tempdir().unwrap();
        let (inputs, settings) = (String::new(), String::new());
        Service {
            broker,
            folder,
            prefix,
            inputs,
            settings,
            instance: None,
            listen: None,
            state: None,
            security: None,
            out,
        }
    }

    pub(crate) fn tron(&mut self, topics: &[&str]) -> &mut Self {
        self.chain("tron", topics)
    }

    /// The same, and every block is final when it applies.
    pub(crate) fn tron_final(&mut self, topics: &[&str]) -> &mut Self {
        self.tron(topics);
        self.inputs += "finality_blocks = 0\n";
        self
    }

    pub(crate) fn ethereum(&mut self, topics: &[&str]) -> &mut Self {
        self.chain("ethereum", topics)
    }

    fn chain(&mut self, chain: &str, topics: &[&str]) -> &mut Self {
        let names: Vec<String> =
            topics.iter().map(|topic| format!("{:?}", self.topic(topic))).collect();
        self.inputs +=
            &format!("[input.{chain}]\ntopics = [{}]\nidle_flush_ms = 1000\n", names.join(", "));
        self
    }

    /// Has blocks wait for longer in a silence: whoever writes takes a while to
    /// find a broker that was away.
    pub(crate) fn flush_after_ms(&mut self, ms: u64) {
        let changed = format!("idle_flush_ms = {ms}");
        self.inputs = self.inputs.replace("idle_flush_ms = 1000", &changed);
    }

    /// Names the instance, so that the group knows it again.
    pub(crate) fn instance(&mut self, id: &str) {
        self.instance = Some(id.to_owned());
    }

    /// Has each process listen where the one before did.
    pub(crate) fn keep_addresses(&mut self) {
        self.listen = Some(Listen::free());
    }

    /// Another instance of it, elsewhere.
    pub(crate) fn another(&self) -> Service<'a> {
        Service {
            prefix: self.prefix.clone(),
            inputs: self.inputs.clone(),
            settings: self.settings.clone(),
            instance: self.instance.clone(),
            listen: Some(Listen::free()),
            state: Some(self.state()),
            security: self.security.clone(),
            out: tempfile::tempdir().unwrap(),
            ..*self
        }
    }

    /// Adds to the configuration.
    pub(crate) fn set(&mut self, settings: &str) {
        self.settings += settings;
    }

    pub(crate) fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    pub(crate) fn group(&self) -> String {
        self.prefix.clone()
    }

    pub(crate) fn config(&self) -> PathBuf {
        let plain = (self.broker.servers.clone(), String::new(), String::new());
        let (servers, secured, _) = self.security.clone().unwrap_or(plain);
        let text = format!(
            "[kafka]\nbootstrap_servers = {:?}\ngroup_id = {:?}\n{}\
             [input]\ncase_files = [{:?}]\n{}\
             [output]\ntopic_prefix = {:?}\n\
             [checkpoint]\nurl = {:?}\ninterval_seconds = 1\n{}",
            servers,
            self.prefix,
            secured,
            self.folder.cases(),
            self.inputs,
            self.prefix,
            self.state(),
            self.settings,
        );
        let path = self.out.path().join("usdt-flow.toml");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Has it come by TLS, with a name and a password.
    pub(crate) fn secure(&mut self, address: &str, ca: &Path, user: &str, password: &str) {
        let lines = format!(
            "security_protocol = \"sasl_ssl\"\nssl_ca_file = {ca:?}\nsasl_username = {user:?}\n"
        );
        self.security = Some((address.to_owned(), lines, password.to_owned()));
    }

    /// The password, where it needs one.
    pub(crate) fn password(&self) -> &str {
        self.security.as_ref().map_or("", |(_, _, password)| password)
    }

    /// Has it keep its checkpoints in a folder there.
    pub(crate) fn keep_state_in(&mut self, folder: &Path) {
        self.state = Some(folder.join("state"));
    }

    /// Where its checkpoints lie.
    pub(crate) fn state(&self) -> PathBuf {
        self.state.clone().unwrap_or_else(|| self.out.path().join("state"))
    }

    /// Forgets all checkpoints, so that the next session begins at the
    /// beginning.
    pub(crate) fn forget_checkpoints(&self) {
        std::fs::remove_dir_all(self.state()).unwrap();
    }

    pub(crate) fn create_topics(&self) {
        let done = binary()
            .args(["topics", "create", "--inputs", "--config"])
            .arg(self.config())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn command(&self, listen: &Listen) -> Command {
        let mut command = binary();
        command.arg("run").arg("--config").arg(self.config());
        command.arg("--set").arg(format!("http.metrics_listen={}", listen.metrics));
        command.arg("--set").arg(format!("http.health_listen={}", listen.health));
        if !self.settings.contains("linger_seconds") {
            command.arg("--set").arg("http.linger_seconds=0");
        }
        if let Some(id) = &self.instance {
            command.arg("--set").arg(format!("kafka.instance_id={id}"));
        }
        if self.security.is_some() {
            command.env("USDT_FLOW_KAFKA_SASL_PASSWORD", self.password());
        }
        command.stderr(Stdio::piped()).stdout(Stdio::null());
        command
    }

    pub(crate) fn run_until_end(&self) {
        let mut command = self.command(&Listen::anywhere());
        let done = command.arg("--until-end").arg("--out").arg(self.out.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Runs to its failure and returns what it said.
    pub(crate) fn run_and_fail(&self) -> String {
        let done = self.command(&Listen::anywhere()).output().unwrap();
        assert_eq!(done.status.code(), Some(1));
        String::from_utf8(done.stderr).unwrap()
    }

    pub(crate) fn start(&self) -> Running {
        self.start_with(|_| ())
    }

    /// Starts a process that dies when it passes the failpoint for the
    /// `passes`th time.
    pub(crate) fn start_to_die(&self, failpoint: &str, passes: u64) -> Running {
        self.start_with(|command| {
            command.env("USDT_FLOW_FAILPOINT", format!("{failpoint}:{passes}"));
        })
    }

    pub(crate) fn start_with(&self, prepare: impl FnOnce(&mut Command)) -> Running {
        let listen = self.listen.clone().unwrap_or_else(Listen::free);
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut command = self.command(&listen);
        command.stderr(log.reopen().unwrap());
        prepare(&mut command);
        let child = command.spawn().unwrap();
        Running { child, listen, log }
    }

    pub(crate) fn table(&self, name: &str) -> String {
        std::fs::read_to_string(self.out.path().join(Path::new(name))).unwrap()
    }

    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        self.table(name).lines().map(str::to_owned).collect()
    }

    /// Fails with the first dead letter, of how many.
    pub(crate) fn assert_no_dead_letters(&self) {
        let letters = self.values("deadletter.v1");
        assert!(letters.is_empty(), "{} dead letters, the first: {}", letters.len(), letters[0]);
    }

    pub(crate) fn summary(&self) -> serde_json::Value {
        serde_json::from_str(&self.table("summary.json")).unwrap()
    }

    pub(crate) fn alerts(&self) -> Vec<String> {
        self.values("alerts.v1")
    }

    pub(crate) fn freezes(&self) -> Vec<String> {
        self.values("freeze-recommendations.v1")
    }

    /// What the entries of the audit trail tell of, once the trail was found to
    /// be whole.
    pub(crate) fn audit(&self) -> Vec<String> {
        let verified =
            binary().args(["audit", "verify", "--config"]).arg(self.config()).output().unwrap();
        let told = String::from_utf8_lossy(&verified.stderr);
        assert!(verified.status.success(), "{told}{}", String::from_utf8_lossy(&verified.stdout));
        subjects(&self.values("audit.v1"))
    }

    /// Waits until the alerts that were told are as they should be.
    pub(crate) fn wait_for_alerts(&self, are_so: impl Fn(&[String]) -> bool) {
        let began = Instant::now();
        while !are_so(&self.alerts()) {
            assert!(began.elapsed() < PATIENCE, "the alerts never came");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn values(&self, topic: &str) -> Vec<String> {
        let records = self.broker.consume(&self.topic(topic), true);
        records.into_iter().map(|record| String::from_utf8(record.value).unwrap()).collect()
    }
}

/// Where a service listens.
#[derive(Clone)]
pub(crate) struct Listen {
    metrics: String,
    health: String,
}

impl Listen {
    fn anywhere() -> Listen {
        let any = "127.0.0.1:0".to_owned();
        Listen { metrics: any.clone(), health: any }
    }

    /// Ports that are free now.
    fn free() -> Listen {
        let free = || format!("127.0.0.1:{}", free_port());
        Listen { metrics: free(), health: free() }
    }
}

/// What audit entries tell of, wherever they stand and as of whatever block.
pub(crate) fn subjects(entries: &[String]) -> Vec<String> {
    let subject = |entry: &String| {
        let entry: serde_json::Value = serde_json::from_str(entry).unwrap();
        let part = |name: &str| entry[name].to_string();
        ["event", "subject", "revision", "sha256"].map(part).join(" ")
    };
    entries.iter().map(subject).collect()
}

/// A service under way.
pub(crate) struct Running {
    child: Child,
    listen: Listen,
    log: tempfile::NamedTempFile,
}

impl Running {
    /// Where it tells its metrics.
    pub(crate) fn address(&self) -> &str {
        &self.listen.metrics
    }

    /// Status and body of a request; status 0 while nothing answers.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let ask = || -> std::io::Result<String> {
            let Listen { metrics, health } = &self.listen;
            let host = if path == "/metrics" { metrics } else { health };
            let mut stream = TcpStream::connect(host)?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = ask().unwrap_or_default();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, answer)
    }

    pub(crate) fn wait_until_ready(&mut self) {
        self.wait(|running| running.get("/readyz").0 == 200, "ready");
    }

    /// The value of the series whose line begins so.
    pub(crate) fn metric<T: FromStr>(&self, series: &str) -> Option<T> {
        let text = self.get("/metrics").1;
        text.lines().find_map(|line| line.strip_prefix(series)?.parse().ok())
    }

    /// The most memory that it had resident at once, in MiB.
    pub(crate) fn peak_memory_mb(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() / 1024
    }

    /// Waits until the series whose line begins so is at least `least`.
    pub(crate) fn wait_for_metric(&mut self, series: &str, least: u64) -> String {
        self.wait(|running| running.metric(series) >= Some(least), series);
        self.get("/metrics").1
    }

    /// Whether the process ends by itself within that time.
    pub(crate) fn dies_within(&mut self, patience: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < patience {
            if self.child.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// Waits until the process ends by itself.
    pub(crate) fn wait_for_its_end(&mut self) -> ExitStatus {
        let ended = self.dies_within(PATIENCE);
        assert!(ended, "it never ended: {}", self.log());
        self.child.wait().unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    fn wait(&mut self, is_so: impl Fn(&Running) -> bool, what: &str) {
        let began = Instant::now();
        while !is_so(self) {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the service ended with {status} before it was {what}: {}", self.log());
            }
            assert!(began.elapsed() < PATIENCE, "never {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn kill(&mut self) {
        // It may have died by itself.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; the exit status and the log.
    pub(crate) fn terminate(&mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        (self.child.wait().unwrap(), self.log())
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the service said:\n{}", self.log());
        }
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.kill();
        }
    }
}
