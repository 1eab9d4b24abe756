//! A store with targets, people who write to it, and somebody who leases and settles.

use crate::projection::{open_either, project};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use wabridge::config::{SecretReference, Target};
use wabridge::leads::find::{Found, Reference, find};
use wabridge::routing::Routes;
use wabridge::store::outbox::{Claim, End, Job, JobFilter, JobState, Leased, RecordRow, Settled};
use wabridge::store::{Books, Store};
use wabridge_crms::crm::*;
use wabridge_crms::schema::{NewField, Schema};
use wabridge_crms::transport::Later;
use wabridge_model::chatbot::{ChatbotEvent, ChatbotEventType};
use wabridge_model::event::*;
use wabridge_model::evidence::{Proof, Report};
use wabridge_model::id::{Bsuid, EventKey, LeadId};
use wabridge_model::{Country, Failure, FailureKind, MatchedBy, OperationKind, Phone, Priority, RecordRef};

/// A CRM that nobody calls: the outbox never does.
#[derive(Debug)]
pub(crate) struct Nobody;

static NOBODY: About = About {
    slug: "nobody",
    name: "Nobody",
    people: &["contact"],
    base_url: "http://127.0.0.1",
    auth: AuthScheme::Bearer,
    oauth: None,
    documentation: "",
    capability: Capability {
        batch: 10,
        native_key: true,
        deals_of: &["contact"],
        person: Delivery::Exact,
        activity: Delivery::Exact,
        deal: Delivery::Exact,
        task: Delivery::Exact,
        search_lag: std::time::Duration::ZERO,
        notices: NoticeProof::None,
        quiet: false,
    },
    limits: &[],
};

fn refuse<T: Send + 'static>() -> Later<'static, Result<T, Failure>> {
    Box::pin(async { Err(Failure::new(FailureKind::Down, "nobody")) })
}

impl Crm for Nobody {
    fn about(&self) -> &'static About {
        &NOBODY
    }
    fn schema<'a>(&'a self, _: &'a Desk<'a>) -> Later<'a, Result<Schema, Failure>> {
        refuse()
    }
    fn find<'a>(
        &'a self,
        _: &'a Desk<'a>,
        _: &'a [Who],
        _: &'a [String],
    ) -> Later<'a, Vec<Result<wabridge_crms::crm::Found, Failure>>> {
        Box::pin(async { Vec::new() })
    }
    fn read<'a>(
        &'a self,
        _: &'a Desk<'a>,
        _: &'a [RecordRef],
        _: &'a [String],
    ) -> Later<'a, Vec<Result<Record, Failure>>> {
        Box::pin(async { Vec::new() })
    }
    fn write<'a>(&'a self, _: &'a Desk<'a>, _: &'a [Bundle]) -> Later<'a, Vec<Written>> {
        Box::pin(async { Vec::new() })
    }
    fn add_fields<'a>(&'a self, _: &'a Desk<'a>, _: &'a [NewField]) -> Later<'a, Vec<Result<(), Failure>>> {
        Box::pin(async { Vec::new() })
    }
    fn people<'a>(&'a self, _: &'a Desk<'a>, _: Option<String>) -> Later<'a, Result<People, Failure>> {
        refuse()
    }
}

pub(crate) fn target(name: &str) -> Target {
    Target::new(name, &Nobody, SecretReference::Environment("NOBODY".to_owned()))
}

/// The target of most tests.
pub(crate) const CRM: &str = "crm";
/// When every test begins.
pub(crate) fn start() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

pub(crate) fn minutes(n: i64) -> SignedDuration {
    SignedDuration::from_mins(n)
}

pub(crate) fn hours(n: i64) -> SignedDuration {
    SignedDuration::from_hours(n)
}

pub(crate) fn phone(n: u32) -> Phone {
    Phone::from_whatsapp_id(&format!("9198000000{n:02}")).unwrap()
}

pub(crate) fn by_phone(n: u32) -> Person {
    Person { phone: Some(phone(n)), ..Person::default() }
}

pub(crate) fn by_bsuid(n: u32) -> Person {
    Person { bsuid: Bsuid::parse(&format!("IN.b{n}")), ..Person::default() }
}

/// A report of a fact at an instant, received at that instant too.
pub(crate) fn report(person: Person, id: &str, at: Timestamp, fact: Fact) -> Report {
    let number = Phone::from_whatsapp_id("918047000000").unwrap();
    Report {
        channel: "main".into(),
        provider: "meta".into(),
        proof: Proof::Signed,
        secondary: false,
        received_at: at,
        event: Event {
            key: EventKey::new("t", &[id]),
            business: Business { account_id: None, number: Some(number), portfolio: "default".into() },
            occurred_at: Some(at),
            person,
            fact,
        },
    }
}

pub(crate) fn text(id: &str) -> Fact {
    Fact::Message(Message::new(id, MessageKind::Text))
}

/// A text that is read as these intents.
pub(crate) fn about(id: &str, labels: &[&str]) -> Fact {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    let intents = Some(Box::new(Intents { labels, ..Intents::default() }));
    let text = Some(format!("Message {id}"));
    Fact::Message(Message { intents, text, ..Message::new(id, MessageKind::Text) })
}

