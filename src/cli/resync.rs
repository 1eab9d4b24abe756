//! `wabridge resync`: has what was written to a CRM looked at again, by the daemon that runs or for the next one.

use super::failure::Failure;
use super::reading::{exists, failed, now, to_read, to_write, unasked};
use super::target::named;
use super::told::{by_config, counted};
use crate::config::{Config, Target, nearest};
use crate::control::{Ask, Outcome, ask};
use crate::exit::Exit;
use std::io::Write;
use wabridge_crms::mapping::WriteRule;

/// Look again at what was written to a target, and fill what is empty there
///
/// For when a field was emptied in the CRM, or is new in [target.fields]. Every record of ours is read; a field that is
/// empty gets its value, one that a person filled stays theirs unless its owner is "bridge". It goes behind all that is
/// urgent.
///
/// Example: wabridge resync --target hubspot --field ad_id --dry-run
#[derive(Debug, clap::Args)]
pub(super) struct Resync {
    /// The target's name in the configuration
    #[arg(long)]
    target: String,
    /// Only this field of the CRM; several times for more
    #[arg(long = "field", value_name = "FIELD")]
    fields: Vec<String>,
    /// Only say how many leads that would be
    #[arg(long)]
    dry_run: bool,
}

impl Resync {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let target = named(config, &self.target)?;
        let fields = fields(target, &self.fields)?;
        exists(&config.store)?;
        let wrong = |error| failed(&config.store, error);
        let leads = |count: usize| counted(count as u64, "lead", "leads");
        if self.dry_run {
            let count = to_read(config)?.resyncable(&target.name, &fields).map_err(wrong)?;
            writeln!(out, "{} of '{}' would be looked at again.", leads(count), target.name)?;
            writeln!(out, "Nothing was changed; run it without --dry-run to do it.")?;
            return Ok(Exit::Success);
        }
        let (name, at) = (target.name.clone(), now());
        let wish = Ask::Resync { target: name.clone(), fields: fields.clone(), at };
        let count = match ask(config, wish).map_err(|error| unasked(&config.store, error))? {
            Some(Outcome::JobsChanged(count)) => count,
            _ => to_write(config)?.resync(&name, &fields, at, &|| true).map_err(wrong)?,
        };
        writeln!(out, "{} of '{name}' will be looked at again, behind what is urgent.", leads(count))?;
        if let Some(mode) = by_config(target) {
            writeln!(
                out,
                "{mode} holds: nothing is written until that changes; after shadow mode run it once more."
            )?;
        }
        Ok(Exit::Success)
    }
}

/// The fields to look at: those that were asked for, or all that may be written to a record that is there.
fn fields(target: &Target, asked: &[String]) -> Result<Vec<String>, Failure> {
    let later = target.fields.iter().filter(|mapping| mapping.write != WriteRule::CreateOnly);
    let able: Vec<&str> = later.map(|it| it.field.as_str()).chain([target.key_field.as_str()]).collect();
    if let Some(field) = asked.iter().find(|field| !able.contains(&field.as_str())) {
        let is_mapped = target.fields.iter().any(|mapping| mapping.field == *field);
        let why = match nearest(field, able.iter().copied()) {
            _ if is_mapped => {
                "is written when a record is created and never after (write = \"create_only\")".into()
            }
            Some(near) => format!("is not mapped; did you mean '{near}'?"),
            None => format!("is not mapped; `wabridge target fields {}` shows what is", target.name),
        };
        return Err(Failure::new(Exit::Data, format!("the field '{field}' of '{}' {why}", target.name)));
    }
    let all = able.iter().map(|field| (*field).to_owned());
    Ok(if asked.is_empty() { all.collect() } else { asked.to_vec() })
}
