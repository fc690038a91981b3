//! How bad it gets, and when it is over: one chance in so many at each place,
//! and a limit on how often.

use std::time::Duration;

use flow_sim::Dice;

/// Where something can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Open,
    Poll,
    Bounds,
    Committed,
    Seek,
    Pause,
    ReadChanges,
    NextChange,
    OpenPublished,
    ReadPublished,
    DrainPublished,
    PublishedEnds,
    Fence,
    Fenced,
    Commit,
    CommitDone,
    Put,
    PutDone,
    Get,
    List,
    Delete,
}

impl Place {
    /// The name in the counters.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Place::Open => "open",
            Place::Poll => "poll",
            Place::Bounds => "bounds",
            Place::Committed => "committed",
            Place::Seek => "seek",
            Place::Pause => "pause",
            Place::ReadChanges => "read_changes",
            Place::NextChange => "next_change",
            Place::OpenPublished => "open_published",
            Place::ReadPublished => "read_published",
            Place::DrainPublished => "drain_published",
            Place::PublishedEnds => "published_ends",
            Place::Fence => "fence",
            Place::Fenced => "fence_done",
            Place::Commit => "commit",
            Place::CommitDone => "commit_done",
            Place::Put => "put",
            Place::PutDone => "put_done",
            Place::Get => "get",
            Place::List => "list",
            Place::Delete => "delete",
        }
    }

    /// One call in so many is struck.
    const fn one_in(self) -> u64 {
        match self {
            Place::Poll | Place::NextChange | Place::ReadPublished => 250,
            Place::Commit | Place::CommitDone => 20,
            Place::Put | Place::PutDone | Place::PublishedEnds => 10,
            Place::Fence | Place::Fenced | Place::DrainPublished => 8,
            _ => 30,
        }
    }
}

/// What strikes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    /// The process dies.
    Crash,
    /// The process stands still for so long.
    Freeze(Duration),
    /// The call fails, and the process lives.
    Fail,
}

/// How a commit ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Commits,
    Aborts,
    /// The answer is lost; whether it was committed is told.
    Lost(bool),
    /// The answer is lost, and the coordinator takes so long.
    Undecided(bool, Duration),
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    /// When the storm is over.
    pub(crate) until: Duration,
    crashes: u64,
    freezes: u64,
    failures: u64,
    open_commits: u64,
    aborts: u64,
    /// Moments at which the input falls silent, and for how long.
    lulls: u64,
    rebalances: u64,
    rots: u64,
    full_disks: u64,
}

impl Weather {
    pub(crate) fn new(dice: &mut Dice, until: Duration) -> Weather {
        let mut up_to = |most: u64| if dice.one_in(4) { 0 } else { dice.below(most + 1) };
        Weather {
            until,
            crashes: up_to(7),
            freezes: up_to(3),
            failures: up_to(5),
            open_commits: up_to(3),
            aborts: up_to(4),
            lulls: up_to(3),
            rebalances: up_to(4),
            rots: up_to(3),
            full_disks: up_to(1),
        }
    }

    /// What strikes this call, if anything does.
    pub(crate) fn strike(
        &mut self,
        place: Place,
        now: Duration,
        dice: &mut Dice,
    ) -> Option<Strike> {
        if now >= self.until || !dice.one_in(place.one_in()) {
            return None;
        }
        match dice.below(5) {
            0 | 1 if spend(&mut self.crashes) => Some(Strike::Crash),
            2 | 3 if spend(&mut self.freezes) => {
                Some(Strike::Freeze(Duration::from_millis(dice.between(50, 5_000))))
            }
            4 if spend(&mut self.failures) => Some(Strike::Fail),
            _ => None,
        }
    }

    pub(crate) fn outcome(&mut self, now: Duration, dice: &mut Dice) -> Outcome {
        if now >= self.until {
            return Outcome::Commits;
        }
        match dice.below(40) {
            0..3 if spend(&mut self.aborts) => Outcome::Aborts,
            3 | 4 if spend(&mut self.open_commits) => Outcome::Lost(dice.one_in(2)),
            5 | 6 if spend(&mut self.open_commits) => {
                let time = Duration::from_millis(dice.between(10, 3_000));
                Outcome::Undecided(dice.one_in(2), time)
            }
            _ => Outcome::Commits,
        }
    }

    /// How long the input now falls silent, if it does.
    pub(crate) fn lull(&mut self, now: Duration, dice: &mut Dice) -> Option<Duration> {
        let falls = now < self.until && dice.one_in(120) && spend(&mut self.lulls);
        falls.then(|| Duration::from_millis(dice.between(50, 5_000)))
    }

    pub(crate) fn rebalances(&mut self, now: Duration, dice: &mut Dice) -> bool {
        now < self.until && dice.one_in(40) && spend(&mut self.rebalances)
    }

    pub(crate) fn rots(&mut self, now: Duration, dice: &mut Dice) -> bool {
        now < self.until && dice.one_in(40) && spend(&mut self.rots)
    }

    /// Until when a disk that fills now stays full.
    pub(crate) fn fills(&mut self, now: Duration, dice: &mut Dice) -> Option<Duration> {
        let fills = now < self.until && dice.one_in(8) && spend(&mut self.full_disks);
        fills.then(|| now + Duration::from_millis(dice.between(500, 4_000)))
    }
}

fn spend(left: &mut u64) -> bool {
    let spends = *left > 0;
    *left = left.saturating_sub(1);
    spends
}
