//! Who is who: the fold that turns evidence into leads.
//!
//! In: the evidence of a *cluster*, all people whose names ever occurred together. Out: its leads. The
//! fold runs over evidence sorted by [`Position`], so it depends on the set alone; the newest evidence
//! can be applied to a stored cluster, anything older folds the cluster anew.
//!
//! Phone, BSUID and parent BSUID of one item join, unless one of the leads holds another name of that
//! kind: then the item is the phone's and the other name is disputed. A username joins nothing. E-mail
//! addresses and chatbot conversations are *aliases*: they stand for the first person they occur with,
//! and matter only to events that carry nothing better.

use crate::event::{Event, Fact, IdentityChange, Person};
use crate::evidence::{Evidence, Position};
use crate::id::{EventId, EventKey, Identity, IdentityKind, joined};
use crate::lead::{Lead, Name};
use crate::phone::Phone;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// People who are, or might be, one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cluster {
    /// The people, oldest evidence first; some may not (yet) be leads.
    pub leads: Vec<Lead>,
    /// Whom each alias stands for, as an index into `leads`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<Alias, usize>,
    /// Aliases of events that wait for a person, or for a better name than an e-mail address.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub waiting: BTreeSet<Alias>,
    /// The newest evidence applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Position>,
}

/// A name that stands for a person without being theirs alone: `email:x` or `conversation:bot:id`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Alias(String);

impl Alias {
    fn email(address: &str) -> Alias {
        Alias(joined("email", &[address]))
    }

    fn conversation(bot: &str, id: &str) -> Alias {
        Alias(joined("conversation", &[bot, id]))
    }

    /// A message of the business: it stands for the person who was sent it.
    fn message(number: &Phone, id: &str) -> Alias {
        Alias(joined("message", &[number.e164(), id]))
    }

    /// The alias as stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The names in an event that tie evidence together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ties {
    /// All evidence with one of these belongs to one cluster.
    pub identities: Vec<Identity>,
    /// The event stands or falls with these: it carries nothing better.
    pub leans_on: Vec<Alias>,
    /// The event says whom these stand for, if none did so before it.
    pub explains: Vec<Alias>,
    /// The same, where nothing is remembered until something leans on it: there is one for each message.
    pub answers: Option<Alias>,
    /// The event that would answer what this one leans on.
    pub answered_by: Option<EventId>,
}

/// Finds what ties an event to others.
#[must_use]
pub fn ties(event: &Event) -> Ties {
    let mut ties = Ties { identities: deciding(&event.person, &event.business.portfolio), ..Ties::default() };
    if let Fact::IdentityChange(change) = &event.fact {
        ties.identities.extend(deciding(&previous(change), &event.business.portfolio));
    }
    let email = event.person.email.as_ref().map(|email| Alias::email(email.as_str()));
    let conversation = match &event.fact {
        Fact::Chatbot(bot) => bot.conversation_id.as_ref().map(|id| Alias::conversation(&bot.bot_id, id)),
        _ => None,
    };
    match (&event.fact, &event.business.number) {
        (Fact::Echo(echo), Some(number)) if !ties.identities.is_empty() => {
            ties.answers = Some(Alias::message(number, &echo.id));
        }
        // Some providers name nobody in a status: it is whose the message was.
        (Fact::Status(status), Some(number)) if ties.identities.is_empty() && email.is_none() => {
            ties.leans_on.push(Alias::message(number, &status.message_id));
            ties.answered_by = Some(EventKey::message(number, &status.message_id).event_id());
        }
        _ => {}
    }
    match (ties.identities.is_empty(), email) {
        (false, email) => ties.explains.extend(email.into_iter().chain(conversation)),
        (true, Some(email)) => {
            ties.leans_on.push(email);
            ties.explains.extend(conversation);
        }
        (true, None) => ties.leans_on.extend(conversation),
    }
    ties
}

