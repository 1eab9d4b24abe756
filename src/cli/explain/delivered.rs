//! What `explain` tells of CRMs: the story of a record, and what followed from an event or stands for a lead.

use super::Story;
use crate::cli::failure::Failure;
use crate::cli::jobs;
use crate::cli::told::{counted, everywhere, found_by, operation};
use crate::delivery::cause;
use crate::store::StoreError;
use crate::store::outbox::{Job, JobFilter, JobState, RecordRow};
use crate::web::api::Api;
use std::io::Write;
use url::Url;
use wabridge_model::id::LeadId;

/// The most jobs of one lead that are told of.
const MOST: usize = 100;

/// The leads that a CRM's record id, or the address of a record's page, means, each with its target.
pub(super) fn leads(api: &Api, text: &str) -> Result<Vec<(LeadId, String)>, StoreError> {
    for id in ids(text) {
        let found = api.store.lead_of_record(None, &id)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// The ids that a text may mean: itself, or the parts of an address from its end.
fn ids(text: &str) -> Vec<String> {
    let Ok(url) = Url::parse(text) else {
        let is_id = !text.is_empty() && text.len() <= 64 && !text.contains(char::is_whitespace);
        return Vec::from_iter(is_id.then(|| text.to_owned()));
    };
    let parts: Vec<&str> = url.path_segments().map(Iterator::collect).unwrap_or_default();
    let parts = parts.into_iter().rev().filter(|part| part.bytes().any(|byte| byte.is_ascii_digit()));
    parts.map(str::to_owned).collect()
}

impl<W: Write> Story<'_, W> {
    /// The story of a record: whose it is, how it was found, what was written when, what was left out.
    pub(super) fn record(&mut self, lead: LeadId, target: &str) -> Result<(), Failure> {
        let records = self.api.store.records(&[lead]).map_err(|error| self.wrong(error))?;
        if let Some((_, _, row)) = records.iter().find(|(_, name, _)| name == target) {
            self.person(lead, target, row)?;
        }
        let jobs = self.jobs(lead).map_err(|error| self.wrong(error))?;
        for job in jobs.iter().filter(|job| job.target == target) {
            let found = self.api.store.job(job.id).map_err(|error| self.wrong(error))?;
            let Some((job, attempts)) = found else { continue };
            self.say("")?;
            jobs::Story { api: self.api, config: &self.api.config, out: self.out }.tell(&job, &attempts)?;
        }
        self.say(&format!("`wabridge explain {lead}` tells of the lead."))?;
        Ok(())
    }

    fn person(&mut self, lead: LeadId, target: &str, row: &RecordRow) -> Result<(), Failure> {
        let RecordRow { record, url, matched_by, written } = row;
        let by = found_by(*matched_by);
        self.say(&format!("The lead {lead} is {record} in '{target}', {by}."))?;
        if let Some(url) = url {
            self.say(&format!("It is opened at {url}."))?;
        }
        let names: Vec<&str> =
            written.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name.as_str()).collect();
        if !names.is_empty() {
            let fields = counted(names.len() as u64, "field", "fields");
            self.say(&format!("We wrote {fields} of it: {}.", names.join(", ")))?;
        }
        Ok(())
    }

    /// What an event asked CRMs for.
    pub(super) fn followed(&mut self, lead: LeadId, trace_id: &str) -> Result<(), Failure> {
        let jobs = self.jobs(lead).map_err(|error| self.wrong(error))?;
        for job in jobs.iter().filter(|job| job.trace_id == trace_id) {
            let line = asked(job);
            self.say(&line)?;
        }
        Ok(())
    }

    /// Where a lead is in each CRM, and which fields were left out there.
    pub(super) fn in_crms(&mut self, lead: LeadId) -> Result<(), Failure> {
        let (store, config) = (&self.api.store, &self.api.config);
        let lines = everywhere(store.as_ref(), lead, config, self.api.clock.now());
        for (target, line) in lines.map_err(|error| self.wrong(error))? {
            self.say(&format!("Target '{target}': {line}."))?;
        }
        let jobs = self.jobs(lead).map_err(|error| self.wrong(error))?;
        for Job { id, target, left_out, .. } in &jobs {
            for (field, reason) in left_out {
                self.say(&format!("The field {field} was left out of job {id} to '{target}': {reason}."))?;
            }
        }
        Ok(())
    }

    fn jobs(&self, lead: LeadId) -> Result<Vec<Job>, StoreError> {
        let filter = JobFilter { lead: Some(lead), ..JobFilter::default() };
        self.api.store.jobs(&filter, 0, MOST)
    }
}

/// What became of a job that an event asked for, as a sentence.
fn asked(job: &Job) -> String {
    let Job { id, target, state, cause, record, .. } = job;
    let end = match (state, record, cause) {
        (JobState::Done, Some(record), _) => format!("it is {record} there"),
        (_, _, Some(cause)) => format!("it is {}: {}", state.as_str(), cause::sentence(cause, target)),
        _ => format!("it is {}", state.as_str()),
    };
    let what = operation(job.kind);
    format!("It was the last to ask for job {id}, which writes {what} to '{target}': {end}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_record_s_page_means_its_last_part_first() {
        assert_eq!(ids("https://app.hubspot.com/contacts/4711/record/0-1/12345"), ["12345", "0-1", "4711"]);
        assert_eq!(ids("00Q5g00000AbCdE"), ["00Q5g00000AbCdE"]);
        assert_eq!(ids("two words"), Vec::<String>::new());
        assert_eq!(ids("https://app.hubspot.com/"), Vec::<String>::new());
    }
}
