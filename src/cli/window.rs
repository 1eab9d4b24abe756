//! `wabridge window`: may a rep write freely to this person, and until when, in one line they understand.

use super::failure::Failure;
use super::reading::{clock_time, failed, found, open, zone};
use crate::config::{Config, Region};
use crate::exit::Exit;
use crate::leads::verdict::{VerdictView, answer};
use crate::web::api::read_instant;
use jiff::{SignedDuration, Timestamp};
use std::io::Write;
use wabridge_model::Phone;
use wabridge_model::window::{Reason, Templates};

/// Say whether a rep may write freely to a person, and until when
///
/// One line for each of our numbers the person wrote to. Exits 65 when LEAD cannot be read or means several
/// leads; somebody unknown is an answer.
#[derive(Debug, clap::Args)]
pub(super) struct Window {
    /// A phone in any spelling, lead id, BSUID, username or e-mail address
    lead: String,
    /// Our number
    #[arg(long, value_name = "NUMBER")]
    business: Option<String>,
    /// Judge this instant (2026-11-22T14:05:00+05:30) by the evidence up to it
    #[arg(long, value_name = "T")]
    at: Option<String>,
    /// Print what the API answers
    #[arg(long)]
    json: bool,
}

impl Window {
    pub(super) fn run(&self, config: &Config, out: &mut impl Write) -> Result<Exit, Failure> {
        let region = &config.region;
        let at = self.at.as_deref().map(|text| instant(text, region)).transpose()?;
        let business = self.business.as_deref().map(|text| number(text, region)).transpose()?;
        let api = open(config)?;
        let moment = api.moment().map_err(|error| failed(&config.store, error))?.at(at);
        let found = found(&api, &self.lead, at)?;
        let answer = answer(&found, business.as_ref(), moment, config);
        if self.json {
            writeln!(out, "{}", serde_json::to_string(&answer)?)?;
            return Ok(Exit::Success);
        }
        for verdict in answer.items() {
            writeln!(out, "{}", sentence(verdict, moment.now, region))?;
        }
        if answer.items().is_empty() {
            writeln!(
                out,
                "No number of ours is configured, and none was written to; name one with --business."
            )?;
        }
        Ok(Exit::Success)
    }
}

fn instant(text: &str, region: &Region) -> Result<Timestamp, Failure> {
    let way_out = "write an instant such as 2026-11-22T14:05:00+05:30, or a day such as 2026-11-22";
    let wrong = || Failure::new(Exit::Data, format!("--at is not an instant; {way_out}"));
    read_instant(text, region).ok_or_else(wrong)
}

fn number(text: &str, region: &Region) -> Result<Phone, Failure> {
    let wrong =
        |_| Failure::new(Exit::Data, "--business is not a phone number; write it with its country code");
    Phone::parse(text, region.default_country).map_err(wrong)
}

/// The verdict as one would say it.
fn sentence(verdict: &VerdictView, now: Timestamp, region: &Region) -> String {
    let who = verdict.phone.as_deref().unwrap_or("this person");
    let ours = &verdict.business_number;
    let told = |at: Timestamp| format!("{} ({})", clock_time(at, region), zone(region, at));
    let last = verdict.last_inbound_at.map(told);
    let last = last.as_deref().unwrap_or("an unknown time");
    let kind = verdict.last_inbound_kind.as_deref().unwrap_or("message");
    let until = verdict.free_text_until.unwrap_or(now);
    let why = match verdict.reason {
        Reason::CustomerWrote | Reason::CustomerCalled => {
            let left = length(until.duration_since(now));
            let mut line = format!(
                "You may write freely to {who} until {}, {left} left: their last {kind} to {ours} was at {}.",
                told(until),
                clock_time(verdict.last_inbound_at.unwrap_or(now), region),
            );
            if verdict.templates == Templates::UtilityOnly {
                line.push_str(" No marketing: they opted out.");
            }
            return line;
        }
        Reason::WindowClosed => {
            let ago = length(now.duration_since(until));
            format!("the window closed {ago} ago, at {}", told(until))
        }
        Reason::NumberChanged => "they changed their number and have not written from the new one".to_owned(),
        Reason::NeverWrote => "they never wrote to this number".to_owned(),
        Reason::ProviderRefused => format!("WhatsApp refused free text after their last message at {last}"),
        Reason::CatchingUp => {
            let ago = length(now.duration_since(verdict.as_of));
            format!("wabridge is {ago} behind and does not know the newest; ask again")
        }
        Reason::ClockUnsure => "this machine's clock cannot be trusted now; ask again in a minute".to_owned(),
        Reason::OptedOut => {
            return format!(
                "Send nothing to {who} from {ours}: they asked for no more messages and have not written since."
            );
        }
        Reason::ConsentWithdrawn => {
            return format!("Send nothing to {who} from {ours}: they withdrew their consent.");
        }
    };
    let which = match verdict.templates {
        Templates::UtilityOnly => "Utility templates only",
        Templates::Any | Templates::None => "Templates only",
    };
    let optout =
        if verdict.templates == Templates::UtilityOnly { "; they opted out of marketing" } else { "" };
    format!("{which} to {who} from {ours}: {why}{optout}.")
}

