//! From bytes to the parts of an image, before they are believed.

use serde::de::DeserializeOwned;

use super::RestoreError;
use super::format::{self, Settings, VERSION};
use crate::{AccountKey, EngineConfig};

/// The parts of an image.
pub(super) struct Parts {
    pub(super) segments: Vec<format::Segment>,
    /// Those that no segment introduced.
    pub(super) accounts: Vec<AccountKey>,
    pub(super) holdings: Vec<format::Holding>,
    pub(super) taints: Vec<(u32, Vec<format::Taint>)>,
    pub(super) tail: Tail,
    pub(super) rest: format::Rest,
}

/// What is not sealed of the past.
pub(super) struct Tail {
    pub(super) blocks: Vec<format::Block>,
    pub(super) transfers: Vec<format::Transfer>,
    pub(super) others: Vec<format::Other>,
}

impl Parts {
    /// Reads an image that was taken under such settings.
    pub(super) fn read(bytes: &[u8], config: &EngineConfig) -> Result<Parts, RestoreError> {
        let mut reader = Reader(bytes);
        let found: u32 = reader.part("version")?;
        if found != VERSION {
            return Err(RestoreError::Version { found, expected: VERSION });
        }
        let settings: Settings = reader.part("settings")?;
        if let Some(name) = settings.difference(&Settings::of(config)) {
            return Err(RestoreError::Settings(name));
        }
        let parts = Parts {
            segments: reader.part("segments")?,
            accounts: reader.part("accounts")?,
            holdings: reader.part("holdings")?,
            taints: reader.part("taints")?,
            tail: Tail {
                blocks: reader.part("unsealed blocks")?,
                transfers: reader.part("unsealed transfers")?,
                others: reader.part("unsealed movements")?,
            },
            rest: reader.part("cases, alerts, desk or journal")?,
        };
        match reader.0 {
            [] => Ok(parts),
            _ => Err(RestoreError::Malformed("bytes are left over")),
        }
    }
}

/// Reads from the front.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn part<T: DeserializeOwned>(&mut self, what: &'static str) -> Result<T, RestoreError> {
        let read = postcard::take_from_bytes(self.0);
        let (part, rest) = read.map_err(|_| RestoreError::Malformed(what))?;
        self.0 = rest;
        Ok(part)
    }
}
