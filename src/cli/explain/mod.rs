//! `wabridge explain`: the story of one thing, in sentences: when it came, by whom it was reported, how that was
//! proven, what became of it, whose it is, and what it did to the window and the attribution.
//!
//! In: anything an operator has in hand: a message or click id, an event, trace or lead id, a phone, a CRM's record id or
//! the address of its page. Out: its story, or exit 65.

mod delivered;

use super::failure::Failure;
use super::reading::{clock_time, failed, found, open, zone};
use super::saying::{What, proof, what};
use crate::config::{Config, Region};
use crate::exit::Exit;
use crate::leads::find::{Found, Reference, own_id};
use crate::leads::verdict::policy;
use crate::store::journal::{Delivery, Entry};
use crate::store::{EventRow, StoreError};
use crate::web::api::Api;
use jiff::Timestamp;
use std::io::{self, Write};
use uuid::Uuid;
use wabridge_model::attribution::Touch;
use wabridge_model::cluster::Cluster;
use wabridge_model::event::{Fact, Person};
use wabridge_model::evidence::Evidence;
use wabridge_model::id::{EventId, LeadId};
use wabridge_model::lead::Lead;
use wabridge_model::window::judge;

/// The most events that one id is told of: a message and its statuses are a handful.
const MOST: usize = 50;

/// Tell the story of a message id, click id, event id, trace id, lead id, phone, or CRM record id or address
///
/// Exits 65 when nothing is known by it. A message or click id is looked for in every stored event, which takes a while
/// in a large store.
#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// A wamid or another provider's message id, a ctwa_clid, an event, trace or lead id, the id of a record in a CRM or
    /// the address of its page, or a LEAD
    what: String,
}

impl Explain {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let api = open(config)?;
        let text = self.what.trim();
        let wrong = |error| failed(&config.store, error);
        let mut story = Story { api: &api, region: &config.region, out };
        let records = delivered::leads(&api, text).map_err(wrong)?;
        for (lead, target) in &records {
            story.record(*lead, target)?;
        }
        if !records.is_empty() {
            story.close(api.clock.now())?;
            return Ok(Exit::Success);
        }
        let events = events(&api, text).map_err(wrong)?;
        if !events.is_empty() {
            story.events(&events)?;
            return Ok(Exit::Success);
        }
        if !text.is_empty() && story.unread(text)? {
            return Ok(Exit::Success);
        }
        let known = match Reference::parse(text, config.region.default_country) {
            Some(_) => found(&api, text, None)?,
            None => Found::Nobody(None),
        };
        let Found::Lead(person) = known else {
            let text = "nothing is known by this: no message, click, event, trace or lead; it may have been refused \
                        (the log says why), or be older than the store";
            return Err(Failure::new(Exit::Data, text));
        };
        story.lead(person.cluster, person.id, &person.lead)?;
        Ok(Exit::Success)
    }
}

/// The events that an id means.
fn events(api: &Api, text: &str) -> Result<Vec<EventRow>, StoreError> {
    let store = api.store.as_ref();
    // A traceparent holds the trace id between its first two hyphens.
    let trace = text.strip_prefix("00-").and_then(|rest| rest.get(..32)).unwrap_or(text).to_ascii_lowercase();
    if let Ok(id) = Uuid::try_parse(&trace) {
        let event = match store.event(EventId(id))? {
            None if store.cluster_of(LeadId(id))?.is_none() => store.event_traced(&trace)?,
            event => event,
        };
        return Ok(Vec::from_iter(event));
    }
    match Reference::parse(text, api.config.region.default_country) {
        // A message id may look like a username, and is far more often asked for.
        Some(Reference::Username(_)) | None if !text.is_empty() => store.events_with(text, MOST),
        _ => Ok(Vec::new()),
    }
}

struct Story<'a, W> {
    api: &'a Api,
    region: &'a Region,
    out: &'a mut W,
}

