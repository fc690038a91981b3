//! The configuration as its users meet it: files, environment and flags.

use std::path::{Path, PathBuf};
use std::time::Duration;

use flow_core::{Chain, EngineConfig, Policy};
use tempfile::TempDir;
use usdt_flow::checkpoint::S3Options;
use usdt_flow::config::{Config, Flag, Layers, LogFormat, Problems, check_files};

fn layers(text: &str) -> (TempDir, Layers) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("usdt-flow.toml");
    std::fs::write(&file, text).expect("the file can be written");
    (folder, Layers { file: Some(file), ..Layers::default() })
}

fn load(text: &str) -> Result<Config, Problems> {
    let (_folder, layers) = layers(text);
    Config::load(&layers).map(|loaded| loaded.config)
}

/// The problems without the folder of the file.
fn problems(text: &str) -> Vec<String> {
    let (folder, layers) = layers(text);
    let prefix = format!("{}/", folder.path().display());
    let problems = Config::load(&layers).expect_err("something is wrong");
    problems.list().iter().map(|problem| problem.to_string().replace(&prefix, "")).collect()
}

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_shipped_file_says_the_defaults() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/config/usdt-flow.toml");
    let file = Layers { file: Some(shipped.clone()), ..Layers::default() };
    let loaded = Config::load(&file).unwrap();
    let defaults = Config::load(&Layers::default()).unwrap();
    assert_eq!(loaded.config, defaults.config);
    assert!(loaded.warnings.is_empty());

    // Each key of the default configuration is shown, if only in a comment.
    let text = std::fs::read_to_string(shipped).unwrap();
    for key in defaults.raw.to_json().as_object().unwrap().keys() {
        let name = key.rsplit('.').next().unwrap();
        assert!(text.contains(&format!("{name} = ")), "{key} is not in the shipped file");
    }
}

#[test]
fn the_commented_examples_of_the_shipped_file_hold() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/config/usdt-flow.toml");
    let text = std::fs::read_to_string(shipped).unwrap();
    let is_example = |line: &str| {
        let name = line.split(" = ").next().unwrap_or_default();
        line.contains(" = ") && !name.contains(' ') && !name.ends_with("_file")
    };
    let uncommented: String = text
        .lines()
        .filter(|line| *line != "topics = []")
        .map(|line| match line.strip_prefix("# ").filter(|rest| is_example(rest)) {
            Some(example) => format!("{example}\n"),
            None => format!("{line}\n"),
        })
        .collect();
    let config = load(&uncommented).unwrap();
    assert_eq!(config.inputs.len(), 2);
    assert_eq!(config.kafka.consumer["fetch.wait.max.ms"], "50");
    assert_eq!(config.kafka.producer["compression.type"], "lz4");
}

#[test]
fn defaults_are_those_of_the_engine() {
    let config = Config::load(&Layers::default()).unwrap().config;
    assert_eq!(config.engine, EngineConfig::default());
    assert_eq!(config.kafka.transactional_id, "usdt-flow");
    assert_eq!(config.output.freezes_topic, "usdt.flow.freeze-recommendations.v1");
    assert_eq!(config.knowledge.cases_topic.as_deref(), Some("usdt.flow.cases.v1"));
    assert_eq!(config.output.audit_topic, "usdt.flow.audit.v1");
    assert_eq!(config.output.owners_topic, "usdt.flow.owners.v1");
    assert_eq!(config.kafka.instance_id, None);
    assert_eq!(config.limits.memory_max_bytes, None);
    assert_eq!(config.commit.interval, Duration::from_millis(50));
    assert!(config.require_inputs().is_err());
}

