//! Texts for people: one line of what somebody wrote, cut to a length, and times as they are said.

use crate::config::Region;
use jiff::Timestamp;

/// One line: every run of blanks and breaks is a blank, what cannot be seen is taken out.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(visible).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Without control characters, and without those that turn the direction of what follows.
fn visible(word: &str) -> String {
    let is_hidden =
        |c: char| c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    word.chars().filter(|c| !is_hidden(*c)).collect()
}

/// At most so many characters, an ellipsis for the rest; between words where one ends near.
pub(super) fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let kept: String = text.chars().take(longest.saturating_sub(1)).collect();
    let between = kept.rfind(' ').filter(|at| kept[*at..].chars().count() <= 16);
    let kept = between.map_or(kept.as_str(), |at| &kept[..at]);
    // Half of a joined emoji would be another one.
    let kept = kept.trim_end_matches(['\u{200D}', '\u{FE0F}']).trim_end();
    format!("{kept}…")
}

/// A time of day and a day of the region, with its name: `14:03 on 23 Nov 2026 (Asia/Kolkata)`.
pub(super) fn told(at: Timestamp, region: &Region) -> String {
    format!("{} ({})", region.clock_time(at), region.zone_name(at))
}

/// A time of day and a day, in short: `23 Nov 14:03`.
pub(super) fn short(at: Timestamp, region: &Region) -> String {
    at.to_zoned(region.timezone.clone()).strftime("%-d %b %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line_whatever_was_written() {
        assert_eq!(one_line("  नमस्ते\n\tआशा \u{202E}राव\u{0007} "), "नमस्ते आशा राव");
        assert_eq!(one_line("\u{200B} \n"), "\u{200B}");
        assert_eq!(one_line(" \n\t"), "");
    }

    #[test]
    fn a_long_text_ends_in_an_ellipsis_and_keeps_whole_words_and_emoji() {
        assert_eq!(cut("कीमत क्या है?", 20), "कीमत क्या है?");
        assert_eq!(cut("how much is the red one", 16), "how much is the…");
        assert_eq!(cut(&"x".repeat(100), 10), format!("{}…", "x".repeat(9)));
        let family = "👩\u{200D}👩\u{200D}👧 and the rest of it";
        for longest in 1..10 {
            let short = cut(family, longest);
            assert!(short.chars().count() <= longest && short.ends_with('…'), "{longest} {short}");
            assert!(!short.trim_end_matches('…').ends_with('\u{200D}'), "{longest} {short}");
        }
    }

    #[test]
    fn a_time_is_told_as_the_region_says_it() {
        let at: Timestamp = "2026-11-23T08:33:12Z".parse().unwrap();
        assert_eq!(told(at, &Region::default()), "14:03 on 23 Nov 2026 (Asia/Kolkata)");
        assert_eq!(short(at, &Region::default()), "23 Nov 14:03");
    }
}
