//! Who is meant: a reference to a lead in any spelling, and the lead behind it.
//!
//! In: a lead id, BSUID, e-mail address, username or phone as a person writes it. Out: the lead, nobody, or
//! the ids of several. Whoever holds a name now goes before those who held it; a phone is looked up as
//! written before its match set. Only people who did something are leads, and disputed names find nobody.

use crate::store::{LeadIds, Leads, StoreError, StoreErrorKind};
use jiff::Timestamp;
use std::cmp::Reverse;
use uuid::Uuid;
use wabridge_model::cluster::Cluster;
use wabridge_model::evidence::Evidence;
use wabridge_model::id::{Bsuid, Email, Identity, IdentityKind, LeadId};
use wabridge_model::lead::{Lead, Name};
use wabridge_model::{Country, Phone};

/// Reads are not of one snapshot: people who are joined in between are looked for again, this often at most.
const TRIES: usize = 5;

/// A lead as someone names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// The id of a lead.
    Id(LeadId),
    /// A business-scoped user id, or a parent one.
    Bsuid(Bsuid),
    /// An e-mail address.
    Email(Email),
    /// A username, without `@`.
    Username(String),
    /// A phone number.
    Phone(Phone),
    /// International digits that no numbering plan explains: a phone only if it is somebody's WhatsApp id.
    WhatsappId(Phone),
}

impl Reference {
    /// Reads any spelling; a number without a country code belongs to `country`.
    #[must_use]
    pub fn parse(text: &str, country: Country) -> Option<Reference> {
        let text = text.trim();
        if let Ok(id) = Uuid::try_parse(text) {
            return Some(Reference::Id(LeadId(id)));
        }
        if let Some(id) = Bsuid::parse(text) {
            return Some(Reference::Bsuid(id));
        }
        if let Some(email) = Email::parse(text) {
            return Some(Reference::Email(email));
        }
        Reference::parse_phone(text, country).or_else(|| username(text).map(Reference::Username))
    }

    /// Reads a phone number in any spelling.
    #[must_use]
    pub fn parse_phone(text: &str, country: Country) -> Option<Reference> {
        match Phone::parse(text, country) {
            Ok(phone) => Some(Reference::Phone(phone)),
            Err(_) => Phone::from_whatsapp_id(text.trim()).ok().map(Reference::WhatsappId),
        }
    }

    fn is_phone(&self) -> bool {
        matches!(self, Reference::Phone(_) | Reference::WhatsappId(_))
    }

    /// The names to look for, the likeliest first; each list is looked for only when those before found nobody.
    fn names(&self) -> Vec<Vec<Identity>> {
        let anywhere = |kind, value: &str| Identity { kind, scope: String::new(), value: value.to_owned() };
        match self {
            Reference::Id(_) => Vec::new(),
            Reference::Bsuid(id) => vec![vec![
                anywhere(IdentityKind::Bsuid, id.as_str()),
                anywhere(IdentityKind::ParentBsuid, id.as_str()),
            ]],
            Reference::Email(email) => vec![vec![Identity::email(email)]],
            Reference::Username(name) => vec![vec![Identity::username(name)]],
            Reference::Phone(phone) | Reference::WhatsappId(phone) => {
                let others = phone.match_set().iter().map(Identity::phone).collect();
                vec![vec![Identity::phone(phone)], others]
            }
        }
    }
}

/// A username, told from a mistyped phone by a letter in it.
fn username(text: &str) -> Option<String> {
    let (marked, name) = text.strip_prefix('@').map_or((false, text), |name| (true, name));
    let well_formed = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'));
    let is_name = marked || name.bytes().any(|b| b.is_ascii_alphabetic());
    (well_formed && is_name).then(|| name.to_owned())
}

