//! What a CRM answered of one bundle, and what that makes of each of its jobs.

use super::{MOVED_BY_OTHERS, Slots, Work};
use crate::store::outbox::{End, RecordRow};
use std::collections::BTreeMap;
use wabridge_crms::{LEFT_ALONE, Receipt, Written};
use wabridge_model::{Failure, FailureKind, MatchedBy, OperationKind, RecordRef};

impl Work {
    /// Takes the answers to a bundle. An answer that is missing is an unknown outcome.
    pub(in crate::outbox) fn wrote(&mut self, slots: &Slots, written: Written) {
        let lost = || Err(Failure::new(FailureKind::Unknown, "no_outcome"));
        if let Some(person) = slots.person {
            match written.person.unwrap_or_else(lost) {
                Ok(receipt) => self.wrote_person(person, receipt),
                Err(failure) => self.failures[person] = Some(failure),
            }
        }
        let others = [
            (&slots.activities, written.activities),
            (&slots.deals, written.deals),
            (&slots.tasks, written.tasks),
        ];
        for (jobs, answers) in others {
            let mut answers = answers.into_iter();
            for index in jobs {
                match answers.next().unwrap_or_else(lost) {
                    Ok(receipt) => {
                        let stage = self.staged(*index, &receipt);
                        if let Some(stage) = receipt.stage {
                            self.found.push((*index, receipt.record.clone(), stage));
                        }
                        self.ends[*index] = Some(done(receipt.record, stage));
                    }
                    Err(failure) if failure.code == LEFT_ALONE => {
                        self.ends[*index] = Some(End::Suppressed(MOVED_BY_OTHERS));
                    }
                    Err(failure) => self.failures[*index] = Some(failure),
                }
            }
        }
    }

    /// A deal that was found in another stage than is asked for by now is to be moved from there, if `may` says so: what
    /// asked for it goes with this attempt. Whether there is any.
    pub(in crate::outbox) fn move_found(&mut self, may: impl Fn((&str, &str)) -> bool) -> bool {
        let mut any = false;
        for (index, record, from) in std::mem::take(&mut self.found) {
            let subject = &self.leased.jobs[index].subject;
            let write = self.dossier.as_mut().and_then(|it| it.deals.get_mut(subject)?.as_mut().ok());
            let Some(write) = write.filter(|write| write.doubtful && may((&from, &write.stage))) else {
                continue;
            };
            (write.record, write.moves_from) = (Some(record.id), Some(from));
            self.ends[index] = None;
            any = true;
        }
        any
    }

    /// The stage that a deal was written with, if it was: by this attempt, or by one whose answer was lost, which may have
    /// been asked for another.
    fn staged(&self, index: usize, receipt: &Receipt) -> Option<String> {
        let job = self.job(index);
        let deals = self.dossier.as_ref().filter(|_| job.kind == OperationKind::Deal).map(|it| &it.deals);
        let write = deals?.get(&job.subject)?.as_ref().ok()?;
        if receipt.created || write.moves_from.is_some() {
            return Some(write.stage.clone());
        }
        receipt.stage.clone().filter(|_| write.record.is_none())
    }

    fn wrote_person(&mut self, person: usize, receipt: Receipt) {
        let Receipt { record, url, created, .. } = receipt;
        let before = self.row.take();
        let matched = match (created, self.matched) {
            (true, _) => MatchedBy::Created,
            (false, Some(matched)) => matched,
            (false, None) => MatchedBy::UniqueKey,
        };
        self.matched = Some(matched);
        self.row = Some(RecordRow {
            record,
            url: url.or(before.as_ref().and_then(|row| row.url.clone())),
            // How it was found first stays told.
            matched_by: before.map_or(matched, |row| row.matched_by),
            written: self.draft.written.clone(),
        });
        let end = self.done_person();
        self.obeyed(&end);
        self.ends[person] = Some(end);
    }
}

fn done(record: RecordRef, stage: Option<String>) -> End {
    let (candidates, left_out) = (Vec::new(), BTreeMap::new());
    End::Done { record: Some(record), matched_by: None, candidates, left_out, stage }
}
