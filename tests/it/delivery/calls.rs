//! How many calls a lead costs. The README's figures are these.

use super::world::{World, by_number};
use jiff::SignedDuration;
use std::io::Write;

/// For who runs it with `--no-capture`.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[test]
fn calls_per_lead_are_what_the_readme_says() {
    let mut world = World::hubspot();
    let crm = world.only();
    world.run();
    let schema = crm.taken_calls().len();

    world.says(by_number(1), "m1");
    world.run();
    let new: Vec<String> = crm.taken_calls().into_iter().map(|(_, call)| call).collect();
    tell(&format!("schema {schema}; new lead with activity {}: {new:#?}", new.len()));
    assert_eq!((crm.ledger("persons").len(), crm.ledger("activities").len()), (1, 1));

    world.run_for(SignedDuration::from_hours(30));
    crm.taken_calls();
    world.says(by_number(1), "m2");
    world.run();
    let returning: Vec<String> = crm.taken_calls().into_iter().map(|(_, call)| call).collect();
    tell(&format!("returning lead {}: {returning:#?}", returning.len()));
    world.assert_drained();
    assert_eq!((crm.ledger("persons").len(), crm.ledger("activities").len()), (1, 2));
    assert_eq!((new.len(), returning.len()), (4, 2));
}
