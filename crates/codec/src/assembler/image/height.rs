//! One height of an image.

use flow_core::Chain;
use serde::{Deserialize, Serialize};

use super::branch::BranchImage;
use super::{AssemblerImageError, ensure};
use crate::assembler::branch::Branch;
use crate::assembler::height::{Applied, BRANCHES_MAX, Height};
use crate::assembler::identity::{Identity, Recent};

/// What is told of one height.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct HeightImage {
    pub(super) number: u64,
    branches: Vec<BranchImage>,
    current: Option<usize>,
    headed: Option<usize>,
    applied: Option<AppliedImage>,
}

/// A block that was put out.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct AppliedImage {
    timestamp_ms: u64,
    /// Its events that stood in an earlier block, by their rank among those
    /// that have an identity. All others stand here.
    repeated: Vec<usize>,
}

impl Height {
    /// Its image; `recent` tells which of its events stand here.
    pub(super) fn image(&self, number: u64, recent: &Recent) -> HeightImage {
        let repeated = |branch: &Branch| {
            let elsewhere = |identity: Identity| recent.block(identity) != Some(number);
            let told = branch.events().filter_map(Identity::of).enumerate();
            told.filter(|(_, identity)| elsewhere(*identity)).map(|(rank, _)| rank).collect()
        };
        HeightImage {
            number,
            branches: self.branches.iter().map(Branch::image).collect(),
            current: self.current,
            headed: self.headed,
            applied: self.applied.map(|applied| AppliedImage {
                timestamp_ms: applied.timestamp_ms,
                repeated: self.current_branch().map(repeated).unwrap_or_default(),
            }),
        }
    }
}

impl HeightImage {
    /// When a block of it was last told to be canonical.
    pub(super) fn last_arrival(&self) -> u64 {
        self.branches.iter().map(|branch| branch.arrival).max().unwrap_or(0)
    }

    /// The height. Where its block was put out, `recent` is told of the events
    /// that stand there.
    pub(super) fn restore(
        self,
        chain: Chain,
        recent: &mut Recent,
    ) -> Result<Height, AssemblerImageError> {
        let number = self.number;
        let count = self.branches.len();
        ensure(count <= BRANCHES_MAX, "too many blocks of a height")?;
        let known = |at: Option<usize>| at.is_none_or(|at| at < count);
        ensure(known(self.current) && known(self.headed), "a block that is not there")?;
        let branches: Result<Vec<Branch>, AssemblerImageError> =
            self.branches.into_iter().map(|branch| branch.restore(chain, number)).collect();
        let (branches, current, headed) = (branches?, self.current, self.headed);
        let mut height = Height { branches, current, headed, applied: None };
        ensure(
            height.current_branch().is_none_or(Branch::is_eligible),
            "the canonical block of a height was taken back",
        )?;
        if let Some(applied) = self.applied {
            ensure(height.current.is_some(), "a height without a block was put out")?;
            if let Some(branch) = height.current_branch() {
                stand(branch, &applied.repeated, number, recent)?;
            }
            let repeated = applied.repeated.len();
            height.applied = Some(Applied { timestamp_ms: applied.timestamp_ms, repeated });
        }
        Ok(height)
    }
}

/// Notes the events of a block that was put out, but for those repeated.
fn stand(
    branch: &Branch,
    repeated: &[usize],
    number: u64,
    recent: &mut Recent,
) -> Result<(), AssemblerImageError> {
    let mut repeated = repeated.iter().copied().peekable();
    for (rank, identity) in branch.events().filter_map(Identity::of).enumerate() {
        if repeated.next_if_eq(&rank).is_none() {
            ensure(recent.insert_new(identity, number), "an event stands in two blocks")?;
        }
    }
    ensure(repeated.next().is_none(), "repeated events")
}
