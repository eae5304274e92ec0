// SPDX-License-Identifier: MIT OR Apache-2.0

//! Times logistic heads on a folder made by `benches/peers/heads.py make`.
//!
//! `cargo run --release -p eosin-head --example time_heads -- DIR a|b|c [REPEATS]`

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use eosin_core::Matrix;
use eosin_head::{FitJob, LogisticTrainer};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, case, rest @ ..] = arguments.as_slice() else {
        return Err("usage: time_heads DIR a|b|c [REPEATS]".into());
    };
    let folder = Path::new(folder);
    let repeats = rest.first().map_or(Ok(3), |r| r.parse::<usize>())?;
    let meta: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("meta.json"))?)?;
    let size = |key: &str| meta[key].as_u64().unwrap_or(0) as usize;
    let (n, d, n_tasks, n_folds) = (size("n"), size("d"), size("tasks"), size("folds"));
    let x: Vec<f32> = fs::read(folder.join("x.f32"))?
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let features = Matrix::new(n, d, x)?;
    let y = fs::read(folder.join("y.u8"))?;
    let fold = fs::read(folder.join("fold.u8"))?;
    let lambdas: Vec<f64> =
        meta["lambdas"].as_array().into_iter().flatten().filter_map(|v| v.as_f64()).collect();
    let one = [meta["lambda"].as_f64().unwrap_or(1.0)];

    let classes = vec!["0".to_string(), "1".to_string()];
    let targets: Vec<Matrix> = (0..n_tasks)
        .map(|t| {
            let hot = y[t * n..(t + 1) * n].iter().flat_map(|&l| [f32::from(1 - l), f32::from(l)]);
            Matrix::new(n, 2, hot.collect())
        })
        .collect::<Result<_, _>>()?;
    let held =
        |k: usize| fold.iter().map(|&f| if usize::from(f) == k { 0.0 } else { 1.0 }).collect();
    let all = vec![1.0_f32; n];
    let weights: Vec<Vec<f32>> = (0..n_folds).map(held).collect();
    let jobs: Vec<FitJob> = match case.as_str() {
        "a" => {
            vec![FitJob { classes: &classes, targets: &targets[0], weights: &all, penalties: &one }]
        }
        _ => targets[..if case == "b" { 1 } else { n_tasks }]
            .iter()
            .flat_map(|targets| {
                weights.iter().map(|weights| FitJob {
                    classes: &classes,
                    targets,
                    weights,
                    penalties: &lambdas,
                })
            })
            .collect(),
    };
    let trainer = LogisticTrainer::default();
    let mut times = Vec::new();
    let mut heads = Vec::new();
    for _ in 0..repeats {
        let start = Instant::now();
        heads = trainer.fit_many(&features, &jobs)?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let records: Vec<_> = heads.iter().flatten().map(|h| h.record()).collect();
    let parameter = |name: &str| records.iter().map(|r| r.parameters[name]).collect::<Vec<f64>>();
    let passes = parameter("passes");
    let worst = parameter("relative_gradient").into_iter().fold(0.0, f64::max);
    println!(
        "{{\"case\": \"{case}\", \"n\": {n}, \"d\": {d}, \"heads\": {}, \"median_s\": {:.4}, \
         \"min_s\": {:.4}, \"worst_relative_gradient\": {worst:.2e}, \"passes_per_head\": {:.1}}}",
        records.len(),
        times[times.len() / 2],
        times[0],
        passes.iter().sum::<f64>() / passes.len() as f64
    );
    Ok(())
}