fn deciding(person: &Person, portfolio: &str) -> Vec<Identity> {
    let phone = person.phone.as_ref().map(Identity::phone);
    let bsuid = person.bsuid.as_ref().map(|id| Identity::bsuid(portfolio, id));
    let parent = person.parent_bsuid.as_ref().map(Identity::parent_bsuid);
    phone.into_iter().chain(bsuid).chain(parent).collect()
}

fn previous(change: &IdentityChange) -> Person {
    Person {
        phone: change.previous_phone.clone(),
        bsuid: change.previous_bsuid.clone(),
        parent_bsuid: change.previous_parent_bsuid.clone(),
        ..Person::default()
    }
}

/// For each alias, the first person it occurs with: for an e-mail address someone with a phone or
/// BSUID, for a conversation also someone with an e-mail address.
type Claims = BTreeMap<Alias, Vec<Identity>>;

/// A folded cluster, and whose each piece of evidence turned out to be.
#[derive(Debug)]
pub struct Folded {
    /// The state.
    pub cluster: Cluster,
    /// For each piece of the sorted evidence, the index of its lead.
    pub owners: Vec<Option<usize>>,
}

impl Cluster {
    /// Folds all evidence of a cluster; sorts it first.
    #[must_use]
    pub fn fold(evidence: &mut [Evidence]) -> Folded {
        evidence.sort_by_cached_key(Evidence::position);
        let merged: Vec<Cow<'_, Event>> = evidence.iter().map(Evidence::merged).collect();
        let claims = claims(&merged);
        let mut cluster = Cluster::default();
        let mut owners: Vec<Option<usize>> = Vec::with_capacity(evidence.len());
        for (evidence, event) in evidence.iter().zip(&merged) {
            let mut moves = Vec::new();
            let owner = cluster.apply(evidence, event, &claims, &mut moves);
            for (gone, into) in moves {
                owners.iter_mut().flatten().for_each(|index| *index = moved(*index, gone, into));
            }
            owners.push(owner);
        }
        Folded { cluster, owners }
    }

    /// Applies the newest evidence. Gives the cluster back untouched as `Err` where only a fold of all
    /// evidence would be right: it is not the newest, or it explains what others wait for.
    ///
    /// # Errors
    /// The cluster itself, to be folded anew.
    pub fn push(mut self, evidence: &Evidence) -> Result<(Cluster, Option<usize>), Cluster> {
        let event = evidence.merged();
        let is_newest = self.newest.as_ref().is_none_or(|newest| *newest < evidence.position());
        let ties = ties(&event);
        let explains_one =
            ties.explains.iter().chain(&ties.answers).any(|alias| self.waiting.contains(alias));
        // Whose message it was is in the evidence alone.
        if !is_newest || explains_one || ties.answered_by.is_some() {
            return Err(self);
        }
        let owner = self.apply(evidence, &event, &Claims::new(), &mut Vec::new());
        Ok((self, owner))
    }

    fn apply(
        &mut self,
        evidence: &Evidence,
        event: &Event,
        claims: &Claims,
        moves: &mut Vec<(usize, usize)>,
    ) -> Option<usize> {
        self.newest = Some(evidence.position());
        let at = evidence.effective_at();
        let ties = ties(event);
        let owner = match &event.fact {
            Fact::Account(_) => None,
            Fact::IdentityChange(change) => self.change(event, change, at, moves),
            _ if ties.identities.is_empty() => self.lean(&ties, event, at, claims, moves),
            _ => self.resolve(&ties.identities, at, moves),
        }?;
        for alias in ties.explains {
            self.aliases.entry(alias).or_insert(owner);
        }
        self.remember(owner, &event.person, ties.identities.is_empty(), at);
        self.leads[owner].apply(evidence, event);
        Some(owner)
    }

