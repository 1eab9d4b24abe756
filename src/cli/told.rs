//! How the commands speak of delivery: where a lead is in a CRM, and why a job is where it is.
//!
//! In: jobs, records and what is known of targets. Out: sentences. Times are the region's.

use super::reading::clock_time;
use crate::config::{Config, Region, Target};
use crate::delivery::cause;
use crate::store::StoreError;
use crate::store::outbox::{Attempt, Job, JobFilter, JobState, Outbox, RecordRow};
use jiff::Timestamp;
use wabridge_model::id::LeadId;
use wabridge_model::{MatchedBy, OperationKind};

/// The most jobs of one lead that are told of.
const MOST: usize = 100;

/// How a record was found.
pub(super) fn found_by(by: MatchedBy) -> &'static str {
    match by {
        MatchedBy::LocalMap => "known from an earlier write",
        MatchedBy::UniqueKey => "found by our key field",
        MatchedBy::Phone => "found by phone",
        MatchedBy::Bsuid => "found by user id",
        MatchedBy::Email => "found by e-mail",
        MatchedBy::Created => "created by us",
    }
}

/// What an operation is.
pub(super) fn operation(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Person => "the person",
        OperationKind::Instruction => "an instruction",
        OperationKind::Activity => "a conversation",
        OperationKind::Deal => "a deal",
        OperationKind::Task => "a task",
    }
}

/// A count with its noun.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// What is known of a lead at a target.
pub(super) struct At<'a> {
    /// The target's name.
    pub(super) target: &'a str,
    /// The CRM's name, as a person knows it.
    pub(super) crm: &'a str,
    /// Why nothing is written to it.
    pub(super) paused: Option<&'a str>,
    /// The lead's record.
    pub(super) record: Option<&'a RecordRow>,
    /// The job of the person, with its attempts.
    pub(super) person: Option<&'a (Job, Vec<Attempt>)>,
    /// Jobs of conversations, deals and tasks that are not done.
    pub(super) others: usize,
}

impl At<'_> {
    /// Where the lead is, in one line: `in HubSpot as contact 123, found by phone`.
    pub(super) fn line(&self, now: Timestamp, region: &Region) -> String {
        let crm = self.crm;
        let open = self.person.filter(|(job, _)| !job.state.is_over());
        let why = open.map(|(job, attempts)| self.why(job, attempts, now, region));
        let line = match (self.record, why) {
            (Some(RecordRow { record, matched_by, .. }), why) => {
                let update = why.map(|why| format!("; an update waits: {why}")).unwrap_or_default();
                format!("in {crm} as {record}, {}{update}", found_by(*matched_by))
            }
            (None, Some(why)) => format!("not in {crm} yet: {why}"),
            (None, None) => match self.person {
                Some((Job { state: JobState::Discarded, .. }, _)) => {
                    format!("not in {crm}: it was given up by hand")
                }
                Some((Job { cause: Some(cause), .. }, _)) => format!("not in {crm}: {}", self.said(cause)),
                Some(_) => format!("not in {crm}: nothing was written"),
                None => {
                    format!("not in {crm}: nothing has asked for it, or the target's filters leave it out")
                }
            },
        };
        match self.others {
            0 => line,
            others => {
                let waits = if others == 1 { "waits" } else { "wait" };
                format!(
                    "{line}; {} {waits}",
                    counted(others as u64, "conversation or deal", "conversations or deals")
                )
            }
        }
    }

    /// Why a job is not done.
    pub(super) fn why(&self, job: &Job, attempts: &[Attempt], now: Timestamp, region: &Region) -> String {
        let time = |at| clock_time(at, region);
        if job.state == JobState::Leased {
            return "it is being written now".to_owned();
        }
        let said = job.cause.as_deref().map(|cause| self.said(cause));
        let tries = attempts.iter().filter(|attempt| attempt.revision == job.revision).count() as u64;
        let tries = match tries {
            0 => String::new(),
            tries => format!(", {}", counted(tries, "attempt", "attempts")),
        };
        let state = match job.state {
            JobState::Dead => format!("{}{tries}; job {} is dead", said.unwrap_or_else(unknown), job.id),
            JobState::Held => format!("it is held: {}", said.unwrap_or_else(unknown)),
            JobState::Doubt => {
                let due = time(job.due_at);
                format!("{}{tries}; it is looked for at {due}", said.unwrap_or_else(|| sent(self.target)))
            }
            _ => match said {
                Some(said) => {
                    let since = since(job, attempts).map(|at| format!(" since {}", time(at)));
                    let next = if job.due_at > now {
                        format!("; next try at {}", time(job.due_at))
                    } else {
                        String::new()
                    };
                    format!("{said}{}{tries}{next}", since.unwrap_or_default())
                }
                None if job.due_at > now => format!("it is due at {}", time(job.due_at)),
                None => format!("it is next in line since {}", time(job.due_at)),
            },
        };
        match self.paused {
            Some(paused) => format!("target '{}' is paused ({paused}); {state}", self.target),
            None => state,
        }
    }

    fn said(&self, cause: &str) -> String {
        cause::sentence(cause, self.target)
    }
}

fn unknown() -> String {
    "nobody said why".to_owned()
}

fn sent(target: &str) -> String {
    cause::sentence("unknown", target)
}

/// Since when it fails as it fails now.
fn since(job: &Job, attempts: &[Attempt]) -> Option<Timestamp> {
    let kind = cause::kind(job.cause.as_deref()?);
    let of = attempts.iter().filter(|attempt| attempt.revision == job.revision);
    let mut newest_first: Vec<&Attempt> = of.collect();
    newest_first.sort_by_key(|attempt| std::cmp::Reverse(attempt.began_at));
    let same =
        |attempt: &&&Attempt| attempt.result.as_deref().is_none_or(|result| cause::kind(result) == kind);
    newest_first.iter().take_while(same).last().map(|attempt| attempt.began_at)
}

