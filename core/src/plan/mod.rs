//! What to buy so that a unit lasts, and by when to order it.
