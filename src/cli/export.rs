//! `wabridge export`: everything held on a person, as JSON or to be read.

use super::failure::Failure;
use super::lead;
use super::reading::{clock_time, failed, found, now, open, zone};
use super::saying::{What, proof, what};
use crate::config::{Config, Region};
use crate::exit::Exit;
use crate::leads::export::{ExportView, export};
use crate::leads::find::Found;
use crate::store::{StoreError, StoreErrorKind};
use std::io::{self, Write};

/// Print everything held on a person
///
/// Identities, windows, touches, consent, the whole timeline, every event as it was reported, every request that
/// carried one. Exits 65 when LEAD cannot be read, means several leads, or nobody known.
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// A phone in any spelling, lead id, BSUID, username or e-mail address
    lead: String,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// One JSON object, as the API answers
    Json,
    /// Lines to be read
    Text,
}

impl Export {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let api = open(config)?;
        let Found::Lead(person) = found(&api, &self.lead, None)? else {
            return Err(Failure::new(Exit::Data, "no lead is known by this"));
        };
        let wrong = |error| failed(&config.store, error);
        let all = export(api.store.as_ref(), &person, now(), config).map_err(wrong)?;
        // Joined with another lead a moment ago: asking again finds both.
        let all = all.ok_or_else(|| wrong(StoreError::new(StoreErrorKind::Busy, "export a lead")))?;
        match self.format {
            Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?,
            Format::Text => {
                lead::print(&all.lead, &all.touches, &all.timeline, &config.region, out)?;
                events(&all, &config.region, out)?;
                requests(&all, &config.region, out)?;
            }
        }
        Ok(Exit::Success)
    }
}

fn events(all: &ExportView, region: &Region, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nEvents ({})", all.events.len())?;
    for event in &all.events {
        let What { kind, detail, .. } = what(&event.reports.merged());
        let at = clock_time(event.at, region);
        let by = event.reports.reported_by().join(", ");
        writeln!(out, "  {at}  {kind} ({detail}), reported by {by}; event {}", event.event_id)?;
    }
    Ok(())
}

fn requests(all: &ExportView, region: &Region, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nRequests ({})", all.requests.len())?;
    for request in &all.requests {
        let at = clock_time(request.received_at, region);
        let (id, channel) = (request.request, &request.channel);
        writeln!(out, "  {at}  request {id} of channel '{channel}', {}", proof(request.proof))?;
        for item in &request.items {
            writeln!(out, "    item {}: {}, event {}", item.ordinal, item.result, item.event_id)?;
        }
        match &request.body {
            Some(body) => writeln!(out, "    {}", body.replace(char::is_control, " "))?,
            None => writeln!(out, "    (it holds items of others, so its body is not given away)")?,
        }
    }
    writeln!(out, "\nMade at {} ({}).", clock_time(all.made_at, region), zone(region, all.made_at))
}
