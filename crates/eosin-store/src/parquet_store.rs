// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{StringArray, UInt16Array};
use eosin_core::{
    Contract, EmbeddingBatch, EmbeddingStore, EmbeddingWriter, Error, Fingerprint, Matrix, Result,
    SetSummary, TileMeta,
};

use crate::layout::SetPaths;
use crate::log;
use crate::objects::Objects;
use crate::open_set::OpenSet;
use crate::read::{latest, latest_rows, rows_of_tiles};
use crate::schema::{column, read_metas};
use crate::shard_reader::{MetaColumns, ShardReader, damaged};
use crate::writer::ParquetWriter;
use crate::{Dtype, RowKey, TileKey};

/// How a store writes; reading needs no options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// The number type of new sets; an existing set keeps its own.
    pub dtype: Dtype,
    /// Pack embeddings: an eighth smaller, and many times slower to write and read.
    pub cold: bool,
    /// A shard ends where the slide changes once it has this many rows, so that large slides have
    /// a shard of their own and small ones share.
    pub min_shard_rows: usize,
    /// A shard ends at this many rows in any case.
    pub max_shard_rows: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { dtype: Dtype::F16, cold: false, min_shard_rows: 4096, max_shard_rows: 262_144 }
    }
}

/// An [`EmbeddingStore`] in a folder: Parquet shards under an atomic log.
///
/// Any number of processes may read and write the same folder at once. A store may also be in a
/// bucket, of which the folder is then a mirror; see [`ParquetStore::open_mirror`].
#[derive(Clone, Debug)]
pub struct ParquetStore {
    root: PathBuf,
    options: StoreOptions,
    bucket: Option<Arc<dyn Objects>>,
}

