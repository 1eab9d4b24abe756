//! Conversations: which one an act belongs to, kept as rows.
//!
//! The rule is `routing::conversation`; here are the rows it is asked about, and what it changes. They are made by
//! projection where there is a target, and a rebuild leaves them alone.

use super::super::encoding::{blob_of, instant, millis};
use super::rows::lead_of;
use super::tend;
use crate::routing::Placed;
use crate::routing::conversation::{Cut, LONGEST, SILENCE, Span, cut};
use crate::store::StoreError;
use crate::store::outbox::Conversation;
use crate::store::sql::connection::{Connection, Row, ToParam, all, first, run, values};
use jiff::{SignedDuration, Timestamp};
use wabridge_model::OperationKind;
use wabridge_model::id::{EventKey, LeadId};

const DOING: &str = "file a conversation";

/// Finds the conversation of an act, which may be the first of one.
pub(super) fn of_act(
    connection: &dyn Connection,
    lead: LeadId,
    place: &str,
    at: Timestamp,
    event: &EventKey,
) -> Result<Placed, StoreError> {
    const FIND: &str = "SELECT id, started_at, first_at, last_at, frozen FROM conversations
         WHERE lead = ?1 AND place = ?2 AND last_at >= ?3 AND first_at <= ?4 ORDER BY first_at";
    const EXTEND: &str = "UPDATE conversations SET last_at = ? WHERE id = ?";
    const BEGIN: &str = "UPDATE conversations SET first_at = ?1, started_at = CASE WHEN frozen <> 0 THEN started_at ELSE ?1 END
                         WHERE id = ?2";
    let around = values![blob_of(lead.0), place, millis(at - SILENCE), millis(at + SILENCE)];
    let known = all(connection, DOING, FIND, around, |row| Ok((row.get::<String>(0)?, span(row)?)))?;
    let spans: Vec<Span> = known.iter().map(|(_, span)| *span).collect();
    let id = |index: usize| known[index].0.as_str();
    let (id, is_new) = match cut(&spans, at) {
        Cut::Within(index) => (id(index).to_owned(), false),
        Cut::Ends(index) => {
            run(connection, DOING, EXTEND, values![millis(at), id(index)])?;
            (id(index).to_owned(), false)
        }
        Cut::Begins(index) => {
            run(connection, DOING, BEGIN, values![millis(at), id(index)])?;
            (id(index).to_owned(), false)
        }
        Cut::Joins(index, gone) => {
            run(connection, DOING, "DELETE FROM conversations WHERE id = ?", values![id(gone)])?;
            run(connection, DOING, EXTEND, values![millis(spans[gone].last), id(index)])?;
            tend::end_merged(connection, lead, OperationKind::Activity, id(gone))?;
            (id(index).to_owned(), false)
        }
        Cut::New => (begin(connection, lead, place, at, event)?, true),
    };
    Ok(Placed { id, place: place.to_owned(), is_new })
}

/// The first act of a conversation names it. Seen again at another time, it is still the same one.
fn begin(
    connection: &dyn Connection,
    lead: LeadId,
    place: &str,
    at: Timestamp,
    event: &EventKey,
) -> Result<String, StoreError> {
    const ADD: &str =
        "INSERT INTO conversations (id, lead, place, started_at, first_at, last_at) VALUES (?1, ?2, ?3, ?4, ?4, ?4)
         ON CONFLICT (id) DO UPDATE SET
             first_at = CASE WHEN ?4 < conversations.first_at THEN ?4 ELSE conversations.first_at END,
             last_at = CASE WHEN ?4 > conversations.last_at THEN ?4 ELSE conversations.last_at END";
    let id =
        EventKey::new("conversation", &[&lead.to_string(), place, event.as_str()]).event_id().to_string();
    run(connection, DOING, ADD, values![id, blob_of(lead.0), place, millis(at)])?;
    Ok(id)
}

/// Finds the conversation that is open at an instant: with one of our numbers, or with any.
pub(super) fn open_at(
    connection: &dyn Connection,
    lead: LeadId,
    place: Option<&str>,
    at: Timestamp,
) -> Result<Option<Placed>, StoreError> {
    // Any of our numbers, where none is asked for: what a bot has alone is no number's.
    let there = if place.is_some() { "place = ?5" } else { "place NOT LIKE 'chatbot:%'" };
    let find = format!(
        "SELECT id, place FROM conversations
         WHERE lead = ?1 AND first_at <= ?2 AND last_at >= ?3 AND first_at > ?4 AND {there} ORDER BY first_at DESC LIMIT 1"
    );
    let (lead, now) = (blob_of(lead.0), millis(at));
    let (silent, longest) = (millis(at - SILENCE), millis(at - LONGEST));
    let mut values: Vec<&dyn ToParam> = vec![&lead, &now, &silent, &longest];
    values.extend(place.as_ref().map(|place| place as &dyn ToParam));
    first(connection, DOING, &find, &values, |row| {
        Ok(Placed { id: row.get(0)?, place: row.get(1)?, is_new: false })
    })
}

/// Its activity is tried: it begins when it began.
pub(super) fn freeze(connection: &dyn Connection, id: &str) -> Result<(), StoreError> {
    const SET: &str = "UPDATE conversations SET frozen = 1 WHERE id = ? AND frozen = 0";
    run(connection, DOING, SET, values![id]).map(drop)
}

pub(super) fn read(connection: &dyn Connection, ids: &[String]) -> Result<Vec<Conversation>, StoreError> {
    const FIND: &str = "SELECT id, started_at, first_at, last_at, frozen, lead, place,
             (SELECT min(first_at) FROM conversations AS next
              WHERE next.lead = c.lead AND next.place = c.place AND next.first_at > c.last_at)
         FROM conversations AS c WHERE id = ?";
    let mut found = Vec::new();
    for id in ids {
        found.extend(first(connection, "read conversations", FIND, values![id], conversation)?);
    }
    Ok(found)
}

fn conversation(row: &Row<'_>) -> Result<Conversation, StoreError> {
    let Span { started, first, last, .. } = span(row)?;
    let next: Option<i64> = row.get(7)?;
    let silence = last + SILENCE + SignedDuration::from_millis(1);
    Ok(Conversation {
        id: row.get(0)?,
        lead: lead_of(row.get(5)?),
        place: row.get(6)?,
        started_at: started,
        last_at: last,
        from: first,
        until: next.map_or(silence, |next| instant(next).min(silence)),
    })
}

/// Reads `id, started_at, first_at, last_at, frozen`.
fn span(row: &Row<'_>) -> Result<Span, StoreError> {
    Ok(Span {
        started: instant(row.get(1)?),
        first: instant(row.get(2)?),
        last: instant(row.get(3)?),
        frozen: row.get(4)?,
    })
}