#[test]
fn the_lag_to_a_freeze_is_set_for_each_chain() {
    let lag = |text: &str| {
        let lag_ms = load(text).unwrap().engine.freeze_lag_ms;
        [Chain::Tron, Chain::Ethereum].map(|chain| lag_ms[chain.index()])
    };
    assert_eq!(lag(""), [9_360_000, 18_000_000]);
    assert_eq!(lag("[engine.freeze_lag_seconds]\ntron = 60\n"), [60_000, 18_000_000]);
    assert_eq!(lag("[engine]\nfreeze_lag_seconds.ethereum = 0\n"), [9_360_000, 0]);
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_neighbor() {
    assert_eq!(
        problems("[kafka]\n\nbootstap_servers = \"a:1\"\n"),
        ["usdt-flow.toml:3: kafka.bootstap_servers: unknown key\n      \
          did you mean kafka.bootstrap_servers?"]
    );
    assert_eq!(
        problems("[kafak]\ngroup_id = \"x\"\n"),
        ["usdt-flow.toml:1: kafak: unknown key\n      did you mean kafka?"]
    );
    assert_eq!(
        problems("policy = \"haircut\"\n"),
        ["usdt-flow.toml:1: policy: unknown key\n      did you mean engine.policy?"]
    );
    assert_eq!(
        problems("[input.solana]\ntopics = [\"a\"]\n"),
        ["usdt-flow.toml:1: input.solana: unknown key\n      \
          there is no chain \"solana\"; the chains are ethereum, tron"]
    );
}

#[test]
fn every_problem_is_told_not_the_first_alone() {
    let found = problems(
        "[kafka]\nbootstrap_servers = \"localhost\"\nsecurity_protocol = \"tls\"\n\
         [engine]\npolicy = \"fair\"\nthresholds_units = [2, 1]\nalert_min_units = -1\n\
         [commit]\nmax_records = 0\n[http]\nmetrics_listen = \"here\"\nhealth_listen = \"\"\n[log]\nformat = \"xml\"\n",
    );
    let keys = [
        "engine.alert_min_units",
        "commit.max_records",
        "kafka.security_protocol",
        "kafka.bootstrap_servers",
        "engine.policy",
        "engine.thresholds_units",
        "http.metrics_listen",
        "http.health_listen",
        "log.format",
    ];
    assert_eq!(found.len(), keys.len(), "{found:#?}");
    for key in keys {
        assert!(found.iter().any(|problem| problem.contains(key)), "{key} in {found:#?}");
    }
}

#[test]
fn two_listeners_have_two_addresses() {
    let found = problems("[http]\nmetrics_listen = \"[::1]:1\"\nhealth_listen = \"[::1]:1\"\n");
    assert!(
        found.iter().any(|problem| problem.contains("http.health_listen: [::1]:1 is")),
        "{found:?}"
    );
}

#[test]
fn a_line_that_is_not_toml_is_named() {
    let found = problems("[kafka]\ngroup_id = \"a\"\nsasl = hunter2 x\n");
    assert!(found[0].starts_with("usdt-flow.toml:3: not TOML"), "{found:?}");
    assert!(!found[0].contains("hunter2"), "{found:?}");
}

#[test]
fn the_later_layer_wins_and_says_so() {
    let (_folder, mut layers) = layers(
        "[kafka]\ngroup_id = \"file\"\nbootstrap_servers = \"file:1\"\n[log]\nlevel = \"warn\"\n",
    );
    layers.environment = environment(&[
        ("USDT_FLOW_KAFKA_GROUP_ID", "environment"),
        ("USDT_FLOW_LOG_LEVEL", "debug"),
        ("RUST_LOG", "trace"),
    ]);
    layers.flags = vec![Flag::new("log.level", "error", "--log-level")];
    let loaded = Config::load(&layers).unwrap();
    assert_eq!(loaded.config.kafka.bootstrap_servers, "file:1");
    assert_eq!(loaded.config.kafka.group_id, "environment");
    assert_eq!(loaded.config.kafka.transactional_id, "environment");
    assert_eq!(loaded.config.log.level, "error");
    let shown = loaded.raw.to_json();
    let origin = |key: &str| shown[key]["origin"].as_str().unwrap().to_owned();
    assert!(origin("kafka.bootstrap_servers").ends_with("usdt-flow.toml:3"));
    assert_eq!(origin("kafka.group_id"), "environment USDT_FLOW_KAFKA_GROUP_ID");
    assert_eq!(origin("kafka.transactional_id"), "default, from kafka.group_id");
    assert_eq!(origin("log.level"), "flag --log-level");
    assert_eq!(origin("http.metrics_listen"), "default");
}

#[test]
fn rust_log_yields_to_our_own_variable() {
    let level = |pairs: &[(&str, &str)]| {
        let layers = Layers { environment: environment(pairs), ..Layers::default() };
        Config::load(&layers).unwrap().config.log.level
    };
    assert_eq!(level(&[("RUST_LOG", "trace")]), "trace");
    assert_eq!(level(&[("RUST_LOG", "trace"), ("USDT_FLOW_LOG_LEVEL", "warn")]), "warn");
}

#[test]
fn inputs_are_read_in_either_spelling() {
    let config = load(
        "[input.tron]\ntopics = [\"contractevent\", { name = \"block\", format = \"java-tron\" }]\n\
         window_blocks = 5\n",
    )
    .unwrap();
    assert_eq!(config.inputs.len(), 1);
    let tron = &config.inputs[0];
    assert_eq!((tron.chain, tron.window_blocks), (Chain::Tron, 5));
    assert_eq!(tron.topics[0].format, None);
    assert_eq!(tron.topics[1].format, Some(flow_codec::Format::JavaTron));

    let variables = [("USDT_FLOW_INPUT_TRON_TOPICS", "contractevent,block:java-tron")];
    let layers = Layers { environment: environment(&variables), ..Layers::default() };
    assert_eq!(Config::load(&layers).unwrap().config.inputs[0].topics, tron.topics);
}

#[test]
fn policies_are_named_alone_in_a_list_or_all_at_once() {
    let policies = |text: &str| load(&format!("[engine]\npolicy = {text:?}\n"));
    let named = |text: &str| policies(text).unwrap().engine.policies;
    assert_eq!(named("poison"), [Policy::Poison]);
    assert_eq!(named("lifo, haircut"), [Policy::Lifo, Policy::Haircut], "the first one leads");
    assert_eq!(named("all"), Policy::ALL);
    let told = |text: &str| policies(text).unwrap_err().to_string();
    assert!(told("fair").contains("\"fair\" is not a policy"), "{}", told("fair"));
    assert!(told("fair").contains("or all: haircut, fifo, lifo, dirty-first, dirty-last, poison"));
    assert!(told("fifo,all").contains("\"all\" is not a policy"));
    assert!(told("fifo,fifo").contains("fifo is named twice"));
    assert!(told("").contains("is not a policy"));
    let layers = Layers {
        environment: environment(&[("USDT_FLOW_ENGINE_POLICY", "fifo,lifo")]),
        ..Layers::default()
    };
    let config = Config::load(&layers).unwrap().config;
    assert_eq!(config.engine.policies, [Policy::Fifo, Policy::Lifo]);
}

#[test]
fn finality_and_history_are_read() {
    let (folder, layers) = layers(
        "[input.tron]\ntopics = [\"a\"]\nfinality_blocks = 0\n[input.ethereum]\ntopics = [\"b\"]\n\
         [history]\ndir = \"past\"\nsegment_transfers = 5000\ngraph_transfers = 100\n",
    );
    let config = Config::load(&layers).unwrap().config;
    let finality = |chain: Chain| {
        config.inputs.iter().find(|input| input.chain == chain).unwrap().finality_blocks
    };
    assert_eq!((finality(Chain::Tron), finality(Chain::Ethereum)), (0, 64));
    assert_eq!(config.history.dir, Some(folder.path().join("past")));
    assert_eq!(config.engine.segment_transfers, 5000);
    assert_eq!(config.engine.graph_transfers, 100);
    assert_eq!(Config::load(&Layers::default()).unwrap().config.history.dir, None);
    let found = problems("[history]\nsegment_transfers = 2_000_000\n");
    assert!(found[0].contains("not between 1 and 1048576"), "{found:?}");
}

#[test]
fn checkpoints_are_kept_in_a_folder_in_s3_or_not_at_all() {
    let checkpoint = load("").unwrap().checkpoint.unwrap();
    assert_eq!(checkpoint.url, "usdt-flow-state");
    assert_eq!((checkpoint.interval, checkpoint.keep), (Duration::from_secs(60), 3));
    assert_eq!(load("[checkpoint]\nurl = \"\"\n").unwrap().checkpoint, None);
    let checkpoint = load(
        "[checkpoint]\nurl = \"s3://bucket/state\"\ninterval_seconds = 5\nkeep = 2\n\
         [checkpoint.s3]\nendpoint = \"http://127.0.0.1:9000\"\nregion = \"here\"\n\
         path_style = true\nallow_http = true\n",
    );
    let checkpoint = checkpoint.unwrap().checkpoint.unwrap();
    let S3Options { endpoint, region, path_style, allow_http } = checkpoint.s3;
    assert_eq!(endpoint.as_deref(), Some("http://127.0.0.1:9000"));
    assert_eq!((region.as_str(), path_style, allow_http), ("here", true, true));
}

#[test]
fn a_variable_sets_where_checkpoints_are_kept() {
    let variables = [
        ("USDT_FLOW_CHECKPOINT_URL", "s3://bucket"),
        ("USDT_FLOW_CHECKPOINT_S3_PATH_STYLE", "true"),
        ("USDT_FLOW_KAFKA_INSTANCE_ID", "a"),
        ("USDT_FLOW_LIMITS_MEMORY_MAX_MB", "2"),
    ];
    let layers = Layers { environment: environment(&variables), ..Layers::default() };
    let config = Config::load(&layers).unwrap().config;
    let checkpoint = config.checkpoint.unwrap();
    assert_eq!((checkpoint.url.as_str(), checkpoint.s3.path_style), ("s3://bucket", true));
    assert_eq!(config.kafka.instance_id.as_deref(), Some("a"));
    assert_eq!(config.limits.memory_max_bytes, Some(2 << 20));
}

#[test]
fn a_place_for_checkpoints_that_cannot_be_is_refused() {
    let first = |text: &str| problems(text).remove(0);
    for (url, why) in [
        ("ftp://host/x", "ftp:// is not known"),
        ("s3:///state", "no bucket is named"),
        ("file://state", "file:// wants a whole path"),
    ] {
        let told = first(&format!("[checkpoint]\nurl = \"{url}\"\n"));
        assert!(told.contains("checkpoint.url") && told.contains(why), "{told}");
    }
    let told = first("[checkpoint]\nkeep = 1\n");
    assert!(told.contains("1 is not between 2"), "{told}");
    let told = first("[checkpoint.s3]\nendpoint = \"http://a:1\"\n");
    assert!(told.contains("checkpoint.s3.allow_http"), "{told}");
    let told = first("[checkpoint.s3]\nendpoint = \"a:1\"\n");
    assert!(told.contains("is not a URL"), "{told}");
    let told = first("[checkpoint.s3]\npath_style = 1\n");
    assert!(told.contains("expected true or false, not an integer"), "{told}");
    let told = first("[checkpoint]\nendpoint = \"http://a:1\"\n");
    assert!(told.contains("did you mean checkpoint.s3.endpoint?"), "{told}");
}

#[test]
fn wrong_topics_are_refused() {
    let hint = problems("[input.tron]\ntopics = [{ name = \"a\", format = \"java-torn\" }]\n");
    assert!(hint[0].contains("did you mean \"java-tron\"?"), "{hint:?}");
    let name = problems("[input.tron]\ntopics = [\"a b\"]\n");
    assert!(name[0].contains("\"a b\" is not a topic's name"), "{name:?}");
    let key = problems("[input.tron]\ntopics = [{ name = \"a\", fromat = \"auto\" }]\n");
    assert!(key[0].contains("unknown key \"fromat\""), "{key:?}");
    let twice = problems("[input.tron]\ntopics = [\"a\"]\n[input.ethereum]\ntopics = [\"a\"]\n");
    assert!(twice[0].contains("is named by input.ethereum.topics already"), "{twice:?}");
    let own = problems("[input.tron]\ntopics = [\"usdt.flow.alerts.v1\"]\n");
    assert!(own[0].contains("output.alerts_topic"), "{own:?}");
}

#[test]
fn an_empty_topic_is_none() {
    let config = load("[input]\ncases_topic = \"\"\nlabels_topic = \"\"\n").unwrap();
    assert_eq!(config.knowledge.cases_topic, None);
    assert_eq!(config.knowledge.labels_topic, None);
}

#[test]
fn librdkafka_properties_pass_through_in_any_spelling() {
    let config = load(
        "[kafka.consumer]\n\"fetch.wait.max.ms\" = 50\ncheck.crcs = true\n\
         [kafka.producer]\nlinger.ms = 0.5\n",
    )
    .unwrap();
    assert_eq!(config.kafka.consumer["fetch.wait.max.ms"], "50");
    assert_eq!(config.kafka.consumer["check.crcs"], "true");
    assert_eq!(config.kafka.producer["linger.ms"], "0.5");
}

#[test]
fn properties_that_would_break_the_promise_are_refused() {
    for (table, name) in [
        ("consumer", "enable.auto.commit"),
        ("consumer", "isolation.level"),
        ("consumer", "auto.offset.reset"),
        ("consumer", "group.id"),
        ("consumer", "group.instance.id"),
        ("producer", "transactional.id"),
        ("producer", "enable.idempotence"),
    ] {
        let found = problems(&format!("[kafka.{table}]\n\"{name}\" = \"x\"\n"));
        assert!(found[0].contains("usdt-flow sets this property itself"), "{found:?}");
    }
    let unknown = problems("[kafka.consumer]\n\"fetch.wiat.max.ms\" = 1\n");
    assert!(unknown[0].contains("No such configuration property"), "{unknown:?}");
    let value = problems("[kafka.consumer]\n\"check.crcs\" = \"perhaps\"\n");
    assert!(value[0].contains("check.crcs"), "{value:?}");
}

#[test]
fn secrets_come_from_environment_or_file_and_are_never_shown() {
    let in_file = problems("[kafka]\nsasl_password = \"hunter2\"\n");
    assert!(in_file[0].contains("USDT_FLOW_KAFKA_SASL_PASSWORD"), "{in_file:?}");
    assert!(!in_file[0].contains("hunter2"), "{in_file:?}");
    let property = problems("[kafka.consumer]\n\"sasl.password\" = \"hunter2\"\n");
    assert!(!property[0].contains("hunter2"), "{property:?}");

    let variables = [("USDT_FLOW_KAFKA_SASL_PASSWORD", "hunter2")];
    let layers = Layers { environment: environment(&variables), ..Layers::default() };
    let loaded = Config::load(&layers).unwrap();
    let secret = loaded.config.kafka.sasl_password.as_ref().unwrap();
    assert_eq!(secret.expose(), "hunter2");
    let shown = [
        format!("{loaded:?}").replace(&format!("{:?}", loaded.raw), ""),
        loaded.raw.to_table(),
        loaded.raw.to_toml(),
        loaded.raw.to_json().to_string(),
    ];
    for text in shown {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("***"), "{text}");
    }
    assert_eq!(loaded.warnings.len(), 1, "a password is of no use in plaintext");
}

