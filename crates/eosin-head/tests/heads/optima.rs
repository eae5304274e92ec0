// SPDX-License-Identifier: MIT OR Apache-2.0

//! Heads are those of scikit-learn; `tests/golden/head/make.py` made the values.

use eosin_core::{Head, HeadRecord, HeadTrainer, LabelledSet, Matrix, TrainBatch, TrainView};
use eosin_head::{FitJob, LdaTrainer, LinearSvmTrainer, LogisticTrainer, RidgeTrainer};
use eosin_testkit::peers::{named_by, real_data};
use serde_json::Value;

fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/head/golden.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn singles(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|v| v as f32).collect()
}

fn wholes(value: &Value) -> Vec<u32> {
    numbers(value).into_iter().map(|v| v as u32).collect()
}

fn grouped(x: Vec<f32>, d: usize, y: Vec<u32>, groups: &[u32]) -> TrainBatch {
    let n_classes = y.iter().max().unwrap() + 1;
    let classes = (0..n_classes).map(|k| k.to_string()).collect();
    let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
    let set = LabelledSet::new(Matrix::new(y.len(), d, x).unwrap(), classes, y, &groups).unwrap();
    TrainBatch::from_view(&TrainView::whole(&set))
}

fn batch(x: Vec<f32>, d: usize, y: Vec<u32>) -> TrainBatch {
    let groups: Vec<u32> = (0..y.len() as u32).collect();
    grouped(x, d, y, &groups)
}

/// Every row's scores from nothing but the record, in plain `f64`.
fn scores(features: &Matrix, record: &HeadRecord) -> Vec<Vec<f64>> {
    let tensor = |name: &str| &record.tensors[name].values;
    let (mean, scale) = (tensor("mean"), tensor("scale"));
    let of_row = |row: &[f32]| {
        let z: Vec<f64> =
            row.iter().zip(mean).zip(scale).map(|((&x, m), s)| (f64::from(x) - m) / s).collect();
        let score = |(w, b): (&[f64], &f64)| b + w.iter().zip(&z).map(|(w, z)| w * z).sum::<f64>();
        tensor("weights").chunks_exact(mean.len()).zip(tensor("bias")).map(score).collect()
    };
    features.rows().map(of_row).collect()
}

fn penalty_term(record: &HeadRecord, penalty: f64) -> f64 {
    0.5 * penalty * record.tensors["weights"].values.iter().map(|w| w * w).sum::<f64>()
}

/// Σ cross-entropy + λ/2 ‖w‖².
fn logistic(batch: &TrainBatch, record: &HeadRecord, penalty: f64) -> f64 {
    let outputs = &record.tensors["outputs"].values;
    let loss = |((mut scores, label), &weight): ((Vec<f64>, u32), &f32)| {
        if scores.len() == 1 {
            scores.insert(0, 0.0);
        }
        let own = outputs.iter().position(|&o| o as u32 == label).unwrap();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_sum = scores.iter().map(|s| (s - largest).exp()).sum::<f64>().ln() + largest;
        f64::from(weight) * (log_sum - scores[own])
    };
    let rows = scores(batch.features(), record).into_iter().zip(batch.labels());
    rows.zip(batch.weights()).map(loss).sum::<f64>() + penalty_term(record, penalty)
}

/// Checks a path of heads against scikit-learn's optima.
fn check(name: &str, batch: &TrainBatch, heads: &[Box<dyn Head>], optima: &Value) {
    let optima = optima.as_array().unwrap();
    assert_eq!(heads.len(), optima.len(), "{name}");
    for (head, optimum) in heads.iter().zip(optima) {
        let penalty = optimum["penalty"].as_f64().unwrap();
        let record = head.record();
        let ours = logistic(batch, &record, penalty);
        let theirs = optimum["objective"].as_f64().unwrap();
        // Golden values have eleven digits.
        let gap = (ours - theirs) / theirs;
        assert!(gap.abs() <= 1e-8, "{name}, λ = {penalty}: {ours} and {theirs}, gap {gap:e}");
        compare_weights(&format!("{name}, λ = {penalty}"), &record, &optimum["weights"]);
    }
}