    /// Finds whose an event is that carries no phone and no BSUID.
    fn lean(
        &mut self,
        ties: &Ties,
        event: &Event,
        at: Timestamp,
        claims: &Claims,
        moves: &mut Vec<(usize, usize)>,
    ) -> Option<usize> {
        let alias = ties.leans_on.first()?;
        if event.person.email.is_some() {
            return self.lean_on_email(alias, at, claims, moves);
        }
        if let Some(owner) = self.aliases.get(alias) {
            return Some(*owner);
        }
        let owner = match claims.get(alias).map(Vec::as_slice) {
            None => {
                self.waiting.insert(alias.clone());
                return None;
            }
            // The conversation's first named visitor left an e-mail address and nothing else.
            Some([email]) if email.kind == IdentityKind::Email => {
                self.lean_on_email(&Alias::email(&email.value), at, claims, moves)?
            }
            Some(names) => self.resolve(names, at, moves)?,
        };
        if ties.answered_by.is_none() {
            self.aliases.insert(alias.clone(), owner);
        }
        Some(owner)
    }

    /// The first person an address occurs with, else a lead of its own until there is one.
    fn lean_on_email(
        &mut self,
        alias: &Alias,
        at: Timestamp,
        claims: &Claims,
        moves: &mut Vec<(usize, usize)>,
    ) -> Option<usize> {
        if let Some(owner) = self.aliases.get(alias) {
            return Some(*owner);
        }
        let owner = match claims.get(alias) {
            Some(names) => self.resolve(names, at, moves)?,
            None => {
                self.waiting.insert(alias.clone());
                self.add_lead()
            }
        };
        self.aliases.insert(alias.clone(), owner);
        Some(owner)
    }

    /// Finds or makes the lead that an item with these names belongs to; the first name weighs most.
    fn resolve(
        &mut self,
        names: &[Identity],
        at: Timestamp,
        moves: &mut Vec<(usize, usize)>,
    ) -> Option<usize> {
        let mut home: Option<usize> = None;
        let mut unheld: Vec<&Identity> = Vec::new();
        for name in names {
            let holder = self.holder(name);
            home = match (home, holder) {
                (None, None) => {
                    unheld.push(name);
                    None
                }
                (None, Some(holder)) if unheld.iter().all(|name| self.leads[holder].accepts(name)) => {
                    unheld.drain(..).for_each(|name| self.attach(holder, name, at));
                    Some(holder)
                }
                (None, Some(_)) => {
                    let home = self.add_lead();
                    unheld.drain(..).for_each(|name| self.attach(home, name, at));
                    self.dispute(home, name, at);
                    Some(home)
                }
                (Some(home), holder) => Some(self.admit(home, name, holder, at, moves)),
            };
        }
        if home.is_none() && !unheld.is_empty() {
            let owner = self.add_lead();
            unheld.into_iter().for_each(|name| self.attach(owner, name, at));
            return Some(owner);
        }
        home
    }

    /// Gives a lead one more name, joins it with the name's holder, or disputes the name.
    fn admit(
        &mut self,
        home: usize,
        name: &Identity,
        holder: Option<usize>,
        at: Timestamp,
        moves: &mut Vec<(usize, usize)>,
    ) -> usize {
        match holder {
            Some(holder) if holder == home => home,
            Some(holder) if self.leads[home].can_join(&self.leads[holder]) => self.join(home, holder, moves),
            None if self.leads[home].accepts(name) => {
                self.attach(home, name, at);
                home
            }
            _ => {
                self.dispute(home, name, at);
                home
            }
        }
    }

    fn change(
        &mut self,
        event: &Event,
        change: &IdentityChange,
        at: Timestamp,
        moves: &mut Vec<(usize, usize)>,
    ) -> Option<usize> {
        let portfolio = &event.business.portfolio;
        let (old, new) = (deciding(&previous(change), portfolio), deciding(&event.person, portfolio));
        let holder = old.iter().find_map(|name| self.holder(name));
        let Some(mut owner) = holder.or_else(|| self.resolve(&old, at, moves)) else {
            return self.resolve(&new, at, moves);
        };
        let lead = &mut self.leads[owner];
        for name in lead.names.iter_mut().filter(|name| name.decides() && !new.contains(&name.identity)) {
            let given_up = match name.identity.kind {
                // A BSUID changes with the number, so a change of either gives up the number.
                IdentityKind::Phone => true,
                kind => old
                    .iter()
                    .chain(&new)
                    .any(|other| other.kind == kind && other.scope == name.identity.scope),
            };
            if given_up {
                name.valid_to = Some(at);
            }
        }
        lead.windows.values_mut().for_each(|window| window.number_changed_at = Some(at));
        // A number that was never seen before is still the number this person had: look-ups find it.
        let unknown =
            |name: &&Identity| !self.leads.iter().flat_map(|lead| &lead.names).any(|n| n.identity == **name);
        for name in old.iter().filter(unknown).cloned().collect::<Vec<_>>() {
            self.leads[owner].names.push(Name { valid_to: Some(at), ..Name::held(name, at, 0) });
        }
        for name in &new {
            owner = self.admit(owner, name, self.holder(name), at, moves);
        }
        Some(owner)
    }