#[test]
fn sasl_asks_for_name_and_password_and_tls_for_files_that_are_there() {
    let found = problems("[kafka]\nsecurity_protocol = \"sasl_ssl\"\nssl_ca_file = \"none.pem\"\n");
    for text in ["none.pem", "kafka.sasl_username", "USDT_FLOW_KAFKA_SASL_PASSWORD"] {
        assert!(found.iter().any(|problem| problem.contains(text)), "{text} in {found:#?}");
    }
    let mechanism = problems("[kafka]\nsasl_mechanism = \"GSSAPI\"\n");
    assert!(mechanism[0].contains("SCRAM-SHA-512"), "{mechanism:?}");
    let property = problems("[kafka.consumer]\n\"sasl.username\" = \"a\"\n");
    assert!(property[0].contains("kafka.sasl_username"), "{property:?}");
    let half =
        problems("[kafka]\nsecurity_protocol = \"ssl\"\nssl_key_file = \"usdt-flow.toml\"\n");
    assert!(half[0].contains("belong together"), "{half:?}");
}

#[test]
fn a_secret_file_is_read_without_its_line_end() {
    let (folder, layers) = layers("[kafka]\nssl_key_password_file = \"key\"\n");
    std::fs::write(folder.path().join("key"), "hunter2\n").unwrap();
    let loaded = Config::load(&layers).unwrap();
    assert_eq!(loaded.config.kafka.ssl_key_password.unwrap().expose(), "hunter2");
}

