//! Text inside HTML and XML.

/// Text made safe for an element or a quoted attribute. Templates do this themselves; drawings use this.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // XML forbids other control characters, even escaped.
            control if control.is_control() && !matches!(control, '\n' | '\t') => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn what_a_page_would_run_is_made_harmless() {
        assert_eq!(escape("<b a='\"&\u{0}"), "&lt;b a=&#39;&quot;&amp;\u{fffd}");
    }
}
