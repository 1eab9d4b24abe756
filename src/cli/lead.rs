//! `wabridge lead`: one lead on one page: who they are, until when they may be written to, where they came
//! from, what they agreed to, what happened.

use super::failure::Failure;
use super::reading::{clock_time, failed, found, now, open, zone};
use super::told;
use crate::config::{Config, Region};
use crate::exit::Exit;
use crate::leads::find::{Found, Person};
use crate::leads::timeline::{self, TimelineItem};
use crate::leads::touch::TouchView;
use crate::leads::view::{self, LeadView};
use crate::store::{StoreError, StoreErrorKind};
use crate::web::api::Api;
use jiff::Timestamp;
use serde::Serialize;
use std::io::{self, Write};

/// How much of the timeline is shown.
const NEWEST: usize = 20;

/// Show one lead: identities, windows, touches, consent, timeline, and where they are in each CRM
///
/// Exits 65 when LEAD cannot be read, means several leads, or nobody known.
#[derive(Debug, clap::Args)]
pub(super) struct Lead {
    /// A phone in any spelling, lead id, BSUID, username or e-mail address
    lead: String,
    /// Print what the API answers
    #[arg(long)]
    json: bool,
}

impl Lead {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let api = open(config)?;
        let unknown = || Failure::new(Exit::Data, "no lead is known by this");
        let Found::Lead(person) = found(&api, &self.lead, None)? else { return Err(unknown()) };
        let lead = view::lead(api.store.as_ref(), &person, now(), config)?.ok_or_else(unknown)?;
        if self.json {
            writeln!(out, "{}", serde_json::to_string(&lead)?)?;
            return Ok(Exit::Success);
        }
        let wrong = |error| failed(&config.store, error);
        let crms = told::everywhere(api.store.as_ref(), person.id, config, now()).map_err(wrong)?;
        let timeline = newest(&api, &person)?;
        let touches = person.lead.attribution.touches.iter();
        let touches: Vec<TouchView> = touches
            .map(|touch| TouchView::new(touch, person.id, person.lead.phone(), &config.region.timezone))
            .collect();
        print(&lead, &touches, &timeline, &config.region, out)?;
        if !crms.is_empty() {
            writeln!(out, "\nCRMs")?;
        }
        for (target, line) in &crms {
            writeln!(out, "  {target:<12} {line}")?;
        }
        writeln!(out, "\nThe timeline shows the newest {NEWEST} at most; `wabridge export` shows all.")?;
        Ok(Exit::Success)
    }
}

/// A lead on one page.
pub(super) fn print(
    lead: &LeadView,
    touches: &[TouchView],
    timeline: &[TimelineItem],
    region: &Region,
    out: &mut impl Write,
) -> io::Result<()> {
    Page { region, out }.print(lead, touches, timeline)
}

fn newest(api: &Api, person: &Person) -> Result<Vec<TimelineItem>, Failure> {
    let items = timeline::newest(api.store.as_ref(), person, NEWEST);
    // Joined with another lead a moment ago: asking again finds both.
    let moved = || StoreError::new(StoreErrorKind::Busy, "read a timeline");
    items.and_then(|items| items.ok_or_else(moved)).map_err(|error| failed(&api.config.store, error))
}

struct Page<'a, W> {
    region: &'a Region,
    out: &'a mut W,
}