#[test]
fn paths_of_a_file_start_at_its_folder() {
    let (folder, mut layers) = layers("[input]\ncase_files = [\"cases.json\"]\n");
    let config = Config::load(&layers).unwrap().config;
    assert_eq!(config.knowledge.case_files, [folder.path().join("cases.json")]);
    layers.environment = environment(&[("USDT_FLOW_INPUT_CASE_FILES", "cases.json")]);
    let config = Config::load(&layers).unwrap().config;
    assert_eq!(config.knowledge.case_files, [PathBuf::from("cases.json")]);
}

#[test]
fn files_that_are_named_are_checked() {
    let (folder, layers) = layers(
        "[input]\ncase_files = [\"cases.json\"]\nlabel_files = [\"labels.csv\"]\n\
         opening_files = [\"missing.csv\"]\n",
    );
    std::fs::write(folder.path().join("cases.json"), "[{\"id\": 1}]").unwrap();
    let labels = "chain,address,entity,kind,stop\n";
    std::fs::write(folder.path().join("labels.csv"), labels).unwrap();
    let config = Config::load(&layers).unwrap().config;
    let (problems, _) = check_files(&config);
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains("input.case_files") && told[0].contains("cases.json"), "{told:#?}");
    assert!(told[1].contains("cannot read") && told[1].contains("missing.csv"), "{told:#?}");
}