/// Coefficients are within 1e-4 of the largest, or of 1.
fn compare_weights(name: &str, record: &HeadRecord, theirs: &Value) {
    let theirs = numbers(theirs);
    assert!(!theirs.is_empty());
    let largest = theirs.iter().map(|w| w.abs()).fold(1.0, f64::max);
    for (i, (ours, theirs)) in record.tensors["weights"].values.iter().zip(&theirs).enumerate() {
        let difference = (ours - theirs).abs() / largest;
        assert!(difference <= 1e-4, "{name}: coefficient {i} is {ours} and {theirs}");
    }
}

fn penalties(optima: &Value) -> Vec<f64> {
    optima.as_array().unwrap().iter().map(|o| o["penalty"].as_f64().unwrap()).collect()
}

fn check_path(name: &str, batch: &TrainBatch, optima: &Value) {
    let trainer = LogisticTrainer::default();
    let heads = trainer.fit_path(batch, &penalties(optima)).unwrap();
    check(name, batch, &heads, optima);
    // The many-head solver does not go to the row space, so that it is another way there.
    let grid = penalties(optima);
    let job = FitJob {
        classes: batch.classes(),
        targets: batch.targets(),
        weights: batch.weights(),
        penalties: &grid,
    };
    let many = trainer.fit_many(batch.features(), &[job]).unwrap().remove(0);
    check(&format!("{name}, fit_many"), batch, &many, optima);
}

#[test]
fn logistic_optima_are_those_of_scikit_learn() {
    for case in golden()["logistic"].as_array().unwrap() {
        let d = case["d"].as_u64().unwrap() as usize;
        let mut batch = batch(singles(&case["x"]), d, wholes(&case["y"]));
        if !case["weights"].is_null() {
            batch = batch.with_weights(singles(&case["weights"])).unwrap();
        }
        check_path(case["name"].as_str().unwrap(), &batch, &case["optima"]);
    }
}

#[test]
fn a_class_missing_in_a_fold_leaves_the_optimum_of_the_others() {
    let golden = golden();
    let case = &golden["missing_class"];
    let batch = batch(singles(&case["x"]), 5, wholes(&case["y"]));
    let fold = wholes(&case["fold"]);
    let fits = case["fits"].as_array().unwrap();
    let grid = penalties(&fits[0]["optima"]);
    let weights: Vec<Vec<f32>> =
        (0..3).map(|k| fold.iter().map(|&f| if f == k { 0.0 } else { 1.0 }).collect()).collect();
    let jobs: Vec<FitJob> = weights
        .iter()
        .map(|weights| FitJob {
            classes: batch.classes(),
            targets: batch.targets(),
            weights,
            penalties: &grid,
        })
        .collect();
    let many = LogisticTrainer::default().fit_many(batch.features(), &jobs).unwrap();
    for (k, (heads, fit)) in many.iter().zip(fits).enumerate() {
        let present = numbers(&fit["present"]);
        assert_eq!(heads[0].record().tensors["outputs"].values, present);
        assert_eq!(present.len(), if k == 0 { 2 } else { 3 });
        let kept: Vec<usize> = (0..60).filter(|&i| fold[i] as usize != k).collect();
        let rows =
            batch.derive(batch.features().select(&kept), &kept, vec![1.0; kept.len()]).unwrap();
        check(&format!("fold {k}"), &rows, heads, &fit["optima"]);
        let absent = heads[0].predict(batch.features()).unwrap().column(2);
        assert_eq!(absent.iter().all(|&p| p == 0.0), k == 0);
    }
}