/// Why nobody can be named.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The text is none of the spellings.
    #[error("not a phone number, lead id, BSUID, username or e-mail address")]
    Unreadable,
    /// It means several leads.
    #[error("it means {} leads; ask by one of their ids", ids.len())]
    Ambiguous {
        /// Whether it was a phone number.
        phone: bool,
        /// The leads.
        ids: Vec<LeadId>,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who is behind a reference.
#[derive(Debug, Clone)]
pub enum Found {
    /// A lead.
    Lead(Box<Person>),
    /// Nobody known; the phone number that was asked for, if it was one.
    Nobody(Option<Phone>),
}

/// A lead that was found.
#[derive(Debug, Clone)]
pub struct Person {
    /// Its cluster.
    pub cluster: i64,
    /// The id it answers under.
    pub id: LeadId,
    /// Whether it was asked for by another id, from before it was joined.
    pub merged: bool,
    /// Its state, now or at the instant asked for.
    pub lead: Lead,
}

impl Person {
    /// Where this lead is among `leads`, a fold of the same cluster.
    #[must_use]
    pub fn position_in(&self, leads: &[Lead]) -> Option<usize> {
        leads.iter().position(|lead| share_a_name(lead, &self.lead))
    }
}

/// Finds the lead behind a reference, as it is now, or as it was `at` an instant.
///
/// # Errors
/// [`FindError`], but never [`FindError::Unreadable`] for other than a doubtful WhatsApp id.
pub fn find(leads: &dyn Leads, reference: &Reference, at: Option<Timestamp>) -> Result<Found, FindError> {
    for _ in 0..TRIES {
        if let Some(mut candidates) = candidates(leads, reference, at)? {
            candidates.sort_by_key(|person| person.id);
            candidates.dedup_by_key(|person| person.id);
            return match (candidates.pop(), candidates.is_empty()) {
                (Some(person), true) => Ok(Found::Lead(Box::new(person))),
                (Some(last), false) => {
                    let ids = candidates.iter().chain([&last]).map(|person| person.id).collect();
                    Err(FindError::Ambiguous { phone: reference.is_phone(), ids })
                }
                (None, _) => nobody(reference),
            };
        }
    }
    Err(StoreError::new(StoreErrorKind::Busy, "find a lead").into())
}

fn nobody(reference: &Reference) -> Result<Found, FindError> {
    match reference {
        Reference::Phone(phone) => Ok(Found::Nobody(Some(phone.clone()))),
        Reference::WhatsappId(_) => Err(FindError::Unreadable),
        _ => Ok(Found::Nobody(None)),
    }
}

/// Everyone the reference may mean; `None` when a cluster was joined with another while it was looked for.
fn candidates(
    leads: &dyn Leads,
    reference: &Reference,
    at: Option<Timestamp>,
) -> Result<Option<Vec<Person>>, FindError> {
    if let Reference::Id(id) = reference {
        let Some((cluster, identity, tenure)) = leads.cluster_of(*id)? else { return Ok(Some(Vec::new())) };
        let Some(group) = Group::read(leads, cluster, at)? else { return Ok(None) };
        let bears = |name: &Name| name.bears_id() && name.identity == identity && name.tenure == tenure;
        let mut found = group.people(bears);
        if let Some(today) = group.not_yet(bears) {
            found = group.people(|name| today.names.iter().any(|own| is_same(own, name)));
        }
        let mut people: Vec<Person> = found.into_iter().map(|(person, _)| person).collect();
        people.iter_mut().for_each(|person| person.merged = person.id != *id);
        return Ok(Some(people));
    }
    for names in reference.names() {
        let mut holders = Vec::new();
        for identity in &names {
            for cluster in leads.clusters_named(identity)? {
                let Some(group) = Group::read(leads, cluster, at)? else { return Ok(None) };
                let is_it = |name: &Name| {
                    let Identity { kind, value, .. } = &name.identity;
                    !name.disputed && *kind == identity.kind && *value == identity.value
                };
                holders.extend(group.people(is_it));
            }
        }
        // Whoever has it now; else whoever had it last.
        let newest = holders.iter().map(|(_, held)| *held).min();
        let people: Vec<Person> =
            holders.into_iter().filter(|(_, held)| Some(*held) == newest).map(|(person, _)| person).collect();
        if !people.is_empty() {
            return Ok(Some(people));
        }
    }
    Ok(Some(Vec::new()))
}

/// Until when a name was held: now first, then the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    Now,
    Until(Reverse<Timestamp>),
}

impl Held {
    fn of(name: &Name) -> Held {
        name.valid_to.map_or(Held::Now, |until| Held::Until(Reverse(until)))
    }
}

/// A cluster as it is, and as it was.
struct Group {
    cluster: i64,
    now: Cluster,
    ids: LeadIds,
    then: Option<Cluster>,
}

impl Group {
    fn read(leads: &dyn Leads, cluster: i64, at: Option<Timestamp>) -> Result<Option<Group>, StoreError> {
        let Some((now, ids)) = leads.cluster(cluster)? else { return Ok(None) };
        let then =
            at.map(|at| leads.evidence(cluster).map(|evidence| fold_until(evidence, at))).transpose()?;
        Ok(Some(Group { cluster, now, ids, then }))
    }

