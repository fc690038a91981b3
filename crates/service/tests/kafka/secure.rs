//! TLS, names and passwords, and rights, against a real broker that asks for
//! them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;

use crate::broker::Broker;
use crate::doctor::doctor;
use crate::outage::{OwnBroker, SCRIPT};
use crate::service::{Folder, Service};
use crate::{CASES, contract_events, slice};

const PASSWORD: &str = "correct horse";

/// Of the service, before and after it is changed.
const SECRETS: [&str; 2] = ["service-secret", "service-secret-2"];

/// Certificates of one authority: `secure` is good, `expired` has expired.
fn certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        let words = arguments.split(' ');
        let done = Command::new("openssl").args(words).current_dir(folder).output();
        let done = done.expect("openssl is there, as deploy/dev/setup.sh --with-kafka has it");
        assert!(done.status.success(), "{arguments}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.crt -days 2 -subj /CN=authority"));
    // A certificate for no day at all expires in the second in which it is made.
    for (name, days) in [("secure", 1), ("expired", 0)] {
        let subject = "-subj /CN=broker -addext subjectAltName=IP:127.0.0.1";
        openssl(&format!("req -new {key} -keyout {name}.key -out {name}.csr {subject}"));
        let signed = "-CA ca.crt -CAkey ca.key -CAcreateserial -copy_extensions copy";
        openssl(&format!("x509 -req -in {name}.csr {signed} -days {days} -out {name}.crt"));
        let read = |kind| std::fs::read_to_string(folder.join(format!("{name}.{kind}"))).unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), read("key") + &read("crt")).unwrap();
    }
}

/// A broker with a listener for each certificate, and users without rights.
struct SecureBroker {
    own: OwnBroker,
    folder: tempfile::TempDir,
}

impl SecureBroker {
    fn start() -> Option<SecureBroker> {
        let folder = tempfile::tempdir().unwrap();
        certificates(folder.path());
        let users = format!("service {}\nreader reader-secret\n", SECRETS[0]);
        std::fs::write(folder.path().join("users"), users).unwrap();
        let own = OwnBroker::start_with(&["--secure", folder.path().to_str().unwrap()])?;
        Some(SecureBroker { own, folder })
    }

    /// The address of a listener.
    fn at(&self, listener: &str) -> String {
        let file = self.own.dir.path().join(format!("address.{listener}"));
        std::fs::read_to_string(file).unwrap().trim().to_owned()
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// Grants rights: the arguments of kafka-acls.
    fn grant(&self, user: &str, arguments: &[&str]) {
        let principal = format!("User:{user}");
        let done = Command::new("bash")
            .args([SCRIPT, "tool", "acls", "--bootstrap-server", &self.own.broker.servers])
            .args(["--add", "--allow-principal", &principal])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// A reader of a topic: the code with which it is refused, if it is.
    fn refused(&self, user: &str, password: &str, topic: &str) -> Option<RDKafkaErrorCode> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.at("secure"))
            .set("security.protocol", "sasl_ssl")
            .set("ssl.ca.location", self.ca().to_str().unwrap())
            .set("sasl.mechanism", "SCRAM-SHA-512")
            .set("sasl.username", user)
            .set("sasl.password", password)
            .set("group.id", "reader")
            .create()
            .unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), crate::broker::PATIENCE).unwrap();
        metadata.topics()[0].error().map(RDKafkaErrorCode::from)
    }
}

#[test]
fn the_way_to_the_brokers_is_protected_and_each_refusal_says_what_to_do() {
    let Some(broker) = Broker::get().and_then(|_| SecureBroker::start()) else { return };
    let folder = Folder::new(CASES);
    let mut service = Service::new(&broker.own.broker, &folder, "secure");
    service.tron(&["events"]).create_topics();
    broker.own.broker.produce(&service.topic("events"), &contract_events(&slice()));
    service.secure(&broker.at("secure"), &broker.ca(), "service", SECRETS[0]);

    // Nothing is granted yet.
    let text = service.run_and_fail();
    assert!(text.contains("do not let this principal use"), "{text}");
    assert!(text.contains("kafka-acls"), "{text}");

    // What docs/kafka.md tells to grant.
    let topics = |names: &[&str]| -> Vec<String> {
        names.iter().flat_map(|name| ["--topic".to_owned(), service.topic(name)]).collect()
    };
    let grant = |user: &str, operations: &str, resources: Vec<String>| {
        let mut arguments: Vec<&str> = Vec::new();
        for operation in operations.split(' ') {
            arguments.extend(["--operation", operation]);
        }
        arguments.extend(resources.iter().map(String::as_str));
        broker.grant(user, &arguments);
    };
    let group = service.group();
    let mut read = topics(&["events", "cases.v1", "labels.v1", "owners.v1"]);
    read.extend(["--group".to_owned(), group.clone()]);
    grant("service", "Read", read);
    let outputs =
        topics(&["alerts.v1", "freeze-recommendations.v1", "case-ledgers.v1", "audit.v1"]);
    grant("service", "Read Write DescribeConfigs", outputs);
    let text = service.run_and_fail();
    assert!(text.contains("deadletter") || text.contains("transactional id"), "{text}");
    grant("service", "Write DescribeConfigs", topics(&["deadletter.v1"]));
    let transactional = vec![
        "--transactional-id".to_owned(),
        group.clone(),
        "--resource-pattern-type".to_owned(),
        "prefixed".to_owned(),
    ];
    grant("service", "Write Describe", transactional);
    grant(
        "reader",
        "Read",
        [topics(&["alerts.v1"]), vec!["--group".to_owned(), "reader".to_owned()]].concat(),
    );
    // So that the doctor learns that it may not write.
    grant("reader", "DescribeConfigs", topics(&["alerts.v1"]));

    // Now it does its work.
    service.run_until_end();
    assert!(service.alerts().len() > 100, "{} alerts", service.alerts().len());
    assert!(!service.freezes().is_empty());

    // A subscriber of alerts reads them and no recommendations.
    let alerts = broker.refused("reader", "reader-secret", &service.topic("alerts.v1"));
    assert_eq!(alerts, None);
    let freezes = service.topic("freeze-recommendations.v1");
    let refused = broker.refused("reader", "reader-secret", &freezes);
    assert_eq!(refused, Some(RDKafkaErrorCode::TopicAuthorizationFailed));

    a_new_password(&broker, &mut service);
    wrong_password_and_certificate(&broker, &mut service);
    the_doctor(&broker, &mut service);
}

