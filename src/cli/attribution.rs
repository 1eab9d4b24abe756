//! `wabridge attribution`: the audit of where leads came from, as a table, CSV, a spreadsheet or JSON.

use super::failure::Failure;
use super::reading::{failed, now, open, zone};
use crate::config::{Config, Region};
use crate::exit::Exit;
use crate::leads::attribution::{Attribution as Answer, AttributionRow, COLUMNS};
use crate::leads::rollup::Model;
use crate::report::{Cell, xlsx};
use crate::store::{By, DateOf, Question};
use crate::web::api::{Rounding, read_day};
use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::ToSpan;
use jiff::civil::Date;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Show how many conversations and leads each ad brought
///
/// Days are those of the configured time zone. What nothing is known of is one line for each cause.
#[derive(Debug, clap::Args)]
pub(super) struct Attribution {
    /// The first day, or so many days before today, such as 30d
    #[arg(long, value_name = "DAY", default_value = "30d")]
    since: String,
    /// The day after the last one
    #[arg(long, value_name = "DAY")]
    until: Option<String>,
    /// What the lines are grouped by
    #[arg(long, default_value = "ad", value_parser = one_of(&By::ALL, By::as_str))]
    by: By,
    /// Which touch of a lead is credited
    #[arg(long, default_value = "last", value_parser = one_of(&Model::ALL, Model::as_str))]
    model: Model,
    /// The day outcomes are counted on
    #[arg(long, default_value = "touch", value_parser = one_of(&DateOf::ALL, DateOf::as_str))]
    date: DateOf,
    /// How it is written
    #[arg(long, default_value = "table")]
    format: Format,
    /// The file to write to, instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// For programs and spreadsheets; no cell is a formula
    Csv,
    /// For spreadsheets: ids stay texts
    Xlsx,
    /// What the API answers
    Json,
}

/// Reads one of a few words.
fn one_of<T: Copy + Send + Sync + 'static>(
    all: &'static [T],
    as_str: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let find = move |text: String| all.iter().copied().find(|one| as_str(*one) == text);
    PossibleValuesParser::new(all.iter().map(move |one| as_str(*one)))
        .try_map(move |text| find(text).ok_or("not one of the possible values"))
}

impl Attribution {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let region = &config.region;
        let question = Question {
            by: self.by,
            model: self.model,
            date: self.date,
            since: Some(since(&self.since, region)?),
            until: self.until.as_deref().map(|text| day("until", text, region, Rounding::Up)).transpose()?,
        };
        if self.format == Format::Xlsx && self.output.is_none() && io::stdout().is_terminal() {
            let text = "a spreadsheet is not for a terminal; add --output FILE, or redirect it";
            return Err(Failure::new(Exit::Usage, text));
        }
        let api = open(config)?;
        let rows = api.store.attribution(&question, &region.timezone);
        let answer = Answer::new(&question, rows.map_err(|error| failed(&config.store, error))?);
        let written = match self.format {
            Format::Table => table(&answer, &zone(region, now())).into_bytes(),
            Format::Csv => answer.csv().into_bytes(),
            Format::Json => format!("{}\n", serde_json::to_string(&answer)?).into_bytes(),
            Format::Xlsx => {
                let rows: Vec<Vec<Cell>> = answer.items.iter().map(AttributionRow::cells).collect();
                xlsx::write(COLUMNS, &rows)?
            }
        };
        match &self.output {
            None => out.write_all(&written)?,
            Some(path) => {
                // For its owner alone: who may read it is for them to say.
                let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
                let result = file.and_then(|mut file| file.write_all(&written));
                result.map_err(|error| {
                    let text = format!("{} cannot be written: {error}", path.display());
                    Failure::new(Exit::of_io(&error), text)
                })?;
            }
        }
        Ok(Exit::Success)
    }
}

/// So many days before today, or a day.
fn since(text: &str, region: &Region) -> Result<Date, Failure> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u16>().ok());
    let Some(days) = days else { return day("since", text, region, Rounding::Down) };
    let today = now().to_zoned(region.timezone.clone()).date();
    Ok(today.saturating_sub(i64::from(days).days()))
}

fn day(name: &str, text: &str, region: &Region, rounding: Rounding) -> Result<Date, Failure> {
    let wrong = || {
        let or = if name == "since" { ", or 30d for the last 30 days" } else { "" };
        let text = format!("--{name} is not a day; write a day such as 2026-11-22{or}");
        Failure::new(Exit::Data, text)
    };
    read_day(text, region, rounding).ok_or_else(wrong)
}

/// The columns of the table beside those that say what a line is of.
const COUNTS: [&str; 7] =
    ["conversations", "leads", "click id", "within 5 min", "unknown", "free entry", "qualified"];

fn table(answer: &Answer, zone: &str) -> String {
    let head = std::iter::once(answer.by.as_str()).chain(COUNTS).map(str::to_owned).collect();
    let mut lines: Vec<Vec<String>> = vec![head];
    lines.extend(answer.items.iter().map(|row| line(label(answer.by, row), row)));
    lines.push(line("total".to_owned(), &answer.total));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..=COUNTS.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let mut cells = line.iter().zip(&widths);
        if let Some((label, width)) = cells.next() {
            text.push_str(&format!("{label:<width$}"));
        }
        cells.for_each(|(cell, width)| text.push_str(&format!("  {cell:>width$}")));
        text.push('\n');
    }
    let (model, since) = (answer.model.as_str(), answer.since.map(|day| format!(" since {day}")));
    let until = answer.until.map(|day| format!(" until before {day}")).unwrap_or_default();
    let since = since.unwrap_or_default();
    text.push_str(&format!("\nBy the {model} touch{since}{until}; days are those of {zone}.\n"));
    text
}

fn line(label: String, row: &AttributionRow) -> Vec<String> {
    let counts = [
        row.conversations,
        row.leads,
        row.click_id_present,
        row.answered_5m,
        row.answered_unknown,
        row.free_entry_opened,
        row.qualified,
    ];
    let counts = counts.map(|count| count.map_or_else(String::new, |count| count.to_string()));
    std::iter::once(label).chain(counts).collect()
}

/// What a line is of: its group, or how much is known of it.
fn label(by: By, row: &AttributionRow) -> String {
    let group = [&row.date_local, &row.ad_id, &row.provider].into_iter().flatten().next();
    match (group, &row.state, &row.cause) {
        (Some(group), ..) => group.replace(char::is_control, " "),
        (None, Some(state), Some(cause)) => format!("{state} ({cause})"),
        (None, Some(state), None) => state.clone(),
        (None, None, _) => format!("unknown {}", by.as_str()),
    }
}
