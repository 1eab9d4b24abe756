//! `[window]`: how careful the verdict on the 24-hour service window is.

use super::document::Table;

/// How careful the verdict on the service window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Seconds taken off the end of the window, for the time between the verdict and the message it allows.
    pub margin_seconds: u32,
    /// Whether a customer's reaction opens the window.
    pub reactions_extend: bool,
}

impl Default for Window {
    fn default() -> Window {
        Window { margin_seconds: 120, reactions_extend: false }
    }
}

impl Window {
    pub(super) fn read(mut table: Table<'_, '_>) -> Window {
        let default = Window::default();
        let window = Window {
            // Less than the window itself, or no window would ever be open.
            margin_seconds: table.integer("margin_seconds", 0..=86_399).unwrap_or(default.margin_seconds),
            reactions_extend: table.boolean("reactions_extend").unwrap_or(default.reactions_extend),
        };
        table.finish(&[]);
        window
    }
}
