//! What chatbots instruct for a lead at one target, and what of it cannot be obeyed.
//!
//! In: the lead's own evidence, the configuration, the CRM's schema. Out: owner and stage by the CRM's ids, or the name
//! that is unknown and where to add it. It is worked out when a job is due, so that what was refused is obeyed once the
//! configuration is mended and the job is tried again. Nothing is guessed: no name is taken for another.

use super::Setup;
use crate::config::Target;
use crate::config::target::Deal;
use crate::routing::deal::{OBJECT, OWNER, bot_key, instruction};
use crate::store::outbox::{Conversation, Job};
use jiff::Timestamp;
use std::collections::BTreeMap;
use wabridge_crms::Schema;
use wabridge_crms::mapping::{Datum, Mapping, Source, WriteRule};
use wabridge_crms::schema::{OWNERS, Problem, stage_fault};
use wabridge_model::chatbot::{ChatbotEvent, CrmTarget};
use wabridge_model::event::Fact;
use wabridge_model::evidence::Evidence;

/// Nothing is asked of a deal that it is not already.
const UNCHANGED: &str = "unchanged";
/// A deal is not moved back, nor out of a stage that closes it or is restricted, nor from where nothing is known of.
const NOT_FORWARD: &str = "not_forward";

/// Where a deal that is there goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Move {
    /// On, from the stage that we wrote last.
    On(String),
    /// Nowhere, and why.
    Stays(&'static str),
}

/// The instructions for a lead at one target.
pub(super) struct Orders<'a> {
    target: &'a Target,
    schema: &'a Schema,
    pub(super) evidence: &'a [Evidence],
    /// What bots said and when, the newest first.
    bots: Vec<(Timestamp, ChatbotEvent)>,
    owner: Option<Result<String, String>>,
}

impl<'a> Orders<'a> {
    pub(super) fn new(setup: &'a Setup, schema: &'a Schema, evidence: &'a [Evidence]) -> Orders<'a> {
        let said = |evidence: &Evidence| match evidence.merged().into_owned().fact {
            Fact::Chatbot(bot) => Some((evidence.effective_at(), *bot)),
            _ => None,
        };
        let bots = evidence.iter().rev().filter_map(said).collect();
        let orders = Orders { target: &setup.target, schema, evidence, bots, owner: None };
        let rule = orders.last(|it| it.owner_routing.as_deref());
        let owner = rule.map(|rule| orders.find_owner(rule));
        Orders { owner, ..orders }
    }

    /// Each event of a bot's with its instruction for this target, the newest first.
    fn events(&self) -> impl Iterator<Item = (&(Timestamp, ChatbotEvent), &CrmTarget)> {
        self.bots.iter().filter_map(|said| Some((said, instruction(&said.1, self.target)?)))
    }

    /// What was said last of something.
    fn last<'s>(&'s self, of: impl Fn(&'s CrmTarget) -> Option<&'s str>) -> Option<&'s str> {
        self.events().find_map(|(_, instruction)| of(instruction))
    }

    fn find_owner(&self, rule: &str) -> Result<String, String> {
        let target = self.target;
        let crm = target.crm.about().name;
        let Some(id) = target.owners.get(rule) else {
            return Err(format!(
                "unknown owner rule '{rule}' (add it to [target.owners] of '{}')",
                target.name
            ));
        };
        if target.crm.owner_field().is_none() {
            return Err(format!("no owner can be set in {crm} by this version"));
        }
        let Some(known) = self.schema.account.get(OWNERS) else {
            return Err(format!(
                "the owners of {crm} cannot be read (give the token the right to read them)"
            ));
        };
        if known.split(',').any(|known| known == id) {
            Ok(id.clone())
        } else {
            Err(format!(
                "{crm} has no owner '{id}' (correct '{rule}' in [target.owners] of '{}')",
                target.name
            ))
        }
    }

    /// The CRM's id of the owner that was asked for, where there is one.
    pub(super) fn owner_id(&self) -> Option<&str> {
        self.owner.as_ref()?.as_deref().ok()
    }

