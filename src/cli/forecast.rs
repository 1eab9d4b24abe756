//! `wabridge forecast`: whether so many leads fit into what CRMs allow.

use super::failure::Failure;
use super::reading::{failed, now, open};
use super::target::named;
use crate::config::{Config, Target};
use crate::delivery::forecast::{Expected, Outlook, outlook};
use crate::exit::Exit;
use crate::outbox::budget::usages;
use crate::outbox::usage::Moment;
use crate::store::StoreError;
use crate::web::api::Api;
use jiff::SignedDuration;
use serde_json::json;
use std::io::{self, Write};
use std::time::Duration;

/// Say whether so many leads fit into what each CRM allows, and if not, from when on nothing is left
///
/// What a lead takes is what leads took here within the last day, where a hundred were written; else
/// what one takes alone, which is more: leads that come together share calls. Exits 1 if they do not
/// fit.
///
/// Examples:
///   wabridge forecast --leads 400/h
///   wabridge forecast --leads 10000/d --conversations 3 --target zoho
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Forecast {
    /// New leads, within an hour (400/h) or a day (10000/d)
    #[arg(long, value_name = "N/h", value_parser = per_hour)]
    leads: f64,
    /// Conversations of each lead, in place of what was measured here
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    conversations: Option<u32>,
    /// Only this target
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `400/h`, `400` or `10000/d`.
fn per_hour(text: &str) -> Result<f64, String> {
    let (number, hours) = match text.split_once('/') {
        None | Some((_, "h")) => (text.trim_end_matches("/h"), 1.0),
        Some((number, "d")) => (number, 24.0),
        Some(_) => ("", 1.0),
    };
    let leads: u32 =
        number.parse().map_err(|_| "write a whole number and /h or /d, such as 400/h".to_owned())?;
    Ok(f64::from(leads) / hours)
}

impl Forecast {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let api = open(config)?;
        let targets: Vec<&Target> = match &self.target {
            Some(name) => vec![named(config, name)?],
            None => config.targets.iter().collect(),
        };
        let mut outlooks = Vec::new();
        for target in targets {
            let of = self.of(config, target, &api).map_err(|error| failed(&config.store, error))?;
            outlooks.push((target, of));
        }
        let fits = outlooks.iter().flat_map(|(_, of)| of).all(|outlook| outlook.fits);
        if self.json {
            let items = outlooks.iter().map(|(target, of)| json!({"target": target.name, "limits": of}));
            let items: Vec<serde_json::Value> = items.collect();
            let said = json!({"leads_per_hour": self.leads, "fits": fits, "items": items});
            writeln!(out, "{said}")?;
        } else {
            outlooks.iter().try_for_each(|(target, of)| tell(target, of, config, out))?;
        }
        Ok(if fits { Exit::Success } else { Exit::Difference })
    }

    fn of(&self, config: &Config, target: &Target, api: &Api) -> Result<Vec<Outlook>, StoreError> {
        let rows = api.store.used(&target.account())?;
        let since = now() - SignedDuration::from_hours(24);
        let mut leads_lately = 0;
        // Several targets of one account share what it used.
        for other in config.targets.iter().filter(|other| other.account() == target.account()) {
            leads_lately += api.store.leads_written(&other.name, since)?;
        }
        let expected =
            Expected { leads_per_hour: self.leads, conversations: self.conversations, leads_lately };
        let at = Moment::new(now(), Duration::ZERO);
        Ok(usages(target, &rows).iter().map(|usage| outlook(usage, &expected, at)).collect())
    }
}

fn tell(target: &Target, outlooks: &[Outlook], config: &Config, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", target.name)?;
    for it in outlooks {
        let window = match it.window_seconds {
            seconds @ 3600.. => format!("{} h", seconds / 3600),
            seconds => format!("{seconds} s"),
        };
        let percent = it.expected.saturating_mul(100) / it.size.max(1);
        let found = if it.measured { "as measured here" } else { "for a lead alone" };
        writeln!(
            out,
            "  {:<8} {} of {} {} within {window}, {percent} %: {:.1} each, {found}; {} used now",
            it.limit, it.expected, it.size, it.unit, it.per_lead, it.used
        )?;
        match it.runs_out_at {
            Some(at) => {
                let at = super::reading::clock_time(at, &config.region);
                writeln!(out, "  {:<8} does not fit: nothing is left from {at} on", "")?;
            }
            None if !it.fits => writeln!(out, "  {:<8} does not fit", "")?,
            None if percent >= config.quota.bulk_percent => {
                writeln!(out, "  {:<8} fits; what can wait will have to", "")?;
            }
            None => {}
        }
    }
    if outlooks.is_empty() {
        writeln!(out, "  its CRM has no limit that is known")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_an_hour_or_of_a_day() {
        assert_eq!(["400/h", "400", "9600/d"].map(|text| per_hour(text).unwrap()), [400.0; 3]);
        for text in ["", "many", "4/w", "-1/h", "/h", "1.5/h"] {
            assert!(per_hour(text).is_err(), "{text}");
        }
    }
}
