// SPDX-License-Identifier: MIT OR Apache-2.0

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use eosin::crates::core::Matrix;
use eosin::crates::head::{FitJob, LogisticTrainer};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Options;
use crate::peer::Peer;
use crate::table::{Figures, Measurement, Series};

const N_FOLDS: u8 = 5;

/// One size of the work: so many tasks, penalties and folds at once.
struct Case {
    name: &'static str,
    n_tasks: usize,
    n_penalties: usize,
    folds: bool,
}

const CASES: [Case; 3] = [
    Case { name: "one head", n_tasks: 1, n_penalties: 1, folds: false },
    Case { name: "20 penalties x 5 folds", n_tasks: 1, n_penalties: 20, folds: true },
    Case { name: "10 tasks x 20 penalties x 5 folds", n_tasks: 10, n_penalties: 20, folds: true },
];

/// Embedding-like rows, a few directions carrying most of the variance, with labels per task.
struct Rows {
    features: Matrix,
    labels: Vec<Vec<u8>>,
    folds: Vec<u8>,
}

/// Seconds for exact logistic heads, against scikit-learn on the same objective, and our memory.
///
/// A peer stops after the first head that ends beyond its budget of seconds. Its time for all heads
/// is then its time per head so far, in the order of a path from strong to weak penalties, times
/// their number; weak penalties take longer, so that this flatters it. It is then called `scaled`, and
/// standard error says how many heads were timed.
pub fn measure(options: &Options) -> Result<Vec<Measurement>> {
    let sizes: Vec<(usize, usize)> = if options.quick {
        vec![(2000, 384)]
    } else {
        [2000, 20_000].iter().flat_map(|&n| [384, 1024, 2048].map(|d| (n, d))).collect()
    };
    let wanted = |size: &(usize, usize)| {
        options.size.as_ref().is_none_or(|s| *s == format!("{}x{}", size.0, size.1))
    };
    let threads = 2;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let mut figures = Figures::default();
    for (n, d) in sizes.into_iter().filter(wanted) {
        let rows = rows(n, d, 10);
        let scratch = tempfile::tempdir()?;
        let path = |name: &str| scratch.path().join(name);
        let bytes: Vec<u8> = rows.features.values().iter().flat_map(|v| v.to_le_bytes()).collect();
        std::fs::write(path("features"), bytes)?;
        std::fs::write(path("folds"), &rows.folds)?;
        for case in &CASES {
            if options.case.as_ref().is_some_and(|c| !case.name.starts_with(c.as_str())) {
                continue;
            }
            std::fs::write(path("labels"), rows.labels[..case.n_tasks].concat())?;
            let penalties: Vec<f64> = (0..case.n_penalties)
                .map(|i| 10_f64.powf(4.0 - 0.25 * i as f64))
                .map(|p| if case.n_penalties == 1 { 10.0 } else { p })
                .collect();
            let fold_ids: Vec<u8> = if case.folds { (0..N_FOLDS).collect() } else { vec![255] };
            let request = serde_json::json!({
                "n": n, "d": d, "features": path("features"), "labels": path("labels"),
                "folds": path("folds"), "fold_ids": fold_ids, "penalties": penalties,
                "relative_gradient": 1e-8, "budget_s": options.budget,
            });
            let named = format!("{n} x {d}, {}", case.name);
            let mut peer = Peer::start(&options.python, &options.peer, threads)?;
            for _ in 0..options.repeats {
                let ours = pool.install(|| fit(&rows, case, &penalties, &fold_ids))?;
                let version = env!("CARGO_PKG_VERSION").to_string();
                let mut taken = vec![("eosin".to_string(), version.clone(), ours.seconds)];
                for answer in peer.ask(&request)? {
                    let [gradient, theirs @ ..] = answer.check.as_slice() else {
                        anyhow::bail!("{} answered without objectives", answer.system)
                    };
                    let total = ours.objectives.len();
                    let gap = ours
                        .objectives
                        .iter()
                        .zip(theirs)
                        .map(|(ours, theirs)| (ours - theirs) / theirs)
                        .fold(f64::NEG_INFINITY, f64::max);
                    eprintln!(
                        "{named}: relative gradient {:.0e}, {} {gradient:.0e} on {} of {total} \
                         heads; our objective is above theirs by {gap:.0e} at most",
                        ours.worst_gradient,
                        answer.system,
                        theirs.len(),
                    );
                    ensure!(gap < 1e-8, "{} found a lower objective by {gap:e}", answer.system);
                    let (system, seconds) = if theirs.len() == total {
                        (answer.system, answer.seconds)
                    } else {
                        let share = theirs.len() as f64 / total as f64;
                        (format!("{}, scaled", answer.system), answer.seconds / share)
                    };
                    taken.push((system, answer.version, seconds));
                }
                let series = |system, version, unit: &str, case| Series {
                    case,
                    threads,
                    system,
                    version,
                    unit: unit.into(),
                    higher_is_better: false,
                };
                for (system, version, seconds) in taken {
                    figures.add(series(system, version, "s", named.clone()), seconds);
                }
                if let Some(peak) = ours.peak_mb {
                    let case = format!("{named}, peak memory");
                    figures.add(series("eosin".into(), version, "MB", case), peak);
                }
            }
        }
    }
    Ok(figures.into_measurements())
}

