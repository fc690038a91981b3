//! The group's coordinator: who publishes, and when whom it is told.
//!
//! As [`usdt_flow::kafka::Membership`] has it: an instance joins when it is warm
//! or when nobody else is there. One that falls silent is put out after a
//! while; it hears so when it wakes. A hand-over is in order (the one before has
//! given the chain up first) or not (it has not heard yet).

use std::sync::Arc;
use std::time::Duration;

use flow_core::Chain;
use flow_sim::Dice;
use usdt_flow::follow::Duties;

/// A member that is silent for so long is put out.
const SESSION: Duration = Duration::from_millis(900);

/// One life of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) seat: usize,
    pub(crate) number: u64,
}

/// Whether an instance is there.
#[derive(Clone, Debug)]
pub(crate) struct Presence {
    pub(crate) life: Life,
    pub(crate) duties: Arc<Duties>,
    /// Since when it is dead or stands still.
    pub(crate) silent_since: Option<Duration>,
}

#[derive(Debug)]
struct Notice {
    at: Duration,
    life: Life,
    own: bool,
}

/// See the module.
pub(crate) struct Group {
    chain: Chain,
    members: Vec<Life>,
    owner: Option<Life>,
    /// To whom the chain goes once the owner has given it up.
    heir: Option<Life>,
    notices: Vec<Notice>,
}

impl Group {
    pub(crate) fn new(chain: Chain) -> Group {
        Group { chain, members: Vec::new(), owner: None, heir: None, notices: Vec::new() }
    }

    pub(crate) fn chain(&self) -> Chain {
        self.chain
    }

    /// Whether everybody has heard to whom the chain is given.
    pub(crate) fn is_settled(&self) -> bool {
        self.notices.is_empty() && self.heir.is_none()
    }

    /// The member to whom the chain is given.
    pub(crate) fn owner(&self) -> Option<Life> {
        self.owner
    }

    /// Looks at who is there. `moves`: the chain is to change hands. `true` if
    /// somebody was told anything.
    pub(crate) fn tick(
        &mut self,
        present: &[Option<Presence>],
        now: Duration,
        moves: bool,
        dice: &mut Dice,
    ) -> bool {
        let of = |life: &Life| present.iter().flatten().find(|presence| presence.life == *life);
        self.put_out(present, now, dice);
        self.admit(present);
        if moves {
            self.hand_over(now, dice);
        }
        self.appoint(now, dice);
        // In the order in which they were sent; one that stands still hears later.
        let hears = |notice: &mut Notice| {
            notice.at <= now
                && of(&notice.life).is_none_or(|presence| presence.silent_since.is_none())
        };
        let mut told = false;
        for notice in self.notices.extract_if(.., hears) {
            told = true;
            if let Some(presence) = of(&notice.life) {
                presence.duties.set(self.chain, notice.own);
                presence.duties.set_joined(true);
            }
        }
        told
    }

    fn put_out(&mut self, present: &[Option<Presence>], now: Duration, dice: &mut Dice) {
        let is_here = |life: &Life| {
            let presence = present.iter().flatten().find(|presence| presence.life == *life);
            presence.is_some_and(|presence| {
                presence.silent_since.is_none_or(|since| now < since + SESSION)
            })
        };
        let gone: Vec<Life> = self.members.extract_if(.., |life| !is_here(life)).collect();
        for life in gone {
            self.notices.retain(|notice| notice.life != life);
            self.send(life, now + Duration::from_millis(dice.below(400)), false);
            self.owner = self.owner.filter(|owner| *owner != life);
            if self.heir == Some(life) {
                self.heir = None;
                // Whoever gave the chain up for it gets it back.
                if let Some(owner) = self.owner {
                    self.give(owner, now, dice);
                }
            }
        }
    }

    fn admit(&mut self, present: &[Option<Presence>]) {
        for presence in present.iter().flatten() {
            let is_here = presence.silent_since.is_none();
            let may = presence.duties.is_warm(self.chain) || self.members.is_empty();
            let is_told = |notice: &Notice| notice.life == presence.life;
            // Whoever was put out joins again once it has heard so.
            let waits = self.notices.iter().any(is_told);
            if is_here && may && !waits && !self.members.contains(&presence.life) {
                self.members.push(presence.life);
            }
        }
    }

    fn hand_over(&mut self, now: Duration, dice: &mut Dice) {
        let Some(owner) = self.owner else { return };
        let others: Vec<Life> =
            self.members.iter().copied().filter(|member| *member != owner).collect();
        if others.is_empty() || self.heir.is_some() {
            return;
        }
        let heir = dice.pick(&others);
        let mut soon = |most| now + Duration::from_millis(dice.below(most));
        let (given_up, taken) = (soon(700), soon(150));
        self.send(owner, given_up, false);
        if dice.one_in(3) {
            // The one before has lost touch with the coordinator.
            self.send(heir, taken, true);
            self.owner = Some(heir);
        } else {
            self.heir = Some(heir);
        }
    }

    fn appoint(&mut self, now: Duration, dice: &mut Dice) {
        if let (Some(owner), Some(heir)) = (self.owner, self.heir) {
            let has_given_up = !self.notices.iter().any(|notice| notice.life == owner);
            if has_given_up {
                self.owner = None;
                self.give(heir, now, dice);
            }
        } else if self.owner.is_none() && !self.members.is_empty() {
            let owner = self.heir.unwrap_or_else(|| dice.pick(&self.members));
            self.give(owner, now, dice);
        }
    }

    fn give(&mut self, owner: Life, now: Duration, dice: &mut Dice) {
        self.heir = None;
        self.owner = Some(owner);
        self.send(owner, now + Duration::from_millis(dice.below(150)), true);
    }

    /// Tells a member, behind all that it was told before.
    fn send(&mut self, life: Life, at: Duration, own: bool) {
        let before = self.notices.iter().filter(|notice| notice.life == life);
        let at = before.map(|notice| notice.at).max().unwrap_or(at).max(at);
        self.notices.push(Notice { at, life, own });
    }
}
