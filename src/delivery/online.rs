//! A target's CRM, asked by a command: is it there, is the token good, what does it lack, who is in it.
//!
//! In: a target and a way to its CRM. Out: its schema, people, new fields. A command asks once and waits only where the CRM
//! says how long; deliveries are the courier's business.

use super::census::{Census, Group};
use crate::config::Target;
use std::collections::BTreeMap;
use std::time::Duration;
use wabridge_crms::schema::{NewField, Schema, missing_fields};
use wabridge_crms::{Desk, Transport};
use wabridge_model::{Country, Failure, FailureKind, RecordRef};

/// How long to wait where a CRM asks for fewer requests and does not say how long.
const PAUSE: Duration = Duration::from_secs(10);
/// So often in a row; after that the CRM has no room for us today.
const PAUSES: u32 = 30;
/// Records of one read.
const AT_ONCE: usize = 100;

/// A target's CRM.
pub struct Wire<'a> {
    /// The target.
    pub target: &'a Target,
    /// The way there.
    pub transport: &'a dyn Transport,
    /// Where a number without a country code belongs.
    pub country: Country,
}

/// The fields of ours that are not there.
#[must_use]
pub fn to_make(target: &Target, schema: &Schema) -> Vec<NewField> {
    let has = |field: &NewField| {
        schema.objects.get(&field.object).is_some_and(|object| object.fields.contains_key(&field.name))
    };
    let own = target.own_fields().into_iter().filter(|field| !has(field));
    missing_fields(&target.needs(), schema).into_iter().chain(own).collect()
}

impl Wire<'_> {
    fn desk<'d>(&'d self, schema: &'d Schema) -> Desk<'d> {
        let Wire { target, transport, country } = self;
        Desk {
            transport: *transport,
            person: target.person,
            key_field: &target.key_field,
            schema,
            country: *country,
        }
    }

    /// Reads the CRM's schema.
    ///
    /// # Errors
    /// What the CRM, or the way there, says.
    pub async fn schema(&self) -> Result<Schema, Failure> {
        let nothing = Schema::default();
        self.target.crm.schema(&self.desk(&nothing)).await
    }

    /// Makes fields, one answer for each.
    pub async fn make(&self, schema: &Schema, fields: &[NewField]) -> Vec<Result<(), Failure>> {
        self.target.crm.add_fields(&self.desk(schema), fields).await
    }

    /// Counts everybody in the CRM; `turned` hears of each page.
    ///
    /// # Errors
    /// What the CRM, or the way there, says.
    pub async fn census(&self, schema: &Schema, mut turned: impl FnMut(&Census)) -> Result<Census, Failure> {
        let desk = self.desk(schema);
        let (mut census, mut after, mut pauses) = (Census::default(), None, 0);
        loop {
            match self.target.crm.people(&desk, Option::clone(&after)).await {
                Ok(page) => {
                    census.add(&page, self.country);
                    turned(&census);
                    pauses = 0;
                    match page.next {
                        // A CRM that turns no page would be asked for ever.
                        Some(next) if after.as_ref() != Some(&next) => after = Some(next),
                        _ => return Ok(census),
                    }
                }
                Err(failure) if failure.kind == FailureKind::Throttle && pauses < PAUSES => {
                    pauses += 1;
                    tokio::time::sleep(failure.retry_after.unwrap_or(PAUSE)).await;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Where people open the records of groups. What cannot be read has none: the id is enough to find it.
    pub async fn urls(&self, schema: &Schema, groups: &[Group]) -> BTreeMap<RecordRef, String> {
        let mut records: Vec<RecordRef> = groups.iter().flat_map(|group| group.records.clone()).collect();
        records.sort();
        records.dedup();
        let desk = self.desk(schema);
        let mut urls = BTreeMap::new();
        for records in records.chunks(AT_ONCE) {
            let read = self.target.crm.read(&desk, records, &[]).await;
            for (record, read) in records.iter().zip(read) {
                if let Some(url) = read.ok().and_then(|read| read.url) {
                    urls.insert(record.clone(), url);
                }
            }
        }
        urls
    }
}

/// Why a CRM cannot be asked, as a sentence without its full stop, with the way out.
#[must_use]
pub fn refusal(failure: &Failure, target: &Target) -> String {
    let (name, crm) = (&target.name, target.crm.about().name);
    let status = failure.status.map(|status| format!(", {status}")).unwrap_or_default();
    let said = format!("{}{status}", failure.code);
    match failure.kind {
        FailureKind::Auth if target.auth.login().is_some() => {
            format!("{crm} does not accept the login of target '{name}' ({said}); run: wabridge login {name}")
        }
        FailureKind::Auth => {
            format!(
                "{crm} does not accept the token of target '{name}' ({said}); make one with the scopes that docs/{}.md lists",
                target.crm.about().slug
            )
        }
        FailureKind::Throttle => {
            format!("{crm} asks for fewer requests ({said}); try again later")
        }
        FailureKind::Down | FailureKind::Unknown => {
            let host = target.base_url.as_deref().unwrap_or(target.crm.about().base_url);
            format!(
                "{crm} does not answer at {host} ({said}); see that this machine reaches it, or correct base_url of target '{name}'"
            )
        }
        _ => format!("{crm} refuses the question ({failure})"),
    }
}