pub(crate) fn message(person: Person, id: &str, at: Timestamp) -> Report {
    report(person, id, at, text(id))
}

pub(crate) fn bot(id: &str, kind: &str) -> ChatbotEvent {
    ChatbotEvent {
        event_id: id.to_owned(),
        event_type: ChatbotEventType::from(kind),
        bot_id: "bot".to_owned(),
        conversation_id: None,
        visitor: Default::default(),
        context: Default::default(),
        intent: Default::default(),
        transcript: Default::default(),
        deal: None,
        crm_target: None,
        consent: None,
        custom: Default::default(),
    }
}

/// A chatbot's report, which names no business number.
pub(crate) fn chat(person: Person, at: Timestamp, event: ChatbotEvent) -> Report {
    let id = event.event_id.clone();
    let mut report = report(person, &id, at, Fact::Chatbot(Box::new(event)));
    report.event.business.number = None;
    report.channel = "bot".to_owned();
    report
}

/// A store and its clock.
pub(crate) struct Bench {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) now: Timestamp,
    pub(crate) path: PathBuf,
    _folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::with(vec![target(CRM)])
    }

    pub(crate) fn with(targets: Vec<Target>) -> Bench {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("wabridge.db");
        let store = open_either(&path);
        store.route_by(Arc::new(Routes { targets, ..Routes::default() }));
        Bench { store, now: start(), path, _folder: folder }
    }

    pub(crate) fn receive(&self, reports: &[Report]) {
        project(&*self.store, reports);
    }

    /// A message of a person now.
    pub(crate) fn write(&self, person: u32, id: &str) {
        self.receive(&[message(by_phone(person), id, self.now)]);
    }

    pub(crate) fn later(&mut self, time: SignedDuration) {
        self.now += time;
    }

    pub(crate) fn claim_some(&self, urgent: usize, bulk: usize) -> Vec<Leased> {
        let claim = Claim {
            target: CRM,
            now: self.now,
            until: self.now + minutes(1),
            urgent,
            bulk,
            down_to: Priority::Bulk,
        };
        let leased = self.store.claim_jobs(claim).unwrap();
        self.assert_balanced();
        leased
    }

    pub(crate) fn claim(&self) -> Vec<Leased> {
        self.claim_some(100, 100)
    }

    /// The one bundle that is due.
    pub(crate) fn claim_one(&self) -> Leased {
        let mut leased = self.claim();
        assert_eq!(leased.len(), 1, "{leased:?}");
        leased.remove(0)
    }

    /// Settles every job of a bundle alike.
    pub(crate) fn settle(&self, leased: &Leased, end: &End) {
        self.settle_each(leased, |_| end.clone());
    }

    pub(crate) fn settle_each(&self, leased: &Leased, end: impl Fn(&Job) -> End) {
        let ends = leased.jobs.iter().map(|job| (job.id, job.revision, end(job))).collect();
        self.settle_with(leased, ends, None);
    }

    pub(crate) fn settle_with(
        &self,
        leased: &Leased,
        ends: Vec<(i64, i64, End)>,
        record: Option<Option<RecordRow>>,
    ) {
        let (lease, target, lead) = (leased.lease, CRM.to_owned(), leased.lead);
        let settled = Settled { lease, target, lead, ends, record, at: self.now };
        self.store.settle_jobs(vec![settled]).unwrap();
        self.assert_balanced();
    }

    /// Writes a bundle: everything done, the person known by this record from now on.
    pub(crate) fn write_all(&self, leased: &Leased, record: &str) {
        let ends = leased.jobs.iter().map(|job| (job.id, job.revision, done(job.kind, record))).collect();
        self.settle_with(leased, ends, Some(Some(row(record))));
    }

    pub(crate) fn books(&self) -> Books {
        self.store.books().unwrap()
    }

    pub(crate) fn assert_balanced(&self) {
        let books = self.books();
        assert!(books.balance(), "{books:?}");
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        self.books().jobs.get(name).copied().unwrap_or(0)
    }

    /// Every job in the order of ids.
    pub(crate) fn jobs(&self) -> Vec<Job> {
        self.store.jobs(&JobFilter::default(), 0, 1000).unwrap()
    }

    /// The kinds and states of all jobs.
    pub(crate) fn states(&self) -> Vec<(OperationKind, JobState)> {
        self.jobs().iter().map(|job| (job.kind, job.state)).collect()
    }

    pub(crate) fn lead(&self, person: u32) -> LeadId {
        let reference = Reference::parse(phone(person).e164(), Country::INDIA).unwrap();
        match find(&*self.store, &reference, None).unwrap() {
            Found::Lead(person) => person.id,
            Found::Nobody(_) => panic!("nobody is there"),
        }
    }
}

pub(crate) fn done(kind: OperationKind, record: &str) -> End {
    End::Done {
        record: Some(RecordRef::new(kind.as_str(), record)),
        matched_by: Some(MatchedBy::Created),
        candidates: Vec::new(),
        stage: None,
        left_out: BTreeMap::new(),
    }
}

pub(crate) fn row(id: &str) -> RecordRow {
    RecordRow {
        record: RecordRef::new("contact", id),
        url: None,
        matched_by: MatchedBy::Created,
        written: BTreeMap::new(),
    }
}
