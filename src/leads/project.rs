//! Projection: one report of one event becomes lead state.
//!
//! In: a report, and the rows of one transaction. Out: what became of it. The rows change so that they
//! depend on the set of reports alone: a cluster is folded anew wherever the newest step would not do.

use crate::store::{Change, Rows, StoreError};
use wabridge_model::cluster::{Alias, Cluster, Ties, ties};
use wabridge_model::event::Fact;
use wabridge_model::evidence::{Evidence, Position, Report};

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It changed something.
    Applied,
    /// It was known.
    Duplicate,
    /// It names nobody; kept, and applied when its conversation names someone.
    NoIdentity,
}

/// What one report did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Projected {
    /// The event's row.
    pub event: i64,
    /// What became of the report.
    pub outcome: Outcome,
    /// How many earlier items it gave a person to.
    pub found: u64,
}

/// Projects one report.
///
/// # Errors
/// When the rows cannot be read or written.
pub fn project(rows: &mut dyn Rows, report: Report) -> Result<Projected, StoreError> {
    let id = report.event.key.event_id();
    let Some(mut row) = rows.event(id)? else {
        let evidence = Evidence::from(report);
        let home = home(rows, &evidence, None)?;
        let event = rows.add_event(&evidence, home.as_ref().ok().map(|link| link.cluster))?;
        return apply(rows, event, &evidence, home);
    };
    let before = row.evidence.position();
    if !row.evidence.join(report) {
        return Ok(Projected { event: row.id, outcome: Outcome::Duplicate, found: 0 });
    }
    rows.set_evidence(row.id, &row.evidence)?;
    debug_assert!(row.evidence.position() <= before, "a further report never moves evidence forward");
    // A weightier report may name somebody else. The event then leaves a person behind who must be folded
    // without it, so where it was and where it belongs become one cluster.
    let home = home(rows, &row.evidence, row.cluster)?;
    file(rows, row.id, &row.evidence, home)
}

/// Projects a report that takes the place of what its own request said before.
///
/// # Errors
/// When the rows cannot be read or written.
pub fn revise(rows: &mut dyn Rows, report: Report) -> Result<Projected, StoreError> {
    let Some(mut row) = rows.event(report.event.key.event_id())? else { return project(rows, report) };
    if !row.evidence.revise(report) {
        return Ok(Projected { event: row.id, outcome: Outcome::Duplicate, found: 0 });
    }
    rows.set_evidence(row.id, &row.evidence)?;
    // It may have moved forward in time: no step forward would be right.
    let home = home(rows, &row.evidence, row.cluster)?.map(|link| Link { grew: true, ..link });
    file(rows, row.id, &row.evidence, home)
}

/// Puts an event that is in no cluster into its own and updates that cluster's state.
///
/// # Errors
/// When the rows cannot be read or written.
pub fn place(rows: &mut dyn Rows, event: i64, evidence: &Evidence) -> Result<Projected, StoreError> {
    let home = home(rows, evidence, None)?;
    file(rows, event, evidence, home)
}

fn file(
    rows: &mut dyn Rows,
    event: i64,
    evidence: &Evidence,
    home: Result<Link, Outcome>,
) -> Result<Projected, StoreError> {
    if let Ok(link) = &home {
        rows.set_cluster(event, link.cluster)?;
    }
    apply(rows, event, evidence, home)
}

/// The cluster an event belongs to, or what becomes of an event without one. `was` is the cluster it is in.
fn home(
    rows: &mut dyn Rows,
    evidence: &Evidence,
    was: Option<i64>,
) -> Result<Result<Link, Outcome>, StoreError> {
    let merged = evidence.merged();
    if matches!(merged.fact, Fact::Account(_)) {
        return Ok(Err(Outcome::Applied));
    }
    let ties = ties(&merged);
    if ties.identities.is_empty() && ties.leans_on.is_empty() {
        return Ok(Err(Outcome::NoIdentity));
    }
    link(rows, &ties, &evidence.position(), was).map(Ok)
}