    /// Records names that decide nothing: username and e-mail address.
    fn remember(&mut self, owner: usize, person: &Person, keyed: bool, at: Timestamp) {
        let names = &mut self.leads[owner].names;
        if let Some(username) = &person.username {
            let identity = Identity::username(username);
            let is_open =
                |name: &Name| name.identity.kind == IdentityKind::Username && name.valid_to.is_none();
            if !names.iter().any(|name| is_open(name) && name.identity == identity) {
                names.iter_mut().filter(|name| is_open(name)).for_each(|name| name.valid_to = Some(at));
                names.push(Name::held(identity, at, 0));
            }
        }
        if let Some(email) = &person.email {
            let identity = Identity::email(email);
            match names.iter_mut().find(|name| name.identity == identity) {
                Some(name) => name.keyed |= keyed,
                None => names.push(Name { keyed, ..Name::held(identity, at, 0) }),
            }
        }
    }

    fn holder(&self, identity: &Identity) -> Option<usize> {
        let holds = |lead: &Lead| lead.names.iter().any(|name| name.decides() && name.identity == *identity);
        self.leads.iter().position(holds)
    }

    fn add_lead(&mut self) -> usize {
        self.leads.push(Lead::default());
        self.leads.len() - 1
    }

    fn attach(&mut self, lead: usize, identity: &Identity, at: Timestamp) {
        let held_before = |name: &&Name| name.identity == *identity && !name.disputed;
        let tenures = self.leads.iter().flat_map(|lead| &lead.names).filter(held_before).count();
        let tenure = u32::try_from(tenures).unwrap_or(u32::MAX);
        self.leads[lead].names.push(Name::held(identity.clone(), at, tenure));
    }

    fn dispute(&mut self, lead: usize, identity: &Identity, at: Timestamp) {
        let names = &mut self.leads[lead].names;
        if !names.iter().any(|name| name.disputed && name.identity == *identity) {
            names.push(Name { disputed: true, ..Name::held(identity.clone(), at, 0) });
        }
    }

    fn join(&mut self, a: usize, b: usize, moves: &mut Vec<(usize, usize)>) -> usize {
        let (into, gone) = (a.min(b), a.max(b));
        let other = self.leads.remove(gone);
        self.leads[into].merge(other);
        self.aliases.values_mut().for_each(|index| *index = moved(*index, gone, into));
        moves.push((gone, into));
        into
    }
}

/// Where an index points after the lead at `gone` was merged into `into` and removed.
fn moved(index: usize, gone: usize, into: usize) -> usize {
    match index.cmp(&gone) {
        std::cmp::Ordering::Less => index,
        std::cmp::Ordering::Equal => into,
        std::cmp::Ordering::Greater => index - 1,
    }
}

fn claims(events: &[Cow<'_, Event>]) -> Claims {
    let mut claims = Claims::new();
    for event in events {
        let ties = ties(event);
        let person = match (&event.person.email, ties.identities.is_empty()) {
            (Some(email), true) => vec![Identity::email(email)],
            _ => deciding(&event.person, &event.business.portfolio),
        };
        for alias in ties.explains.into_iter().chain(ties.answers).filter(|_| !person.is_empty()) {
            claims.entry(alias).or_insert_with(|| person.clone());
        }
    }
    claims
}
