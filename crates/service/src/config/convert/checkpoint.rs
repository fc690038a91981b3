//! `[checkpoint]`: where the state of each chain is kept.

use std::time::Duration;

use super::Checks;
use crate::checkpoint::{ObjectDisk, S3Options};
use crate::config::CheckpointConfig;

impl Checks<'_> {
    pub(super) fn checkpoint(&mut self) -> Option<CheckpointConfig> {
        let key = "checkpoint.url";
        let url = self.text(key);
        if url.is_empty() {
            return None;
        }
        if let Err(error) = ObjectDisk::check_url(&url) {
            let hint = "name a folder, or s3://BUCKET/PREFIX; \"\" takes no checkpoints";
            self.problem(key, error.to_string(), hint);
        }
        let keep = self.number("checkpoint.keep");
        Some(CheckpointConfig {
            url,
            interval: Duration::from_secs(self.number("checkpoint.interval_seconds")),
            keep: usize::try_from(keep).expect("the setting's range fits"),
            s3: self.s3(),
        })
    }

    fn s3(&mut self) -> S3Options {
        let key = "checkpoint.s3.endpoint";
        let endpoint = Some(self.text(key)).filter(|endpoint| !endpoint.is_empty());
        let allow_http = self.truth("checkpoint.s3.allow_http");
        match endpoint.as_deref().map(|endpoint| endpoint.split_once("://")) {
            None | Some(Some(("https", _))) => {}
            Some(Some(("http", _))) if allow_http => {}
            Some(Some(("http", _))) => {
                let hint = "set checkpoint.s3.allow_http = true if the network there is yours";
                self.problem(key, "without TLS, everybody on the way can read along", hint);
            }
            Some(_) => {
                let message = format!("{:?} is not a URL", endpoint.as_deref().unwrap_or_default());
                self.problem(key, message, "for example \"https://minio.example:9000\"");
            }
        }
        S3Options {
            endpoint,
            region: self.filled("checkpoint.s3.region"),
            path_style: self.truth("checkpoint.s3.path_style"),
            allow_http,
        }
    }
}
