//! What stands in the output topics, as a checkpoint keeps it.

use flow_core::{AlertId, AlertStatus, Chain};
use serde::{Deserialize, Serialize};

use super::freezes::{self, Freezes};
use super::ledgers::{self, Ledgers};
use super::{Published, Standing};
use crate::audit;

const VERSION: u32 = 3;

/// The bytes of a checkpoint are not of this kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::follow) enum PublishedError {
    /// Of another version.
    #[error("version {0} of what was published is not known")]
    Version(u32),
    /// Not understood.
    #[error("what was published cannot be read: {0}")]
    Malformed(postcard::Error),
    /// A status that there is not.
    #[error("what was published names the status {0}")]
    Status(u8),
}

/// A copy to be encoded elsewhere.
#[derive(Debug)]
pub(in crate::follow) struct PublishedImage {
    alerts: Vec<(AlertId, Standing)>,
    freezes: Vec<freezes::Row>,
    ledgers: (Vec<ledgers::Row>, Vec<Vec<u8>>),
    trail: audit::Row,
}

/// Id, revision, rank of the status.
type Row = ([u8; 16], u32, u8);

#[derive(Serialize, Deserialize)]
struct Plain {
    version: u32,
    alerts: Vec<Row>,
    freezes: Vec<freezes::Row>,
    /// Rows, and the newest record of each case.
    ledgers: (Vec<ledgers::Row>, Vec<Vec<u8>>),
    trail: audit::Row,
}

impl PublishedImage {
    /// The bytes: the same for the same alerts.
    pub(in crate::follow) fn encode(mut self) -> Result<Vec<u8>, postcard::Error> {
        self.alerts.sort_unstable_by_key(|(id, _)| *id);
        self.freezes.sort_unstable();
        let rank = |status| AlertStatus::ALL.iter().position(|known| *known == status);
        let row = |(id, standing): (AlertId, Standing)| {
            let rank = rank(standing.status).and_then(|rank| u8::try_from(rank).ok());
            (id.0, standing.revision, rank.unwrap_or(u8::MAX))
        };
        let alerts = self.alerts.into_iter().map(row).collect();
        postcard::to_allocvec(&Plain {
            version: VERSION,
            alerts,
            freezes: self.freezes,
            ledgers: self.ledgers,
            trail: self.trail,
        })
    }
}

impl Published {
    /// A copy of what stands.
    pub(in crate::follow) fn image(&self) -> PublishedImage {
        PublishedImage {
            alerts: self.alerts.iter().map(|(id, told)| (*id, *told)).collect(),
            freezes: self.freezes.rows(),
            ledgers: self.ledgers.rows(),
            trail: self.trail.row(),
        }
    }

    /// As it was.
    pub(in crate::follow) fn restore(
        chain: Chain,
        bytes: &[u8],
    ) -> Result<Published, PublishedError> {
        let (version, _) =
            postcard::take_from_bytes::<u32>(bytes).map_err(PublishedError::Malformed)?;
        if version != VERSION {
            return Err(PublishedError::Version(version));
        }
        let plain: Plain = postcard::from_bytes(bytes).map_err(PublishedError::Malformed)?;
        let mut published = Published::nothing(chain);
        published.freezes = Freezes::restore(plain.freezes);
        published.ledgers = Ledgers::restore(plain.ledgers.0, &plain.ledgers.1);
        published.trail = audit::Trail::restore(chain, plain.trail);
        published.alerts.reserve(plain.alerts.len());
        for (id, revision, rank) in plain.alerts {
            let status = AlertStatus::ALL.get(usize::from(rank));
            let status = *status.ok_or(PublishedError::Status(rank))?;
            published.alerts.insert(AlertId(id), Standing { revision, status });
        }
        Ok(published)
    }
}
