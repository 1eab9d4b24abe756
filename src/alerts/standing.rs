//! Where several processes watch one store, what is wrong with it is told by one of them.
//!
//! In: whose turn it is, and what was told before, which the store keeps. Out: what is left to be told here. Whoever has
//! no turn watches on, so that it knows what is wrong when the turn comes to it; what was told by then is not told anew,
//! and what ended meanwhile is. What concerns a process alone is told by that process, and remembered in its memory.
//! A notice is told before that is kept: at a crash in between it is told twice, and never not at all.

use super::conditions::Alert;
use super::teller::{Notice, State};
use super::{Key, Watcher};
use crate::store::turn::{ALERTS, TURN};
use crate::store::{StoreError, ToldRow, Turn};
use std::time::Duration;

/// What this process may tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Standing {
    /// Nobody else watches the store: everything.
    Alone,
    /// It has the turn, and knows what was told: everything.
    Ours,
    /// It has the turn, and does not know yet what was told: what is of this process.
    Anew,
    /// Another process has the turn, or nobody knows who: what is of this process.
    #[default]
    Theirs,
}

impl Standing {
    pub(super) fn tells(self, alert: Alert) -> bool {
        matches!(self, Standing::Alone | Standing::Ours) || alert.is_of_process()
    }
}

/// How long a turn lasts: some looks may fail or be slow.
fn lasts(every: Duration) -> Duration {
    TURN.max(every * 4)
}

impl Watcher {
    /// Asks whether it is this process that tells.
    pub(super) fn ask_for_turn(&mut self, every: Duration) {
        self.standing = match self.sources.store.take_turn(ALERTS, lasts(every)) {
            Ok(Turn::Alone) => Standing::Alone,
            Ok(Turn::Ours { anew: false }) if self.standing == Standing::Ours => Standing::Ours,
            Ok(Turn::Ours { .. }) => Standing::Anew,
            Ok(Turn::Theirs) => Standing::Theirs,
            Err(_) if self.standing == Standing::Alone => Standing::Alone,
            Err(_) => Standing::Theirs,
        };
    }

    /// After a look: leaves to others what they tell, or takes over from them.
    ///
    /// # Errors
    /// When what was told cannot be read; it is tried again at the next step.
    pub(super) fn share(&mut self, repeat_every: Duration) -> Result<(), StoreError> {
        match self.standing {
            Standing::Alone | Standing::Ours => Ok(()),
            Standing::Theirs => {
                self.untold.retain(|(alert, _), _| alert.is_of_process());
                Ok(())
            }
            Standing::Anew => self.take_over(repeat_every),
        }
    }

    fn take_over(&mut self, repeat_every: Duration) -> Result<(), StoreError> {
        let mut told = self.sources.store.told()?;
        let (now, elapsed) = (self.sources.clock.now(), self.sources.clock.elapsed());
        self.untold.retain(|(alert, _), _| alert.is_of_process());
        for (key, firing) in self.firing.iter_mut().filter(|((alert, _), _)| !alert.is_of_process()) {
            let known = told.iter().position(|row| row.alert == key.0.as_str() && row.subject == key.1);
            let Some(row) = known.map(|index| told.swap_remove(index)) else {
                self.untold.insert(key.clone(), Notice::of(&firing.finding, State::Firing));
                continue;
            };
            if let Ok(notice) = serde_json::from_str::<Notice>(&row.notice) {
                firing.finding.since = firing.finding.since.min(notice.since);
            }
            // It is told again when it would have been by whoever told it.
            let ago = Duration::try_from(now.duration_since(row.at)).unwrap_or_default();
            firing.noticed_at = elapsed.saturating_sub(ago);
            if ago >= repeat_every {
                firing.noticed_at = elapsed;
                self.untold.insert(key.clone(), Notice::of(&firing.finding, State::Firing));
            }
        }
        for row in told {
            // One that this version does not know is left to the one that told it.
            let Some(alert) = Alert::ALL.into_iter().find(|alert| alert.as_str() == row.alert) else {
                continue;
            };
            if let Ok(notice) = serde_json::from_str::<Notice>(&row.notice) {
                self.untold.insert((alert, row.subject), notice.resolved());
            }
        }
        self.standing = Standing::Ours;
        Ok(())
    }

    /// Keeps that something was told, for whoever tells next.
    pub(super) fn keep(&self, key: &Key, notice: &Notice) -> Result<(), StoreError> {
        let (alert, subject) = (key.0.as_str(), key.1.as_str());
        if self.standing == Standing::Alone || key.0.is_of_process() {
            return Ok(());
        }
        let store = &self.sources.store;
        match notice.state {
            State::Resolved => store.forget_told(alert, subject),
            State::Firing => {
                let notice = serde_json::to_string(notice).unwrap_or_default();
                let (alert, subject) = (alert.to_owned(), subject.to_owned());
                store.keep_told(&ToldRow { alert, subject, at: self.sources.clock.now(), notice })
            }
        }
    }
}