#[test]
fn a_variable_that_sets_nothing_is_told() {
    let variables = [("USDT_FLOW_KAFKA_GRUOP_ID", "x"), ("USDT_FLOW_CACHE", "/tmp")];
    let layers = Layers { environment: environment(&variables), ..Layers::default() };
    let warnings = Config::load(&layers).unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].to_string().contains("did you mean USDT_FLOW_KAFKA_GROUP_ID?"));
}

#[test]
fn a_property_can_be_set_by_a_variable() {
    let variables = [("USDT_FLOW_KAFKA_CONSUMER_FETCH_WAIT_MAX_MS", "20")];
    let layers = Layers { environment: environment(&variables), ..Layers::default() };
    let config = Config::load(&layers).unwrap().config;
    assert_eq!(config.kafka.consumer["fetch.wait.max.ms"], "20");
}

#[test]
fn what_is_printed_as_toml_says_the_same_when_read_again() {
    let (_folder, layers) = layers(
        "[kafka.consumer]\n\"fetch.wait.max.ms\" = 50\n[input.tron]\ntopics = [\"a\"]\n\
         [input]\ncase_files = [\"c.json\"]\n[log]\nformat = \"json\"\n",
    );
    let loaded = Config::load(&layers).unwrap();
    assert_eq!(loaded.config.log.format, LogFormat::Json);
    assert_eq!(load(&loaded.raw.to_toml()).unwrap(), loaded.config);
}