impl ParquetStore {
    /// A store in `root`, which is made at the first commit.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        Self::open_with(root, StoreOptions::default())
    }

    /// As [`ParquetStore::open`], with options for writing.
    pub fn open_with(root: impl Into<PathBuf>, options: StoreOptions) -> Result<Self> {
        let root = root.into();
        if root.exists() && !root.is_dir() {
            return Err(Error::input(
                "embedding store",
                "a folder, or a path where one can be made",
                root.display().to_string(),
                "name the folder that holds the sets, not a file in it",
            ));
        }
        if options.max_shard_rows == 0 {
            return Err(Error::input(
                "max_shard_rows",
                "at least 1",
                "0",
                "leave it at its default",
            ));
        }
        Ok(Self { root, options, bucket: None })
    }

    /// The store in `bucket`, mirrored in the folder `mirror`, which may be deleted at any time.
    ///
    /// A commit counts once the bucket has it. Readers see the bucket's newest state whenever they
    /// open a set, and fetch the shards they lack, each once, when they first need them.
    /// [`ParquetStore::verify`] reads the mirror, after fetching what it lacks.
    pub fn open_mirror(
        bucket: Arc<dyn Objects>,
        mirror: impl Into<PathBuf>,
        options: StoreOptions,
    ) -> Result<Self> {
        Ok(Self { bucket: Some(bucket), ..Self::open_with(mirror, options)? })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn paths(&self, set: &Fingerprint) -> SetPaths {
        SetPaths::new(&self.root, self.bucket.as_ref(), set)
    }

    pub(crate) fn options(&self) -> StoreOptions {
        self.options
    }

    /// Every committed row, with the file that it was read from.
    ///
    /// Embeddings are not read, so that a run finds out quickly what is left to do.
    /// Where a row was committed twice, the later counts.
    pub fn committed(&self, set: &Fingerprint) -> Result<BTreeMap<RowKey, Arc<str>>> {
        let (mut rows, mut last) = (BTreeMap::new(), Arc::<str>::from(""));
        let Some(open) = self.try_open_set(set)? else { return Ok(rows) };
        for shard in &open.state.shards {
            let reader = ShardReader::open(&open.paths, shard, &open.contract)?;
            let path = reader.path().to_owned();
            for batch in reader.meta_batches(MetaColumns::Keys, 8192)? {
                let batch =
                    batch.map_err(|e| damaged(&path, "a sound Parquet shard", e.to_string()))?;
                let tile_id = column::<StringArray>(&path, &batch, "tile_id")?;
                let source = column::<StringArray>(&path, &batch, "source")?;
                let digest = column::<StringArray>(&path, &batch, "source_digest")?;
                let view = column::<UInt16Array>(&path, &batch, "view")?;
                for i in 0..batch.num_rows() {
                    // Rows of one slide follow one another and share its path.
                    if *last != *source.value(i) {
                        last = source.value(i).into();
                    }
                    let key = RowKey::new(tile_id.value(i), digest.value(i), view.value(i));
                    rows.insert(key, Arc::clone(&last));
                }
            }
        }
        Ok(rows)
    }

    /// The tiles and views of all rows, in the order of [`ParquetStore::read_all`]; embeddings are
    /// not read.
    pub fn tiles(&self, set: &Fingerprint) -> Result<(Vec<TileMeta>, Vec<u16>)> {
        let (metas, views) = self.open_set(set)?.read_metas()?;
        let rows = latest_rows(&metas, &views);
        let views = rows.iter().map(|&row| views[row]).collect();
        Ok((rows.iter().map(|&row| metas[row].clone()).collect(), views))
    }

    /// The set's embeddings without its tiles, in the order of [`EmbeddingStore::scan`].
    pub fn read_embeddings(&self, set: &Fingerprint) -> Result<Matrix> {
        self.open_set(set)?.read_embeddings()
    }

    /// All rows of a set, in the order of their first commit; as [`crate::StoreExt::read_all`],
    /// on all threads.
    pub fn read_all(&self, set: &Fingerprint) -> Result<EmbeddingBatch> {
        let open = self.open_set(set)?;
        let (metas, views) = open.read_metas()?;
        let batch = EmbeddingBatch::new(set.clone(), metas, views, open.read_embeddings()?)?;
        latest(batch.with_contract(&open.contract))
    }

    /// The rows of the given tiles in the order asked for, the views of a tile together; as
    /// [`crate::StoreExt::read_tiles`], without reading the embeddings of others.
    pub fn read_tiles(&self, set: &Fingerprint, tiles: &[TileKey]) -> Result<EmbeddingBatch> {
        let open = self.open_set(set)?;
        let (metas, views) = open.read_metas()?;
        let rows = rows_of_tiles(set, &metas, &views, tiles)?;
        let numbers: Vec<u64> = rows.iter().map(|&r| r as u64).collect();
        let batch = EmbeddingBatch::new(
            set.clone(),
            rows.iter().map(|&r| metas[r].clone()).collect(),
            rows.iter().map(|&r| views[r]).collect(),
            open.read_rows(&numbers)?,
        )?;
        Ok(batch.with_contract(&open.contract))
    }

    /// The rows that meet a condition on their tile and view, in the order of
    /// [`EmbeddingStore::scan`]; the embeddings of others are not read.
    ///
    /// Where a row was committed twice, the later one decides and counts.
    pub fn read_where(
        &self,
        set: &Fingerprint,
        wanted: &dyn Fn(&TileMeta, u16) -> bool,
    ) -> Result<EmbeddingBatch> {
        let open = self.open_set(set)?;
        let (metas, views) = open.read_metas()?;
        let rows: Vec<usize> = latest_rows(&metas, &views)
            .into_iter()
            .filter(|&row| wanted(&metas[row], views[row]))
            .collect();
        let numbers: Vec<u64> = rows.iter().map(|&r| r as u64).collect();
        let batch = EmbeddingBatch::new(
            set.clone(),
            rows.iter().map(|&r| metas[r].clone()).collect(),
            rows.iter().map(|&r| views[r]).collect(),
            open.read_rows(&numbers)?,
        )?;
        Ok(batch.with_contract(&open.contract))
    }

    /// The embeddings of rows by their number in the order of [`EmbeddingStore::scan`], in the
    /// order asked for; other rows are not read.
    pub fn read_rows(&self, set: &Fingerprint, rows: &[u64]) -> Result<Matrix> {
        self.open_set(set)?.read_rows(rows)
    }

    /// A set that must exist.
    pub(crate) fn open_set(&self, set: &Fingerprint) -> Result<OpenSet> {
        match self.try_open_set(set)? {
            Some(open) => Ok(open),
            None => Err(unknown_set(set, &self.fingerprints()?)),
        }
    }

    /// A set, if it has a commit.
    pub(crate) fn try_open_set(&self, set: &Fingerprint) -> Result<Option<OpenSet>> {
        let paths = self.paths(set);
        let state = log::read_state(&paths)?;
        if state.version == 0 {
            return Ok(None);
        }
        let contract = read_contract(&paths, set)?;
        Ok(Some(OpenSet { paths, contract, state }))
    }

    /// Sets with at least one commit, in order.
    pub(crate) fn fingerprints(&self) -> Result<Vec<Fingerprint>> {
        if let Some(bucket) = &self.bucket {
            let objects = bucket.list("")?;
            let logged = objects.iter().filter_map(|o| o.key.split_once("/_log/"));
            let mut found: Vec<Fingerprint> =
                logged.filter_map(|(set, _)| Fingerprint::parse(set).ok()).collect();
            found.sort_unstable();
            found.dedup();
            return Ok(found);
        }
        let listing = match fs::read_dir(&self.root) {
            Ok(listing) => listing,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::io("list", &self.root, e)),
        };
        let mut found = Vec::new();
        for item in listing {
            let name = item.map_err(|e| Error::io("list", &self.root, e))?.file_name();
            let Some(set) = name.to_str().and_then(|n| Fingerprint::parse(n).ok()) else {
                continue;
            };
            let log = self.paths(&set).log();
            if !log::versions(&log)?.is_empty() {
                found.push(set);
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

impl EmbeddingStore for ParquetStore {
    fn sets(&self) -> Result<Vec<SetSummary>> {
        self.fingerprints()?.iter().map(|set| Ok(self.open_set(set)?.summary())).collect()
    }

    fn scan(
        &self,
        set: &Fingerprint,
        visit: &mut dyn FnMut(EmbeddingBatch) -> Result<()>,
    ) -> Result<()> {
        let open = self.open_set(set)?;
        let dim = open.contract.dim as usize;
        for shard in &open.state.shards {
            let reader = ShardReader::open(&open.paths, shard, &open.contract)?;
            let path = reader.path().to_owned();
            let mut first = 0;
            for batch in reader.meta_batches(MetaColumns::All, batch_rows(dim))? {
                let batch =
                    batch.map_err(|e| damaged(&path, "a sound Parquet shard", e.to_string()))?;
                let (mut metas, mut views) = (Vec::new(), Vec::new());
                read_metas(&path, &batch, &mut metas, &mut views)?;
                let mut values = vec![0.0; metas.len() * dim];
                reader.read_values(first, &mut values)?;
                first += metas.len();
                let embeddings = Matrix::new(metas.len(), dim, values)?;
                let batch = EmbeddingBatch::new(set.clone(), metas, views, embeddings)?;
                visit(batch.with_contract(&open.contract))?;
            }
        }
        Ok(())
    }

    fn writer(&self, contract: &Contract) -> Result<Box<dyn EmbeddingWriter>> {
        Ok(Box::new(ParquetWriter::new(self, contract)?))
    }
}

/// Rows of a scanned batch: at most 8,192, and at most 16 MiB of values.
fn batch_rows(dim: usize) -> usize {
    ((16 << 20) / (dim.max(1) * 4)).clamp(1, 8192)
}

fn read_contract(paths: &SetPaths, set: &Fingerprint) -> Result<Contract> {
    let path = paths.contract();
    let text = fs::read_to_string(&path).map_err(|e| Error::io("read", &path, e))?;
    let hint = "restore the file from a copy; every shard also holds the contract in its metadata";
    let contract: Contract = serde_json::from_str(&text)
        .map_err(|e| Error::data(&path, "a contract in JSON", e.to_string(), hint))?;
    let found = contract.fingerprint();
    if found != *set {
        return Err(Error::data(&path, format!("the fingerprint {set}"), found.to_string(), hint));
    }
    Ok(contract)
}

/// What to answer when a set is not there.
pub(crate) fn unknown_set(set: &Fingerprint, known: &[Fingerprint]) -> Error {
    let known: Vec<&str> = known.iter().map(Fingerprint::as_str).collect();
    let expected =
        if known.is_empty() { "a set; the store has none".into() } else { known.join(" or ") };
    Error::input(
        "fingerprint",
        expected,
        set.to_string(),
        "embed the tiles with this backbone card and these settings first",
    )
}
