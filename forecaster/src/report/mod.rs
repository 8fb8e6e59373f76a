//! Predicted dates as HTML and CSV.