    /// The leads with such a name, and until when they held it. Whoever is a lead now and was none at the
    /// instant asked for is found without anything that came later.
    fn people(&self, is_it: impl Fn(&Name) -> bool) -> Vec<(Person, Held)> {
        let holding = |lead: &Lead| lead.names.iter().filter(|name| is_it(name)).map(Held::of).min();
        let born = |cluster: &Cluster| {
            let held = |lead: &Lead| lead.birth.as_ref().and_then(|_| holding(lead));
            let leads = cluster.leads.iter().filter_map(|lead| Some((lead.clone(), held(lead)?)));
            leads.collect::<Vec<_>>()
        };
        let then = self.then.as_ref().map(born);
        let found = match then {
            Some(then) if !then.is_empty() => then,
            Some(_) => {
                let unseen = |lead: Lead| Lead { names: lead.names, ..Lead::default() };
                born(&self.now).into_iter().map(|(lead, held)| (unseen(lead), held)).collect()
            }
            None => born(&self.now),
        };
        let person = |(lead, held)| {
            let id = self.id_of(&lead)?;
            Some((Person { cluster: self.cluster, id, merged: false, lead }, held))
        };
        found.into_iter().filter_map(person).collect()
    }

    /// Who has such a name now, where nobody had it at the instant asked for: they may have been known by
    /// another, that has since turned out to be theirs.
    fn not_yet(&self, is_it: impl Fn(&Name) -> bool) -> Option<&Lead> {
        let has = |lead: &&Lead| lead.names.iter().any(&is_it);
        let then = self.then.as_ref()?;
        let now = self.now.leads.iter().find(has);
        now.filter(|_| !then.leads.iter().any(|lead| lead.birth.is_some() && has(&lead)))
    }

    /// The id under which a lead answers now, which may since have been joined with others.
    fn id_of(&self, lead: &Lead) -> Option<LeadId> {
        let today = self.now.leads.iter().find(|today| share_a_name(today, lead)).unwrap_or(lead);
        own_id(today, &self.ids)
    }
}

/// The smallest of the ids drawn for a lead's names: it answers under this one.
#[must_use]
pub fn own_id(lead: &Lead, ids: &LeadIds) -> Option<LeadId> {
    let key = |name: &Name| (name.identity.clone(), name.tenure);
    lead.names.iter().filter(|name| name.bears_id()).filter_map(|name| ids.get(&key(name)).copied()).min()
}

fn is_same(a: &Name, b: &Name) -> bool {
    a.bears_id() && b.bears_id() && a.identity == b.identity && a.tenure == b.tenure
}

/// Whether a name that bears an id is both's.
#[must_use]
pub fn share_a_name(a: &Lead, b: &Lead) -> bool {
    a.names.iter().any(|name| b.names.iter().any(|other| is_same(name, other)))
}

fn fold_until(mut evidence: Vec<Evidence>, at: Timestamp) -> Cluster {
    evidence.retain(|evidence| evidence.effective_at() <= at);
    Cluster::fold(&mut evidence).cluster
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_told_from_the_others() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let read = |text: &str| Reference::parse(text, Country::INDIA);
        assert_eq!(read(id), Some(Reference::Id(LeadId(id.parse().unwrap()))));
        assert_eq!(read(" IN.123abc "), Bsuid::parse("IN.123abc").map(Reference::Bsuid));
        assert_eq!(read("Buyer@Example.in"), Email::parse("buyer@example.in").map(Reference::Email));
        assert_eq!(read("@a.buyer"), Some(Reference::Username("a.buyer".to_owned())));
        assert_eq!(read("a.buyer_9"), Some(Reference::Username("a.buyer_9".to_owned())));
        let phone = Reference::Phone(Phone::from_whatsapp_id("919876543210").unwrap());
        for text in
            ["9876543210", "+91 98765 43210", "919876543210", "098765-43210", "whatsapp:+919876543210"]
        {
            assert_eq!(read(text).as_ref(), Some(&phone), "{text}");
        }
        for text in ["", "12345", "+", "not a name", "98765x43210 ", "@", "a@b", "1;drop"] {
            let read = read(text);
            assert!(read.is_none() || matches!(read, Some(Reference::Username(_))), "{text}: {read:?}");
        }
        assert_eq!(read("12345"), None);
    }

    #[test]
    fn digits_no_plan_explains_are_a_phone_only_as_somebodys_whatsapp_id() {
        let read = Reference::parse_phone("999123456789012", Country::INDIA);
        assert!(matches!(read, Some(Reference::WhatsappId(_))), "{read:?}");
        assert!(Reference::parse_phone("a.buyer", Country::INDIA).is_none());
    }

    #[test]
    fn a_present_holder_goes_before_a_past_one_and_a_later_one_before_an_earlier() {
        let at = |second| Held::Until(Reverse(Timestamp::from_second(second).unwrap()));
        let mut held = vec![at(1), Held::Now, at(2)];
        held.sort();
        assert_eq!(held, [Held::Now, at(2), at(1)]);
    }
}
