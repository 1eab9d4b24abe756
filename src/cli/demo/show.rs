//! What the demo prints.

use super::crm::Delivered;
use super::play::Outcome;
use crate::store::Books;
use serde_json::{Value, json};
use std::io::{Result, Write};
use std::net::SocketAddr;
use wabridge_providers::registry::PROVIDERS;

/// The outcome as one JSON object.
pub(super) fn json(
    out: &mut dyn Write,
    outcome: &Outcome,
    books: &Books,
    delivered: &Delivered,
    balanced: bool,
) -> Result<()> {
    let leads: Vec<&Value> = outcome.leads.iter().map(|(_, lead)| lead).collect();
    let value = json!({
        "requests": books.requests, "items": books.items, "leads": leads,
        "verdicts": outcome.verdicts, "touches": outcome.touches, "jobs": books.jobs,
        "crm": { "persons": delivered.persons, "activities": delivered.activities }, "balanced": balanced,
    });
    writeln!(out, "{value:#}")
}

/// The outcome for a person.
pub(super) fn text(
    out: &mut dyn Write,
    outcome: &Outcome,
    books: &Books,
    delivered: &Delivered,
    balanced: bool,
) -> Result<()> {
    let Outcome { acknowledged, refused, .. } = outcome;
    writeln!(
        out,
        "{acknowledged} requests of {} providers acknowledged (each sent twice, newest first), {refused} forged ones refused.\n",
        PROVIDERS.len()
    )?;
    writeln!(out, "{:<46} {:<15} {:<14} {:<17} ATTRIBUTION", "LEAD", "PHONE", "MAY SEND", "BECAUSE")?;
    for ((story, lead), verdict) in outcome.leads.iter().zip(&outcome.verdicts) {
        let phone = of(lead, "/phone").unwrap_or("(hidden)");
        let (may, because) = (of(verdict, "/may_send").unwrap_or("?"), of(verdict, "/reason").unwrap_or("?"));
        let state = of(lead, "/attribution/state").unwrap_or("?");
        let ad = of(lead, "/attribution/last/ad_id").map_or_else(String::new, |ad| format!(" ad {ad}"));
        let cause = cause(lead, "/attribution/cause");
        writeln!(out, "{story:<46} {phone:<15} {may:<14} {because:<17} {state}{ad}{cause}")?;
        if let Some(until) = of(verdict, "/free_text_until").filter(|_| may == "free_text") {
            let templates = of(verdict, "/templates").unwrap_or("?");
            writeln!(out, "{:<46} {:<15} until {until}, templates: {templates}", "", "")?;
        }
    }
    writeln!(out, "\n{} touches, by ad:", outcome.touches.len())?;
    for touch in &outcome.touches {
        let source = of(touch, "/ad_id").or(of(touch, "/post_id")).unwrap_or("-");
        let click = of(touch, "/ctwa_clid").unwrap_or("(no click id)");
        let because = cause(touch, "/cause");
        let (state, provider) = (of(touch, "/state").unwrap_or("?"), of(touch, "/provider").unwrap_or("?"));
        writeln!(out, "  {source:<16} {click:<17} by {provider:<9} {state}{because}")?;
    }
    let Delivered { persons, activities, calls, failed } = delivered;
    writeln!(
        out,
        "\nIn the CRM (a simulated HubSpot): {persons} people, {activities} conversations, in {calls} calls, \
         {failed} of which were refused or cut off."
    )?;
    writeln!(out, "\nrequests: {}", pairs(&books.requests))?;
    writeln!(out, "items:    {}", pairs(&books.items))?;
    writeln!(out, "jobs:     {}", pairs(&books.jobs))?;
    writeln!(
        out,
        "{}",
        if balanced {
            "The books balance: nothing is lost, nothing counts twice."
        } else {
            "THE BOOKS DO NOT BALANCE."
        }
    )
}

/// Where to look while the demo stays up.
pub(super) fn where_to_look(out: &mut dyn Write, address: SocketAddr, token: &str) -> Result<()> {
    writeln!(out, "\nThe daemon stays up; Ctrl-C ends it and removes its store. Ask it yourself:")?;
    let header = format!("-H 'Authorization: Bearer {token}'");
    writeln!(out, "  curl -s {header} 'http://{address}/v1/window?phone=%2B915550000001'")?;
    writeln!(out, "  curl -s {header} 'http://{address}/v1/leads/+915550000001/timeline'")?;
    writeln!(out, "  curl -s http://{address}/v1/openapi.json")
}

fn cause(value: &Value, pointer: &str) -> String {
    of(value, pointer).map_or_else(String::new, |cause| format!(" because {cause}"))
}

fn of<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer)?.as_str()
}

fn pairs(counts: &std::collections::BTreeMap<String, u64>) -> String {
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}