#[test]
fn logistic_optima_on_real_features_are_those_of_scikit_learn() {
    let Some((x, names)) = colorectal() else { return };
    let golden = &golden()["colorectal"];
    let classes: Vec<&str> =
        golden["classes"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
    let label = |name: &String| classes.iter().position(|c| c == name).unwrap() as u32;
    let y: Vec<u32> = names.iter().map(label).collect();
    let every = |step: usize| {
        let rows: Vec<usize> = (0..y.len()).step_by(step).collect();
        let x = rows.iter().flat_map(|&i| x[i * 49..(i + 1) * 49].to_vec()).collect();
        batch(x, 49, rows.iter().map(|&i| y[i]).collect())
    };
    check_path("eight tissues", &every(4), &golden["multinomial"]);
    check_path("fewer rows than features", &every(125), &golden["few"]);
    let tumour = y.iter().map(|&l| u32::from(l == 0)).collect();
    check_path("tumour", &batch(x, 49, tumour), &golden["binary"]);
}

/// Features and class names, where the data are.
fn colorectal() -> Option<(Vec<f32>, Vec<String>)> {
    let folder = real_data("embeddings/colorectal-texture")?;
    let array = std::fs::read(folder.join("features49_f32.npy")).unwrap();
    let labels = std::fs::read_to_string(folder.join("labels.csv")).unwrap();
    // The header's length stands in two bytes at 8; values follow row after row.
    let start = 10 + usize::from(u16::from_le_bytes([array[8], array[9]]));
    let number = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    let x = array[start..].chunks_exact(4).map(number).collect();
    let names = labels.lines().skip(1).map(|l| l.rsplit(',').next().unwrap().to_string()).collect();
    Some((x, names))
}

/// Tiles may not be passed on: `tests/golden/head/tiles.py` makes what this reads from them.
#[test]
fn logistic_optima_on_tile_embeddings_are_those_of_scikit_learn() {
    let what = "optima on embeddings of tiles";
    let Some(folder) = named_by("EOSIN_TILE_OPTIMA", what, "folder of tiles.py") else { return };
    for task in ["mitosis", "colon-cells"] {
        let bytes = std::fs::read(folder.join(format!("{task}.f32"))).unwrap();
        let number = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        let x = bytes.chunks_exact(4).map(number).collect();
        let made = std::fs::read_to_string(folder.join(format!("{task}.json"))).unwrap();
        let made: Value = serde_json::from_str(&made).unwrap();
        let d = made["d"].as_u64().unwrap() as usize;
        check_path(task, &batch(x, d, wholes(&made["y"])), &made["optima"]);
    }
}

#[test]
fn many_fits_are_those_of_each_alone() {
    let case = &golden()["logistic"][0];
    let (x, y) = (singles(&case["x"]), wholes(&case["y"]));
    let (n, d) = (y.len(), case["d"].as_u64().unwrap() as usize);
    let three: Vec<u32> = y.iter().enumerate().map(|(i, l)| l + u32::from(i % 5 == 0)).collect();
    let tasks = [batch(x.clone(), d, y), batch(x, d, three)];
    let grid = [100.0, 1.0, 0.01];
    let weights: Vec<Vec<f32>> = (0..3)
        .map(|fold| (0..n).map(|i| if i % 3 == fold { 0.0 } else { 1.0 }).collect())
        .collect();
    let jobs: Vec<FitJob> = tasks
        .iter()
        .flat_map(|task| {
            weights.iter().map(|weights| FitJob {
                classes: task.classes(),
                targets: task.targets(),
                weights,
                penalties: &grid,
            })
        })
        .collect();
    let features = tasks[0].features();
    let trainer = LogisticTrainer::default();
    let many = trainer.fit_many(features, &jobs).unwrap();
    assert_eq!(many.len(), 6);
    for (at, (job, heads)) in jobs.iter().zip(&many).enumerate() {
        let kept: Vec<usize> = (0..n).filter(|&i| job.weights[i] > 0.0).collect();
        let alone =
            tasks[at / 3].derive(features.select(&kept), &kept, vec![1.0; kept.len()]).unwrap();
        for (head, &penalty) in heads.iter().zip(&grid) {
            let single = trainer.fit(&alone, penalty).unwrap();
            let weights = serde_json::json!(single.record().tensors["weights"].values);
            compare_weights(&format!("job {at}, λ = {penalty}"), &head.record(), &weights);
            let (a, b) = (head.predict(features).unwrap(), single.predict(features).unwrap());
            for (a, b) in a.values().iter().zip(b.values()) {
                assert!((a - b).abs() < 1e-6, "job {at}, λ = {penalty}: {a} {b}");
            }
        }
    }
    let short = FitJob { weights: &weights[0][1..], ..jobs[0] };
    assert!(trainer.fit_many(features, &[short]).is_err());
}

/// Each set of the closed forms with its golden values.
fn closed_forms(check: impl Fn(&str, &TrainBatch, &Value)) {
    for case in golden()["closed_forms"].as_array().unwrap() {
        let d = case["d"].as_u64().unwrap() as usize;
        let (y, groups) = (wholes(&case["y"]), wholes(&case["group"]));
        let name = format!("{} classes, {d} features", y.iter().max().unwrap() + 1);
        check(&name, &grouped(singles(&case["x"]), d, y, &groups), case);
    }
}

#[test]
fn lda_is_that_of_scikit_learn() {
    closed_forms(|name, batch, case| {
        for fit in case["lda"].as_array().unwrap() {
            let shrinkage = fit["shrinkage"].as_f64().unwrap();
            let head = LdaTrainer::default().fit(batch, shrinkage).unwrap();
            let ours = head.predict(batch.features()).unwrap();
            for (ours, theirs) in ours.values().iter().zip(numbers(&fit["p"])) {
                assert!((ours - theirs).abs() < 2e-6, "{name}, {shrinkage}: {ours} {theirs}");
            }
        }
    });
}

#[test]
fn ridge_and_its_left_out_groups_are_those_of_scikit_learn() {
    closed_forms(|name, batch, case| {
        let fits = case["ridge"].as_array().unwrap();
        let grid = penalties(&case["ridge"]);
        let heads = RidgeTrainer::default().fit_path(batch, &grid).unwrap();
        for (fit, head) in fits.iter().zip(heads) {
            let ours = scores(batch.features(), &head.record()).concat();
            for (ours, theirs) in ours.iter().zip(numbers(&fit["scores"])) {
                assert!((ours - theirs).abs() < 1e-5, "{name}: {ours} {theirs}");
            }
        }
        check_left_out(name, batch, &grid, fits, "left_out");
        // Groups of more rows than five features take another way.
        let halves: Vec<u32> = batch.groups().iter().map(|g| g % 2).collect();
        let (x, d) = (batch.features().values().to_vec(), batch.features().n_cols());
        let halves = grouped(x, d, batch.labels(), &halves);
        check_left_out(name, &halves, &grid, fits, "halves_left_out");
    });
    let one = grouped(vec![0.0, 1.0], 1, vec![0, 1], &[3, 3]);
    let error = RidgeTrainer::default().leave_one_group_out(&one, &[1.0]).unwrap_err().to_string();
    assert!(error.contains("two groups"), "{error}");
}

fn check_left_out(name: &str, batch: &TrainBatch, grid: &[f64], fits: &[Value], key: &str) {
    let left_out = RidgeTrainer::default().leave_one_group_out(batch, grid).unwrap();
    for (fit, left_out) in fits.iter().zip(left_out) {
        // Probabilities are softmax(2s), so that their log ratios give the scores back.
        let theirs = numbers(&fit[key]);
        let n_scores = theirs.len() / batch.n_rows();
        for (i, theirs) in theirs.chunks_exact(n_scores).enumerate() {
            let p = left_out.row(i);
            let margin = 0.5 * (p[1] / p[0]).ln();
            let expected = if n_scores == 1 { theirs[0] } else { theirs[1] - theirs[0] };
            assert!((margin - expected).abs() < 1e-4, "{name}, row {i}: {margin} {expected}");
        }
    }
}

#[test]
fn linear_svm_is_that_of_scikit_learn() {
    closed_forms(|name, batch, case| {
        let grid = penalties(&case["svm"]);
        let heads = LinearSvmTrainer::default().fit_path(batch, &grid).unwrap();
        for (fit, head) in case["svm"].as_array().unwrap().iter().zip(heads) {
            let penalty = fit["penalty"].as_f64().unwrap();
            let record = head.record();
            let rows = scores(batch.features(), &record).into_iter().zip(batch.labels());
            let hinge = |(scores, label): (Vec<f64>, u32)| -> f64 {
                let first = u32::from(scores.len() == 1);
                let of = |(s, k): (&f64, u32)| {
                    let y = if label == k { 1.0 } else { -1.0 };
                    (1.0 - y * s).max(0.0).powi(2)
                };
                scores.iter().zip(first..).map(of).sum()
            };
            let ours = rows.map(hinge).sum::<f64>() + penalty_term(&record, penalty);
            let theirs = fit["objective"].as_f64().unwrap();
            let gap = (ours - theirs) / theirs;
            assert!(gap.abs() <= 1e-7, "{name}, λ = {penalty}: {ours} {theirs}, gap {gap:e}");
            compare_weights(&format!("{name}, λ = {penalty}"), &record, &fit["weights"]);
        }
    });
}
