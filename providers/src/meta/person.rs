//! Who an item is about: its own names, and the contact that belongs to it.
//!
//! In: the name fields of an item and the value's `contacts[]`. Out: a [`Person`]. A contact is joined by
//! what it says, never by its place: the lists may differ in length, and a batch mixes senders.
//! <https://developers.facebook.com/docs/whatsapp/business-scoped-user-ids>

use super::wire;
use crate::json::{List, read};
use std::collections::HashMap;
use wabridge_model::event::Person;
use wabridge_model::id::Bsuid;
use wabridge_model::{Country, Phone};

/// Up to here a walk through the contacts is quicker than a map of them.
const FEW: usize = 8;

/// The names one item gives a customer, as sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Names<'t> {
    pub(super) phone: Option<&'t str>,
    pub(super) bsuid: Option<&'t str>,
    pub(super) parent_bsuid: Option<&'t str>,
}

impl Names<'_> {
    /// Whether there is any name.
    pub(super) fn are_any(&self) -> bool {
        self.phone.is_some() || self.bsuid.is_some() || self.parent_bsuid.is_some()
    }
}

/// The contacts of one value.
#[derive(Debug, Default)]
pub(super) struct Contacts<'a> {
    list: Vec<wire::Contact<'a>>,
    /// From `wa_id` and `user_id` to the place in the list, where there are more than a few.
    index: HashMap<Box<str>, usize>,
}

