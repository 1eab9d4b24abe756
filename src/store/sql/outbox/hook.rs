//! What projection changed becomes what is wanted, in the same transaction.
//!
//! In: a change of a cluster, and the routes in force. Out: rows of `jobs` and `conversations`. Where no target is
//! configured nothing is looked at.
//!
//! Projection runs on the writer's thread, many calls below the place where the routes are known, and the same
//! code folds leads anew, which must ask for nothing. So the routes are in force for one piece of work of that
//! thread, and for nothing else.

use super::super::rows::SqlRows;
use super::{conversations, unite, want};
use crate::fault;
use crate::leads::find::share_a_name;
use crate::routing::{self, LeadChange, Placed, Routes, Want, place_of};
use crate::store::sql::connection::{Connection, Transaction};
use crate::store::{Change, StoreError};
use jiff::Timestamp;
use std::cell::RefCell;
use std::sync::Arc;
use wabridge_model::event::{Event, Fact};
use wabridge_model::id::LeadId;

struct Routing {
    routes: Arc<Routes>,
    /// What a planted fault keeps until after the commit.
    late: Vec<(LeadId, Vec<Want>, Timestamp)>,
}

thread_local! {
    static ROUTING: RefCell<Option<Routing>> = const { RefCell::new(None) };
}

/// Does some work of projection with routes in force.
pub(super) fn routed<T>(
    connection: &dyn Connection,
    routes: Arc<Routes>,
    work: impl FnOnce(&dyn Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    if routes.targets.is_empty() {
        return work(connection);
    }
    ROUTING.set(Some(Routing { routes, late: Vec::new() }));
    let result = work(connection);
    let late = ROUTING.take().map(|routing| routing.late).unwrap_or_default();
    if result.is_ok() && !late.is_empty() {
        want_late(connection, &late)?;
    }
    result
}

/// Hears what projection changed.
pub(in crate::store::sql) fn changed(rows: &SqlRows<'_>, change: &Change<'_>) -> Result<(), StoreError> {
    let routes = ROUTING.with_borrow(|routing| routing.as_ref().map(|it| Arc::clone(&it.routes)));
    let Some(routes) = routes else { return Ok(()) };
    let event = change.evidence.merged();
    for (index, lead) in change.after.leads.iter().enumerate() {
        let own = change.owner == Some(index);
        let before = change.before.leads.iter().find(|before| share_a_name(before, lead));
        if lead.birth.is_none() || !own && before == Some(lead) {
            continue;
        }
        let ids = rows.lead_ids(lead)?;
        let Some(id) = ids.first().copied() else { continue };
        if before.is_none_or(|before| before.names != lead.names) {
            unite::unite(rows.connection, &ids, rows.now)?;
        }
        let conversation = if own { conversation(rows, id, change, &event)? } else { None };
        let change = LeadChange {
            id,
            before,
            after: lead,
            evidence: change.evidence,
            event: own.then_some(&*event),
            conversation: conversation.as_ref(),
            now: rows.now,
        };
        let wants = routing::wants(&change, &routes);
        if fault::planted("job_in_second_transaction", &[]) {
            ROUTING.with_borrow_mut(|it| {
                it.iter_mut().for_each(|it| it.late.push((id, wants.clone(), rows.now)))
            });
            continue;
        }
        want::want_all(rows.connection, id, &wants, rows.now)?;
    }
    Ok(())
}

/// The conversation that an event belongs to. Only a customer's act begins one.
fn conversation(
    rows: &SqlRows<'_>,
    lead: LeadId,
    change: &Change<'_>,
    event: &Event,
) -> Result<Option<Placed>, StoreError> {
    let Some(place) = place_of(change.evidence, event) else { return Ok(None) };
    let (connection, at) = (rows.connection, change.evidence.effective_at());
    let open = match &event.fact {
        Fact::Echo(_) => return conversations::open_at(connection, lead, Some(&place), at),
        Fact::Chatbot(_) => conversations::open_at(connection, lead, None, at)?,
        _ => None,
    };
    match open {
        Some(open) => Ok(Some(open)),
        None => conversations::of_act(connection, lead, &place, at, change.evidence.key()).map(Some),
    }
}

/// The planted fault: jobs in a transaction of their own, with time to die before it.
fn want_late(connection: &dyn Connection, late: &[(LeadId, Vec<Want>, Timestamp)]) -> Result<(), StoreError> {
    let doing = "plant a fault";
    std::thread::park_timeout(std::time::Duration::from_millis(50));
    let transaction = Transaction::begin(connection, doing)?;
    for (lead, wants, at) in late {
        want::want_all(&*transaction, *lead, wants, *at)?;
    }
    transaction.commit(doing)
}
