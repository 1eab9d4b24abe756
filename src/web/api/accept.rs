//! In which form a caller wants the answer.

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT;

/// Whether the caller asks for CSV rather than JSON: it names it, and does not weigh JSON higher.
pub(super) fn csv(request: &HttpRequest) -> bool {
    let values = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    is_csv(&values.collect::<Vec<_>>().join(","))
}

fn is_csv(accept: &str) -> bool {
    let weight = |wanted: &str| {
        let weights = accept.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            named.then(|| weight.map_or(1.0, |weight| weight.parse::<f32>().unwrap_or(0.0)))
        });
        weights.fold(0.0, f32::max)
    };
    let csv = weight("text/csv");
    csv > 0.0 && csv >= weight("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_for_whoever_asks_for_it() {
        for accept in [
            "text/csv",
            "Text/CSV, */*;q=0.1",
            "text/csv;q=0.9, application/json;q=0.5",
            "text/csv, application/json",
        ] {
            assert!(is_csv(accept), "{accept}");
        }
        for accept in
            ["", "*/*", "application/json", "text/*", "text/csv;q=0", "text/csv;q=0.5, application/json"]
        {
            assert!(!is_csv(accept), "{accept}");
        }
    }
}
