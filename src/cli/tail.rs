//! `wabridge tail`: what comes in and what it means, as it happens, with nobody's number and nobody's words.
//!
//! The store is looked at a few times a second. A request is shown when it is stored, and its items when it
//! is settled, so that what waits can be told from what never came.

use super::failure::Failure;
use super::reading::{failed, open, rest};
use super::saying::{What, fate, masked, proof, what};
use crate::config::{Config, Region};
use crate::exit::Exit;
use crate::store::StoreError;
use crate::store::journal::{Entry, EntryItem, Journal};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::Duration;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// Requests read at a time, and the most that are waited for: the rest is read when these are settled.
const PAGE: usize = 200;
const MOST_WAITING: usize = 1000;

/// Show requests and events as they come in, masked
///
/// Phone numbers are shown as +91 98••••••10, texts as their length. Ends with Ctrl-C.
#[derive(Debug, clap::Args)]
pub(super) struct Tail {
    /// Print a JSON object on each line
    #[arg(long)]
    json: bool,
    /// Begin this many requests ago
    #[arg(long, value_name = "N", default_value_t = 10)]
    last: i64,
    /// Show what is there and end
    #[arg(long)]
    once: bool,
}

impl Tail {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let api = open(config)?;
        let journal = api.store.as_ref();
        let wrong = |error| failed(&config.store, error);
        let newest = journal.newest_request().map_err(wrong)?;
        let mut look = Look::after(newest.saturating_sub(self.last.max(0)).max(0));
        loop {
            let lines = look.step(journal).map_err(wrong)?;
            for line in &lines {
                if self.json {
                    writeln!(out, "{}", serde_json::to_string(line)?)?;
                } else {
                    print(line, &config.region, out)?;
                }
            }
            out.flush()?;
            if lines.is_empty() {
                if self.once {
                    return Ok(Exit::Success);
                }
                rest(LOOK);
            }
        }
    }
}

/// How far the journal is shown.
#[derive(Debug, Default)]
struct Look {
    after: i64,
    /// Shown, and not settled yet.
    waiting: BTreeSet<i64>,
}

/// One thing to show.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    /// A request was stored.
    Request { request: i64, received_at: Timestamp, channel: String, proof: &'static str, bytes: u64 },
    /// This became of one of its items.
    Item {
        request: i64,
        ordinal: i64,
        result: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        event: Option<Box<Shown>>,
        #[serde(skip)]
        fate: String,
    },
}

/// An event, masked.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Shown {
    #[serde(flatten)]
    what: What,
    at: Timestamp,
    person: Option<String>,
    business_number: Option<String>,
    event_id: String,
    trace_id: String,
}

impl Look {
    fn after(request: i64) -> Look {
        Look { after: request, waiting: BTreeSet::new() }
    }

    /// What there is to show since the last look.
    fn step(&mut self, journal: &dyn Journal) -> Result<Vec<Line>, StoreError> {
        let mut lines = Vec::new();
        for id in self.waiting.clone() {
            // A request that is gone was pruned: there is nothing more to show of it.
            let entry = journal.entry(id)?;
            if entry.as_ref().is_none_or(|entry| entry.settled) {
                self.waiting.remove(&id);
            }
            lines.extend(entry.iter().flat_map(items));
        }
        if self.waiting.len() < MOST_WAITING {
            for entry in journal.entries_after(self.after, PAGE)? {
                self.after = entry.id;
                lines.push(request(&entry));
                if !entry.settled {
                    self.waiting.insert(entry.id);
                }
                lines.extend(items(&entry));
            }
        }
        Ok(lines)
    }
}

fn request(entry: &Entry) -> Line {
    Line::Request {
        request: entry.id,
        received_at: entry.received_at,
        channel: entry.channel.clone(),
        proof: proof(entry.proof),
        bytes: entry.bytes,
    }
}

fn items(entry: &Entry) -> impl Iterator<Item = Line> {
    entry.items.iter().map(|item| {
        let EntryItem { ordinal, result, reason, path, evidence } = item;
        let event = evidence.as_ref().map(|evidence| {
            let event = evidence.merged();
            Box::new(Shown {
                what: what(&event),
                at: evidence.effective_at(),
                person: masked(&event.person),
                business_number: event.business.number.as_ref().map(|number| number.e164().to_owned()),
                event_id: evidence.key().event_id().to_string(),
                trace_id: evidence.key().trace_id().to_string(),
            })
        });
        Line::Item {
            request: entry.id,
            ordinal: *ordinal,
            result: result.clone(),
            reason: reason.clone(),
            path: path.clone(),
            event,
            fate: fate(item),
        }
    })
}

fn print(line: &Line, region: &Region, out: &mut impl Write) -> io::Result<()> {
    match line {
        Line::Request { request, received_at, channel, proof, bytes } => {
            let at = received_at.to_zoned(region.timezone.clone()).strftime("%H:%M:%S").to_string();
            writeln!(out, "{at} {channel}: request {request}, {proof}, {bytes} bytes")
        }
        Line::Item { ordinal: ..0, fate, .. } => writeln!(out, "    body: {fate}"),
        Line::Item { ordinal, event: None, fate, .. } => writeln!(out, "    {ordinal}: {fate}"),
        Line::Item { ordinal, event: Some(event), fate, .. } => {
            let What { kind, detail, text_length } = &event.what;
            let length = text_length.map(|length| format!(", {length} characters")).unwrap_or_default();
            let who = event.person.as_deref().unwrap_or("nobody named");
            let ours = event.business_number.as_deref().map(|it| format!(" with {it}")).unwrap_or_default();
            writeln!(
                out,
                "    {ordinal}: {kind} ({detail}{length}) of {who}{ours}: {fate}; event {}",
                event.event_id
            )
        }
    }
}

/// The first thing that a request says, for whoever waits for it.
pub(super) fn print_entry(entry: &Entry, region: &Region, out: &mut impl Write) -> io::Result<()> {
    print(&request(entry), region, out)?;
    items(entry).try_for_each(|line| print(&line, region, out))
}
