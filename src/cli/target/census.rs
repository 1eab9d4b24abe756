//! `wabridge target census`: who is in a CRM more than once, before the first write. Reads only, and needs no store.

use super::{account, named, unanswered, wait, wire};
use crate::cli::failure::Failure;
use crate::cli::saying::masked_phone;
use crate::cli::told::counted;
use crate::config::Config;
use crate::delivery::census::{Census, Group};
use crate::delivery::online::Wire;
use crate::exit::Exit;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use wabridge_model::RecordRef;

/// Find people who share a phone number in the CRM
///
/// Reads every person of the CRM, page by page, and writes nothing, there or here. Numbers are compared in any spelling;
/// one without a country code belongs to default_country in [region].
///
/// Example: wabridge target census hubspot
#[derive(Debug, clap::Args)]
pub(super) struct CensusOf {
    /// The target's name in the configuration
    target: String,
    /// Print JSON, with whole numbers
    #[arg(long)]
    json: bool,
}

impl CensusOf {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let target = named(config, &self.target)?;
        let account = account(config, target)?;
        let wire = wire(config, target, &account);
        let (census, groups, urls) = wait(take(&wire))?.map_err(|failure| unanswered(&failure, target))?;
        if self.json {
            print_json(&census, &groups, &urls, out)?;
        } else {
            print(&census, &groups, &urls, out)?;
        }
        Ok(Exit::Success)
    }
}

type Taken = (Census, Vec<Group>, BTreeMap<RecordRef, String>);

async fn take(wire: &Wire<'_>) -> Result<Taken, wabridge_model::Failure> {
    let schema = wire.schema().await?;
    let shows = io::stderr().is_terminal();
    let census = wire
        .census(&schema, |census| {
            if shows {
                // Nothing to be done about a closed terminal.
                let _ = write!(io::stderr(), "\r{} people read", census.people);
            }
        })
        .await?;
    if shows {
        let _ = writeln!(io::stderr());
    }
    let groups = census.groups();
    let urls = wire.urls(&schema, &groups).await;
    Ok((census, groups, urls))
}

fn print(
    census: &Census,
    groups: &[Group],
    urls: &BTreeMap<RecordRef, String>,
    out: &mut impl Write,
) -> io::Result<()> {
    for group in groups {
        let phones: Vec<String> = group.phones.iter().map(|phone| masked_phone(phone)).collect();
        writeln!(out, "{}", phones.join(", "))?;
        for record in &group.records {
            let url = urls.get(record).map(|url| format!("  {url}")).unwrap_or_default();
            writeln!(out, "  {record}{url}")?;
        }
    }
    let Census { people, without, unreadable, .. } = census;
    let shared = counted(groups.len() as u64, "group shares", "groups share");
    writeln!(
        out,
        "{}: {shared} a number; {without} without a number; numbers that cannot be read: {unreadable}.",
        counted(*people, "person", "people")
    )?;
    if !groups.is_empty() {
        writeln!(
            out,
            "A lead of such a number is written to one of its records; merge them in the CRM first."
        )?;
    }
    Ok(())
}

fn print_json(
    census: &Census,
    groups: &[Group],
    urls: &BTreeMap<RecordRef, String>,
    out: &mut impl Write,
) -> io::Result<()> {
    let record = |it: &RecordRef| json!({ "kind": it.object, "id": it.id, "url": urls.get(it) });
    let group = |group: &Group| {
        let records: Vec<_> = group.records.iter().map(record).collect();
        json!({ "phones": group.phones, "records": records })
    };
    let groups: Vec<_> = groups.iter().map(group).collect();
    let Census { people, without, unreadable, .. } = census;
    let all = json!({ "people": people, "without_number": without, "unreadable_numbers": unreadable, "groups": groups });
    writeln!(out, "{all}")
}
