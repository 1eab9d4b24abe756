//! `wabridge target shadow-report`: what a target in shadow mode would have been sent.

use super::named;
use crate::cli::failure::Failure;
use crate::cli::reading::{failed, open};
use crate::config::Config;
use crate::delivery::shadow::{COLUMNS, Report, differences, read};
use crate::exit::Exit;
use crate::report::csv::Csv;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Show what a target in shadow mode would have been sent, beside what stands in the CRM
///
/// Values are masked to their first two characters.
///
/// Example: wabridge target shadow-report hubspot --csv > differences.csv
#[derive(Debug, clap::Args)]
pub(super) struct ShadowReport {
    /// The target's name in the configuration
    target: String,
    /// Print the counts and examples as JSON
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print every difference as a line of CSV
    #[arg(long)]
    csv: bool,
}

impl ShadowReport {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let target = named(config, &self.target)?;
        let api = open(config)?;
        let mut report = Report::new(&target.name);
        let mut table = Csv::new(COLUMNS);
        read(api.store.as_ref(), &target.name, |row| {
            report.add(row);
            if self.csv {
                for difference in differences(row) {
                    table.object(&COLUMNS, &serde_json::to_value(difference).unwrap_or_default());
                }
            }
        })
        .map_err(|error| failed(&config.store, error))?;
        match (self.json, self.csv) {
            (true, _) => writeln!(out, "{}", serde_json::to_string(&report)?)?,
            (_, true) => write!(out, "{}", table.finish())?,
            _ => print(&report, out)?,
        }
        Ok(Exit::Success)
    }
}

fn print(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let name = &report.target;
    if report.operations.is_empty() {
        writeln!(
            out,
            "Nothing is recorded for '{name}': is its mode \"shadow\", and did anybody write since?"
        )?;
        return Ok(());
    }
    let operations = [("person", "people"), ("activity", "conversations"), ("deal", "deals")];
    for (kind, many) in operations {
        let Some(actions) = report.operations.get(kind) else { continue };
        let count = |action: &str| actions.get(action).copied().unwrap_or(0);
        let (create, update, none) = (count("create"), count("update"), count("none"));
        writeln!(
            out,
            "{many:<14} {create} would be created, {update} updated, {none} are as they should be"
        )?;
    }
    counts(out, "People were found by", &report.matched_by)?;
    counts(out, "Fields that would overwrite another value", &report.overwrites)?;
    counts(out, "Fields that would change", &report.differs)?;
    if !report.examples.is_empty() {
        writeln!(out, "\nExamples, masked")?;
    }
    for example in &report.examples {
        let of = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let mark = if example.overwrites { "  overwrites" } else { "" };
        let (stands, would) = (of(&example.stands), of(&example.would));
        writeln!(out, "  {}  lead {}: {stands} -> {would}{mark}", example.field, example.lead_id)?;
    }
    Ok(())
}

/// Counts by name, the most first.
fn counts<K: Ord + AsRef<str>>(out: &mut impl Write, title: &str, of: &BTreeMap<K, u64>) -> io::Result<()> {
    writeln!(out, "\n{title}")?;
    let mut rows: Vec<(&K, &u64)> = of.iter().collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (name, count) in rows {
        writeln!(out, "  {count:>7}  {}", name.as_ref())?;
    }
    if of.is_empty() { writeln!(out, "     none") } else { Ok(()) }
}
