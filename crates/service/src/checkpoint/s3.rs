//! How a bucket that speaks S3 is reached.
//!
//! Bounded in time: a store that does not answer fails an operation within half
//! a minute, however often it is tried. Credentials come from the environment
//! alone and are never shown.

use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use crate::report::Explain as _;

/// A connection that is not made by then will not be.
const CONNECT: Duration = Duration::from_secs(5);

/// A store that has been silent for so long will not answer. It covers the
/// sending of a part, so it also sets the slowest link that serves.
const SILENCE: Duration = Duration::from_secs(25);

/// After so long nothing is tried again …
const RETRY: Duration = Duration::from_secs(10);

/// … nor more often than this.
const RETRIES: usize = 4;

/// Connections to a store rest unused between checkpoints, and die unseen.
const IDLE: Duration = Duration::from_secs(10);

/// Settings of S3 besides the place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct S3Options {
    /// Where the store is reached; `None` for that of AWS.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// Whether the bucket stands in the path rather than in the host's name.
    pub path_style: bool,
    /// Whether it may be spoken to without TLS.
    pub allow_http: bool,
}

/// The name of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bucket(pub(super) String);

/// Who asks. Debug output shows `***`.
pub(super) struct Credentials {
    key_id: String,
    secret: String,
    token: Option<String>,
}

impl Credentials {
    /// From `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, where it is set,
    /// `AWS_SESSION_TOKEN`.
    pub(super) fn of_environment() -> anyhow::Result<Credentials> {
        let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let required = |name: &str| {
            read(name).with_context(|| format!("{name} is not set")).explain(
                "checkpoints are to be kept in S3, and its credentials are missing",
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
            )
        };
        Ok(Credentials {
            key_id: required("AWS_ACCESS_KEY_ID")?,
            secret: required("AWS_SECRET_ACCESS_KEY")?,
            token: read("AWS_SESSION_TOKEN"),
        })
    }

    /// The text without them: a store may quote them in its answer.
    pub(super) fn hide(&self, text: &str) -> String {
        let secrets = [&self.secret, &self.key_id].into_iter().chain(&self.token);
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The bucket, of which nothing is asked yet.
pub(super) fn connect(
    Bucket(bucket): &Bucket,
    options: &S3Options,
    credentials: &Credentials,
) -> anyhow::Result<AmazonS3> {
    // Nobody else in the process speaks TLS through rustls; if somebody has
    // chosen already, that serves as well.
    let chosen = rustls::crypto::ring::default_provider().install_default();
    tracing::trace!(ours = chosen.is_ok(), "the cryptography of TLS is chosen");
    let client = ClientOptions::new()
        .with_allow_http(options.allow_http)
        .with_connect_timeout(CONNECT)
        .with_read_timeout(SILENCE)
        // A long object may take long, as long as it comes.
        .with_timeout_disabled()
        .with_pool_idle_timeout(IDLE);
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: RETRIES,
        retry_timeout: RETRY,
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&options.region)
        .with_virtual_hosted_style_request(!options.path_style)
        .with_access_key_id(&credentials.key_id)
        .with_secret_access_key(&credentials.secret)
        .with_client_options(client)
        .with_retry(retry);
    if let Some(token) = &credentials.token {
        builder = builder.with_token(token);
    }
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    builder.build().explain(
        format!("cannot use the bucket {bucket}"),
        "see the settings of [checkpoint.s3] in deploy/config/usdt-flow.toml",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_never_shown() {
        let credentials = Credentials {
            key_id: "AKIA1".to_owned(),
            secret: "hunter2".to_owned(),
            token: Some("tok3n".to_owned()),
        };
        assert_eq!(format!("{credentials:?}"), "***");
        let told = credentials.hide("AKIA1 signed with hunter2, tok3n");
        assert_eq!(told, "*** signed with ***, ***");
    }
}