impl<W: Write> Story<'_, W> {
    fn time(&self, at: Timestamp) -> String {
        clock_time(at, self.region)
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    fn wrong(&self, error: StoreError) -> Failure {
        failed(&self.api.config.store, error)
    }

    fn close(&mut self, at: Timestamp) -> io::Result<()> {
        let zone = zone(self.region, at);
        self.say(&format!("\nTimes are in {zone}."))
    }

    fn events(&mut self, rows: &[EventRow]) -> Result<(), Failure> {
        for (index, row) in rows.iter().enumerate() {
            if index > 0 {
                self.say("")?;
            }
            self.event(row)?;
        }
        if rows.len() == MOST {
            self.say(&format!("\nThere may be more: only {MOST} are told."))?;
        }
        Ok(self.close(rows[0].evidence.received_at())?)
    }

    fn event(&mut self, row: &EventRow) -> Result<(), Failure> {
        let evidence = &row.evidence;
        let event = evidence.merged();
        let What { kind, detail, .. } = what(&event);
        let ours = event.business.number.as_ref().map(|it| format!(" with our number {}", it.e164()));
        let who = whose(&event.person).map(|it| format!(" of {it}")).unwrap_or_default();
        self.say(&format!("This is a {kind} ({detail}){who}{}.", ours.unwrap_or_default()))?;
        let (key, received) = (evidence.key(), evidence.received_at());
        self.say(&format!("Its event id is {}, its trace id {}.", key.event_id(), key.trace_id()))?;
        let at = evidence.effective_at();
        let when = if at == received {
            "The provider gives no earlier time".to_owned()
        } else {
            format!("It happened at {}", self.time(at))
        };
        self.say(&format!("{when}; it was received first at {}.", self.time(received)))?;
        for report in evidence.reports() {
            let at = self.time(report.received_at);
            self.say(&format!(
                "Channel '{}' ({}) reported it at {at}, proven by: {}.",
                report.channel,
                report.provider,
                proof(report.proof)
            ))?;
        }
        let deliveries = self.api.store.deliveries(row.id).map_err(|error| self.wrong(error))?;
        for delivery in &deliveries {
            let line = delivered(delivery);
            self.say(&line)?;
        }
        self.consequences(row)
    }

    /// Whose it is, and what it did.
    fn consequences(&mut self, row: &EventRow) -> Result<(), Failure> {
        let owner = match row.cluster {
            Some(cluster) => owner(self.api, cluster, row).map_err(|error| self.wrong(error))?,
            None => None,
        };
        let Some((id, lead)) = owner else {
            let why = match row.evidence.merged().fact {
                Fact::Account(_) => "It is about the account and belongs to no person.",
                _ => {
                    "It names nobody who can be told from others; if somebody it belongs to becomes known, it counts then."
                }
            };
            return Ok(self.say(why)?);
        };
        let known = match &lead.birth {
            Some(birth) if birth.event_id == row.evidence.key().event_id() => ", whom it made a lead",
            Some(_) => "",
            None => ", who never wrote and is no lead yet",
        };
        let name = lead.name.as_ref().map(|name| format!(" ({})", name.value)).unwrap_or_default();
        match id {
            Some(id) => self.say(&format!("It belongs to the lead {id}{name}{known}."))?,
            None => self.say(&format!("It belongs to a person without an id yet{name}{known}."))?,
        }
        self.window(row, &lead)?;
        self.touch(row, &lead)?;
        match id {
            Some(id) => self.followed(id, &row.evidence.key().trace_id().to_string()),
            None => Ok(()),
        }
    }

    fn window(&mut self, row: &EventRow, lead: &Lead) -> Result<(), Failure> {
        let event = row.evidence.merged();
        let number = event.business.number.as_ref().map(|number| number.e164());
        let Some((number, window)) = number.and_then(|number| lead.windows.get_key_value(number)) else {
            return Ok(());
        };
        let id = row.evidence.key().event_id();
        let is_newest =
            [&window.inbound, &window.reaction].into_iter().flatten().any(|act| act.event_id == id);
        let counts = matches!(event.fact, Fact::Message(_) | Fact::Call(_));
        if !counts {
            return Ok(());
        }
        let now = self.api.clock.now();
        let verdict = judge(Some(window), &lead.consents, now, policy(&self.api.config), None);
        let state = match verdict.free_text_until {
            Some(until) if until > now => format!("open until {}", self.time(until)),
            Some(until) => format!("closed since {}", self.time(until)),
            None => "closed".to_owned(),
        };
        let line = if is_newest {
            format!("It is the newest that counts for the window with {number}, which is {state}.")
        } else {
            format!("Something newer counts for the window with {number}, which is {state}.")
        };
        Ok(self.say(&line)?)
    }

    fn touch(&mut self, row: &EventRow, lead: &Lead) -> Result<(), Failure> {
        let id = row.evidence.key().event_id();
        let touches = &lead.attribution.touches;
        if let Some(index) = touches.iter().position(|touch| touch.id == id) {
            let line = arrival(&touches[index], index, touches.len());
            self.say(&line)?;
        } else if let Fact::Message(message) = &row.evidence.merged().fact
            && matches!(message.referral, wabridge_model::event::ReferralReport::Present(_))
        {
            self.say("It names an ad or post that an earlier message brought already: no touch of its own.")?;
        }
        Ok(())
    }

    /// Requests with the text in them that are not read, or cannot be. Says whether there are any.
    fn unread(&mut self, text: &str) -> Result<bool, Failure> {
        let store = &self.api.store;
        let requests = store.unread_with(text, MOST).map_err(|error| self.wrong(error))?;
        let parked = store.parked_with(text, MOST).map_err(|error| self.wrong(error))?;
        for (at, channel) in &parked {
            let at = self.time(*at);
            self.say(&format!(
                "A request of channel '{channel}', received at {at}, holds it and is parked: its path token was right and its \
                 signature was wrong. Once the channel's secret is right, `wabridge replay --parked` takes it in."
            ))?;
        }
        for id in &requests {
            let Some(entry) = self.api.store.entry(*id).map_err(|error| self.wrong(error))? else { continue };
            let Entry { received_at, channel, proof: proven, settled, items, .. } = &entry;
            let at = self.time(*received_at);
            self.say(&format!(
                "Request {id} of channel '{channel}' holds it: received at {at}, proven by: {}.",
                proof(*proven)
            ))?;
            if !settled {
                self.say("It waits to be projected; ask again in a moment, or see that the daemon runs.")?;
            }
            for item in items.iter().filter(|item| item.result == "quarantined") {
                let (reason, path) =
                    (item.reason.as_deref().unwrap_or("?"), item.path.as_deref().unwrap_or("$"));
                let what = match item.ordinal {
                    ..0 if items.len() > 1 => "What was left of it".to_owned(),
                    ..0 => "All of it".to_owned(),
                    ordinal => format!("Item {ordinal} of it"),
                };
                self.say(&format!(
                    "{what} is quarantined: {reason} at {path}. Nothing is lost: it stays as it came, for a version that can read it."
                ))?;
            }
        }
        Ok(!requests.is_empty() || !parked.is_empty())
    }

    fn lead(&mut self, cluster: i64, id: LeadId, lead: &Lead) -> Result<(), Failure> {
        let name = lead
            .name
            .as_ref()
            .map(|name| name.value.as_str())
            .or(lead.phone())
            .unwrap_or("somebody without a phone yet");
        self.say(&format!("This is the lead {id}: {name}."))?;
        if let Some(birth) = &lead.birth {
            let (at, source) = (self.time(birth.at), &birth.source);
            self.say(&format!("They became a lead at {at} through {source}, by event {}.", birth.event_id))?;
        }
        let rows = self.api.store.events_of(cluster).map_err(|error| self.wrong(error))?;
        let own = own(rows, lead);
        self.say(&format!(
            "{} events are theirs; the newest was at {}.",
            own.len(),
            self.time(own.last().map_or(Timestamp::UNIX_EPOCH, Evidence::effective_at))
        ))?;
        for (number, window) in &lead.windows {
            let now = self.api.clock.now();
            let verdict = judge(Some(window), &lead.consents, now, policy(&self.api.config), None);
            let Some(last) = verdict.last_inbound else { continue };
            let until = match verdict.free_text_until {
                Some(until) if until > now => format!("is open until {}", self.time(until)),
                Some(until) => format!("closed at {}", self.time(until)),
                None => "is closed".to_owned(),
            };
            let at = self.time(last.at);
            self.say(&format!(
                "The window with {number} {until}: their last {} was at {at}, event {}.",
                last.kind, last.event_id
            ))?;
        }
        let touches = &lead.attribution.touches;
        for (index, touch) in touches.iter().enumerate() {
            let at = self.time(touch.occurred_at);
            self.say(&format!("At {at}: {}", arrival(touch, index, touches.len())))?;
        }
        self.in_crms(id)?;
        self.say("`wabridge lead` shows all of it; `wabridge explain EVENT-ID` tells of one event.")?;
        Ok(self.close(lead.last_seen_at.unwrap_or_default())?)
    }
}

