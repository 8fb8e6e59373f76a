//! The words and marks that pages share: one state has one word and one sign everywhere.

use headroom_core::forecast::State;
use headroom_core::unit::Resource;
use jiff::Timestamp;

/// A day as people write it, UTC: "14 Mar 2027".
pub(crate) fn day(at: Timestamp) -> String {
    at.strftime("%-d %b %Y").to_string()
}

/// A moment, UTC: "14 Mar 2027, 09:05 UTC".
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%-d %b %Y, %H:%M UTC").to_string()
}

/// How long ago, in the largest unit that says enough: "12 s ago", "3 h ago", "5 d ago". A moment in the future says so.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    match seconds {
        i64::MIN..-60 => "in the future: check the node's clock".to_owned(),
        -60..5 => "just now".to_owned(),
        5..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        7_200..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// How far ahead a day lies: "today", "in 12 d", "in 7 months", "8 d overdue".
pub(crate) fn ahead(at: Timestamp, now: Timestamp) -> String {
    let days = (at.as_second() - now.as_second()).div_euclid(86_400);
    match days {
        i64::MIN..=-1 => format!("{} d overdue", -days),
        0 => "today".to_owned(),
        1..=90 => format!("in {days} d"),
        91..=730 => format!("in {} months", days / 30),
        _ => format!("in {} years", days / 365),
    }
}

/// The word of a state.
pub(crate) fn state_word(state: State) -> &'static str {
    match state {
        State::Dated => "Filling",
        State::BeyondHorizon => "Beyond horizon",
        State::FlatOrShrinking => "Not growing",
        State::TooNoisy => "Too noisy",
        State::TooShort => "Too little data",
        State::Stale => "Stale",
        State::AlreadyExhausted => "Exhausted",
        State::UnknownLimit => "No known limit",
    }
}

/// The sign of a state: its shape differs, so that colour is never the only difference.
pub(crate) fn state_sign(state: State) -> &'static str {
    match state {
        State::Dated => "▲",
        State::BeyondHorizon => "◷",
        State::FlatOrShrinking => "▬",
        State::TooNoisy => "≋",
        State::TooShort => "…",
        State::Stale => "◌",
        State::AlreadyExhausted => "■",
        State::UnknownLimit => "?",
    }
}

/// What runs out, in a word.
pub(crate) fn resource_word(resource: Resource) -> &'static str {
    match resource {
        Resource::Capacity => "Capacity",
        Resource::Load => "Load",
        Resource::Endurance => "Endurance",
        Resource::Inodes => "Inodes",
        Resource::ThinMetadata => "Thin metadata",
    }
}

/// A snake_case name as words: "file_system" is "File system", and an abbreviation is written as the field writes it.
pub(crate) fn words(name: &str) -> String {
    const AS_THE_FIELD_WRITES: [&str; 7] = ["NAS", "NVMe", "PCIe", "SAS", "SATA", "SCSI", "USB"];
    if let Some(written) = AS_THE_FIELD_WRITES.iter().find(|written| written.eq_ignore_ascii_case(name)) {
        return (*written).to_owned();
    }
    let mut text = name.replace('_', " ");
    if let Some(first) = text.get(..1).map(str::to_uppercase) {
        text.replace_range(..1, &first);
    }
    text
}

#[cfg(test)]
mod tests {
    use headroom_core::forecast::State;
    use jiff::Timestamp;

    use super::{ago, ahead, day, state_sign, state_word, words};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn states_differ_in_word_and_in_sign() {
        let mut seen = std::collections::BTreeSet::new();
        for state in State::ALL {
            assert!(seen.insert(state_word(state)) && seen.insert(state_sign(state)), "{state}");
        }
    }

    #[test]
    fn time_is_told_in_the_largest_useful_unit() {
        let now = at(1_000_000_000);
        assert_eq!(ago(at(999_999_999), now), "just now");
        assert_eq!(ago(at(999_999_940), now), "60 s ago");
        assert_eq!(ago(at(999_900_000), now), "27 h ago");
        assert!(ago(at(1_000_009_000), now).contains("clock"));
        assert_eq!(ahead(at(1_000_000_000 + 86_400 * 12), now), "in 12 d");
        assert_eq!(ahead(at(1_000_000_000 - 86_400), now), "1 d overdue");
        assert_eq!(ahead(now, now), "today");
        assert_eq!(day(now), "9 Sep 2001");
    }

    #[test]
    fn names_are_written_as_words() {
        assert_eq!(words("file_system"), "File system");
        assert_eq!((words("nvme"), words("nas")), ("NVMe".to_owned(), "NAS".to_owned()));
        assert_eq!(words("élan"), "élan");
        assert_eq!(words(""), "");
    }
}
