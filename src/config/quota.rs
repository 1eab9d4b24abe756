//! `[quota]`: from what share of a CRM's limits on somebody is told, and what is not begun any more.

use super::document::Table;

/// Shares of a limit of hours, in percent, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// From here on it is told.
    pub alert_percent: u64,
    /// From here on nothing that can wait is begun.
    pub bulk_percent: u64,
    /// From here on only what is most urgent is begun.
    pub urgent_percent: u64,
}

impl Default for Quota {
    fn default() -> Quota {
        Quota { alert_percent: 70, bulk_percent: 85, urgent_percent: 95 }
    }
}

impl Quota {
    pub(super) fn read(mut table: Table<'_, '_>) -> Quota {
        let default = Quota::default();
        let mut percent = |key, default| table.integer(key, 1..=100).map_or(default, u64::from);
        let quota = Quota {
            alert_percent: percent("alert_percent", default.alert_percent),
            bulk_percent: percent("bulk_percent", default.bulk_percent),
            urgent_percent: percent("urgent_percent", default.urgent_percent),
        };
        let Quota { alert_percent, bulk_percent, urgent_percent } = quota;
        if alert_percent > bulk_percent || bulk_percent > urgent_percent {
            table.problem(format!(
                "[quota] has alert_percent = {alert_percent}, bulk_percent = {bulk_percent}, urgent_percent = \
                 {urgent_percent}; none may be above the next: write 70, 85, 95"
            ));
        }
        table.finish(&[]);
        quota
    }
}
