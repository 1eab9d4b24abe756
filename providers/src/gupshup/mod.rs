//! Gupshup: its own format (v2), and Meta's passed on (v3).
//!
//! In: a path token or a header, for nothing is signed; a JSON body, an event each in v2. Out: items. The
//! versions are told apart by each request: answers to flows come as v3 to apps of v2, too.
//!
//! <https://docs.gupshup.io/docs/inbound-messages>, <https://docs.gupshup.io/docs/user-event>,
//! <https://partner-docs.gupshup.io/docs/events>, <https://partner-docs.gupshup.io/docs/bsuid>.
//!
//! Doubts, and how they are met: v2 is not known to tell of ads, so that a message without a referral says
//! nothing; the places where one could stand are looked at all the same. `source` may hold a business-scoped id,
//! a test's `9876543210_1`, or nothing: each phone field is tested. The time of a status is in seconds, of
//! everything else in milliseconds; both are taken anywhere. Checks of the URL are items without content:
//! the endpoint answers them like all others, with 200 and an empty body.
//!
//! Here is what tells the versions apart; `v2.rs` reads Gupshup's own, in the shapes of `wire.rs`.

mod v2;
mod wire;

use crate::json::{body_text, read};
use crate::meta::body::{self, Source};
use crate::provider::{About, Account, Item, Malformed, Passed, Passes, Provider, Skip, Verified};
use crate::signature::Scheme;
use serde_json::Value;
use wabridge_model::event::Fact;

static ABOUT: About = About {
    slug: "gupshup",
    name: "Gupshup",
    scheme: Scheme::SharedSecret,
    proof_headers: &[],
    documentation: "https://docs.gupshup.io/docs/inbound-messages",
    passes: Passes {
        phone: Passed::If("absent for people with a username"),
        bsuid: Passed::If("when switched on for the app"),
        name: Passed::Yes,
        wamid: Passed::If("v2 has older ids for some apps"),
        ad: Passed::If("v3"),
        click_id: Passed::If("v3, not from ads placed in Status"),
        echoes: Passed::If("v3, field `smb_message_echoes`"),
        statuses: Passed::Yes,
        opt_outs: Passed::Yes,
        time: Passed::Yes,
        business_number: Passed::Yes,
    },
    retries: true,
};

/// Gupshup, by its subscriptions of version 2 and 3.
#[derive(Debug)]
pub struct Gupshup;

impl Provider for Gupshup {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn normalise(&self, request: &Verified<'_>, account: &Account) -> Result<Vec<Item>, Malformed> {
        let text = body_text(request.body())?;
        let shape: wire::Shape<'_> = read(&text)?;
        if shape.entry.is_none() && shape.object.is_none() {
            return Ok(vec![v2::item(&text, account).unwrap_or_else(Item::Quarantined)]);
        }
        let number = Source::only_number(account);
        let source = Source { account, space: "gs", app: shape.gs_app_id.get(), number };
        let items = body::items(&text, source)?;
        Ok(items.into_iter().map(without_checks).collect())
    }

    fn advice(&self, recent: &[&[u8]]) -> Vec<&'static str> {
        let newest = match recent {
            [] => return vec![VERSION, USER_IDS],
            recent => recent.iter().find_map(|body| serde_json::from_slice(body).ok().filter(is_message)),
        };
        let Some(newest): Option<Value> = newest else { return Vec::new() };
        let is_second = newest.get("entry").is_none();
        let user_id = if is_second { V2_USER_ID } else { V3_USER_ID };
        let without_id = newest.pointer(user_id).is_none();
        [(is_second, VERSION), (without_id, USER_IDS)]
            .into_iter()
            .filter_map(|(is, text)| is.then_some(text))
            .collect()
    }
}

const VERSION: &str = "version 2 of Gupshup's format names no ad, no click and no echo; add a subscription of version 3, \
                       then take the other one away";
const USER_IDS: &str = "without user ids (BSUID) a customer who hides the number is nobody; let Gupshup switch them on \
                        for the app";
const V2_USER_ID: &str = "/payload/sender/userId";
const V3_USER_ID: &str = "/entry/0/changes/0/value/contacts/0/user_id";

/// Whether a body of either version holds a customer's message.
fn is_message(body: &Value) -> bool {
    body["type"] == "message" || body.pointer("/entry/0/changes/0/value/messages").is_some()
}

/// Gupshup's check of the URL, by its name.
const CHECK: &str = "connectivity-check";

/// The check says nothing of the account.
fn without_checks(item: Item) -> Item {
    let is_check = matches!(&item, Item::Event(event) if matches!(
        &event.fact,
        Fact::Account(notice) if notice.field == "platform-event" && notice.state.as_deref() == Some(CHECK)
    ));
    if is_check { Item::Skipped(Skip::NoContent) } else { item }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2: &[u8] = include_bytes!("../../../fixtures/providers/gupshup/text/body.json");
    const V2_ID: &[u8] = include_bytes!("../../../fixtures/providers/gupshup/number-and-user-id/body.json");
    const V3: &[u8] = include_bytes!("../../../fixtures/providers/gupshup/v3-click-to-whatsapp-ad/body.json");
    const STATUS: &[u8] = include_bytes!("../../../fixtures/providers/gupshup/status-enqueued/body.json");

    #[test]
    fn a_better_version_and_user_ids_are_advised_by_the_newest_message() {
        let cases: [(&[&[u8]], &[&str]); 7] = [
            (&[], &[VERSION, USER_IDS]),
            (&[V2], &[VERSION, USER_IDS]),
            (&[STATUS, V2_ID, V3], &[VERSION]),
            (&[V3, V2], &[USER_IDS]),
            (&[STATUS], &[]),
            (&[b"{", STATUS, V2_ID], &[VERSION]),
            (&[br#"{"entry":[{"changes":[{"value":{"messages":[{}],"contacts":[{"user_id":"IN.1"}]}}]}]}"#], &[]),
        ];
        for (recent, expected) in cases {
            assert_eq!(Gupshup.advice(recent), expected);
        }
    }
}
