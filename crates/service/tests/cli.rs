//! The real binary, as a shell meets it: help, exit status, streams.

use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The command with nothing of ours in its environment.
fn usdt_flow(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_usdt-flow"));
    let ours = |name: &str| name.starts_with("USDT_FLOW_") || name == "RUST_LOG";
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(ours) {
            command.env_remove(name);
        }
    }
    command.args(arguments);
    command
}

fn run(arguments: &[&str]) -> Output {
    usdt_flow(arguments).output().expect("the binary starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("output is UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("output is UTF-8")
}

fn file(text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("usdt-flow.toml");
    std::fs::write(&path, text).expect("the file can be written");
    let path = path.to_str().expect("the path is UTF-8").to_owned();
    (folder, path)
}

#[test]
fn help_of_each_command_teaches() {
    for command in [
        "run",
        "replay",
        "case list",
        "case show",
        "demo",
        "doctor",
        "feed",
        "topics create",
        "bench throughput",
        "bench latency",
    ] {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        arguments.push("--help");
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{command}");
        let help = stdout(&output);
        assert!(help.contains("Usage: usdt-flow"), "{command}: {help}");
        assert!(help.contains("Examples:"), "{command}: {help}");
        assert!(stderr(&output).is_empty(), "{command}");
    }
    for command in [
        "",
        "bench",
        "topics",
        "topics describe",
        "config",
        "config check",
        "config print",
        "schema",
        "completions",
        "man",
    ] {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert!(stdout(&output).contains("--log-level"), "{command}");
    }
}

#[test]
fn help_says_what_each_policy_means() {
    let help = stdout(&run(&["replay", "--help"]));
    for policy in flow_core::Policy::ALL {
        let mut lines = help.lines().map(|line| line.trim_start());
        let means = |line: &str| line.strip_prefix(policy.name()).is_some_and(|l| l.len() > 12);
        assert!(lines.any(means), "{}: {help}", policy.name());
    }
}

#[test]
fn help_is_plain_text_when_it_goes_to_a_file() {
    assert!(!stdout(&run(&["--help"])).contains('\u{1b}'));
    assert!(stdout(&run(&["--color", "always", "--help"])).contains('\u{1b}'));
}

#[test]
fn what_is_not_understood_exits_with_2() {
    for arguments in [
        &["fly"][..],
        &[],
        &["run", "--fast"],
        &["replay"],
        &["replay", "a.csv", "--format", "xml"],
        &["run", "--out", "x"],
        &["config", "print", "-v", "--log-level", "info"],
        &["topics", "create", "--partitions", "0"],
        &["bench", "latency"],
        &["bench", "throughput", "--brokers", "a:1", "--format", "xml"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stdout(&output).is_empty(), "{arguments:?}");
        assert!(!stderr(&output).is_empty(), "{arguments:?}");
    }
}

#[test]
fn check_tells_every_problem_and_exits_with_1() {
    let (_folder, path) = file("[kafka]\nbootstap_servers = \"a:1\"\n[log]\nformat = \"xml\"\n");
    let output = run(&["config", "check", "--config", &path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).is_empty());
    let told = stderr(&output);
    assert!(told.starts_with("error: the configuration has 2 problems\n"), "{told}");
    assert!(told.contains("usdt-flow.toml:2: kafka.bootstap_servers: unknown key"), "{told}");
    assert!(told.contains("did you mean kafka.bootstrap_servers?"), "{told}");
    assert!(told.contains("usdt-flow.toml:4: log.format: \"xml\" is not a log format"), "{told}");
}

#[test]
fn check_passes_a_good_file_and_wants_an_input() {
    let (_folder, path) = file("[input.tron]\ntopics = [\"contractevent\"]\n");
    let output = run(&["config", "check", "--config", &path]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), format!("ok: {path}\n"));
    let output = run(&["config", "check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no input topic is named"), "{}", stderr(&output));
}

#[test]
fn a_missing_file_is_named() {
    let output = run(&["config", "check", "--config", "/nowhere/usdt-flow.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/nowhere/usdt-flow.toml"), "{}", stderr(&output));
}