impl<W: Write> Page<'_, W> {
    fn print(&mut self, lead: &LeadView, touches: &[TouchView], timeline: &[TimelineItem]) -> io::Result<()> {
        let who = lead.name.as_deref().or(lead.phone.as_deref()).unwrap_or("A lead without a phone yet");
        writeln!(self.out, "{who}")?;
        self.facts(lead)?;
        self.identities(lead)?;
        self.windows(lead)?;
        self.attribution(lead, touches)?;
        self.consent(lead)?;
        self.timeline(timeline)?;
        writeln!(self.out, "\nTimes are in {}.", zone(self.region, lead.last_seen_at))
    }

    fn line(&mut self, name: &str, value: &str) -> io::Result<()> {
        writeln!(self.out, "  {name:<12} {value}")
    }

    fn time(&self, at: Timestamp) -> String {
        clock_time(at, self.region)
    }

    fn facts(&mut self, lead: &LeadView) -> io::Result<()> {
        self.line("lead id", &lead.id.to_string())?;
        if lead.merged_into.is_some() {
            self.line("", "asked for by an older id, which was joined with this one")?;
        }
        let company = [&lead.company, &lead.company_size, &lead.country].into_iter().flatten();
        let company = company.map(String::as_str).collect::<Vec<_>>().join(", ");
        let utm = serde_json::to_string(&lead.utm).unwrap_or_default();
        let facts = [
            ("phone", lead.phone.as_deref()),
            ("e-mail", lead.email.as_deref()),
            ("company", Some(company.as_str()).filter(|company| !company.is_empty())),
            ("source", Some(lead.source.as_str())),
            ("first page", lead.first_conversation_url.as_deref()),
            ("utm", Some(utm.as_str()).filter(|utm| *utm != "{}")),
        ];
        for (name, value) in facts {
            if let Some(value) = value {
                self.line(name, value)?;
            }
        }
        self.line("first seen", &self.time(lead.first_seen_at))?;
        self.line("last seen", &self.time(lead.last_seen_at))
    }

    fn identities(&mut self, lead: &LeadView) -> io::Result<()> {
        writeln!(self.out, "\nIdentities")?;
        for identity in &lead.identities {
            let until =
                identity.valid_to.map(|until| format!(" until {}", self.time(until))).unwrap_or_default();
            let disputed = if identity.disputed { ", disputed: it belongs to another lead" } else { "" };
            let since = self.time(identity.valid_from);
            let value = format!("{} (since {since}{until}{disputed})", identity.value);
            self.line(identity.kind.as_str(), &value)?;
        }
        Ok(())
    }

    fn windows(&mut self, lead: &LeadView) -> io::Result<()> {
        writeln!(self.out, "\nWindows (`wabridge window` gives the verdict)")?;
        for window in &lead.windows {
            let until = match window.free_text_until {
                Some(until) => format!("free text until {}", self.time(until)),
                None => "closed".to_owned(),
            };
            let last = self.time(window.last_inbound_at);
            self.line(&window.business_number, &format!("{until}; last inbound {last}"))?;
        }
        self.none(lead.windows.is_empty())
    }

    fn attribution(&mut self, lead: &LeadView, touches: &[TouchView]) -> io::Result<()> {
        let state = text_of(&lead.attribution.state);
        let cause = lead.attribution.cause.map(|cause| format!(", {}", text_of(&cause))).unwrap_or_default();
        writeln!(self.out, "\nAttribution: {state}{cause}")?;
        for touch in touches {
            let of = [
                &touch.ad_id,
                &touch.post_id,
                &touch.code,
                &touch.headline,
                &touch.ctwa_clid,
                &touch.source_url,
            ];
            let of: Vec<&str> = of.into_iter().flatten().map(String::as_str).collect();
            let at = self.time(touch.occurred_at);
            let state = text_of(&touch.state);
            self.line(&touch.channel, &format!("{at}: {state} {}", of.join(" · ")))?;
        }
        Ok(())
    }

    fn consent(&mut self, lead: &LeadView) -> io::Result<()> {
        writeln!(self.out, "\nConsent")?;
        for consent in &lead.consent {
            let purpose = consent.purpose.as_deref().unwrap_or("all purposes");
            let notice = consent.text_version.as_ref().map(|it| format!(", notice {it}")).unwrap_or_default();
            let at = self.time(consent.at);
            self.line(purpose, &format!("{} at {at}{notice}", text_of(&consent.state)))?;
        }
        self.none(lead.consent.is_empty())
    }

    fn timeline(&mut self, timeline: &[TimelineItem]) -> io::Result<()> {
        writeln!(self.out, "\nTimeline (newest last)")?;
        for item in timeline {
            let text = item.text.as_deref().unwrap_or_default().replace(char::is_control, " ");
            let direction = item.direction.unwrap_or_default();
            let at = self.time(item.at);
            writeln!(self.out, "  {at:<22} {:<9} {direction:<9} {text}", item.kind)?;
        }
        Ok(())
    }

    fn none(&mut self, is_empty: bool) -> io::Result<()> {
        if is_empty { self.line("none", "") } else { Ok(()) }
    }
}

/// The name of a value in JSON.
fn text_of<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