    /// Whose the lead is to be: written once, and only where it is nobody's.
    pub(super) fn owned(&self) -> Option<(Mapping, Datum)> {
        let (field, id) = (self.target.crm.owner_field()?, self.owner_id()?);
        if self.target.fields.iter().any(|mapping| mapping.field == field) {
            return None;
        }
        let owner = Datum::Text(id.to_owned());
        let mapping = Mapping::new(field, Source::Value(owner.clone()));
        Some((Mapping { write: WriteRule::IfEmpty, ..mapping }, owner))
    }

    /// What cannot be obeyed, by part.
    pub(super) fn refused(&self) -> BTreeMap<&'static str, String> {
        let object = self.last(|it| it.object.as_deref());
        let unknown = object.filter(|object| *object != self.target.person && *object != "deal");
        let object = unknown.map(|object| {
            let (name, person) = (&self.target.name, self.target.person);
            (OBJECT, format!("unknown object '{object}' ('{name}' writes \"{person}\" and \"deal\")"))
        });
        let owner = self.owner.as_ref().and_then(|owner| owner.as_ref().err());
        owner.map(|why| (OWNER, why.clone())).into_iter().chain(object).collect()
    }

    /// The stage that a new deal enters: the one that its conversation asked for last, or the configured one. `of` is
    /// the WhatsApp conversation that the deal is of, where it is of one.
    pub(super) fn stage(&self, deal: &Deal, key: &str, of: Option<&Conversation>) -> Result<String, String> {
        let Some(name) = self.asked_stage(key, of) else { return Ok(deal.stage.clone()) };
        let target = &self.target.name;
        let Some(stage) = deal.stages.get(name) else {
            return Err(format!("unknown stage '{name}' (add it to [target.deal.stages] of '{target}')"));
        };
        let refused = match stage_fault(&deal.pipeline, stage, self.schema).map(|fault| fault.problem) {
            Some(Problem::Missing) => "is none of the pipeline's",
            Some(Problem::Closed) => "closes a deal",
            Some(_) => "is restricted",
            None if deal.restricted_stages.contains(stage) => "is restricted",
            None => return Ok(stage.clone()),
        };
        Err(format!("stage '{name}' {refused} (correct it in [target.deal.stages] of '{target}')"))
    }

    /// Where a deal that is there goes whose conversation asks for the stage `to`.
    pub(super) fn moves(&self, deal: &Deal, job: &Job, of: Option<&Conversation>, to: &str) -> Move {
        if self.asked_stage(&job.subject, of).is_none() {
            return Move::Stays(UNCHANGED);
        }
        let Some(from) = job.stage.as_deref() else { return Move::Stays(NOT_FORWARD) };
        if from == to {
            return Move::Stays(UNCHANGED);
        }
        if is_forward(deal, self.schema, (from, to)) {
            Move::On(from.to_owned())
        } else {
            Move::Stays(NOT_FORWARD)
        }
    }

    fn asked_stage(&self, key: &str, of: Option<&Conversation>) -> Option<&str> {
        // A deal of a conversation that the bot does not name is told by those events that name none.
        let is_named = self.bots.iter().any(|(_, bot)| bot_key(bot).as_deref() == Some(key));
        let wanted = is_named.then_some(key);
        let is_its_own = |(at, bot): &(Timestamp, ChatbotEvent)| match of {
            Some(conversation) => (conversation.from..conversation.until).contains(at),
            None => bot_key(bot).as_deref() == wanted,
        };
        let mut its_own = self.events().filter(|(said, _)| is_its_own(said));
        its_own.find_map(|(_, instruction)| instruction.deal_stage.as_deref())
    }
}

/// Whether a deal may go from one stage to the other: on, and not out of one that closes it or is restricted.
pub(super) fn is_forward(deal: &Deal, schema: &Schema, (from, to): (&str, &str)) -> bool {
    let stages = schema.pipelines.get(&deal.pipeline).map(|pipeline| &pipeline.stages);
    let stage = |id: &str| stages.and_then(|stages| stages.get(id));
    let is_on = match (stage(from), stage(to)) {
        (Some(here), Some(there)) => !here.closed && !here.restricted && here.order < there.order,
        _ => false,
    };
    is_on && !deal.restricted_stages.iter().any(|stage| stage == from)
}