#[test]
fn environment_wins_over_file_and_flag_over_environment() {
    let (_folder, path) = file("[log]\nlevel = \"warn\"\n");
    let level = |variable: Option<&str>, flags: &[&str]| {
        let mut command = usdt_flow(&["config", "print", "--format", "json", "--config", &path]);
        command.args(flags);
        if let Some(value) = variable {
            command.env("USDT_FLOW_LOG_LEVEL", value);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        shown["log.level"]["value"].as_str().unwrap().to_owned()
    };
    assert_eq!(level(None, &[]), "warn");
    assert_eq!(level(Some("debug"), &[]), "debug");
    assert_eq!(level(Some("debug"), &["--log-level", "error"]), "error");
    assert_eq!(level(Some("warn"), &["-vv"]), "trace");
    assert_eq!(level(Some("debug"), &["--set", "log.level=off"]), "off");
}

#[test]
fn the_file_can_be_named_by_the_environment() {
    let (_folder, path) = file("[kafka]\ngroup_id = \"named\"\n");
    let output = usdt_flow(&["config", "print"]).env("USDT_FLOW_CONFIG", &path).output().unwrap();
    assert!(stdout(&output).contains("\"named\""), "{}", stdout(&output));
}

#[test]
fn secrets_are_not_printed() {
    for format in ["table", "toml", "json"] {
        let output = usdt_flow(&["config", "print", "--format", format])
            .env("USDT_FLOW_KAFKA_SASL_PASSWORD", "hunter2")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains("***"), "{}", stdout(&output));
        assert!(!stdout(&output).contains("hunter2"), "{}", stdout(&output));
        assert!(!stderr(&output).contains("hunter2"), "{}", stderr(&output));
    }
    let output = run(&["config", "print", "--set", "kafka.sasl_password=hunter2"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!stderr(&output).contains("hunter2"), "{}", stderr(&output));
}

#[test]
fn brokers_that_do_not_answer_are_told_in_time() {
    // Bound and never accepted from: whatever connects gets no answer.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let servers = silent.local_addr().unwrap().to_string();
    let began = Instant::now();
    let arguments = ["topics", "describe", "--timeout-seconds", "1", "--bootstrap-servers"];
    let output = run(&[&arguments[..], &[servers.as_str()]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let told = stderr(&output);
    assert!(told.contains(&format!("no answer from Kafka at {servers} within 1 s")), "{told}");
    assert!(told.contains("hint: check that a broker runs there"), "{told}");
}

#[test]
fn a_bench_without_a_broker_says_so_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let servers = silent.local_addr().unwrap().to_string();
    for bench in ["throughput", "latency"] {
        let began = Instant::now();
        let output = run(&["bench", bench, "--brokers", &servers]);
        assert_eq!(output.status.code(), Some(1), "{bench}");
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        let told = stderr(&output);
        assert!(told.contains(&format!("no answer from Kafka at {servers} within 5 s")), "{told}");
        assert!(told.contains("hint: check that a broker runs there"), "{told}");
        assert!(stdout(&output).is_empty());
    }
}

#[test]
fn topics_are_created_once_and_described() {
    let Ok(servers) = std::env::var("KAFKA_BOOTSTRAP") else {
        eprintln!("skipped: KAFKA_BOOTSTRAP is not set");
        return;
    };
    let prefix = format!("test.topics.p{}", std::process::id());
    let set = format!("output.topic_prefix={prefix}");
    let topics = |command: &str, more: &[&str]| {
        let arguments =
            ["topics", command, "--format", "json", "--bootstrap-servers", &servers, "--set", &set];
        let output = run(&[&arguments[..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(rows.len(), 8);
        rows
    };
    let all =
        |rows: &[serde_json::Value], state: &str| rows.iter().all(|row| row["state"] == state);
    assert!(all(&topics("describe", &[]), "missing"));
    assert!(all(&topics("create", &["--dry-run"]), "would be created"));
    assert!(all(&topics("describe", &[]), "missing"));
    assert!(all(&topics("create", &["--partitions", "3"]), "created"));
    assert!(all(&topics("create", &[]), "exists"));
    let rows = topics("describe", &[]);
    assert!(rows.iter().all(|row| row["differences"].as_array().unwrap().is_empty()), "{rows:#?}");
    let policies: Vec<&str> =
        rows.iter().map(|row| row["cleanup_policy"].as_str().unwrap()).collect();
    assert_eq!(
        policies,
        ["delete", "compact", "compact", "delete", "delete", "delete", "compact", "compact"]
    );
    let partitions: Vec<u64> = rows.iter().map(|row| row["partitions"].as_u64().unwrap()).collect();
    assert_eq!(partitions, [3, 3, 3, 3, 1, 2, 1, 1]);
}

#[test]
fn schemas_are_listed_printed_and_written() {
    let listed = stdout(&run(&["schema"]));
    assert!(listed.lines().any(|name| name == "alert"), "{listed}");
    let printed = run(&["schema", "alert"]);
    let schema: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert!(schema.is_object());
    let wrong = run(&["schema", "alrt"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).contains("did you mean alert?"), "{}", stderr(&wrong));
    let folder = tempfile::tempdir().unwrap();
    let written = run(&["schema", "--out", folder.path().to_str().unwrap()]);
    assert_eq!(written.status.code(), Some(0));
    assert!(stdout(&written).is_empty());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), listed.lines().count());
}

#[test]
fn completions_and_manual_pages_are_made() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains("bootstrap-servers"), "{shell}");
    }
    assert!(stdout(&run(&["man"])).contains(".TH usdt-flow 1"));
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["man", "--out", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(folder.path().join("usdt-flow-replay.1").exists());
}
