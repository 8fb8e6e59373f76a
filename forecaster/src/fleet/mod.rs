//! Forecasts of all components, in claimed ranges.
