//! Text inside an address.

/// Text for one value of a query string.
pub(crate) fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::percent_encoded;

    #[test]
    fn a_query_value_cannot_leave_its_place() {
        assert_eq!(percent_encoded("/units/5?tab=load&x=ä"), "/units/5%3Ftab%3Dload%26x%3D%C3%A4");
    }
}
