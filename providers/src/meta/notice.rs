//! What is no message and yet about a person: statuses, preferences, calls, changes of id.
//!
//! In: the text of one item. Out: one [`Event`]. Keys are in spaces of their own, so
//! that a status never meets the message it is about.
//! <https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference>

use super::person::{Names, digits};
use super::scene::Scene;
use super::wire;
use crate::json::{Text, instant, loose, read};
use crate::provider::Malformed;
use jiff::Timestamp;
use serde::Deserialize;
use wabridge_model::event::{
    Call, CallDirection, Choice, Event, Fact, IdentityChange, Person, Preference, Status, StatusState,
};
use wabridge_model::id::{Bsuid, EventKey};

/// One of `statuses[]`.
pub(super) fn status(scene: &Scene<'_>, json: &str) -> Result<Event, Malformed> {
    let status: wire::Status<'_> = read(json)?;
    if status.kind.get() == Some("call") {
        return call_status(scene, &status);
    }
    let id = status.meta_msg_id.get().map_or_else(|| status.id.required("id"), Ok)?;
    let state = status.status.required("status")?;
    let participant = status.recipient_participant_id.get().or(status.recipient_participant_user_id.get());
    let fact = Fact::Status(Status {
        message_id: id.to_owned(),
        state: match state {
            // Gupshup's word for a message that it has taken and not yet passed on.
            "enqueued" => StatusState::Queued,
            other => StatusState::from(other),
        },
        codes: codes(&status),
        free_entry_until: free_entry_until(&status),
    });
    Ok(Event {
        key: EventKey::new("st", &[scene.key(), id, state, participant.unwrap_or_default()]),
        business: scene.business.clone(),
        occurred_at: Some(status.timestamp.required_instant("timestamp")?),
        person: recipient(scene, &status),
        fact,
    })
}

/// The customer a status is about. In a group that is the participant, never the group.
fn recipient(scene: &Scene<'_>, status: &wire::Status<'_>) -> Person {
    if status.recipient_type.get() == Some("group") {
        let names = Names {
            phone: status.recipient_participant_id.get(),
            bsuid: status.recipient_participant_user_id.get(),
            parent_bsuid: status.recipient_participant_parent_user_id.get(),
        };
        return if names.are_any() { scene.person(names) } else { Person::default() };
    }
    scene.person(Names {
        phone: status.recipient_id.get(),
        bsuid: status.recipient_user_id.get(),
        parent_bsuid: status.parent_recipient_user_id.get().or(status.parent_user_id.get()),
    })
}

fn codes(status: &wire::Status<'_>) -> Vec<u32> {
    let errors = status.errors.as_deref().unwrap_or_default();
    errors.iter().filter_map(|error| error.code.get()?.parse().ok()).collect()
}

/// The end of the free entry point: `expiration_timestamp` names other ends, too, in versions before 24.
fn free_entry_until(status: &wire::Status<'_>) -> Option<Timestamp> {
    let conversation = status.conversation.as_ref()?;
    let origin = conversation.origin.as_ref().and_then(|origin| origin.kind.get());
    let pricing = status.pricing.as_ref().and_then(|pricing| pricing.kind.get());
    let is_free_entry = origin == Some("referral_conversion") || pricing == Some("free_entry_point");
    is_free_entry.then(|| conversation.expiration_timestamp.get().and_then(instant)).flatten()
}

/// A status of a call of the business: `RINGING`, `ACCEPTED`, `REJECTED`.
fn call_status(scene: &Scene<'_>, status: &wire::Status<'_>) -> Result<Event, Malformed> {
    let (id, state) = (status.id.required("id")?, status.status.required("status")?);
    let fact = Fact::Call(Call {
        id: id.to_owned(),
        step: state.to_lowercase(),
        direction: CallDirection::ByBusiness,
        answered: state == "ACCEPTED",
    });
    Ok(Event {
        key: EventKey::new("call", &[id, "status", state]),
        business: scene.business.clone(),
        occurred_at: Some(status.timestamp.required_instant("timestamp")?),
        person: recipient(scene, status),
        fact,
    })
}

/// One of `calls[]`.
pub(super) fn call(scene: &Scene<'_>, json: &str) -> Result<Event, Malformed> {
    let call: wire::Call<'_> = read(json)?;
    let (id, step) = (call.id.required("id")?, call.event.required("event")?);
    let direction = match call.direction.get() {
        Some("USER_INITIATED") => CallDirection::ByCustomer,
        _ => CallDirection::ByBusiness,
    };
    let fact =
        Fact::Call(Call { id: id.to_owned(), step: step.to_owned(), direction, answered: answered(&call) });
    Ok(Event {
        key: EventKey::new("call", &[id, step, call.status.get().unwrap_or_default()]),
        business: scene.business.clone(),
        occurred_at: Some(call.timestamp.required_instant("timestamp")?),
        person: scene.person(other_side(scene, &call, direction)),
        fact,
    })
}

