//! `messages[]` and `message_echoes[]`: what the customer wrote, what the business wrote elsewhere, and
//! the notices of WhatsApp that come in their place.
//!
//! In: the text of one item. Out: one [`Event`], keyed by the business number and the wamid. An unknown
//! type is a message like any other: it opens the window, and a referral on it counts.
//! <https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference/messages>

use super::person::{Names, phone, take_phone};
use super::scene::Scene;
use super::wire;
use crate::json::{Text, read};
use crate::provider::Malformed;
use serde_json::value::RawValue;
use wabridge_model::event::{
    Echo, Event, Fact, IdentityChange, Message, MessageKind, Person, Referral, ReferralReport,
};
use wabridge_model::id::Bsuid;

/// One of `messages[]`.
pub(super) fn message(scene: &Scene<'_>, json: &str) -> Result<Event, Malformed> {
    let message: wire::Message<'_> = read(json)?;
    if message.kind.get() == Some("system") {
        return system(scene, &message);
    }
    let names = Names {
        phone: message.from.get(),
        bsuid: message.from_user_id.get(),
        parent_bsuid: message.from_parent_user_id.get(),
    };
    let mut person = scene.person(names);
    let (kind, text) = content(&message);
    take_shared_phone(&mut person, &message, scene);
    let fact = Fact::Message(Message {
        text,
        group: message.group_id.get().is_some(),
        referral: referral(message.referral),
        ..Message::new(message.id.required("id")?, kind)
    });
    event(scene, &message, person, fact)
}

/// One of `message_echoes[]`: from the business, to the customer.
pub(super) fn echo(scene: &Scene<'_>, json: &str) -> Result<Event, Malformed> {
    let message: wire::Message<'_> = read(json)?;
    let (kind, text) = content(&message);
    // An echo into a group is to nobody in particular.
    let person = if message.group_id.get().is_some() {
        Person::default()
    } else {
        scene.person(Names {
            phone: message.to.get(),
            bsuid: message.to_user_id.get(),
            parent_bsuid: message.to_parent_user_id.get(),
        })
    };
    let fact = Fact::Echo(Echo { id: message.id.required("id")?.to_owned(), kind, text, history: false });
    event(scene, &message, person, fact)
}

/// The event of a message or an echo.
pub(super) fn event(
    scene: &Scene<'_>,
    message: &wire::Message<'_>,
    person: Person,
    fact: Fact,
) -> Result<Event, Malformed> {
    Ok(Event {
        key: scene.message_key(message.id.required("id")?),
        business: scene.business.clone(),
        occurred_at: Some(message.timestamp.required_instant("timestamp")?),
        person,
        fact,
    })
}

/// The kind, and one line that a person would read.
pub(super) fn content(message: &wire::Message<'_>) -> (MessageKind, Option<String>) {
    let kind = match message.unsupported.as_ref().and_then(|unsupported| unsupported.kind.get()) {
        // An edit that this API version cannot show is still an edit: it opens no window.
        Some("edit") => MessageKind::Edit,
        Some("revoke") => MessageKind::Revoke,
        _ => match message.kind.get() {
            // The older API had a type of its own for what is now `audio` with `voice: true`.
            Some("voice") => MessageKind::Audio,
            kind => MessageKind::from(kind.unwrap_or("unknown")),
        },
    };
    let text = match &kind {
        MessageKind::Text => message.text.as_ref().and_then(|text| text.body.owned()),
        MessageKind::Image => caption(message.image.as_ref()),
        MessageKind::Video => caption(message.video.as_ref()),
        MessageKind::Audio => caption(message.audio.as_ref()),
        MessageKind::Document => caption(message.document.as_ref()),
        MessageKind::Sticker => caption(message.sticker.as_ref()),
        MessageKind::Location => message.location.as_ref().and_then(place),
        MessageKind::Contacts => message.contacts.as_deref().and_then(card_names),
        MessageKind::Button => message.button.as_ref().and_then(|b| first([&b.text, &b.payload])),
        MessageKind::Interactive => message.interactive.as_ref().and_then(reply),
        MessageKind::Order => message.order.as_ref().and_then(|order| order.text.owned()),
        MessageKind::Reaction => message.reaction.as_ref().and_then(|reaction| reaction.emoji.owned()),
        MessageKind::Edit => {
            message.edit.as_ref().and_then(|edit| edit.message.as_deref()).and_then(|inner| content(inner).1)
        }
        MessageKind::RequestWelcome
        | MessageKind::Unsupported
        | MessageKind::Revoke
        | MessageKind::Other(_) => None,
    };
    (kind, text)
}