/// How an item of a request ended, as a sentence.
fn delivered(delivery: &Delivery) -> String {
    let Delivery { request, ordinal, result, reason, .. } = delivery;
    let end = match (result.as_str(), reason.as_deref()) {
        ("applied", _) => "it was applied".to_owned(),
        ("duplicate", _) => "it said nothing new, and was counted as a duplicate".to_owned(),
        ("skipped", Some("no_identity")) => "it was skipped: it names nobody".to_owned(),
        (result, Some(reason)) => format!("it was {result}: {reason}"),
        (result, None) => format!("it was {result}"),
    };
    format!("Request {request} carried it as item {ordinal}: {end}.")
}

fn arrival(touch: &Touch, index: usize, all: usize) -> String {
    let id = match (touch.ad_id(), touch.post_id()) {
        (Some(ad), _) => format!("ad {ad}"),
        (None, Some(post)) => format!("post {post}"),
        (None, None) => "an ad or post without an id".to_owned(),
    };
    let click = match &touch.referral.ctwa_clid {
        Some(click) => format!(", click id {click}"),
        None => ", without a click id".to_owned(),
    };
    format!("It is touch {} of {all}: {id}{click}.", index + 1)
}

fn whose(person: &Person) -> Option<String> {
    let phone = person.phone.as_ref().map(|phone| phone.e164().to_owned());
    let id = || person.bsuid.as_ref().or(person.parent_bsuid.as_ref()).map(|id| id.as_str().to_owned());
    let name = || person.username.as_ref().map(|name| format!("@{name}"));
    phone.or_else(id).or_else(name).or_else(|| person.email.as_ref().map(|email| email.as_str().to_owned()))
}