impl<'a> Contacts<'a> {
    /// Reads the lists of contacts. One that cannot be read names nobody: it must not fail a message.
    pub(super) fn read(lists: &[&List<'a>]) -> Contacts<'a> {
        let list: Vec<wire::Contact<'a>> =
            lists.iter().flat_map(|list| list.items()).filter_map(|raw| read(raw.get()).ok()).collect();
        let mut index = HashMap::new();
        if list.len() > FEW {
            for (place, contact) in list.iter().enumerate() {
                for id in [contact.wa_id.get().map(digits), contact.user_id.get()].into_iter().flatten() {
                    index.entry(Box::from(id)).or_insert(place);
                }
            }
        }
        Contacts { list, index }
    }

    fn find(&self, id: &str) -> Option<&wire::Contact<'a>> {
        let id = digits(id);
        if self.list.len() > FEW {
            return self.index.get(id).map(|place| &self.list[*place]);
        }
        let fits = |text: Option<&str>| text.is_some_and(|text| digits(text) == id);
        self.list.iter().find(|contact| fits(contact.wa_id.get()) || fits(contact.user_id.get()))
    }

    /// The contact of an item with these names.
    fn of(&self, names: Names<'_>) -> Option<&wire::Contact<'a>> {
        names.phone.and_then(|id| self.find(id)).or_else(|| names.bsuid.and_then(|id| self.find(id)))
    }

    /// The only contact, for the only item of a value, where none is named by both.
    ///
    /// It is the sender's when the item has no phone of its own and contradicts none of the contact's ids,
    /// or when the two phones are spellings of one account (Brazil, Mexico, Argentina): Meta says that
    /// `wa_id` may differ from `from`.
    fn only(&self, names: Names<'_>) -> Option<&wire::Contact<'a>> {
        let [contact] = self.list.as_slice() else { return None };
        let differ =
            matches!((names.bsuid, contact.user_id.get()), (Some(ours), Some(theirs)) if ours != theirs);
        let same_account = match (names.phone, contact.wa_id.get()) {
            (None, _) => true,
            (Some(ours), Some(theirs)) => are_spellings_of_one(ours, theirs),
            (Some(_), None) => false,
        };
        (same_account && !differ).then_some(contact)
    }
}

/// The person behind these names, with what the contacts add. `alone`: the value has no other item.
pub(super) fn person(names: Names<'_>, contacts: &Contacts<'_>, alone: bool, country: Country) -> Person {
    let mut person = Person {
        bsuid: names.bsuid.and_then(Bsuid::parse),
        parent_bsuid: names.parent_bsuid.and_then(Bsuid::parse),
        ..Person::default()
    };
    take_phone(&mut person, names.phone, country);
    let contact = contacts.of(names).or_else(|| alone.then(|| contacts.only(names)).flatten());
    if let Some(contact) = contact {
        add(&mut person, contact, country);
    }
    person
}

/// Adds what the contact knows and the item did not say.
fn add(person: &mut Person, contact: &wire::Contact<'_>, country: Country) {
    if person.bsuid.is_none() {
        person.bsuid = contact.user_id.get().and_then(Bsuid::parse);
    }
    if person.parent_bsuid.is_none() {
        person.parent_bsuid = contact.parent_user_id.get().and_then(Bsuid::parse);
    }
    take_phone(person, contact.wa_id.get(), country);
    if let Some(profile) = &contact.profile {
        person.name = profile.name.owned();
        person.username = profile.username.owned();
    }
}

/// Takes a phone field, if there is no phone yet. Early payloads carry a business-scoped id there.
pub(crate) fn take_phone(person: &mut Person, field: Option<&str>, country: Country) {
    let Some(text) = field else { return };
    if let Some(id) = Bsuid::parse(text) {
        let place =
            if id.as_str()[2..].starts_with(".ENT.") { &mut person.parent_bsuid } else { &mut person.bsuid };
        place.get_or_insert(id);
    } else if person.phone.is_none()
        && let Some(phone) = read_phone(text, country)
    {
        person.phone_as_sent = (text != digits(phone.e164())).then(|| text.to_owned());
        person.phone = Some(phone);
    }
}

/// A WhatsApp id as sent, else an international number in a human spelling. A national number is no id of
/// WhatsApp's: it would be a guess.
fn read_phone(text: &str, country: Country) -> Option<Phone> {
    let text = text.trim();
    Phone::from_whatsapp_id(text)
        .ok()
        .or_else(|| text.starts_with('+').then(|| Phone::parse(text, country).ok()).flatten())
}

/// A phone field of an item, when it holds a phone.
pub(super) fn phone(field: Option<&str>, country: Country) -> Option<Phone> {
    field.filter(|text| Bsuid::parse(text).is_none()).and_then(|text| read_phone(text, country))
}

/// The WhatsApp id without the `+` that some senders add.
pub(super) fn digits(id: &str) -> &str {
    id.strip_prefix('+').unwrap_or(id)
}

fn are_spellings_of_one(ours: &str, theirs: &str) -> bool {
    match (Phone::from_whatsapp_id(ours), Phone::from_whatsapp_id(theirs)) {
        (Ok(ours), Ok(theirs)) => ours == theirs || ours.match_set().contains(&theirs),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(json: &str, test: impl FnOnce(&Contacts<'_>) -> T) -> T {
        let list: List<'_> = serde_json::from_str(json).unwrap();
        test(&Contacts::read(&[&list]))
    }

    fn name_of(names: Names<'_>, contacts: &Contacts<'_>, alone: bool) -> Option<String> {
        person(names, contacts, alone, Country::INDIA).name
    }

    #[test]
    fn contacts_are_joined_by_id_among_few_and_among_many() {
        for count in [2_u64, 500] {
            let json: Vec<String> = (0..count)
                .map(|n| {
                    format!(
                        r#"{{"wa_id":"{}","user_id":"IN.{n}","profile":{{"name":"N{n}"}}}}"#,
                        919_990_000_000 + n
                    )
                })
                .collect();
            with(&format!("[{}]", json.join(",")), |contacts| {
                let by_phone = Names { phone: Some("+919990000001"), ..Names::default() };
                let by_id = Names { bsuid: Some("IN.1"), ..Names::default() };
                let in_from = Names { phone: Some("IN.0"), ..Names::default() };
                assert_eq!(name_of(by_phone, contacts, false).as_deref(), Some("N1"));
                assert_eq!(name_of(by_id, contacts, false).as_deref(), Some("N1"));
                assert_eq!(name_of(in_from, contacts, false).as_deref(), Some("N0"));
                assert_eq!(
                    name_of(Names { phone: Some("919990009999"), ..by_id }, contacts, true).as_deref(),
                    Some("N1")
                );
                assert_eq!(
                    name_of(Names { phone: Some("919990009999"), ..Names::default() }, contacts, true),
                    None
                );
            });
        }
    }

    #[test]
    fn the_only_contact_is_taken_only_when_nothing_contradicts_it() {
        with(r#"[{"wa_id":"919990000001","user_id":"IN.1","profile":{"name":"N"}}]"#, |contacts| {
            assert_eq!(name_of(Names::default(), contacts, true).as_deref(), Some("N"));
            assert_eq!(name_of(Names::default(), contacts, false), None);
            assert_eq!(name_of(Names { bsuid: Some("IN.2"), ..Names::default() }, contacts, true), None);
            assert_eq!(
                name_of(Names { phone: Some("919990000002"), ..Names::default() }, contacts, true),
                None
            );
        });
    }

    #[test]
    fn the_only_contact_may_spell_the_senders_number_in_another_way() {
        with(r#"[{"wa_id":"525550000000","user_id":"MX.1","profile":{"name":"N"}}]"#, |contacts| {
            let names = Names { phone: Some("5215550000000"), ..Names::default() };
            let found = person(names, contacts, true, Country::INDIA);
            assert_eq!(found.name.as_deref(), Some("N"));
            assert_eq!(found.phone, Phone::from_whatsapp_id("5215550000000").ok());
            assert_eq!(found.bsuid, Bsuid::parse("MX.1"));
            assert_eq!(name_of(names, contacts, false), None);
        });
    }

    #[test]
    fn a_contact_of_a_strange_shape_names_nobody_and_fails_nothing() {
        with(
            r#"[5, {"profile":[]}, {"wa_id":{},"user_id":[1]}, {"wa_id":"919990000001","profile":{"name":"N"}}]"#,
            |contacts| {
                let names = Names { phone: Some("919990000001"), ..Names::default() };
                assert_eq!(name_of(names, contacts, false).as_deref(), Some("N"));
            },
        );
    }

    #[test]
    fn a_phone_field_may_hold_a_business_scoped_id_and_a_national_number_is_no_id() {
        let none = Contacts::default();
        let of = |text| person(Names { phone: Some(text), ..Names::default() }, &none, true, Country::INDIA);
        assert_eq!(of("IN.7").bsuid, Bsuid::parse("IN.7"));
        assert_eq!(of("IN.ENT.7").parent_bsuid, Bsuid::parse("IN.ENT.7"));
        assert_eq!(of("919990000001").phone_as_sent, None);
        assert_eq!(of("+919990000001").phone_as_sent.as_deref(), Some("+919990000001"));
        assert!(!of("09990000001").is_identified() && !of("nobody").is_identified());
    }
}
