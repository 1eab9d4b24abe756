//! What the errands of every adapter share: when to stop calling, ids, and answers dealt out to their bundles.

use crate::crm::{Bundle, Receipt, Written};
use serde_json::Value;
use std::sync::{Mutex, PoisonError};
use wabridge_model::{Failure, FailureKind};

/// One part of a bundle, as it was answered.
pub(crate) type Outcome = Result<Receipt, Failure>;

/// Whether an errand goes on. Once a CRM throttles, shuts the door or does not answer, no more calls are made.
#[derive(Debug, Default)]
pub(crate) struct Stop(Mutex<Option<Failure>>);

impl Stop {
    /// What ended the errand, if anything did.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }

    /// Remembers a failure that says nothing about one record: what follows would meet it too.
    pub(crate) fn note(&self, failure: &Failure) {
        let stop = match failure.kind {
            // One locked record, not all.
            FailureKind::Down if failure.status == Some(423) => return,
            FailureKind::Throttle | FailureKind::Auth | FailureKind::Down => failure.clone(),
            // What is not sent any more was certainly not applied.
            FailureKind::Unknown => Failure { kind: FailureKind::Down, ..failure.clone() },
            _ => return,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(stop);
    }
}

/// A success that cannot be read: if it was a write, nobody knows what happened.
pub(crate) fn garbage(status: u16, writes: bool) -> Failure {
    let kind = if writes { FailureKind::Unknown } else { FailureKind::Down };
    Failure { status: Some(status), ..Failure::new(kind, "garbage") }
}

/// An id, which some endpoints write as a number.
pub(crate) fn identifier(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What became of all people, and of the activities, deals and tasks of those whose person was not in the way.
pub(crate) struct Rounds {
    pub(crate) people: Vec<Option<Outcome>>,
    pub(crate) activities: Vec<Outcome>,
    pub(crate) deals: Vec<Outcome>,
    pub(crate) tasks: Vec<Outcome>,
}

impl Rounds {
    /// Deals the answers out, each to its bundle; `due` says of each whether it had a record to go on with.
    pub(crate) fn deal_out(self, bundles: &[Bundle], due: Vec<bool>) -> Vec<Written> {
        let Rounds { people, activities, deals, tasks } = self;
        let (mut activities, mut deals, mut tasks) =
            (activities.into_iter(), deals.into_iter(), tasks.into_iter());
        let written = |((bundle, person), due): ((&Bundle, Option<Outcome>), bool)| Written {
            person,
            activities: next(due, bundle.activities.len(), &mut activities),
            deals: next(due, bundle.deals.len(), &mut deals),
            tasks: next(due, bundle.tasks.len(), &mut tasks),
        };
        bundles.iter().zip(people).zip(due).map(written).collect()
    }
}

/// The next answers, if they were due.
fn next(due: bool, count: usize, answers: &mut impl Iterator<Item = Outcome>) -> Vec<Outcome> {
    let waiting = || Err(Failure::waiting());
    let one = |_| if due { answers.next().unwrap_or_else(waiting) } else { waiting() };
    (0..count).map(one).collect()
}