/// A length of time, to the minute below, so that nobody counts on time that is not there.
fn length(time: SignedDuration) -> String {
    let minutes = time.as_mins().max(0);
    match (minutes / 1440, minutes / 60, minutes % 60) {
        (0, 0, 0) => "less than a minute".to_owned(),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (1, ..) => "a day".to_owned(),
        (days, ..) => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wabridge_model::window::MaySend;

    fn verdict(reason: Reason) -> VerdictView {
        let written: Timestamp = "2026-11-22T08:35:12Z".parse().unwrap();
        VerdictView {
            phone: Some("+919876543210".to_owned()),
            lead_id: None,
            business_number: "+918047000000".to_owned(),
            may_send: MaySend::TemplateOnly,
            free_text_until: Some("2026-11-23T08:33:12Z".parse().unwrap()),
            last_inbound_at: Some(written),
            last_inbound_kind: Some("text".to_owned()),
            templates: Templates::Any,
            free_entry_until: None,
            marketing_opt_out: false,
            reason,
            evidence: None,
            as_of: written,
        }
    }

    fn said(reason: Reason, now: &str) -> String {
        sentence(&verdict(reason), now.parse().unwrap(), &Region::default())
    }

    #[test]
    fn a_rep_reads_until_when_in_local_time_and_how_long_that_is() {
        assert_eq!(
            said(Reason::CustomerWrote, "2026-11-23T05:20:30Z"),
            "You may write freely to +919876543210 until 14:03 on 23 Nov 2026 (Asia/Kolkata), 3 h 12 min left: \
             their last text to +918047000000 was at 14:05 on 22 Nov 2026."
        );
        assert_eq!(
            said(Reason::WindowClosed, "2026-11-23T09:33:12Z"),
            "Templates only to +919876543210 from +918047000000: the window closed 1 h 0 min ago, at 14:03 on \
             23 Nov 2026 (Asia/Kolkata)."
        );
    }

    #[test]
    fn every_reason_is_one_line_that_names_both_numbers() {
        let now = "2026-11-23T05:20:30Z";
        for reason in [
            Reason::CustomerWrote,
            Reason::CustomerCalled,
            Reason::WindowClosed,
            Reason::NumberChanged,
            Reason::CatchingUp,
            Reason::NeverWrote,
            Reason::ProviderRefused,
            Reason::ConsentWithdrawn,
            Reason::ClockUnsure,
        ] {
            let line = said(reason, now);
            assert!(line.contains("+919876543210") && line.contains("+918047000000"), "{line}");
            assert!(line.ends_with('.') && !line.contains('\n'), "{line}");
            let is_open = matches!(reason, Reason::CustomerWrote | Reason::CustomerCalled);
            assert_eq!(line.contains("freely"), is_open, "{line}");
        }
    }

    #[test]
    fn an_opt_out_is_said_with_the_verdict() {
        for reason in [Reason::CustomerWrote, Reason::WindowClosed] {
            let opted_out = VerdictView { templates: Templates::UtilityOnly, ..verdict(reason) };
            let line = sentence(&opted_out, "2026-11-23T05:20:30Z".parse().unwrap(), &Region::default());
            assert!(line.contains("opted out"), "{line}");
        }
    }

    #[test]
    fn a_length_is_never_rounded_up() {
        let said = |seconds| length(SignedDuration::from_secs(seconds));
        assert_eq!(said(-5), "less than a minute");
        assert_eq!(said(59), "less than a minute");
        assert_eq!(said(119), "1 min");
        assert_eq!(said(11_579), "3 h 12 min");
        assert_eq!(said(86_400 * 3 - 1), "2 days");
    }
}
