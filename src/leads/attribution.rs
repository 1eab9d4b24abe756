//! The audit of attribution, as the API and the command line give it.
//!
//! In: rows of counts. Out: the object of the contract, its columns in their order, as JSON or as a table.
//! What nobody told us yet is null and never 0: names of campaigns, deals, what an ad cost.

use super::rollup::Model;
use super::touch::causes;
use super::verdict::names;
use crate::report::Cell;
use crate::report::csv::Csv;
use crate::store::{By, Question, Rolled};
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;
use wabridge_model::attribution::AttributionState;

/// The counts, and their sum.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attribution {
    /// What the rows are grouped by.
    #[schema(schema_with = groupings)]
    pub by: By,
    /// Which touch of a lead is credited.
    #[schema(schema_with = models)]
    pub model: Model,
    /// The first day; null from the beginning on.
    #[schema(value_type = Option<String>, format = Date)]
    pub since: Option<Date>,
    /// The day after the last one; null where there is no end.
    #[schema(value_type = Option<String>, format = Date)]
    pub until: Option<Date>,
    /// The rows; those of which nothing is known come last, one for each cause.
    pub items: Vec<AttributionRow>,
    /// The sum of the rows.
    pub total: AttributionRow,
}

/// Declares the row with its columns in one place: their names, their order and their cells.
macro_rules! row {
    ($($(#[$attribute:meta])* $column:ident: $type:ty,)*) => {
        /// One row of counts. What it is not grouped by is null, and so is what is not known yet.
        #[derive(Debug, Clone, Default, Serialize, ToSchema)]
        pub struct AttributionRow {
            $($(#[$attribute])* pub $column: $type,)*
        }

        /// The columns, in their order.
        pub const COLUMNS: &[&str] = &[$(stringify!($column)),*];

        impl AttributionRow {
            /// The values, in the order of the columns.
            #[must_use]
            pub fn cells(&self) -> Vec<Cell> {
                vec![$(Cell::from(self.$column.clone())),*]
            }
        }
    };
}

row! {
    /// The day, in the region's time zone.
    #[schema(format = Date)]
    date_local: Option<String>,
    /// The ad.
    ad_id: Option<String>,
    /// Its name; not known yet.
    ad_name: Option<String>,
    /// The ad set; not known yet.
    adset_id: Option<String>,
    /// Its name; not known yet.
    adset_name: Option<String>,
    /// The campaign; not known yet.
    campaign_id: Option<String>,
    /// Its name; not known yet.
    campaign_name: Option<String>,
    /// Our number.
    business_number: Option<String>,
    /// The provider that reported the touch.
    provider: Option<String>,
    /// How much is known: given for rows by state, for what has no ad among rows by ad, and where nothing is.
    #[schema(schema_with = states)]
    state: Option<String>,
    /// Why something is missing.
    #[schema(schema_with = causes)]
    cause: Option<String>,
    /// Conversations that a touch began, and one for each lead without a touch.
    conversations: Option<i64>,
    /// Leads. Under `each`, a lead counts once for every ad, post or link it came by.
    leads: Option<i64>,
    /// Conversations whose click id is known.
    click_id_present: Option<i64>,
    /// Conversations that the business answered within five minutes.
    answered_5m: Option<i64>,
    /// Conversations whose answer could not be known: their provider passes none on, or they had no touch.
    answered_unknown: Option<i64>,
    /// Conversations from an ad that were answered within 24 hours, which opens the free entry point.
    free_entry_opened: Option<i64>,
    /// Leads that a bot held qualified.
    qualified: Option<i64>,
    /// Won deals; not known yet.
    won: Option<i64>,
    /// Their value; not known yet.
    value: Option<String>,
    /// Their value without what was cancelled or returned; not known yet.
    value_net: Option<String>,
    /// The currency of the values.
    currency: Option<String>,
    /// What the ad cost; not known yet.
    spend: Option<String>,
    /// Conversations that Meta counts; not known yet.
    meta_conversations: Option<i64>,
    /// Meta's count less ours; not known yet.
    gap: Option<i64>,
}

impl From<Rolled> for AttributionRow {
    fn from(rolled: Rolled) -> AttributionRow {
        AttributionRow {
            date_local: rolled.date_local,
            ad_id: rolled.ad_id,
            provider: rolled.provider,
            state: rolled.state,
            cause: rolled.cause,
            conversations: Some(rolled.conversations),
            leads: Some(rolled.leads),
            click_id_present: Some(rolled.click_id_present),
            answered_5m: Some(rolled.answered_5m),
            answered_unknown: Some(rolled.answered_unknown),
            free_entry_opened: Some(rolled.free_entry_opened),
            qualified: Some(rolled.qualified),
            ..AttributionRow::default()
        }
    }
}

impl Attribution {
    /// The answer to a question.
    #[must_use]
    pub fn new(question: &Question, rows: Vec<Rolled>) -> Attribution {
        let mut sum = Rolled::default();
        for row in &rows {
            sum.conversations += row.conversations;
            sum.leads += row.leads;
            sum.click_id_present += row.click_id_present;
            sum.answered_5m += row.answered_5m;
            sum.answered_unknown += row.answered_unknown;
            sum.free_entry_opened += row.free_entry_opened;
            sum.qualified += row.qualified;
        }
        Attribution {
            by: question.by,
            model: question.model,
            since: question.since,
            until: question.until,
            items: rows.into_iter().map(AttributionRow::from).collect(),
            total: sum.into(),
        }
    }

    /// The rows as CSV, without their sum: a column of it adds up to the total.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut csv = Csv::new(COLUMNS.iter().copied());
        for row in &self.items {
            let cells: Vec<Option<String>> = row.cells().iter().map(Cell::text).collect();
            csv.row(cells.iter().map(Option::as_deref));
        }
        csv.finish()
    }
}

fn groupings() -> Object {
    names("What the rows are grouped by", By::ALL.map(By::as_str))
}

fn models() -> Object {
    names("Which touch of a lead is credited", Model::ALL.map(Model::as_str))
}

fn states() -> Object {
    let states = AttributionState::ALL.map(|state| Some(state.as_str())).into_iter().chain([None]);
    names("How much is known, where the row is of one state", states)
}
