// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use eosin::crates::core::{Contract, EmbeddingBatch, EmbeddingStore, Matrix, Mpp, TileMeta};
use eosin::crates::store::{Dtype, ParquetStore, StoreOptions};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Options;
use crate::peer::Peer;
use crate::table::{Figures, Measurement, Series};

const DIM: usize = 1024;
const N_SLIDES: usize = 40;
/// Rows that a run of the pipeline would hand over at a time.
const BATCH: usize = 1000;

/// Writing, reading and filtering a set of embeddings, against h5py, NumPy, pyarrow and Lance.
pub fn measure(options: &Options) -> Result<Vec<Measurement>> {
    let n = if options.quick { 20_000 } else { 200_000 };
    let threads = 2;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let scratch = tempfile::tempdir()?;
    let rows = correlated(n);
    let picked = picked_rows(n);
    write_inputs(scratch.path(), &rows, &picked)?;
    let mut peer = Peer::start(&options.python, &options.peer, threads)?;
    let mut figures = Figures::default();
    let size = format!("{n} x {DIM}");
    for repeat in 0..options.repeats {
        // gzip takes longer than all the others together, so it runs once.
        let gzip = repeat == 0;
        let ours = pool.install(|| ours(scratch.path(), &rows, &picked))?;
        for (op, unit) in [
            ("write", "s"),
            ("size", "MB"),
            ("full read", "s"),
            ("random rows", "s"),
            ("filter", "s"),
        ] {
            let mut taken: Vec<(String, String, f64)> = Vec::new();
            for (system, seconds) in ours.iter().filter(|o| o.0 == op).map(|o| (&o.1, o.2)) {
                taken.push((system.clone(), env!("CARGO_PKG_VERSION").into(), seconds));
            }
            let request = serde_json::json!({
                "op": op, "n": n, "d": DIM, "folder": scratch.path(), "gzip": gzip,
                "n_slides": N_SLIDES,
            });
            for answer in peer.ask(&request)? {
                check(op, &answer.system, &answer.check, &rows, &picked)?;
                taken.push((answer.system, answer.version, answer.seconds));
            }
            for (system, version, value) in taken {
                let series = Series {
                    case: format!("{op}, {size}"),
                    threads,
                    system,
                    version,
                    unit: unit.into(),
                    higher_is_better: false,
                };
                figures.add(series, value);
            }
        }
        for (case, value, unit) in [
            ("open training cache", ours[ours.len() - 1].2, "ms"),
            ("peak memory of a streamed read", streamed_peak(scratch.path())?, "MB"),
        ] {
            let series = Series {
                case: format!("{case}, {size}"),
                threads,
                system: "eosin".into(),
                version: env!("CARGO_PKG_VERSION").into(),
                unit: unit.into(),
                higher_is_better: false,
            };
            figures.add(series, value);
        }
    }
    Ok(figures.into_measurements())
}

/// Embeddings with the tiles they belong to.
struct Rows {
    contract: Contract,
    metas: Vec<TileMeta>,
    values: Vec<f32>,
}

/// What is read in the bench's filter: tiles of one slide with much tissue.
fn wanted(meta: &TileMeta) -> bool {
    meta.slide == "slide-7" && meta.tissue_fraction > 0.5
}

