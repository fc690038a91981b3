//! Topics that have just been created: the brokers do not know them at once.

use std::time::{Duration, Instant};

use anyhow::ensure;
use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka::metadata::MetadataPartition;

/// How long to wait before the brokers are asked again.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Waits until the brokers' metadata has those topics, each partition with a
/// leader.
///
/// # Errors
/// If no broker answers, or some topic is not known in time.
pub(crate) fn wait_until_known(
    client: &AdminClient<DefaultClientContext>,
    names: &[&str],
    patience: Duration,
) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let metadata = client.inner().fetch_metadata(None, patience)?;
        let known = |name: &&str| {
            metadata.topics().iter().any(|topic| {
                let led = |partition: &MetadataPartition| partition.leader() >= 0;
                topic.name() == *name
                    && topic.error().is_none()
                    && !topic.partitions().is_empty()
                    && topic.partitions().iter().all(led)
            })
        };
        let Some(missing) = names.iter().find(|name| !known(name)) else { return Ok(()) };
        ensure!(
            began.elapsed() < patience,
            "the brokers have created the topic {missing}, and still do not name its leader after \
             {} s",
            patience.as_secs()
        );
        std::thread::sleep(ASK_AGAIN);
    }
}