/// What our fit of a case took and found.
struct Fitted {
    seconds: f64,
    /// Of every head, as `fit_many` orders them.
    objectives: Vec<f64>,
    worst_gradient: f64,
    /// Largest resident memory of this process during the fit, which holds the features too.
    peak_mb: Option<f64>,
}

fn fit(rows: &Rows, case: &Case, penalties: &[f64], fold_ids: &[u8]) -> Result<Fitted> {
    let classes = ["no".to_string(), "yes".to_string()];
    let targets: Vec<Matrix> = rows.labels[..case.n_tasks]
        .iter()
        .map(|labels| {
            let one_hot = labels.iter().flat_map(|&y| [1.0 - f32::from(y), f32::from(y)]).collect();
            Ok(Matrix::new(labels.len(), 2, one_hot)?)
        })
        .collect::<Result<_>>()?;
    let weights: Vec<Vec<f32>> = fold_ids
        .iter()
        .map(|k| rows.folds.iter().map(|fold| f32::from(u8::from(fold != k))).collect())
        .collect();
    let jobs: Vec<FitJob> = targets
        .iter()
        .flat_map(|targets| weights.iter().map(move |weights| (targets, weights)))
        .map(|(targets, weights)| FitJob { classes: &classes, targets, weights, penalties })
        .collect();
    // Linux starts the peak anew; elsewhere it is not measured.
    let restarted = std::fs::write("/proc/self/clear_refs", "5").is_ok();
    let started = Instant::now();
    let heads = LogisticTrainer::default().fit_many(&rows.features, &jobs)?;
    let seconds = started.elapsed().as_secs_f64();
    let peak_mb = if restarted { peak_mb() } else { None };
    let (mut objectives, mut worst_gradient) = (Vec::new(), 0.0_f64);
    for (head, job) in heads.iter().zip(&jobs) {
        for (head, penalty) in head.iter().zip(penalties) {
            let record = head.record();
            let gradient = record.parameters.get("relative_gradient").context("no gradient")?;
            worst_gradient = worst_gradient.max(*gradient);
            let norm: f64 = record.tensors["weights"].values.iter().map(|w| w * w).sum();
            let probabilities = head.predict(&rows.features)?;
            let loss: f64 = (0..rows.features.n_rows())
                .filter(|&i| job.weights[i] > 0.0)
                .map(|i| -probabilities.row(i)[usize::from(job.targets.row(i)[1] > 0.5)].ln())
                .sum();
            objectives.push(loss + penalty / 2.0 * norm);
        }
    }
    Ok(Fitted { seconds, objectives, worst_gradient, peak_mb })
}

fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

fn rows(n: usize, d: usize, n_tasks: usize) -> Rows {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    // Sums of uniforms are near enough to normal, and need no other crate.
    let mut normal = move || (0..6).map(|_| rng.random::<f32>() - 0.5).sum::<f32>() * 1.414;
    let n_factors = 48;
    let loadings: Vec<f32> = (0..n_factors * d).map(|_| normal()).collect();
    let directions: Vec<f32> = (0..n_tasks * n_factors).map(|_| normal()).collect();
    let mut values = Vec::with_capacity(n * d);
    let mut labels = vec![Vec::with_capacity(n); n_tasks];
    for _ in 0..n {
        let factors: Vec<f32> =
            (0..n_factors).map(|k| normal() / (1.0 + k as f32).sqrt()).collect();
        for j in 0..d {
            let shared: f32 = (0..n_factors).map(|k| factors[k] * loadings[k * d + j]).sum();
            values.push(shared + 0.3 * normal());
        }
        for (task, labels) in labels.iter_mut().enumerate() {
            let direction = &directions[task * n_factors..(task + 1) * n_factors];
            let score: f32 = factors.iter().zip(direction).map(|(f, w)| f * w).sum();
            labels.push(u8::from(score + normal() > 0.5));
        }
    }
    Rows {
        features: Matrix::new(n, d, values).unwrap_or_default(),
        labels,
        folds: (0..n).map(|i| (i % usize::from(N_FOLDS)) as u8).collect(),
    }
}
