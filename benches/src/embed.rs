// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use eosin::crates::core::{Backbone, Card, TileBatch};

use crate::Options;
use crate::networks::{Network, PX, batches, load, tissue};
use crate::peer::Peer;
use crate::table::{Agreement, Figures, Measurement, Series};

/// A contender of this build.
struct Contender {
    /// Its name in the results.
    system: &'static str,
    version: &'static str,
    engine: &'static str,
    precision: &'static str,
    /// Below this cosine to PyTorch it computed something else.
    least_cosine: f64,
}

/// Eosin's engines; the first is the default on CPUs.
const ENGINES: [Contender; 4] = [
    Contender {
        system: "eosin",
        version: EOSIN,
        engine: "native",
        precision: "f32",
        least_cosine: 0.9999,
    },
    Contender {
        system: "eosin int8",
        version: EOSIN,
        engine: "native",
        precision: "int8",
        least_cosine: 0.999,
    },
    Contender {
        system: "burn-flex",
        version: BURN,
        engine: "flex",
        precision: "f32",
        least_cosine: 0.9999,
    },
    Contender {
        system: "burn-tch",
        version: BURN,
        engine: "tch",
        precision: "f32",
        least_cosine: 0.9999,
    },
];
const EOSIN: &str = env!("CARGO_PKG_VERSION");
const BURN: &str = "0.21.0";
/// Embeddings that are compared between the contenders.
const CHECKED_ROWS: usize = 4;
/// Below this cosine a peer computed something else.
const LEAST_COSINE: f64 = 0.9999;

/// One contender in one repeat.
struct Taken {
    system: String,
    version: String,
    seconds: f64,
    rows: Vec<f64>,
}

/// Tiles per second of every engine of this build, of PyTorch and of onnxruntime, on the same
/// weights and tiles.
pub fn measure(options: &Options) -> Result<Vec<Measurement>> {
    let sizes = match options.batches.as_slice() {
        [] if options.quick => vec![8],
        [] => vec![1, 8, 32],
        sizes => sizes.to_vec(),
    };
    let scratch = tempfile::tempdir()?;
    let tiles = scratch.path().join("tiles.u8");
    let mut figures = Figures::default();
    for network in Network::chosen(&options.models, options.large)? {
        let most = sizes.iter().copied().fold(network.n_tiles, usize::max);
        let pixels = tissue(most)?;
        std::fs::write(&tiles, &pixels)?;
        let weights = network.write_weights(scratch.path())?;
        let card = network.card()?;
        let mut engines = Vec::new();
        for engine in ENGINES {
            let card = Card { precision: engine.precision.into(), ..card.clone() };
            match load(&card, engine.engine, &weights) {
                Ok(backbone) => engines.push((engine, backbone)),
                Err(error) => eprintln!("left out: {}: {error} ({})", engine.system, error.hint()),
            }
        }
        let request = |torch: bool, batch: usize, n_tiles: usize, check: bool| {
            serde_json::json!({
                "weights": weights, "tiles": tiles, "timm": network.timm, "px": PX,
                "arguments": serde_json::from_str::<serde_json::Value>(network.arguments)
                    .unwrap_or_default(),
                "onnx": weights.with_extension("onnx"), "mean": card.mean, "std": card.std,
                "torch": torch, "batch": batch, "n_tiles": n_tiles, "check": check,
            })
        };
        for &threads in
            if options.threads.is_empty() { &[1, 2] } else { options.threads.as_slice() }
        {
            let mut peer = Peer::start(&options.python, &options.peer, threads)?;
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            for &batch in &sizes {
                let n_tiles = batch.max(if options.quick { 8 } else { network.n_tiles });
                let batches = batches(&pixels[..n_tiles * (PX * PX * 3) as usize], batch)?;
                let case = format!("{} {PX} px, batch {batch}", network.name);
                for repeat in 0..=options.repeats {
                    let mut taken = Vec::new();
                    for (engine, backbone) in &engines {
                        taken.push(pool.install(|| embed(engine, backbone.as_ref(), &batches))?);
                    }
                    for answer in peer.ask(&request(true, batch, n_tiles, repeat == 0))? {
                        taken.push(Taken {
                            system: answer.system,
                            version: answer.version,
                            seconds: answer.seconds,
                            rows: answer.check,
                        });
                    }
                    let torch = taken.iter().find(|t| t.system == "torch").context("torch")?;
                    let expected = torch.rows.clone();
                    for Taken { system, version, seconds, rows } in taken {
                        let series = Series {
                            case: case.clone(),
                            threads,
                            system,
                            version,
                            unit: "tiles/s".into(),
                            higher_is_better: true,
                        };
                        // The first round warms caches and checks that all computed the same.
                        if repeat == 0 {
                            let agreement = agreement(&rows, &expected, card.dim as usize);
                            let own = engines.iter().find(|(e, _)| e.system == series.system);
                            let least = own.map_or(LEAST_COSINE, |(e, _)| e.least_cosine);
                            ensure!(
                                agreement.cosine > least,
                                "{} computed something else: {agreement:?}",
                                series.system
                            );
                            figures.agree(series, agreement);
                        } else {
                            figures.add(series, n_tiles as f64 / seconds);
                        }
                    }
                }
            }
        }
        drop(engines);
        let mut peer = Peer::start(&options.python, &options.peer, 2)?;
        let answers = peer.ask(&request(false, 8, 16, false))?;
        let peer_peak = answers.first().and_then(|a| Some((a.version.clone(), *a.check.first()?)));
        memory(network, &weights, peer_peak, &mut figures)?;
    }
    Ok(figures.into_measurements())
}