/// One round of ours: operation, system and seconds; the opening of the cache in ms is the last.
fn ours(folder: &Path, rows: &Rows, picked: &[u64]) -> Result<Vec<(&'static str, String, f64)>> {
    let mut taken = Vec::new();
    let set = rows.contract.fingerprint();
    let variants: &[(&str, StoreOptions)] = &[
        ("eosin", StoreOptions::default()),
        ("eosin-f32", StoreOptions { dtype: Dtype::F32, ..StoreOptions::default() }),
        ("eosin-cold", StoreOptions { cold: true, ..StoreOptions::default() }),
    ];
    for (system, store_options) in variants {
        let root = store_folder(folder, system);
        let _ = std::fs::remove_dir_all(&root);
        let store = ParquetStore::open_with(&root, *store_options)?;
        // The batches stand ready, as a backbone hands them over; making them is not writing.
        let mut batches = Vec::new();
        for (metas, values) in rows.metas.chunks(BATCH).zip(rows.values.chunks(BATCH * DIM)) {
            let matrix = Matrix::new(metas.len(), DIM, values.to_vec())?;
            let views = vec![0; metas.len()];
            batches.push(EmbeddingBatch::new(set.clone(), metas.to_vec(), views, matrix)?);
        }
        let started = Instant::now();
        let mut writer = store.writer(&rows.contract)?;
        for batch in batches {
            writer.append(batch)?;
        }
        writer.commit()?;
        taken.push(("write", (*system).to_string(), started.elapsed().as_secs_f64()));
        let bytes = store.sets()?[0].n_bytes;
        taken.push(("size", (*system).to_string(), bytes as f64 / 1e6));

        let started = Instant::now();
        let all = store.read_embeddings(&set)?;
        taken.push(("full read", (*system).to_string(), started.elapsed().as_secs_f64()));
        ensure!(all.n_rows() == rows.metas.len(), "rows were lost");
        let worst = (all.row(7)[3] - rows.values[7 * DIM + 3]).abs();
        ensure!(worst < 0.01, "a value is off by {worst}");
        drop(all);

        let started = Instant::now();
        let some = store.read_rows(&set, picked)?;
        taken.push(("random rows", (*system).to_string(), started.elapsed().as_secs_f64()));
        ensure!(some.n_rows() == picked.len(), "rows are missing");

        let started = Instant::now();
        let found = store.read_where(&set, &|meta, _| wanted(meta))?;
        taken.push(("filter", (*system).to_string(), started.elapsed().as_secs_f64()));
        let expected = rows.metas.iter().filter(|m| wanted(m)).count();
        ensure!(found.metas.len() == expected, "{} rows pass the filter", found.metas.len());
    }
    let store = ParquetStore::open(store_folder(folder, "eosin"))?;
    drop(store.training_cache(&set)?);
    let started = Instant::now();
    let cache = store.training_cache(&set)?;
    let opened = started.elapsed().as_secs_f64() * 1e3;
    // Training reads rows in place; every value is touched once, and nothing is copied.
    let total: f32 = cache.values().chunks(DIM).map(|row| row.iter().sum::<f32>()).sum();
    ensure!(total.is_finite(), "the cache holds no finite values");
    taken.push(("full read", "eosin-cache".into(), started.elapsed().as_secs_f64()));
    taken.push(("opening", "eosin".into(), opened));
    Ok(taken)
}

fn store_folder(folder: &Path, system: &str) -> PathBuf {
    folder.join(format!("store-{system}"))
}

/// What a peer read must be what was written.
fn check(op: &str, system: &str, told: &[f64], rows: &Rows, picked: &[u64]) -> Result<()> {
    let expected = match op {
        "full read" => vec![rows.metas.len() as f64, f64::from(rows.values[7 * DIM + 3])],
        "random rows" => {
            vec![picked.len() as f64, f64::from(rows.values[picked[5] as usize * DIM + 3])]
        }
        "filter" => {
            let first = rows.metas.iter().position(wanted).context("nothing is wanted")?;
            let n = rows.metas.iter().filter(|m| wanted(m)).count();
            vec![n as f64, f64::from(rows.values[first * DIM + 3])]
        }
        _ => return Ok(()),
    };
    let same = told.len() == 2
        && (told[0] - expected[0]).abs() < 0.5
        && (told[1] - expected[1]).abs() < 0.01;
    ensure!(same, "{system} answered {told:?} to {op}, expected {expected:?}");
    Ok(())
}

