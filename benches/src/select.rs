// SPDX-License-Identifier: MIT OR Apache-2.0

//! A whole selection on cached embeddings against the same protocol in scikit-learn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use eosin::crates::core::{
    BackboneInfo, EmbeddingBatch, EmbeddingStore, Fold, LabelledSet, Licence, Matrix, NoProgress,
    TileMeta, TrainView, Use,
};
use eosin::crates::eval::splits;
use eosin::crates::proxy::select::NoCache;
use eosin::crates::store::{ParquetStore, imported_contract};
use eosin::{
    Candidate, CandidateSet, Labelled, RegistryExt, SelectInput, SelectOptions, SelectTask,
    SelectionConfig, TaskRows, default_registry, probes,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Options;
use crate::peer::Peer;
use crate::table::{Figures, Measurement, Series};

/// Sizes of the protocol.
struct Size {
    n_backbones: usize,
    n_proxies: usize,
    n: usize,
    d: usize,
    folds: usize,
    repeats: usize,
}

const FULL: Size = Size { n_backbones: 9, n_proxies: 3, n: 10_000, d: 1024, folds: 5, repeats: 5 };
const QUICK: Size = Size { n_backbones: 2, n_proxies: 1, n: 2000, d: 256, folds: 5, repeats: 1 };
const N_GROUPS: usize = 100;
const THREADS: usize = 2;
const SEED: u64 = 1;

/// Seconds of the whole selection; scikit-learn is timed on one backbone, one proxy and one fold,
/// and its time multiplied by how often the whole protocol does that.
pub fn measure(options: &Options) -> Result<Vec<Measurement>> {
    let size = if options.quick { QUICK } else { FULL };
    let folder = tempfile::tempdir()?;
    let made = make(&size, &folder.path().join("store"))?;
    let path = |name: &str| folder.path().join(name);
    let little = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    std::fs::write(path("features"), little(made.first.values()))?;
    let labels = &made.labels[0];
    let numbers = |values: &[u32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    std::fs::write(path("labels"), numbers(labels))?;
    std::fs::write(path("groups"), numbers(&made.groups))?;
    let folds = splits::repeated(labels, &made.groups, 2, size.folds, size.repeats, SEED)?.folds;
    let held_out = [&folds[0].held_out];
    let config = SelectionConfig::default();
    let penalties: Vec<f64> =
        default_registry().head(&config.head.kind, &config.head.options)?.penalties();
    let request = serde_json::json!({
        "n": size.n, "d": size.d, "features": path("features"), "labels": path("labels"),
        "groups": path("groups"), "held_out": held_out, "penalties": penalties,
        "inner_folds": 3, "k": 20,
    });
    let times = size.n_backbones * size.n_proxies * size.repeats * size.folds;
    let case = format!(
        "{} backbones x {} proxies x {} x {} folds, {} x {}, linear with {} penalties and knn",
        size.n_backbones,
        size.n_proxies,
        size.repeats,
        size.folds,
        size.n,
        size.d,
        penalties.len()
    );
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build()?;
    let mut peer = Peer::start(&options.python, &options.peer, THREADS)?;
    let mut figures = Figures::default();
    for _ in 0..options.repeats.clamp(1, if options.quick { 5 } else { 1 }) {
        let started = Instant::now();
        let selection = pool.install(|| eosin_select(&size, &made))?;
        eprintln!("{}", selection.verdict.sentence);
        let seconds = started.elapsed().as_secs_f64();
        let answers = peer.ask(&request)?;
        let mut taken = vec![("eosin".to_string(), env!("CARGO_PKG_VERSION").to_string(), seconds)];
        for answer in answers {
            let ours = one_fold(&made, &folds[0])?;
            eprintln!(
                "balanced accuracy (linear, knn) of one fold: ours {ours:.4?}, {} {:.4?}; {:.1} s for \
                 one of {times} parts",
                answer.system, answer.check, answer.seconds
            );
            for (ours, theirs) in ours.iter().zip(&answer.check) {
                ensure!((ours - theirs).abs() < 0.02, "the protocols differ: {ours} and {theirs}");
            }
            let system = format!("{} (x {times} of one part)", answer.system);
            taken.push((system, answer.version, answer.seconds * times as f64));
        }
        for (system, version, seconds) in taken {
            let series = Series {
                case: case.clone(),
                threads: THREADS,
                system,
                version,
                unit: "s".into(),
                higher_is_better: false,
            };
            figures.add(series, seconds);
        }
    }
    Ok(figures.into_measurements())
}

/// A store with the embeddings, and the labels of every proxy.
struct Made {
    store: ParquetStore,
    candidates: Vec<Candidate>,
    sets: BTreeMap<String, CandidateSet>,
    tile_ids: Vec<String>,
    groups: Vec<u32>,
    labels: Vec<Vec<u32>>,
    first: Matrix,
}

/// The probes of the default configuration: linear, then kNN.
fn bench_probes() -> Result<Vec<eosin::Probe>> {
    Ok(probes(&default_registry(), &SelectionConfig::default(), SEED)?)
}

/// Our scores on the fold that the peer gets.
fn one_fold(made: &Made, fold: &Fold) -> Result<Vec<f64>> {
    let classes = vec!["no".to_string(), "yes".to_string()];
    let groups: Vec<String> = made.groups.iter().map(ToString::to_string).collect();
    let set = LabelledSet::new(made.first.clone(), classes, made.labels[0].clone(), &groups)?;
    let score = |probe: eosin::Probe| {
        let scores = probe.task.score(&TrainView::whole(&set), std::slice::from_ref(fold))?;
        scores.folds.first().copied().context("no score")
    };
    bench_probes()?.into_iter().map(score).collect()
}

fn eosin_select(size: &Size, made: &Made) -> Result<eosin::Selection> {
    let options = SelectOptions {
        probes: bench_probes()?,
        folds: size.folds,
        repeats: size.repeats,
        hold_out: eosin::HoldOut::Group,
        rope: 0.01,
        level: 0.95,
        replicates: 2000,
        seed: SEED,
        shortlist: 3,
        pca: 0,
        training_free: false,
        nested: 0,
    };
    let proxies = made.labels.iter().enumerate().map(|(i, labels)| SelectTask {
        name: format!("proxy {i}"),
        description: String::new(),
        source: None,
        kind: Arc::new(Labelled {}),
        rows: TaskRows {
            centres: None,
            tile_ids: made.tile_ids.clone(),
            classes: vec!["no".into(), "yes".into()],
            labels: labels.clone(),
            groups: made.groups.iter().map(|g| format!("group {g:03}")).collect(),
            split: Fold { train: (0..size.n).collect(), held_out: Vec::new() },
            warnings: Vec::new(),
        },
        digests: Vec::new(),
        store: &made.store,
        sets: made.sets.clone(),
    });
    let input = SelectInput {
        candidates: made.candidates.clone(),
        proxies: proxies.collect(),
        ..SelectInput::default()
    };
    Ok(eosin::select(&input, &options, &NoCache, &NoProgress)?)
}

fn make(size: &Size, folder: &std::path::Path) -> Result<Made> {
    let store = ParquetStore::open(folder)?;
    let metas: Vec<TileMeta> = (0..size.n)
        .map(|i| TileMeta {
            tile_id: format!("tile {i:05}"),
            slide: format!("slide {:03}", i % N_GROUPS),
            group: format!("group {:03}", i % N_GROUPS),
            centre: None,
            scanner: None,
            x: 0,
            y: 0,
            size_level0_px: 224,
            requested_mpp: None,
            effective_mpp: None,
            tissue_fraction: 1.0,
            source: String::new(),
            source_digest: String::new(),
        })
        .collect();
    let (mut candidates, mut sets, mut labels, mut first) =
        (Vec::new(), BTreeMap::new(), Vec::new(), None);
    for b in 0..size.n_backbones {
        let (matrix, own) = rows(size, b as u64);
        if b == 0 {
            labels = own;
        }
        let name = format!("backbone {b}");
        let contract = imported_contract("bench", &name, size.d as u32);
        let fingerprint = contract.fingerprint();
        let views = vec![0; size.n];
        let batch = EmbeddingBatch::new(fingerprint.clone(), metas.clone(), views, matrix)?;
        let mut writer = store.writer(&contract)?;
        writer.append(batch)?;
        writer.commit()?;
        if b == 0 {
            // As the store rounds them, so that the peer gets the same numbers.
            first = Some(store.read_embeddings(&fingerprint)?);
        }
        sets.insert(name.clone(), CandidateSet { set: fingerprint, bank: None });
        candidates.push(Candidate { info: info(&name, size.d as u32), control: false });
    }
    Ok(Made {
        store,
        candidates,
        sets,
        tile_ids: metas.iter().map(|m| m.tile_id.clone()).collect(),
        groups: (0..size.n).map(|i| (i % N_GROUPS) as u32).collect(),
        labels,
        first: first.context("no backbone")?,
    })
}

fn info(name: &str, dim: u32) -> BackboneInfo {
    BackboneInfo {
        name: name.into(),
        family: "bench".into(),
        architecture: BTreeMap::new(),
        weights_sha256: name.into(),
        parameters: 1,
        input_px: 224,
        mean: [0.0; 3],
        std: [1.0; 3],
        resampling: "bicubic".into(),
        pooling: "none".into(),
        dim,
        precision: "f32".into(),
        licence: Licence { name: "MIT".into(), allows: Use::Commercial },
        training_sources: Vec::new(),
        engine: "none".into(),
    }
}

/// Embeddings with a few strong directions, as those of networks have, and labels of every proxy
/// that depend on them; backbones see the same factors under loadings and noise of their own.
fn rows(size: &Size, backbone: u64) -> (Matrix, Vec<Vec<u32>>) {
    const N_FACTORS: usize = 48;
    let mut shared = ChaCha8Rng::seed_from_u64(7);
    let mut own = ChaCha8Rng::seed_from_u64(100 + backbone);
    // Sums of uniforms are near enough to normal, and need no other crate.
    let normal =
        |rng: &mut ChaCha8Rng| (0..6).map(|_| rng.random::<f32>() - 0.5).sum::<f32>() * 1.414;
    let loadings: Vec<f32> = (0..N_FACTORS * size.d).map(|_| normal(&mut own)).collect();
    let directions: Vec<f32> =
        (0..size.n_proxies * N_FACTORS).map(|_| normal(&mut shared)).collect();
    let mut values = Vec::with_capacity(size.n * size.d);
    let mut labels = vec![Vec::with_capacity(size.n); size.n_proxies];
    for _ in 0..size.n {
        let factors: Vec<f32> =
            (0..N_FACTORS).map(|k| normal(&mut shared) / (1.0 + k as f32).sqrt()).collect();
        for j in 0..size.d {
            let signal: f32 = (0..N_FACTORS).map(|k| factors[k] * loadings[k * size.d + j]).sum();
            values.push(signal + 0.3 * normal(&mut own));
        }
        for (proxy, labels) in labels.iter_mut().enumerate() {
            let direction = &directions[proxy * N_FACTORS..(proxy + 1) * N_FACTORS];
            let score: f32 = factors.iter().zip(direction).map(|(f, w)| f * w).sum();
            labels.push(u32::from(score + normal(&mut shared) > 0.5));
        }
    }
    (Matrix::new(size.n, size.d, values).unwrap_or_default(), labels)
}