fn embed(engine: &Contender, backbone: &dyn Backbone, batches: &[TileBatch]) -> Result<Taken> {
    let started = Instant::now();
    let mut rows = Vec::new();
    for batch in batches {
        let found = backbone.embed(batch)?;
        if rows.len() < CHECKED_ROWS * found.n_cols() {
            let missing = CHECKED_ROWS * found.n_cols() - rows.len();
            rows.extend(found.values().iter().take(missing).map(|&v| f64::from(v)));
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    Ok(Taken { system: engine.system.into(), version: engine.version.into(), seconds, rows })
}

/// Least cosine over the rows, and the largest difference over the largest value.
fn agreement(found: &[f64], expected: &[f64], dim: usize) -> Agreement {
    let largest = expected.iter().fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs()));
    let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let cosine = |a: &[f64], b: &[f64]| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    let cosines = found.chunks(dim).zip(expected.chunks(dim)).map(|(a, b)| cosine(a, b));
    let same = found.len() == expected.len();
    Agreement {
        max_difference: difference / largest,
        cosine: if same { cosines.fold(1.0, f64::min) } else { f64::NAN },
    }
}

/// The most memory that a process of its own takes to load the weights and embed batches of 8.
fn memory(
    network: &Network,
    weights: &Path,
    peer_peak: Option<(String, f64)>,
    figures: &mut Figures,
) -> Result<()> {
    let output = Command::new(std::env::current_exe()?)
        .args(["memory", "--models", network.key, "--out"])
        .arg(weights)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let ours: f64 = text.trim().parse().with_context(|| {
        format!("no figure of the memory run: {}", String::from_utf8_lossy(&output.stderr))
    })?;
    let limit = 2.0 * std::fs::metadata(weights)?.len() as f64 / f64::from(1 << 20) + 300.0;
    let mut add = |system: &str, version: &str, value| {
        let series = Series {
            case: format!("memory of {} {PX} px, batch 8", network.name),
            threads: 2,
            system: system.into(),
            version: version.into(),
            unit: "MB".into(),
            higher_is_better: false,
        };
        figures.add(series, value);
    };
    add("eosin", env!("CARGO_PKG_VERSION"), ours);
    add("limit", "2 × weights + 300", limit);
    if let Some((version, peak)) = peer_peak {
        add("onnxruntime", &version, peak);
    }
    Ok(())
}

/// The child's side: loads, embeds, prints its peak in MB.
pub fn print_memory(options: &Options) -> Result<()> {
    let networks = Network::chosen(&options.models, true)?;
    let network = networks.first().context("a network")?;
    let backbone = load(&network.card()?, "native", &options.out)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build()?;
    for batch in batches(&tissue(16)?, 8)? {
        pool.install(|| backbone.embed(&batch))?;
    }
    let status = std::fs::read_to_string("/proc/self/status").context("only on Linux")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).context("VmHWM")?;
    let kb: f64 = line.split_whitespace().next().context("a number")?.parse()?;
    println!("{}", kb / 1024.0);
    Ok(())
}