fn first<const N: usize>(texts: [&Text<'_>; N]) -> Option<String> {
    texts.into_iter().find_map(Text::owned)
}

fn caption(media: Option<&wire::Media<'_>>) -> Option<String> {
    media.and_then(|media| first([&media.caption, &media.filename]))
}

fn place(location: &wire::Location<'_>) -> Option<String> {
    first([&location.name, &location.address])
        .or_else(|| Some(format!("{}, {}", location.latitude.get()?, location.longitude.get()?)))
}

fn card_names(cards: &[wire::Card<'_>]) -> Option<String> {
    let names: Vec<&str> = cards
        .iter()
        .filter_map(|card| card.name.as_ref())
        .filter_map(|name| name.formatted_name.get().or(name.first_name.get()))
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The answer's title. A flow's `body` is a fixed word; what was filled in stays in the request.
fn reply(interactive: &wire::Interactive<'_>) -> Option<String> {
    let choice = interactive.button_reply.as_ref().or(interactive.list_reply.as_ref());
    let flow = interactive.nfm_reply.as_ref();
    choice
        .and_then(|choice| first([&choice.title, &choice.id]))
        .or_else(|| flow.and_then(|flow| first([&flow.body, &flow.name])))
        .or_else(|| interactive.call_permission_reply.as_ref().and_then(|reply| reply.response.owned()))
}

/// Takes the phone that the sender shared when asked for it, where they have none yet.
///
/// Only a single card counts: who sends several sends other people's. A forwarded card has another origin.
fn take_shared_phone(person: &mut Person, message: &wire::Message<'_>, scene: &Scene<'_>) {
    if person.phone.is_some() || message.origin.get() != Some("contact_request") {
        return;
    }
    let Some([card]) = message.contacts.as_deref() else { return };
    let phones = card.phones.as_deref().unwrap_or_default();
    let shared = phones.iter().find_map(|phone| phone.wa_id.get()).or_else(|| {
        let country = scene.country();
        phones.iter().filter_map(|entry| entry.phone.get()).find(|text| phone(Some(text), country).is_some())
    });
    take_phone(person, shared, scene.country());
}

/// What the message says about the ad behind it.
pub(crate) fn referral(raw: Option<&RawValue>) -> ReferralReport {
    let Some(raw) = raw else { return ReferralReport::Absent };
    let Ok(referral) = read::<wire::Referral<'_>>(raw.get()) else { return ReferralReport::Malformed };
    let referral = Referral {
        ctwa_clid: referral.ctwa_clid.owned(),
        source_id: referral.source_id.owned(),
        source_type: referral.source_type.owned(),
        source_url: referral.source_url.owned(),
        headline: referral.headline.owned(),
        body: referral.body.owned(),
        media_type: referral.media_type.owned(),
        click_id_stripped: false,
    };
    if referral == Referral::default() {
        return ReferralReport::Malformed;
    }
    ReferralReport::Present(Box::new(referral))
}

/// A notice of WhatsApp's in the place of a message: a change of number or id, or another one.
///
/// Of the change we accept `new_wa_id` (until 2021), `wa_id` (since 2022), and both types of August 2026;
/// the withdrawn field `user_id_update` is read in `notice.rs`. The names on the message itself are the
/// old ones, except where they equal the new.
pub(super) fn system(scene: &Scene<'_>, message: &wire::Message<'_>) -> Result<Event, Malformed> {
    let nothing = wire::System::default();
    let system = message.system.as_ref().unwrap_or(&nothing);
    let mut person = Person {
        bsuid: system.user_id.get().and_then(Bsuid::parse),
        parent_bsuid: system.parent_user_id.get().and_then(Bsuid::parse),
        ..Person::default()
    };
    take_phone(&mut person, system.wa_id.get().or(system.new_wa_id.get()), scene.country());
    let kind = system.kind.get();
    let is_change = match kind {
        Some(kind) => kind.contains("changed_number") || kind.contains("changed_user_id"),
        None => true,
    };
    if is_change && person.is_identified() {
        let previous = previous_names(message, system, &person, scene);
        return event(scene, message, person, Fact::IdentityChange(previous));
    }
    let names = Names {
        phone: message.from.get().or(system.customer.get()),
        bsuid: message.from_user_id.get(),
        parent_bsuid: message.from_parent_user_id.get(),
    };
    let fact = Fact::System { kind: kind.unwrap_or("system").to_owned() };
    event(scene, message, scene.person(names), fact)
}

fn previous_names(
    message: &wire::Message<'_>,
    system: &wire::System<'_>,
    new: &Person,
    scene: &Scene<'_>,
) -> IdentityChange {
    let id = |explicit: &Text<'_>, of_message: &Text<'_>| {
        explicit.get().and_then(Bsuid::parse).or_else(|| of_message.get().and_then(Bsuid::parse))
    };
    // An early `from` may hold the old business-scoped id.
    let in_from = message.from.get().and_then(Bsuid::parse);
    let old_phone = phone(message.from.get(), scene.country())
        .or_else(|| phone(system.customer.get(), scene.country()))
        .filter(|old| new.phone.as_ref() != Some(old));
    IdentityChange {
        previous_phone: old_phone,
        previous_bsuid: id(&system.previous_user_id, &message.from_user_id)
            .or(in_from)
            .filter(|old| new.bsuid.as_ref() != Some(old)),
        previous_parent_bsuid: id(&system.previous_parent_user_id, &message.from_parent_user_id)
            .filter(|old| new.parent_bsuid.as_ref() != Some(old)),
    }
}