/// Whether the call was taken. A stated duration decides: a call may be `COMPLETED` after no second.
fn answered(call: &wire::Call<'_>) -> bool {
    let lasted = call.duration.get().and_then(|text| text.parse::<f64>().ok());
    match (call.status.get(), lasted) {
        (Some("ACCEPTED"), _) => true,
        (_, Some(seconds)) => seconds > 0.0,
        (Some("COMPLETED"), None) => true,
        _ => false,
    }
}

/// The customer's side of a call. Meta's own examples mix up `from` and `to` of a business's call, so the
/// side that is our number is never taken for the customer.
fn other_side<'t>(scene: &Scene<'_>, call: &'t wire::Call<'_>, direction: CallDirection) -> Names<'t> {
    let is_ours = |text: &Text<'_>| text.get().is_some_and(|text| scene.is_own_number(text));
    let customer_called = direction == CallDirection::ByCustomer;
    let from_is_customer = if customer_called { !is_ours(&call.from) } else { is_ours(&call.to) };
    let (near, far) = if customer_called {
        ((&call.from_user_id, &call.from_parent_user_id), (&call.to_user_id, &call.to_parent_user_id))
    } else {
        ((&call.to_user_id, &call.to_parent_user_id), (&call.from_user_id, &call.from_parent_user_id))
    };
    let phone = if from_is_customer { &call.from } else { &call.to };
    Names {
        phone: phone.get().filter(|text| !scene.is_own_number(text)),
        // Only the customer has such ids, so whichever side has one is the customer's.
        bsuid: near.0.get().or(far.0.get()),
        parent_bsuid: near.1.get().or(far.1.get()),
    }
}

/// One of `user_preferences[]`.
pub(super) fn preference(scene: &Scene<'_>, json: &str) -> Result<Event, Malformed> {
    let preference: wire::Preference<'_> = read(json)?;
    let category = preference.category.required("category")?;
    let choice = preference.value.required("value")?;
    let at = preference.timestamp.required_instant("timestamp")?;
    let user = preference.user_id.get().or(preference.wa_id.get().map(digits)).unwrap_or_default();
    Ok(Event {
        key: EventKey::new("pref", &[scene.entry_id, user, category, choice, &at.as_second().to_string()]),
        business: scene.business.clone(),
        occurred_at: Some(at),
        person: scene.person(Names {
            phone: preference.wa_id.get(),
            bsuid: preference.user_id.get(),
            parent_bsuid: preference.parent_user_id.get(),
        }),
        fact: Fact::Preference(Preference { category: category.to_owned(), choice: Choice::from(choice) }),
    })
}

/// One of `user_id_update[]`.
pub(super) fn user_id_update(scene: &Scene<'_>, json: &str) -> Result<Event, Malformed> {
    let update: UserIdUpdate<'_> = read(json)?;
    let nothing = Changed::default();
    let id = update.user_id.as_ref().unwrap_or(&nothing);
    let parent = update.parent_user_id.as_ref().unwrap_or(&nothing);
    let current = id.current.get().or(parent.current.get());
    let current = current.ok_or_else(|| crate::json::missing("user_id.current"))?;
    let previous = id.previous.get().or(parent.previous.get()).unwrap_or_default();
    let at = match update.timestamp.get() {
        Some(_) => Some(update.timestamp.required_instant("timestamp")?),
        None => None,
    };
    Ok(Event {
        key: EventKey::new("uid", &[scene.key(), previous, current]),
        business: scene.business.clone(),
        occurred_at: at,
        person: scene.person(Names {
            phone: update.wa_id.get(),
            bsuid: id.current.get(),
            parent_bsuid: parent.current.get(),
        }),
        fact: Fact::IdentityChange(IdentityChange {
            previous_phone: None,
            previous_bsuid: id.previous.get().and_then(Bsuid::parse),
            previous_parent_bsuid: parent.previous.get().and_then(Bsuid::parse),
        }),
    })
}

/// `user_id_update[]`: documented in early 2026 and withdrawn, yet sent by some versions.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct UserIdUpdate<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    wa_id: Text<'a>,
    #[serde(borrow)]
    user_id: Option<Changed<'a>>,
    #[serde(borrow)]
    parent_user_id: Option<Changed<'a>>,
    #[serde(borrow)]
    timestamp: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Changed<'a> {
    #[serde(borrow, deserialize_with = "loose")]
    previous: Text<'a>,
    #[serde(borrow, deserialize_with = "loose")]
    current: Text<'a>,
}