/// The most memory that a process of its own takes to stream the set.
fn streamed_peak(folder: &Path) -> Result<f64> {
    let output = Command::new(std::env::current_exe()?)
        .arg("--stream")
        .arg(store_folder(folder, "eosin"))
        .output()?;
    ensure!(output.status.success(), "streaming failed: {output:?}");
    let text = String::from_utf8(output.stdout)?;
    text.trim().parse().with_context(|| format!("streaming said {text}"))
}

/// Streams every set of a store and prints the process's peak of resident memory in MB.
pub fn stream(folder: &Path) -> Result<()> {
    let store = ParquetStore::open(folder)?;
    let mut total = 0.0;
    for set in store.sets()? {
        store.scan(&set.fingerprint, &mut |batch| {
            total += batch.embeddings.values().iter().sum::<f32>();
            Ok(())
        })?;
    }
    ensure!(total.is_finite(), "the sum of all values is not finite");
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kilobytes: f64 = peak.trim().trim_end_matches("kB").trim().parse()?;
    println!("{}", kilobytes * 1024.0 / 1e6);
    Ok(())
}

/// Rows as embeddings are: a few directions carry most of the variance.
fn correlated(n: usize) -> Rows {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let n_factors = 16;
    let mut uniform = move || rng.random::<f32>() - 0.5;
    let loadings: Vec<f32> = (0..n_factors * DIM).map(|_| uniform()).collect();
    let mut values = Vec::with_capacity(n * DIM);
    let mut factors = vec![0.0; n_factors];
    for _ in 0..n {
        for factor in &mut factors {
            *factor = 4.0 * uniform();
        }
        let start = values.len();
        values.extend((0..DIM).map(|_| 0.3 * uniform()));
        for (k, factor) in factors.iter().enumerate() {
            let loadings = &loadings[k * DIM..(k + 1) * DIM];
            for (value, loading) in values[start..].iter_mut().zip(loadings) {
                *value += factor * loading;
            }
        }
    }
    let metas = (0..n)
        .map(|i| TileMeta {
            tile_id: format!("slide-{}:{}:{}:224", slide_of(i, n), i * 224, 448),
            slide: format!("slide-{}", slide_of(i, n)),
            group: format!("patient-{}", slide_of(i, n) / 2),
            centre: Some("centre".into()),
            scanner: None,
            x: i as i64 * 224,
            y: 448,
            size_level0_px: 224,
            requested_mpp: Mpp::new(0.5).ok(),
            effective_mpp: Mpp::new(0.499).ok(),
            tissue_fraction: (i % 100) as f32 / 100.0,
            source: String::new(),
            source_digest: "digest".into(),
        })
        .collect();
    Rows { contract: contract(), metas, values }
}

fn slide_of(row: usize, n: usize) -> usize {
    row * N_SLIDES / n
}

/// One row of a hundred, in an order of its own.
fn picked_rows(n: usize) -> Vec<u64> {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut rows: Vec<u64> = (0..n as u64).collect();
    for i in 0..n / 100 {
        let j = rng.random_range(i..n);
        rows.swap(i, j);
    }
    rows.truncate(n / 100);
    rows
}

fn write_inputs(folder: &Path, rows: &Rows, picked: &[u64]) -> Result<()> {
    let bytes: Vec<u8> = rows.values.iter().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::write(folder.join("values"), bytes)?;
    let bytes: Vec<u8> = picked.iter().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::write(folder.join("picked"), bytes)?;
    Ok(())
}

fn contract() -> Contract {
    Contract {
        version: Contract::VERSION,
        backbone: "bench".into(),
        weights_sha256: "none".into(),
        architecture: BTreeMap::new(),
        input_px: 224,
        mean: [0.5; 3],
        std: [0.25; 3],
        resampling: "bicubic antialias".into(),
        pooling: "mean".into(),
        dim: DIM as u32,
        precision: "f32".into(),
        tile_um: Some(112.0),
        tile_px: 224,
        mpp_policy: "exact".into(),
        reader: "bench 1".into(),
        view: "identity".into(),
    }
}
