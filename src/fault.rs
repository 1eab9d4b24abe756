//! Planted faults, so that a harness can show that it would catch them. They exist in debug builds only:
//! a release binary does not even contain the variable's name.

/// Whether a fault is planted, and for faults that take a marker, whether `body` contains it.
#[cfg(debug_assertions)]
#[must_use]
pub fn planted(name: &str, body: &[u8]) -> bool {
    use std::sync::LazyLock;
    static FAULT: LazyLock<String> = LazyLock::new(|| std::env::var("WABRIDGE_FAULT").unwrap_or_default());
    match FAULT.split_once(':') {
        Some((fault, marker)) => {
            fault == name && body.windows(marker.len()).any(|window| window == marker.as_bytes())
        }
        None => FAULT.as_str() == name,
    }
}

/// Never, in a release build.
#[cfg(not(debug_assertions))]
#[must_use]
#[inline(always)]
pub fn planted(_name: &str, _body: &[u8]) -> bool {
    false
}
