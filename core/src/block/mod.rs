//! The sealed block of the series store: format, codecs, summaries.
