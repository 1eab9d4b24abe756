//! `[[target]]`: one CRM account that records are written to, or one signed webhook.
//! Here is what it is; `read.rs` is how it is read.

mod auth;
mod fields;
mod quota;
mod read;

pub use auth::{Auth, Login};
pub(super) use quota::share_quotas;
pub(super) use read::{check_url, read_all};

use super::secret::{SecretError, SecretFault, SecretReference};
use jiff::SignedDuration;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::fmt;
use wabridge_crms::Crm;
use wabridge_crms::mapping::Mapping;
use wabridge_crms::schema::{Fault, Holds, Needs, NewField, Schema, faults, lacking, stage_fault};
use wabridge_model::{Country, Phone};

/// What may qualify a lead for a deal, by name.
pub const SIGNALS: [&str; 3] = ["demo_request", "pricing_with_company_size", "competitor_evaluation"];

/// How long an open window that was merely extended waits, unless the target says otherwise: written late, it is
/// understated, never overstated.
pub const WINDOW_REFRESH: SignedDuration = SignedDuration::from_hours(2);

/// One CRM account.
#[derive(Clone)]
pub struct Target {
    /// Its name, in commands, answers and stored rows.
    pub name: String,
    /// Which CRM.
    pub crm: &'static dyn Crm,
    /// The object that new people are created as.
    pub person: &'static str,
    /// Whether it is written to.
    pub mode: Mode,
    /// What it is proven with.
    pub auth: Auth,
    /// Our unique field in the CRM.
    pub key_field: String,
    /// Another host for this CRM, without a slash at the end.
    pub base_url: Option<String>,
    /// Only leads of these channels; empty: of all.
    pub channels: Vec<String>,
    /// Only leads who wrote to these numbers; empty: to any.
    pub business_numbers: Vec<Phone>,
    /// Only leads whose phone belongs to these countries; empty: to any.
    pub regions: Vec<Country>,
    /// What is written where: what is configured, and the standard fields that it does not carry already.
    pub fields: Vec<Mapping>,
    /// What an activity shows.
    pub activity: Activity,
    /// When a deal is created, and as what; `None`: never.
    pub deal: Option<Deal>,
    /// Of every hundred leads, so many are written; the others are held.
    pub rollout_percent: u32,
    /// How long an open window that was merely extended waits.
    pub window_refresh: SignedDuration,
    /// The CRM's ids of owners, by the owner rules that chatbots name.
    pub owners: BTreeMap<String, String>,
    /// Whose record is created.
    pub person_rule: PersonRule,
    /// Whether a demo request makes a task.
    pub tasks: bool,
    /// How much there is of the CRM's limits, where that is configured.
    pub quota: BTreeMap<&'static str, u64>,
}

/// Whether a target is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// It is.
    #[default]
    Live,
    /// What would be written is worked out and recorded, and nothing is written.
    Shadow,
    /// Everything waits.
    Paused,
}

impl Mode {
    /// The word in configuration and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Live => "live",
            Mode::Shadow => "shadow",
            Mode::Paused => "paused",
        }
    }
}

/// Whose record is created. Whoever has a record is written whatever the rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PersonRule {
    /// Everybody's who is a lead.
    #[default]
    AnyMessage,
    /// That of whom an ad brought, or who showed that they want to buy.
    AdOrIntent,
    /// That of whom an ad brought; the others are written if the CRM has them already.
    KnownOrAd,
}

impl PersonRule {
    /// Every rule.
    pub const ALL: [PersonRule; 3] = [PersonRule::AnyMessage, PersonRule::AdOrIntent, PersonRule::KnownOrAd];

    /// The word in configuration and causes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PersonRule::AnyMessage => "any_message",
            PersonRule::AdOrIntent => "ad_or_intent",
            PersonRule::KnownOrAd => "known_or_ad",
        }
    }
}

/// What an activity shows beside its one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Activity {
    /// Nothing else.
    #[default]
    Summary,
    /// The messages, a line each.
    Transcript,
    /// The address of the lead's page.
    Link,
}

