// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{Contract, Error, Matrix, Result, SetSummary, TileMeta};
use rayon::prelude::*;

use crate::layout::SetPaths;
use crate::log::State;
use crate::shard_reader::ShardReader;

/// A set at one version.
#[derive(Debug)]
pub(crate) struct OpenSet {
    pub(crate) paths: SetPaths,
    pub(crate) contract: Contract,
    pub(crate) state: State,
}

/// Rows that a thread reads at a time.
const BLOCK_ROWS: usize = 8192;

impl OpenSet {
    pub(crate) fn summary(&self) -> SetSummary {
        SetSummary {
            contract: self.contract.clone(),
            fingerprint: self.contract.fingerprint(),
            n_rows: self.state.rows(),
            n_shards: self.state.shards.len() as u64,
            n_bytes: self.state.bytes(),
            version: self.state.version,
        }
    }

    /// Opens every shard, in order.
    fn readers(&self) -> Result<Vec<ShardReader>> {
        let open = |shard| ShardReader::open(&self.paths, shard, &self.contract);
        self.state.shards.par_iter().map(open).collect()
    }

    /// All tiles and views.
    pub(crate) fn read_metas(&self) -> Result<(Vec<TileMeta>, Vec<u16>)> {
        let parts: Vec<_> =
            self.readers()?.par_iter().map(ShardReader::read_metas).collect::<Result<_>>()?;
        let n_rows = self.state.rows() as usize;
        let (mut metas, mut views) = (Vec::with_capacity(n_rows), Vec::with_capacity(n_rows));
        for (m, v) in parts {
            metas.extend(m);
            views.extend(v);
        }
        Ok((metas, views))
    }

    /// All embeddings, every block of rows by whichever thread is free.
    pub(crate) fn read_embeddings(&self) -> Result<Matrix> {
        let dim = self.contract.dim as usize;
        let n_rows = self.state.rows() as usize;
        let mut values = vec![0.0; n_rows * dim];
        let readers = self.readers()?;
        let mut blocks = Vec::new();
        let mut rest = values.as_mut_slice();
        for reader in &readers {
            let (here, after) = rest.split_at_mut(reader.n_rows() * dim);
            rest = after;
            let parts = here.chunks_mut(BLOCK_ROWS * dim).enumerate();
            blocks.extend(parts.map(|(i, block)| (reader, i * BLOCK_ROWS, block)));
        }
        blocks
            .into_par_iter()
            .try_for_each(|(reader, first, block)| reader.read_values(first, block))?;
        Matrix::new(n_rows, dim, values)
    }

    /// All embeddings in the order of [`OpenSet::read_embeddings`], a few blocks in memory at a
    /// time.
    pub(crate) fn for_each_block(
        &self,
        use_values: &mut dyn FnMut(&[f32]) -> Result<()>,
    ) -> Result<()> {
        let dim = self.contract.dim as usize;
        for reader in self.readers()? {
            let starts: Vec<usize> = (0..reader.n_rows()).step_by(BLOCK_ROWS).collect();
            for starts in starts.chunks(rayon::current_num_threads()) {
                let read = |&start: &usize| {
                    let n_rows = BLOCK_ROWS.min(reader.n_rows() - start);
                    let mut block = vec![0.0; n_rows * dim];
                    reader.read_values(start, &mut block).map(|()| block)
                };
                let blocks: Vec<Vec<f32>> = starts.par_iter().map(read).collect::<Result<_>>()?;
                blocks.iter().try_for_each(|block| use_values(block))?;
            }
        }
        Ok(())
    }

    /// Embeddings of rows by number, in the order asked for.
    pub(crate) fn read_rows(&self, rows: &[u64]) -> Result<Matrix> {
        let total = self.state.rows();
        if let Some(row) = rows.iter().find(|&&r| r >= total) {
            return Err(Error::input(
                "row number",
                format!("below {total}"),
                row.to_string(),
                "count rows in the order of a scan",
            ));
        }
        let dim = self.contract.dim as usize;
        let mut ends = Vec::with_capacity(self.state.shards.len());
        let mut end = 0;
        for shard in &self.state.shards {
            end += shard.rows;
            ends.push(end);
        }
        // Rows by the shard that holds them: their number in it, and where they go.
        let mut wanted: BTreeMap<usize, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
        for (at, &row) in rows.iter().enumerate() {
            let shard = ends.partition_point(|&end| end <= row);
            let first = ends[shard] - self.state.shards[shard].rows;
            let (numbers, places) = wanted.entry(shard).or_default();
            numbers.push((row - first) as usize);
            places.push(at);
        }
        let parts: Vec<(Vec<usize>, Vec<f32>)> = wanted
            .into_par_iter()
            .map(|(shard, (numbers, places))| {
                let shard = &self.state.shards[shard];
                let reader = ShardReader::open(&self.paths, shard, &self.contract)?;
                let mut values = vec![0.0; numbers.len() * dim];
                reader.read_rows(&numbers, &mut values)?;
                Ok((places, values))
            })
            .collect::<Result<_>>()?;
        let mut matrix = Matrix::new(rows.len(), dim, vec![0.0; rows.len() * dim])?;
        for (places, values) in parts {
            for (at, row) in places.into_iter().zip(values.chunks_exact(dim)) {
                matrix.row_mut(at).copy_from_slice(row);
            }
        }
        Ok(matrix)
    }
}
