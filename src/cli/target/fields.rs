//! `wabridge target fields`: every path that can be mapped, with its type and an example.

use super::named;
use crate::cli::failure::Failure;
use crate::cli::load;
use crate::config::Target;
use crate::exit::Exit;
use serde::Serialize;
use std::io::Write;
use std::path::Path;
use wabridge_crms::mapping::{Kind, Known, paths};

/// List every path that [target.fields] can map, with its type and an example
///
/// With TARGET, also the CRM's fields that each is mapped to, the standard ones among them. A window of one number
/// is written window["+918047000000"].free_text_until, a value of a chatbot's own custom.plan, one of the enrichment
/// hook's enrichment.tier.
#[derive(Debug, clap::Args)]
pub(super) struct Fields {
    /// The target's name in the configuration
    target: Option<String>,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

/// A path, as it is printed.
#[derive(Debug, Serialize)]
struct Row {
    path: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<&'static [&'static str]>,
    example: &'static str,
    about: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<Vec<String>>,
}

impl Fields {
    pub(super) fn run(&self, config: &Path, out: &mut impl Write) -> Result<Exit, Failure> {
        let config = self.target.as_ref().map(|_| load(config)).transpose()?;
        let target = match (&config, &self.target) {
            (Some(config), Some(name)) => Some(named(config, name)?),
            _ => None,
        };
        let rows: Vec<Row> = paths().map(|known| row(known, target)).collect();
        if self.json {
            writeln!(out, "{}", serde_json::to_string(&rows)?)?;
            return Ok(Exit::Success);
        }
        table(&rows, out)?;
        Ok(Exit::Success)
    }
}

fn row(known: &'static Known, target: Option<&Target>) -> Row {
    let Known { path, kind, example, about } = known;
    let words = if let Kind::Word(words) = kind { Some(*words) } else { None };
    let fields = target.map(|target| fields(known, target));
    Row { path, kind: kind.as_str(), words, example, about, fields }
}

/// The fields that a path is mapped to; of a path with a number or a key, which one.
fn fields(known: &Known, target: &Target) -> Vec<String> {
    let mapped = target.fields.iter().filter_map(|mapping| {
        let path = mapping.path().filter(|path| path.known() == known)?;
        Some(match path.argument() {
            Some(of) => format!("{} ({of})", mapping.field),
            None => mapping.field.clone(),
        })
    });
    let key = (known.path == "phone").then(|| target.key_field.clone());
    mapped.chain(key).collect()
}

fn table(rows: &[Row], out: &mut impl Write) -> std::io::Result<()> {
    let widest = |cell: fn(&Row) -> usize| rows.iter().map(cell).max().unwrap_or_default();
    let path = widest(|row| row.path.len());
    let kind = widest(|row| row.kind.len());
    let mapped = |row: &Row| row.fields.as_ref().map(|fields| fields.join(", "));
    let field = rows.iter().filter_map(|row| mapped(row).map(|text| text.chars().count())).max();
    for row in rows {
        write!(out, "{:path$}  {:kind$}  ", row.path, row.kind)?;
        if let Some((field, text)) = field.zip(mapped(row)) {
            write!(out, "{text:field$}  ")?;
        }
        writeln!(out, "{}: {}", row.about, row.example)?;
    }
    Ok(())
}