/// When a deal is created, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deal {
    /// The signals that qualify, by name.
    pub when: Vec<String>,
    /// The pipeline, by the CRM's id.
    pub pipeline: String,
    /// The stage, by the CRM's id.
    pub stage: String,
    /// How long until it is expected to close.
    pub close_after: SignedDuration,
    /// The CRM's ids of stages, by the names that chatbots give them.
    pub stages: BTreeMap<String, String>,
    /// Stages that no deal of ours may enter, beside those that the CRM restricts or closes.
    pub restricted_stages: Vec<String>,
}

impl Target {
    /// A live target with defaults, that maps nothing: for tests and the demo.
    #[must_use]
    pub fn new(name: impl Into<String>, crm: &'static dyn Crm, token: SecretReference) -> Target {
        Target {
            name: name.into(),
            crm,
            person: crm.about().people.first().copied().unwrap_or("contact"),
            mode: Mode::Live,
            auth: Auth::Token(token),
            key_field: "wa_e164".to_owned(),
            base_url: None,
            channels: Vec::new(),
            business_numbers: Vec::new(),
            regions: Vec::new(),
            fields: Vec::new(),
            activity: Activity::default(),
            deal: None,
            rollout_percent: 100,
            window_refresh: WINDOW_REFRESH,
            owners: BTreeMap::new(),
            person_rule: PersonRule::default(),
            tasks: true,
            quota: BTreeMap::new(),
        }
    }

    /// Which account it writes to: several targets may write to one, and share its limits. What was used of them is
    /// written down under it, so that no name of a target matters.
    #[must_use]
    pub fn account(&self) -> String {
        let about = self.crm.about();
        let host = self.base_url.as_deref().unwrap_or(about.base_url);
        match &self.auth {
            Auth::Token(token) => format!("{} {host} {token}", about.slug),
            // Of which account it is, only who logged in knows.
            Auth::Login(_) => format!("{} {host} login of {}", about.slug, self.name),
        }
    }

    /// Fetches the secret that its configuration refers to: the token, or that of the client that logs in.
    ///
    /// # Errors
    /// When its reference gives none.
    pub fn resolve_secret(&self) -> Result<SecretString, SecretError> {
        self.auth.reference().1.resolve().map_err(|fault| self.secret_error(fault))
    }

    /// What is wrong with its secret.
    #[must_use]
    pub fn secret_error(&self, fault: SecretFault) -> SecretError {
        let (key, reference) = self.auth.reference();
        SecretError {
            owner: format!("target '{}'", self.name),
            key: key.to_owned(),
            reference: reference.to_string(),
            fault,
        }
    }

    /// What it needs of its CRM.
    #[must_use]
    pub fn needs(&self) -> Needs<'_> {
        Needs {
            person: self.person,
            key_field: &self.key_field,
            fields: &self.fields,
            deal: self.deal.as_ref().map(|deal| (deal.pipeline.as_str(), deal.stage.as_str())),
        }
    }

    /// What the adapter needs for itself; what is for deals, only where there are any.
    #[must_use]
    pub fn own_fields(&self) -> Vec<NewField> {
        let mut fields = self.crm.own_fields();
        fields.retain(|field| field.object != "deal" || self.deal.is_some());
        fields
    }

    /// Everything in which a schema falls short of what it needs.
    #[must_use]
    pub fn faults(&self, schema: &Schema) -> Vec<Fault> {
        let mut found = faults(&self.needs(), schema);
        found.extend(lacking(&self.own_fields(), schema));
        found.extend(self.deal.iter().flat_map(|deal| deal.stage_faults(schema)));
        found
    }
}

impl Deal {
    /// What is wrong with the stages that chatbots may name. Only the deals that ask for one of them suffer.
    fn stage_faults<'a>(&'a self, schema: &'a Schema) -> impl Iterator<Item = Fault> + 'a {
        let named = self.stages.values().filter(|stage| **stage != self.stage);
        let fault = |stage: &String| stage_fault(&self.pipeline, stage, schema);
        named.filter_map(fault).map(|fault| Fault { holds: Holds::Nothing, ..fault })
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let crm = self.crm.about().slug;
        f.debug_struct("Target").field("name", &self.name).field("crm", &crm).finish_non_exhaustive()
    }
}