/// Where a lead is at every target: those of the configuration, and those that were in it once.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn everywhere(
    outbox: &dyn Outbox,
    lead: LeadId,
    config: &Config,
    now: Timestamp,
) -> Result<Vec<(String, String)>, StoreError> {
    let records = outbox.records(&[lead])?;
    let jobs = outbox.jobs(&JobFilter { lead: Some(lead), ..JobFilter::default() }, 0, MOST)?;
    let mut names: Vec<&str> = config.targets.iter().map(|target| target.name.as_str()).collect();
    let known = records.iter().map(|(_, target, _)| target.as_str());
    for name in known.chain(jobs.iter().map(|job| job.target.as_str())) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut lines = Vec::new();
    for name in names {
        let target = config.targets.iter().find(|target| target.name == name);
        let of = || jobs.iter().filter(|job| job.target == name);
        let person = of().find(|job| job.kind == OperationKind::Person);
        let person = person.map(|job| outbox.job(job.id)).transpose()?.flatten();
        let others = of().filter(|job| job.kind != OperationKind::Person && !job.state.is_over());
        let paused = outbox.target(name)?.paused;
        let at = At {
            target: name,
            crm: target.map_or(name, |target| crm_name(target)),
            paused: paused.as_deref().or_else(|| target.and_then(by_config)),
            record: records.iter().find(|(_, target, _)| target == name).map(|(_, _, record)| record),
            person: person.as_ref(),
            others: others.count(),
        };
        lines.push((name.to_owned(), at.line(now, &config.region)));
    }
    Ok(lines)
}

/// The CRM's name, as a person knows it.
pub(super) fn crm_name(target: &Target) -> &'static str {
    target.crm.about().name
}

/// Why the configuration alone keeps a target from being written to.
pub(super) fn by_config(target: &Target) -> Option<&'static str> {
    use crate::config::target::Mode;
    match target.mode {
        Mode::Live => None,
        Mode::Shadow => Some("mode = \"shadow\" in the configuration"),
        Mode::Paused => Some("mode = \"paused\" in the configuration"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;
    use wabridge_model::{Priority, RecordRef};

    fn at(text: &str) -> Timestamp {
        format!("2026-11-22T{text}:00Z").parse().unwrap()
    }

    fn job(state: JobState, cause: Option<&str>) -> Job {
        Job {
            id: 7,
            target: "hubspot".into(),
            lead: LeadId(Uuid::nil()),
            kind: OperationKind::Person,
            subject: String::new(),
            revision: 2,
            state,
            priority: Priority::Urgent,
            wanted_at: at("08:00"),
            due_at: at("08:30"),
            attempts: 0,
            doubtful: false,
            cause: cause.map(str::to_owned),
            matched_by: None,
            candidates: Vec::new(),
            record: None,
            left_out: [].into(),
            stage: None,
            trace_id: String::new(),
        }
    }

    fn tried(began: &str, revision: i64, result: &str) -> Attempt {
        Attempt { revision, began_at: at(began), ended_at: Some(at(began)), result: Some(result.into()) }
    }

    fn line(person: Option<(Job, Vec<Attempt>)>, record: bool, paused: Option<&str>) -> String {
        let record = record.then(|| RecordRow {
            record: RecordRef::new("contact", "123"),
            url: None,
            matched_by: MatchedBy::Phone,
            written: [].into(),
        });
        let at_target = At {
            target: "hubspot",
            crm: "HubSpot",
            paused,
            record: record.as_ref(),
            person: person.as_ref(),
            others: 0,
        };
        at_target.line(at("08:20"), &Region::default())
    }

    #[test]
    fn a_person_in_the_crm_is_told_with_the_record_and_how_it_was_found() {
        assert_eq!(
            line(Some((job(JobState::Done, None), Vec::new())), true, None),
            "in HubSpot as contact 123, found by phone"
        );
        let held = line(
            Some((job(JobState::Held, Some("drift: PROPERTY_DOESNT_EXIST (field ad_id)")), Vec::new())),
            true,
            None,
        );
        assert!(held.starts_with("in HubSpot as contact 123, found by phone; an update waits: it is held: hubspot no longer has the field ad_id"), "{held}");
    }

    #[test]
    fn an_outage_is_told_with_its_beginning_and_the_attempts_of_this_revision_alone() {
        let attempts = vec![
            tried("07:00", 1, "down: connect"),
            tried("08:01", 2, "throttle: RATE_LIMIT"),
            tried("08:02", 2, "down: connect"),
            tried("08:12", 2, "down: 502"),
        ];
        let said = line(Some((job(JobState::Pending, Some("down: 502")), attempts)), false, None);
        assert_eq!(
            said,
            "not in HubSpot yet: hubspot does not answer (502) since 13:32 on 22 Nov 2026, 3 attempts; next try at 14:00 on 22 Nov 2026"
        );
    }

    #[test]
    fn a_pause_comes_before_whatever_else_keeps_a_job() {
        let said = line(Some((job(JobState::Pending, None), Vec::new())), false, Some("auth"));
        assert_eq!(
            said,
            "not in HubSpot yet: target 'hubspot' is paused (auth); it is due at 14:00 on 22 Nov 2026"
        );
        assert!(line(None, false, None).contains("nothing has asked for it"));
    }
}
