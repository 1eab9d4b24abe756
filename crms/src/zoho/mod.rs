//! Zoho CRM: leads and contacts, notes, deals.
//!
//! In: bundles, people to look for. Out: receipts and classified failures. Wire:
//! <https://www.zoho.com/crm/developer/docs/api/v8/>
//!
//! **How often a thing happens.** A person with a phone is `exact`: our key field is unique in Zoho and people are
//! upserted by it, so a repetition finds its own work. One without a phone is created plainly after a search: may
//! happen twice after a lost answer, unless the e-mail field is unique in the account. Conversations are notes,
//! `find_then_write`: the last line bears a reference, found through the record's related list. Deals are `exact`:
//! a unique field of ours (`wa_deal_key`) makes Zoho refuse a second one and name the first.
//!
//! **Names.** A lead needs `Last_Name` and `Company`. What is not mapped or known is filled in here, and only in a
//! new record: the number for the name, the name for the company.
//!
//! **Owners.** Every record has one, at first the user that the token acts as: whose owner that user is counts as
//! nobody's.
//!
//! **What is not known.** How far COQL lags behind writes; the upsert does not rely on it. Whether COQL shows
//! converted leads: they are followed where they come. How a converted lead names its contact: `$converted_detail`
//! and `Converted_Contact` are both read. Unknown fields are said to be ignored in silence: the schema check tells
//! of them. 429 does not say whether credits or concurrency ran out: the remaining credits, where a header has them,
//! decide how long to wait. A field's API name follows from its label, so new ones are labelled as they are named.

mod activity;
mod batch;
pub mod credits;
mod deal;
mod failure;
mod find;
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
const VERSION: &str = "v8";

/// The unique field of deals that makes creating them exact.
const DEAL_KEY: &str = "wa_deal_key";

/// Whose a record is.
const OWNER: &str = "Owner";

/// Where a schema's account keeps the user that the token acts as.
const OURSELVES: &str = "user";

/// Records of one request, everywhere.
const BATCH: usize = 100;

/// Fields that one read may ask for.
const COLUMNS: usize = 50;

/// The objects that hold people: our word and Zoho's module.
const PEOPLE: [(&str, &str); 2] = [("lead", "Leads"), ("contact", "Contacts")];

/// Zoho CRM.
#[derive(Debug, Clone, Copy)]
pub struct Zoho;

static ABOUT: About = About {
    slug: "zoho",
    name: "Zoho CRM",
    people: &["lead", "contact"],
    base_url: "https://www.zohoapis.in",
    auth: AuthScheme::Word("Zoho-oauthtoken"),
    oauth: Some(OAuth {
        authorize: "/oauth/v2/auth",
        authorize_with: &[("response_type", "code"), ("access_type", "offline"), ("prompt", "consent")],
        token: "/oauth/v2/token",
        hosts: &[
            ("https://www.zohoapis.in", "https://accounts.zoho.in"),
            ("https://www.zohoapis.com", "https://accounts.zoho.com"),
            ("https://www.zohoapis.eu", "https://accounts.zoho.eu"),
            ("https://www.zohoapis.com.au", "https://accounts.zoho.com.au"),
            ("https://www.zohoapis.jp", "https://accounts.zoho.jp"),
            ("https://www.zohoapis.ca", "https://accounts.zohocloud.ca"),
            ("https://www.zohoapis.sa", "https://accounts.zoho.sa"),
            ("https://www.zohoapis.com.cn", "https://accounts.zoho.com.cn"),
        ],
        scope: "ZohoCRM.modules.leads.ALL,ZohoCRM.modules.contacts.ALL,ZohoCRM.modules.notes.ALL,\
                ZohoCRM.modules.deals.ALL,ZohoCRM.modules.tasks.ALL,ZohoCRM.settings.ALL,ZohoCRM.coql.READ,\
                ZohoCRM.org.READ,ZohoCRM.users.READ",
        needs_redirect: false,
        lacks_scope: Some("OAUTH_SCOPE_MISMATCH"),
    }),
    documentation: "https://www.zoho.com/crm/developer/docs/api/v8/",
    capability: Capability {
        batch: BATCH,
        native_key: true,
        person: Delivery::Exact,
        activity: Delivery::FindThenWrite,
        deal: Delivery::Exact,
        task: Delivery::FindThenWrite,
        deals_of: &["contact"],
        // Not documented; as careful as with the others.
        search_lag: Duration::from_secs(30),
        notices: NoticeProof::SharedSecret,
        quiet: true,
    },
    limits: &credits::LIMITS,
};

/// Zoho's module for our word.
fn module(object: &str) -> &'static str {
    PEOPLE.into_iter().find(|(word, _)| *word == object).map_or("Deals", |(_, module)| module)
}

impl Crm for Zoho {
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