/// The person an event belongs to, by a fold of its cluster, as a rebuild would find them.
fn owner(api: &Api, cluster: i64, row: &EventRow) -> Result<Option<(Option<LeadId>, Lead)>, StoreError> {
    let mut evidence = api.store.evidence(cluster)?;
    let folded = Cluster::fold(&mut evidence);
    let key = row.evidence.key();
    let owner = evidence.iter().zip(&folded.owners).find(|(evidence, _)| evidence.key() == key);
    let Some(index) = owner.and_then(|(_, owner)| *owner) else { return Ok(None) };
    let ids = api.store.cluster(cluster)?.map(|(_, ids)| ids).unwrap_or_default();
    Ok(folded.cluster.leads.get(index).map(|lead| (own_id(lead, &ids), lead.clone())))
}

/// The evidence of one lead of a cluster, oldest first.
fn own(rows: Vec<EventRow>, lead: &Lead) -> Vec<Evidence> {
    let mut evidence: Vec<Evidence> = rows.into_iter().map(|row| row.evidence).collect();
    let folded = Cluster::fold(&mut evidence);
    let is_it = |other: &Lead| other.names == lead.names && other.birth == lead.birth;
    let index = folded.cluster.leads.iter().position(is_it);
    let owned =
        evidence.into_iter().zip(folded.owners).filter(|(_, owner)| owner.is_some() && *owner == index);
    owned.map(|(evidence, _)| evidence).collect()
}
