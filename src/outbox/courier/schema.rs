//! The courier and the CRM's schema: read in time, acted on, asked what a failure means.

use super::Courier;
use crate::outbox::Setup;
use crate::outbox::errand::Lease;
use crate::outbox::look;
use crate::outbox::meter::Metered;
use crate::outbox::retry::{Case, SchemaSays, decide};
use crate::outbox::watch::{Change, DRIFT};
use crate::store::StoreError;
use crate::store::outbox::TargetRow;
use wabridge_model::{Failure, FailureKind};

impl Courier {
    /// Reads the schema. Whether work may go on.
    pub(super) async fn read_schema(&mut self, setup: &Setup, row: TargetRow) -> Result<bool, StoreError> {
        let target = &setup.target;
        if self.watch.known().is_none()
            && let Some((schema, _)) = row.schema
            && let Ok(schema) = serde_json::from_value(schema)
        {
            self.watch.remember(target, schema);
        }
        let known = self.watch.known();
        let (read, full) = {
            // It only reads, for no job.
            let lease = Lease::forever();
            let transport = Metered::new(setup, &self.breaker, (&*self.clock, &lease), &*self.store, 100);
            (look::schema(setup, &transport, known.as_deref()).await, transport.full())
        };
        let now = self.clock.elapsed();
        if let Some(full) = full.filter(|full| full.is_pace && read.is_err()) {
            // It is read as soon as the pace allows.
            self.paced = now + full.wait;
            return Ok(false);
        }
        match read {
            Ok(schema) => {
                if let Ok(kept) = serde_json::to_value(&schema) {
                    self.store.keep_schema(&target.name, &kept, self.clock.now())?;
                }
                let change = self.watch.read(target, schema, now);
                self.act_on(setup, &change)?;
                Ok(true)
            }
            Err(failure) => {
                self.watch.failed(now);
                if failure.kind == FailureKind::Auth {
                    // Nothing is read while it is paused; once it goes on, nobody should wait for long.
                    self.watch.hurry(now);
                }
                tracing::warn!(target_name = target.name, %failure, "the CRM's fields could not be read");
                let case = Case { streak: self.breaker().streak(now).0, ..self.case(setup, &failure) };
                let (_, effect) = decide(&case, self.dice.throw());
                self.take_effect(setup, effect)?;
                Ok(false)
            }
        }
    }

    /// Says what is wrong or well again, and lets go on what can.
    pub(super) fn act_on(&self, setup: &Setup, change: &Change) -> Result<(), StoreError> {
        let (name, crm) = (setup.target.name.as_str(), setup.target.crm.about().slug);
        for fault in &change.new {
            self.metrics.drifted(crm, fault.problem.as_str());
            let (object, field, holds) = (&fault.object, &fault.name, format!("{:?}", fault.holds));
            let (what, next) = (&fault.text, &fault.advice);
            tracing::warn!(target_name = name, crm, object, field, holds, what, next, "the CRM has drifted");
        }
        for fault in &change.mended {
            let (object, field) = (&fault.object, &fault.name);
            tracing::info!(target_name = name, crm, object, field, "is well again");
        }
        let now = self.clock.now();
        let mut released = 0;
        if change.release {
            released += self.store.release_jobs(name, DRIFT, now)?;
        }
        for field in &change.back {
            released += self.store.want_again(name, field, now)?;
        }
        if released > 0 {
            tracing::info!(target_name = name, crm, released, "jobs that the schema held up are due again");
        }
        Ok(())
    }

    /// What the schema, as last read, says of a failure.
    pub(super) fn schema_says(&self, failure: &Failure) -> SchemaSays {
        let Some(known) = self.watch.known() else { return SchemaSays::Nothing };
        let health = &known.health;
        if failure.field.as_ref().is_some_and(|field| health.missing.contains_key(field)) {
            return SchemaSays::LeaveOut;
        }
        match &health.person {
            Some(why) => SchemaSays::Hold(why.clone()),
            None => SchemaSays::Nothing,
        }
    }
}
