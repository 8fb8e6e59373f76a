//! One raw page, named by HEADROOM_FUZZ_PAGE as for `headroom-node decode --page`; without it the first byte chooses.
#![no_main]

use clap::ValueEnum as _;
use decoders::decode::PageName;
use decoders::decode::raw_page::{Neighbours, decode};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static PAGE: LazyLock<Option<PageName>> = LazyLock::new(|| {
    let name = std::env::var("HEADROOM_FUZZ_PAGE").ok()?;
    Some(PageName::from_str(&name, true).expect("HEADROOM_FUZZ_PAGE names a page"))
});

fuzz_target!(|bytes: &[u8]| {
    let all = PageName::value_variants();
    let (name, bytes) = match (*PAGE, bytes.split_first()) {
        (Some(name), _) => (name, bytes),
        (None, Some((first, rest))) => (all[usize::from(*first) % all.len()], rest),
        (None, None) => return,
    };
    let _ = decode(name, bytes, Neighbours { block_bytes: Some(512), threshold_exponent: Some(11) });
});
