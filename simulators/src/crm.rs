//! The seam between what all simulated CRMs have (ledger, fates, settings, people who edit) and what is one
//! CRM's own.

use crate::call::{Answer, Call};
use crate::control::{Change, Reshape};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The behaviour of one CRM, with its records.
pub(crate) trait Crm: Send {
    /// Answers a request of its API.
    fn answer(&mut self, call: &Call<'_>, settings: &mut Settings, now: Timestamp) -> Answer;

    /// How many records the call was about, for the ledger.
    fn records(&self, call: &Call<'_>, answer: &Answer) -> usize;

    /// Fails without doing anything, in the CRM's own shape.
    fn refuse(&mut self, refusal: &Refusal) -> Answer;

    /// What is in it.
    fn books(&self) -> Books;

    /// A human's edit. The notices it causes, or why it cannot be made.
    fn change(&mut self, change: &Change, settings: &Settings, now: Timestamp)
    -> Result<Vec<Notice>, String>;

    /// An administrator's change of fields, or why it cannot be made.
    fn reshape(&mut self, schema: &Reshape) -> Result<(), String>;

    /// The keys of a `[[target]]` that fit, but for `base_url`.
    fn target(&self) -> Value;

    /// What its token endpoint is asked with; `None` where it has none.
    fn oauth(&self) -> Option<Value> {
        None
    }

    /// The secret that change notices are signed with, or that they carry.
    fn notice_secret(&self) -> &'static str;
}

/// Why a request is refused without being looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 500
    Broken,
    /// 429, perhaps with the seconds to wait.
    Throttled(Option<u64>),
}

/// What is set by `/_set` and holds for any CRM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// How long a write is missing from search.
    pub(crate) search_lag: SignedDuration,
    /// When the token stops being good; `None`: never.
    pub(crate) token_until: Option<Timestamp>,
    /// Requests: how many are allowed and how many were made; `None`: as the CRM has it.
    pub(crate) quota: Quota,
    /// How long tokens are good that are granted from now on; `None`: as the CRM has it.
    pub(crate) token_ttl: Option<SignedDuration>,
    /// Every use of a refresh token gives another one and ends the one that was used.
    pub(crate) rotate_refresh_tokens: bool,
}

/// Requests in the CRM's own period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Quota {
    /// How many are allowed; `None`: as the CRM has it.
    pub(crate) limit: Option<u64>,
    /// How many were made.
    pub(crate) used: u64,
}

/// What is in a CRM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Books {
    pub(crate) persons: Vec<Person>,
    pub(crate) activities: Vec<Activity>,
    pub(crate) deals: Vec<Deal>,
    /// What people are to do, with the person that it is about.
    pub(crate) tasks: Vec<Activity>,
    pub(crate) automations: Vec<Automation>,
}

/// A person that is neither deleted nor merged away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) phone: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) fields: BTreeMap<String, String>,
}

/// An activity, and the person it is with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Activity {
    pub(crate) id: String,
    pub(crate) person_id: Option<String>,
    pub(crate) text: String,
    pub(crate) fields: BTreeMap<String, String>,
}

/// A deal, and the person it is with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Deal {
    pub(crate) id: String,
    pub(crate) person_id: Option<String>,
    pub(crate) pipeline: String,
    pub(crate) stage: String,
    pub(crate) fields: BTreeMap<String, String>,
}

/// How often the CRM's own automation (workflows) ran for a record. Records without any are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Automation {
    pub(crate) record_id: String,
    pub(crate) kind: String,
    /// Because it was made.
    pub(crate) created: u64,
    /// Because it was changed.
    pub(crate) edited: u64,
}

/// A change notice, ready to be posted.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The body, to be sent as it is: it is what is signed.
    pub body: Vec<u8>,
    /// How a CRM proves a body that it posts to a URL at a time.
    pub(crate) prove: Prove,
}

/// The headers that prove a body posted to a URL at a time.
pub(crate) type Prove = fn(url: &str, body: &[u8], at: Timestamp) -> Vec<(String, String)>;

impl Notice {
    /// The headers that go with it when it is posted to `url` at `at`: the proof covers both.
    #[must_use]
    pub fn headers(&self, url: &str, at: Timestamp) -> Vec<(String, String)> {
        let mut headers = (self.prove)(url, &self.body, at);
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        headers
    }
}
