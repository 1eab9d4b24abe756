//! `wabridge target setup`: the fields of ours that a CRM lacks, and making them.

use super::{account, exit_of, named, unanswered, wait, wire};
use crate::cli::failure::Failure;
use crate::config::Config;
use crate::delivery::online::{Wire, refusal, to_make};
use crate::exit::Exit;
use std::io::{self, Write};
use wabridge_crms::schema::{FieldKind, NewField, Schema};

/// List the fields that a CRM lacks; with --apply, create them
///
/// The key field, and every mapped field that is not there. Nothing that exists is changed. Needs no store.
///
/// Example: wabridge target setup hubspot --apply
#[derive(Debug, clap::Args)]
pub(super) struct Setup {
    /// The target's name in the configuration
    target: String,
    /// Create them
    #[arg(long)]
    apply: bool,
}

impl Setup {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let target = named(config, &self.target)?;
        let account = account(config, target)?;
        let wire = wire(config, target, &account);
        wait(self.perform(&wire, out))?
    }

    async fn perform(&self, wire: &Wire<'_>, out: &mut impl Write) -> Result<Exit, Failure> {
        let target = wire.target;
        let schema = wire.schema().await.map_err(|failure| unanswered(&failure, target))?;
        let fields = to_make(target, &schema);
        let crm = target.crm.about().name;
        if fields.is_empty() {
            writeln!(out, "{crm} has every field that '{}' needs.", target.name)?;
            return Ok(rest(wire, &schema, out)?);
        }
        if !self.apply {
            writeln!(out, "{crm} lacks:")?;
            fields.iter().try_for_each(|field| writeln!(out, "  {}", said(field)))?;
            writeln!(out, "Nothing was changed; add --apply to create them.")?;
            return Ok(Exit::Success);
        }
        let mut exit = Exit::Success;
        for (field, made) in fields.iter().zip(wire.make(&schema, &fields).await) {
            match made {
                Ok(()) => writeln!(out, "created  {}", said(field))?,
                Err(failure) => {
                    writeln!(out, "FAILED   {}: {}", said(field), refusal(&failure, target))?;
                    exit = exit_of(&failure);
                }
            }
        }
        if exit != Exit::Success {
            return Ok(exit);
        }
        let schema = wire.schema().await.map_err(|failure| unanswered(&failure, target))?;
        Ok(rest(wire, &schema, out)?)
    }
}

/// What no new field mends.
fn rest(wire: &Wire<'_>, schema: &Schema, out: &mut impl Write) -> io::Result<Exit> {
    let missing = to_make(wire.target, schema);
    let made = |name: &str| missing.iter().any(|field| field.name == name);
    let faults: Vec<_> = wire.target.faults(schema).into_iter().filter(|fault| !made(&fault.name)).collect();
    for field in &missing {
        writeln!(out, "not seen yet  {}; the CRM may take a moment", said(field))?;
    }
    for fault in &faults {
        writeln!(out, "to mend  {fault}")?;
    }
    Ok(if faults.is_empty() { Exit::Success } else { Exit::Config })
}

fn said(field: &NewField) -> String {
    let kind = match field.kind {
        FieldKind::Text => "text",
        FieldKind::Number => "a number",
        FieldKind::Truth => "true or false",
        FieldKind::Date => "a day",
        FieldKind::Instant => "an instant",
        FieldKind::Choice => "one of a list",
        FieldKind::Choices => "some of a list",
        FieldKind::Other => "something else",
    };
    let unique = if field.unique { ", unique" } else { "" };
    format!("{} field {} ({kind}{unique}): {}", field.object, field.name, field.label)
}
