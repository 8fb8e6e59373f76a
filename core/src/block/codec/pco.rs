//! Numbers by pco in its wrapped form: we keep the count ourselves, so a section carries no second header.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pco::{
    ChunkConfig, PagingSpec,
    data_types::Number,
    errors::PcoError,
    wrapped::{FileCompressor, FileDecompressor},
};

use super::Effort;
use crate::block::Damage;

/// The coded numbers; nothing when pco refuses them.
pub(super) fn write<T: Number>(values: &[T], effort: Effort) -> Option<Vec<u8>> {
    let config = ChunkConfig::default()
        .with_compression_level(usize::from(effort.0.min(12)))
        .with_paging_spec(PagingSpec::Exact(vec![values.len()]));
    let compressor = FileCompressor::default();
    let mut out = compressor.write_header(Vec::new()).ok()?;
    let mut chunk = compressor.chunk_compressor(values, &config).ok()?;
    out = chunk.write_meta(out).ok()?;
    chunk.write_page(0, out).ok()
}

/// The `n` numbers. `n` is at most a block's rows.
pub(super) fn read<T: Number + Default>(bytes: &[u8], n: usize) -> Result<Vec<T>, Damage> {
    let damage = |why: String| Damage::Codec { codec: "pco", why };
    // pco reports damage as an error; should it ever panic on bytes whose checksum is right, that is damage as well.
    catch_unwind(AssertUnwindSafe(|| decode(bytes, n)))
        .map_err(|_| damage("the decoder gave up".to_owned()))?
        .map_err(|error| damage(error.message))
}

fn decode<T: Number + Default>(bytes: &[u8], n: usize) -> Result<Vec<T>, PcoError> {
    let (file, rest) = FileDecompressor::new(bytes)?;
    let (mut chunk, rest) = file.chunk_decompressor::<T, _>(rest)?;
    let mut values = vec![T::default(); n];
    let mut page = chunk.page_decompressor(rest, n)?;
    page.read(&mut values)?;
    Ok(values)
}