/// Updates the state of an event's cluster.
fn apply(
    rows: &mut dyn Rows,
    event: i64,
    evidence: &Evidence,
    home: Result<Link, Outcome>,
) -> Result<Projected, StoreError> {
    let Link { cluster, is_new, grew } = match home {
        Ok(link) => link,
        Err(outcome) => return Ok(Projected { event, outcome, found: 0 }),
    };
    let before = if is_new { Cluster::default() } else { rows.state(cluster)? };
    let step = if grew { Err(before.clone()) } else { before.clone().push(evidence) };
    let (after, owner, found) = match step {
        Ok((after, owner)) => (after, owner, 0),
        Err(_) => refold(rows, cluster, event)?,
    };
    rows.save(cluster, &before, &after)?;
    rows.changed(&Change { evidence, before: &before, after: &after, owner })?;
    let outcome = if owner.is_some() { Outcome::Applied } else { Outcome::NoIdentity };
    Ok(Projected { event, outcome, found })
}

/// Folds a cluster from all its evidence. Events that waited for a person and now have one are counted.
fn refold(
    rows: &mut dyn Rows,
    cluster: i64,
    event: i64,
) -> Result<(Cluster, Option<usize>, u64), StoreError> {
    let mut events = rows.events_of(cluster)?;
    events.sort_by_cached_key(|row| row.evidence.position());
    let mut evidence: Vec<Evidence> = events.iter().map(|row| row.evidence.clone()).collect();
    let folded = Cluster::fold(&mut evidence);
    let mut found = 0;
    let mut own = None;
    for (row, owner) in events.iter().zip(&folded.owners) {
        if row.id == event {
            own = *owner;
        } else if owner.is_some() && leans(&row.evidence) {
            found += rows.found_person(row.id)?;
        }
    }
    Ok((folded.cluster, own, found))
}

fn leans(evidence: &Evidence) -> bool {
    evidence.reports().iter().any(|report| !report.event.person.is_identified())
}

/// The cluster an event belongs to.
struct Link {
    cluster: i64,
    /// Whether it was made just now, so that there is no state to read.
    is_new: bool,
    /// Whether clusters became one, so that their state must be folded anew.
    grew: bool,
}

/// Finds the cluster of all names of an event, joining clusters where it ties them together.
fn link(rows: &mut dyn Rows, ties: &Ties, position: &Position, was: Option<i64>) -> Result<Link, StoreError> {
    let mut clusters = Vec::from_iter(was);
    let mut unknown = Vec::new();
    for identity in &ties.identities {
        match rows.name(identity)? {
            Some(cluster) => clusters.push(cluster),
            None => unknown.push(identity),
        }
    }
    let answered = match ties.answered_by {
        Some(answer) => rows.event(answer)?.and_then(|row| row.cluster),
        None => None,
    };
    clusters.extend(answered);
    let mut leaning = Vec::new();
    for alias in &ties.leans_on {
        match rows.alias(alias)? {
            Some((cluster, _)) => clusters.push(cluster),
            None if answered.is_some() => {}
            None => leaning.push(alias),
        }
    }
    if let Some(alias) = &ties.answers {
        clusters.extend(rows.alias(alias)?.map(|(cluster, _)| cluster));
    }
    let mut claims: Vec<&Alias> = Vec::new();
    for alias in &ties.explains {
        match rows.alias(alias)? {
            // Whom it stands for was settled by earlier evidence, and this event does not lean on it.
            Some((_, Some(claim))) if claim <= *position => {}
            Some((cluster, _)) => {
                clusters.push(cluster);
                claims.push(alias);
            }
            None => claims.push(alias),
        }
    }
    clusters.sort_unstable();
    clusters.dedup();
    let (cluster, gone) = match clusters.split_first() {
        Some((first, rest)) => (*first, rest),
        None => (rows.add_cluster()?, [].as_slice()),
    };
    for other in gone {
        rows.absorb(*other, cluster)?;
    }
    for identity in unknown {
        rows.set_name(identity, cluster)?;
    }
    for alias in leaning {
        rows.set_alias(alias, cluster, None)?;
    }
    for alias in claims {
        rows.set_alias(alias, cluster, Some(position))?;
    }
    Ok(Link { cluster, is_new: clusters.is_empty(), grew: !gone.is_empty() })
}
