//! Who may be meant: everybody that a text names, where [`find`] knows one or says that there are several.
//!
//! In: a phone in any spelling, an id, an e-mail address, a username, or the beginnings of the words of a name.
//! Out: leads, those first that the text names exactly, then those last met first.

use super::find::{FindError, Found, Person, Reference, find, own_id};
use crate::store::{Leads, StoreError};
use data_encoding::BASE64URL_NOPAD;
use wabridge_model::Country;
use wabridge_model::lead::Lead;

/// More words make no look-up narrower.
const MOST_WORDS: usize = 5;

/// Where the next page of a search begins: at this cluster, after so many of its leads. It names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    cluster: i64,
    skip: u32,
}

impl Place {
    /// The place as a caller carries it.
    #[must_use]
    pub fn encode(&self) -> String {
        let bytes = [self.cluster.to_be_bytes().as_slice(), &self.skip.to_be_bytes()].concat();
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// Reads a place; `None` for anything we did not write.
    #[must_use]
    pub fn decode(text: &str) -> Option<Place> {
        let bytes: [u8; 12] = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()?;
        let (cluster, skip) = bytes.split_first_chunk::<8>()?;
        Some(Place { cluster: i64::from_be_bytes(*cluster), skip: u32::from_be_bytes(skip.try_into().ok()?) })
    }
}

/// What was found, and where the rest begins.
pub type Results = (Vec<Person>, Option<Place>);

/// The words of a name as they are looked up: small letters, no punctuation of the keyboard.
#[must_use]
pub fn words(name: &str) -> Vec<String> {
    let ends = |c: char| c.is_whitespace() || c.is_ascii_punctuation() || c.is_control();
    name.split(ends).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Finds everybody that a text names; `None` when it names nobody who could exist.
///
/// # Errors
/// When the store cannot be read.
pub fn search(
    leads: &dyn Leads,
    text: &str,
    country: Country,
    after: Option<Place>,
    limit: usize,
) -> Result<Option<Results>, StoreError> {
    let reference = Reference::parse(text, country);
    let words = match reference {
        Some(Reference::Username(_)) | None => words(text),
        Some(_) => Vec::new(),
    };
    if reference.is_none() && words.is_empty() {
        return Ok(None);
    }
    let exact = reference.map_or(Ok(Vec::new()), |reference| exact(leads, &reference))?;
    let mut search = Search { leads, words: &words, exact: &exact, limit, found: Vec::new() };
    if after.is_none() {
        search.found.clone_from(&exact);
    }
    let next = search.called(after)?;
    Ok(Some((search.found, next)))
}

/// The lead that a reference names, or the several.
fn exact(leads: &dyn Leads, reference: &Reference) -> Result<Vec<Person>, StoreError> {
    let one = |reference: &Reference| match find(leads, reference, None) {
        Ok(Found::Lead(person)) => Ok((vec![*person], Vec::new())),
        Ok(Found::Nobody(_)) | Err(FindError::Unreadable) => Ok((Vec::new(), Vec::new())),
        Err(FindError::Ambiguous { ids, .. }) => Ok((Vec::new(), ids)),
        Err(FindError::Store(error)) => Err(error),
    };
    let (mut people, ids) = one(reference)?;
    for id in ids {
        people.extend(one(&Reference::Id(id))?.0);
    }
    Ok(people)
}

struct Search<'a> {
    leads: &'a dyn Leads,
    words: &'a [String],
    exact: &'a [Person],
    limit: usize,
    found: Vec<Person>,
}

impl Search<'_> {
    /// Adds those who are called so, until the page is full; says where the next one begins.
    fn called(&mut self, after: Option<Place>) -> Result<Option<Place>, StoreError> {
        let words = &self.words[..self.words.len().min(MOST_WORDS)];
        if words.is_empty() {
            return Ok(None);
        }
        let mut place = after.unwrap_or(Place { cluster: i64::MAX, skip: 0 });
        loop {
            let clusters = self.leads.clusters_called(words, place.cluster, self.limit + 1)?;
            for &cluster in &clusters {
                let skip = if cluster == place.cluster { place.skip } else { 0 };
                for (index, person) in (0..).zip(self.people(cluster)?) {
                    if index < skip {
                        continue;
                    }
                    if self.found.len() >= self.limit {
                        return Ok(Some(Place { cluster, skip: index }));
                    }
                    self.found.push(person);
                }
            }
            // Fewer than were asked for: there are no more.
            match clusters.last() {
                Some(&last) if clusters.len() > self.limit && last > i64::MIN => {
                    place = Place { cluster: last - 1, skip: 0 };
                }
                _ => return Ok(None),
            }
        }
    }

    /// The leads of a cluster who are called so, without those who were named exactly.
    fn people(&self, cluster: i64) -> Result<Vec<Person>, StoreError> {
        let Some((state, ids)) = self.leads.cluster(cluster)? else { return Ok(Vec::new()) };
        let people = state.leads.into_iter().filter(|lead| lead.birth.is_some() && self.is_called(lead));
        let people = people.filter_map(|lead| {
            let id = own_id(&lead, &ids)?;
            Some(Person { cluster, id, merged: false, lead })
        });
        Ok(people.filter(|person| self.exact.iter().all(|exact| exact.id != person.id)).collect())
    }

    fn is_called(&self, lead: &Lead) -> bool {
        let called = lead.name.as_ref().map(|name| words(&name.value)).unwrap_or_default();
        self.words.iter().all(|word| called.iter().any(|name| name.starts_with(word.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_words_in_small_letters() {
        assert_eq!(words("  Priya SHARMA-Rao (Pune)"), ["priya", "sharma", "rao", "pune"]);
        assert_eq!(words("स्नेहा  पाटील"), ["स्नेहा", "पाटील"]);
        assert_eq!(words("Ünal O'Neil"), ["ünal", "o", "neil"]);
        assert!(words(" - ").is_empty());
    }

    #[test]
    fn a_place_comes_back_as_it_left_and_nothing_else_is_one() {
        let place = Place { cluster: 7, skip: 2 };
        assert_eq!(Place::decode(&place.encode()), Some(place));
        for text in ["", "a", &format!("{}AA", place.encode())] {
            assert_eq!(Place::decode(text), None, "{text}");
        }
    }
}