/// As docs/operations.md tells to rotate it.
fn a_new_password(broker: &SecureBroker, service: &mut Service<'_>) {
    let mut running = service.start();
    running.wait_until_ready();
    let scram = format!("SCRAM-SHA-512=[password={}]", SECRETS[1]);
    let changed = Command::new("bash")
        .args([SCRIPT, "tool", "configs", "--bootstrap-server", &broker.own.broker.servers])
        .args(["--alter", "--entity-type", "users", "--entity-name", "service"])
        .args(["--add-config", &scram])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(changed.status.success(), "{}", String::from_utf8_lossy(&changed.stderr));
    // What is connected stays so; what starts needs the new one.
    let text = service.run_and_fail();
    assert!(text.contains("do not accept name and password"), "{text}");
    let (topic, group) = (service.topic("events"), service.group());
    let committed = broker.own.broker.committed(&group, &topic);
    broker.own.broker.produce(&topic, &["{"]);
    broker.own.broker.wait_until_committed(&group, &topic, committed + 1);
    let (status, log) = running.terminate();
    assert!(status.success(), "{log}");
    service.secure(&broker.at("secure"), &broker.ca(), "service", SECRETS[1]);
    let mut running = service.start();
    running.wait_until_ready();
    assert!(running.terminate().0.success());
}

fn wrong_password_and_certificate(broker: &SecureBroker, service: &mut Service<'_>) {
    service.secure(&broker.at("secure"), &broker.ca(), "service", PASSWORD);
    let text = service.run_and_fail();
    assert!(text.contains("do not accept name and password"), "{text}");
    assert!(text.contains("kafka.sasl_password_file"), "{text}");
    assert!(!text.contains(PASSWORD), "{text}");

    service.secure(&broker.at("expired"), &broker.ca(), "service", SECRETS[1]);
    let text = service.run_and_fail();
    assert!(text.contains("certificate expired"), "{text}");
    assert!(text.contains("renew it on the broker"), "{text}");

    // Another certificate than the one that signed the broker's.
    let stranger = broker.folder.path().join("expired.crt");
    service.secure(&broker.at("secure"), &stranger, "service", SECRETS[1]);
    let text = service.run_and_fail();
    assert!(text.contains("kafka.ssl_ca_file"), "{text}");
}

fn the_doctor(broker: &SecureBroker, service: &mut Service<'_>) {
    let doctor = |service: &Service<'_>, group: &str| {
        let group = format!("kafka.group_id={group}");
        doctor(service, &["--set", "history.dir=.", "--accounts", "100000", "--set", &group])
    };
    let group = service.group();
    service.secure(&broker.at("secure"), &broker.ca(), "service", SECRETS[1]);
    let (status, table) = doctor(service, &group);
    assert_eq!(status, Some(0), "{table}");
    assert!(table.contains("sasl_ssl") && table.contains("java-tron 200"), "{table}");
    assert!(!table.contains("FAILED"), "{table}");
    let granted =
        table.lines().filter(|line| line.contains("right to") && line.contains("granted"));
    assert_eq!(granted.count(), 13, "{table}");

    service.secure(&broker.at("secure"), &broker.ca(), "reader", "reader-secret");
    let (status, table) = doctor(service, "reader");
    assert_eq!(status, Some(1), "{table}");
    let failed = |name: &str| {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.contains("FAILED")
    };
    let (alerts, freezes) =
        (service.topic("alerts.v1"), service.topic("freeze-recommendations.v1"));
    assert!(!failed(&format!("right to read {alerts}")), "{table}");
    assert!(failed(&format!("right to read {freezes}")), "{table}");
    assert!(failed(&format!("right to write {alerts}")), "{table}");
    assert!(table.contains("→ grant the right"), "{table}");

    service.secure("127.0.0.1:1", &broker.ca(), "service", SECRETS[1]);
    let (status, table) = doctor(service, &group);
    assert_eq!(status, Some(1), "{table}");
    assert!(table.contains("no answer from Kafka"), "{table}");
}
