//! The used share of a unit, small enough for a table cell. The text beside it says the same in words.

use headroom_core::forecast::State;

/// A bar of 100 by 8 units, filled to the share; a full and an empty bar look different from no figure at all.
/// Colours come from the style sheet by class, so both themes have enough contrast.
pub(crate) fn bar(share: Option<f64>, state: Option<State>) -> String {
    let Some(share) = share.filter(|share| share.is_finite()) else {
        return concat!(
            r#"<svg class="bar bar-none" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">"#,
            r#"<rect class="bar-track" width="100" height="8"/></svg>"#
        )
        .to_owned();
    };
    let level = match state {
        Some(State::AlreadyExhausted) => "bar-full",
        _ if share >= 0.9 => "bar-high",
        _ => "bar-some",
    };
    format!(
        concat!(
            r#"<svg class="bar {level}" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">"#,
            r#"<rect class="bar-track" width="100" height="8"/><rect class="bar-used" width="{width:.1}" height="8"/></svg>"#
        ),
        level = level,
        width = share.clamp(0.0, 1.0) * 100.0
    )
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn no_figure_is_not_an_empty_bar() {
        assert!(!bar(None, None).contains("bar-used"));
        assert!(!bar(Some(f64::NAN), None).contains("bar-used"));
        assert!(bar(Some(0.0), None).contains(r#"bar-used" width="0.0""#));
        assert!(bar(Some(7.0), None).contains(r#"width="100.0""#));
    }
}
