//! HubSpot: contacts, `communications` of the channel `WHATS_APP`, deals.
//!
//! In: bundles, people to look for. Out: receipts and classified failures. Wire:
//! <https://developers.hubspot.com/docs/api-reference/latest/crm/objects/contacts/guide>
//!
//! **How often a thing happens.** A person with a phone is `exact`: our key field is unique in HubSpot and people
//! are upserted by it, so a repetition finds its own work. A person without one is created plainly; an e-mail
//! address keeps that from happening twice (it is unique, a second one is a conflict that names the first), a
//! business-scoped id does not: such a lead is looked for again by search before it is written again. Activities are
//! `find_then_write`: HubSpot has no unique property for them, so the last line of the body carries a reference,
//! found through the contact's associations, which are never behind as the search is. Deals are `exact`: they are
//! created with a unique property of ours (`wa_deal_key`) together with their association in one request. An upsert
//! would not do: it cannot associate, and, repeated, it would move a deal back that a person has moved on.
//!
//! **Names.** HubSpot refuses a new contact that has none of `email`, `firstname`, `lastname`. Where none is mapped
//! or known, the number itself becomes the last name: it is what a rep would call the person; a lead without a
//! number is called `WhatsApp lead`.
//!
//! **What is not known.** Whether an upsert by a unique property is free of races was not published; the lock per
//! lead does not rely on it, and a loser would be a conflict or a finder of the winner. The properties API does not
//! say which properties are required; a refusal at the write then names them. Every part of an error is optional.
//! Merged contacts answer under the winner's id, or name the loser in a property: both are read. One
//! integrator saw `phone` masked in answers; such a record does not match by phone, its key still does.

mod activity;
mod batch;
mod deal;
mod failure;
mod find;
mod limits;
mod line;
mod read;
mod schema;
mod task;
mod write;

use crate::crm::{
    About, AuthScheme, Bundle, Capability, Crm, Delivery, Desk, Found, NoticeProof, People, Record, Who,
    Written,
};
use crate::oauth::OAuth;
use crate::schema::{FieldKind, NewField, Schema};
use crate::transport::Later;
use std::time::Duration;
use wabridge_model::{Failure, RecordRef};

/// The version of every path.
///
/// `2026-03` is supported until about September 2027. From `2026-09` on the API enforces what an administrator
/// requires in forms (conditional properties, the create form, association permissions), which no endpoint lists: a
/// lead would be refused for a rule made for typing people, and nothing could warn of it beforehand.
const VERSION: &str = "2026-03";

/// The unique property of deals that makes creating them exact.
const DEAL_KEY: &str = "wa_deal_key";

/// Whose a record is.
const OWNER: &str = "hubspot_owner_id";

/// Inputs of one batch request, everywhere.
const BATCH: usize = 100;

/// HubSpot.
#[derive(Debug, Clone, Copy)]
pub struct HubSpot;

static ABOUT: About = About {
    slug: "hubspot",
    name: "HubSpot",
    // Its `leads` hang on a contact, which keeps phone and e-mail: the person is the contact.
    people: &["contact"],
    base_url: "https://api.hubapi.com",
    auth: AuthScheme::Bearer,
    oauth: Some(OAuth {
        authorize: "https://app.hubspot.com/oauth/authorize",
        authorize_with: &[],
        token: "/oauth/2026-03/token",
        hosts: &[("https://api.hubapi.com", "https://api.hubapi.com")],
        scope: "oauth crm.objects.contacts.read crm.objects.contacts.write crm.schemas.contacts.read \
                crm.schemas.contacts.write crm.objects.deals.read crm.objects.deals.write \
                crm.schemas.deals.read crm.schemas.deals.write crm.objects.owners.read",
        needs_redirect: true,
        lacks_scope: None,
    }),
    documentation: "https://developers.hubspot.com/docs/api-reference/latest/overview",
    capability: Capability {
        batch: BATCH,
        native_key: true,
        person: Delivery::Exact,
        activity: Delivery::FindThenWrite,
        deal: Delivery::Exact,
        task: Delivery::FindThenWrite,
        deals_of: &["contact"],
        // Documented as "a few moments"; integrators leave 5 to 30 seconds.
        search_lag: Duration::from_secs(30),
        notices: NoticeProof::Signed,
        quiet: false,
    },
    limits: &limits::LIMITS,
};

impl Crm for HubSpot {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn own_fields(&self) -> Vec<NewField> {
        vec![NewField {
            object: "deal".to_owned(),
            name: DEAL_KEY.to_owned(),
            label: "WhatsApp deal key".to_owned(),
            kind: FieldKind::Text,
            unique: true,
        }]
    }

    fn owner_field(&self) -> Option<&'static str> {
        Some(OWNER)
    }

    fn schema<'a>(&'a self, desk: &'a Desk<'a>) -> Later<'a, Result<Schema, Failure>> {
        Box::pin(schema::schema(desk))
    }

    fn find<'a>(
        &'a self,
        desk: &'a Desk<'a>,
        people: &'a [Who],
        fields: &'a [String],
    ) -> Later<'a, Vec<Result<Found, Failure>>> {
        Box::pin(find::find(desk, people, fields))
    }

    fn read<'a>(
        &'a self,
        desk: &'a Desk<'a>,
        records: &'a [RecordRef],
        fields: &'a [String],
    ) -> Later<'a, Vec<Result<Record, Failure>>> {
        Box::pin(read::read(desk, records, fields))
    }

    fn write<'a>(&'a self, desk: &'a Desk<'a>, bundles: &'a [Bundle]) -> Later<'a, Vec<Written>> {
        Box::pin(write::write(desk, bundles))
    }

    fn add_fields<'a>(
        &'a self,
        desk: &'a Desk<'a>,
        fields: &'a [NewField],
    ) -> Later<'a, Vec<Result<(), Failure>>> {
        Box::pin(schema::add_fields(desk, fields))
    }

    fn people<'a>(&'a self, desk: &'a Desk<'a>, after: Option<String>) -> Later<'a, Result<People, Failure>> {
        Box::pin(read::people(desk, after))
    }
}
