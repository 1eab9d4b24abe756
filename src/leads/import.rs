//! Projection of many reports in one go: imported history is folded once for each person, not for each message.
//!
//! In: reports, best those of one person after the other, and the rows of one transaction. Out: what became of
//! each, as if each were projected by itself. A message older than what is known of its person means a fold over
//! everything they ever said. Of half a year of messages, all but the last leave that to the last.

use super::project::{Outcome, Projected, place, project, revise};
use crate::store::{Rows, StoreError};
use wabridge_model::cluster::ties;
use wabridge_model::event::{Event, Fact};
use wabridge_model::evidence::{Evidence, Position, Report};

/// Reports that are projected within one transaction.
#[derive(Debug, Default)]
pub struct Run {
    /// The cluster of the person at hand, and the newest evidence in it.
    home: Option<(i64, Position)>,
    /// The last event that was filed there and that no fold has seen.
    unfolded: Option<(i64, Evidence)>,
}

impl Run {
    /// Projects the next report. Earlier items that found a person may be counted with a later report.
    ///
    /// # Errors
    /// When the rows cannot be read or written.
    pub fn project(&mut self, rows: &mut dyn Rows, report: Report) -> Result<Projected, StoreError> {
        let home = if is_history(&report.event) { home(rows, &report.event)? } else { None };
        let mut found = 0;
        if home != self.home.as_ref().map(|(cluster, _)| *cluster) {
            found += self.finish(rows)?;
            self.home = match home {
                Some(cluster) => rows.state(cluster)?.newest.map(|newest| (cluster, newest)),
                None => None,
            };
        }
        if let Some((cluster, newest)) = &self.home
            && position(&report) < *newest
            && rows.event(report.event.key.event_id())?.is_none()
        {
            let evidence = Evidence::from(report);
            let event = rows.add_event(&evidence, Some(*cluster))?;
            self.unfolded = Some((event, evidence));
            return Ok(Projected { event, outcome: Outcome::Applied, found });
        }
        found += self.finish(rows)?;
        let projected = project(rows, report)?;
        Ok(Projected { found: projected.found + found, ..projected })
    }

    /// Projects a report that takes the place of what its own request said before, if it said anything.
    ///
    /// # Errors
    /// When the rows cannot be read or written.
    pub fn revise(&mut self, rows: &mut dyn Rows, report: Report) -> Result<Projected, StoreError> {
        if rows.event(report.event.key.event_id())?.is_none() {
            return self.project(rows, report);
        }
        let found = self.finish(rows)?;
        let projected = revise(rows, report)?;
        Ok(Projected { found: projected.found + found, ..projected })
    }

    /// Folds what no fold has seen; to be called before the transaction ends. Returns how many earlier items
    /// found a person.
    ///
    /// # Errors
    /// When the rows cannot be read or written.
    pub fn finish(&mut self, rows: &mut dyn Rows) -> Result<u64, StoreError> {
        match self.unfolded.take() {
            // Since it is not the newest of its cluster, this folds all of them.
            Some((event, evidence)) => Ok(place(rows, event, &evidence)?.found),
            None => Ok(0),
        }
    }
}

/// It makes nobody a lead and opens nothing, so nobody waits for it.
fn is_history(event: &Event) -> bool {
    match &event.fact {
        Fact::Message(message) => message.history,
        Fact::Echo(echo) => echo.history,
        _ => false,
    }
}

/// The cluster of an event that ties nothing together which is not together already.
fn home(rows: &mut dyn Rows, event: &Event) -> Result<Option<i64>, StoreError> {
    let ties = ties(event);
    if !ties.leans_on.is_empty() || !ties.explains.is_empty() {
        return Ok(None);
    }
    if let Some(alias) = &ties.answers
        && rows.alias(alias)?.is_some()
    {
        return Ok(None);
    }
    let mut home = None;
    for identity in &ties.identities {
        let cluster = rows.name(identity)?;
        if cluster.is_none() || home.is_some_and(|home| Some(home) != cluster) {
            return Ok(None);
        }
        home = cluster;
    }
    Ok(home)
}

/// Where the event of a first report stands.
fn position(report: &Report) -> Position {
    let at = report.event.occurred_at.map_or(report.received_at, |at| at.min(report.received_at));
    Position { at, key: report.event.key.clone() }
}
