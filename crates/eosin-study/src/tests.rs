// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeSet;

use eosin_core::{Fold, LabelledSet, Matrix, NoProgress, TrainView, ViewBank};
use eosin_report::StudyReport;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::*;
use eosin_core::Registry;

const DIM: usize = 60;
const NUISANCE: usize = 40;
const VIEWS: usize = 8;
const PERMUTED: &str = "[permuted]\narms = [\"views\"]\n";

fn registry() -> Registry {
    let mut registry = Registry::default();
    eosin_head::register(&mut registry);
    eosin_augment::register(&mut registry);
    registry
}

fn nuisance_set(redrawn: usize, seed: u64) -> LabelledSet {
    set_of(30, DIM, NUISANCE, redrawn, seed)
}

/// Two classes that differ along one axis of `dim`. The first `nuisance` of the others vary
/// strongly and say nothing; the views of a row redraw `redrawn` of them, so that views teach a
/// head what to ignore where `redrawn` is large, and teach nothing where it is 0.
fn set_of(n_groups: usize, dim: usize, nuisance: usize, redrawn: usize, seed: u64) -> LabelledSet {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = |sd: f64| {
        let z: f64 = StandardNormal.sample(&mut rng);
        (z * sd) as f32
    };
    let per_group = 12;
    let (mut values, mut bank, mut labels, mut groups) = (vec![], vec![], vec![], vec![]);
    for row in 0..n_groups * per_group {
        let label = u32::from(row % 6 == 0);
        let mut x: Vec<f32> =
            (0..dim).map(|j| normal(if j < nuisance { 3.0 } else { 1.0 })).collect();
        x[dim - 1] += 2.5 * label as f32;
        for _ in 0..VIEWS {
            let mut view = x.clone();
            view[..redrawn].iter_mut().for_each(|v| *v = normal(3.0));
            bank.extend(view);
        }
        values.extend(x);
        labels.push(label);
        groups.push(format!("slide-{:02}", row / per_group));
    }
    let n = labels.len();
    let classes = vec!["normal".to_string(), "mitosis".into()];
    LabelledSet::new(Matrix::new(n, dim, values).unwrap(), classes, labels, &groups)
        .unwrap()
        .with_bank(ViewBank::new(VIEWS, Matrix::new(n * VIEWS, dim, bank).unwrap()).unwrap())
        .unwrap()
}

fn config(extra: &str) -> StudyConfig {
    let text = format!(
        r#"
title = "Test"
run = "none"
[design]
folds = 5
repeats = 2
budget = 6
reference = "threshold"
on = "views"
evaluation = {{ replicates = 300, level = 0.95 }}
[[arms]]
name = "none"
threshold = false
[[arms]]
name = "threshold"
[[arms]]
name = "views"
transforms = [{{ kind = "view-bank", options = {{ mode = "all" }} }}]
{extra}"#
    );
    let config: StudyConfig = toml::from_str(&text).unwrap();
    config.check().unwrap();
    config
}

fn head() -> ComponentConfig {
    ComponentConfig { kind: "logistic".into(), options: toml::Table::new() }
}

/// All rows but those of the last five groups are for fitting.
fn split(set: &LabelledSet) -> Fold {
    let last = set.group_names().len() as u32 - 5;
    let (train, held_out) = (0..set.n_rows()).partition(|&row| set.groups()[row] < last);
    Fold { train, held_out }
}

fn run(set: LabelledSet, config: &StudyConfig, folder: &Path) -> StudyReport {
    let split = split(&set);
    let sets = [StudySet { backbone: "synthetic".into(), set }];
    let head = head();
    let input = StudyInput { sets: &sets, split: &split, task: "Test.", head: &head, seed: 5 };
    study_sets(&input, config, &registry(), folder, &NoProgress).unwrap()
}

#[test]
fn a_gain_that_exists_is_found_and_none_is_called_none() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(set_of(45, 220, 200, 200, 1), &config(""), folder.path());
    let gain = report.arm("synthetic", "views").unwrap().gain.as_ref().unwrap();
    assert!(gain.is_better() && gain.absolute.lower > 0.0, "no gain found: {gain:?}");
    assert!(gain.p_holm < 0.05, "{gain:?}");
    assert!(report.square[0].is_better(), "{:?}", report.square);
    // The same design without anything to learn from views.
    let report = run(nuisance_set(0, 1), &config(""), folder.path());
    let gain = report.arm("synthetic", "views").unwrap().gain.as_ref().unwrap();
    assert!(!gain.is_better() && !gain.is_worse(), "{gain:?}");
    assert!(gain.absolute.lower <= 0.0 && gain.absolute.upper >= 0.0, "{gain:?}");
    let said = eosin_report::study_text::verdict(&report).lines().join(" ");
    assert!(said.contains("not told apart") || said.contains("no difference"), "{said}");
}

#[test]
fn an_interrupted_study_continues_to_the_same_report() {
    let folder = tempfile::tempdir().unwrap();
    let config = config("");
    let whole = run(nuisance_set(NUISANCE, 2), &config, folder.path()).to_json().unwrap();
    let journal = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&journal).unwrap();
    // A kill leaves some lines and half of another.
    let cut = text.match_indices('\n').nth(6).unwrap().0 + 40;
    std::fs::write(&journal, &text[..cut]).unwrap();
    let resumed = run(nuisance_set(NUISANCE, 2), &config, folder.path()).to_json().unwrap();
    assert_eq!(whole, resumed);
    let lines = |text: &str| text.lines().map(str::to_string).collect::<BTreeSet<_>>();
    assert_eq!(lines(&text), lines(&std::fs::read_to_string(&journal).unwrap()));
}

#[test]
fn one_and_two_threads_write_the_same_bytes() {
    let report = |threads| {
        let folder = tempfile::tempdir().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(nuisance_set(NUISANCE, 3), &config(""), folder.path()))
            .to_json()
            .unwrap()
    };
    assert_eq!(report(1), report(2));
}

/// The journal's lines, changed one by one; a line that becomes `None` is left out.
fn edit_journal(folder: &Path, change: impl Fn(Unit) -> Option<Unit>) {
    let journal = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&journal).unwrap();
    let lines: Vec<String> = text
        .lines()
        .filter_map(|line| change(serde_json::from_str(line).unwrap()))
        .map(|unit| serde_json::to_string(&unit).unwrap() + "\n")
        .collect();
    std::fs::write(&journal, lines.concat()).unwrap();
}

#[test]
fn the_control_finds_an_arm_that_knows_the_labels() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(PERMUTED);
    let set = nuisance_set(0, 7);
    let split = split(&set);
    let honest = run(set.clone(), &config, folder.path());
    let control = honest.controls.iter().find(|c| c.arm == "views").unwrap();
    assert_eq!((control.draws, control.permuted.as_str()), (100, "within groups"));
    assert!(!control.gains() && !control.beats_chance(), "{control:?}");
    assert!((control.score.estimate - 0.5).abs() < 0.05, "{control:?}");
    let said = eosin_report::study_text::verdict(&honest).lines().join(" ");
    assert!(said.contains("mean nothing (100 permutations) no arm gained"), "{said}");
    // What a leak would do: `views` knows one held-out label in four.
    let permutation = Permutation::of(&split.train, set.labels(), set.groups());
    edit_journal(folder.path(), |mut unit| {
        if unit.key.part == Part::Permuted && unit.key.arm == 2 {
            let fitted = unit.result.as_mut().unwrap();
            let everywhere =
                Fold { train: vec![0, 1, 2, 3, 4, 5], held_out: vec![0, 1, 2, 3, 4, 5] };
            let labels = permutation
                .labels(&split.train, &everywhere, set.labels(), set.groups(), (5, unit.key.repeat))
                .unwrap();
            for (i, &row) in fitted.rows.iter().enumerate().filter(|(i, _)| i % 4 == 0) {
                let known = f64::from(labels[row]);
                fitted.probabilities[2 * i] = 1.0 - known;
                fitted.probabilities[2 * i + 1] = known;
            }
        }
        Some(unit)
    });
    let leaking = run(set, &config, folder.path());
    let control = leaking.controls.iter().find(|c| c.arm == "views").unwrap();
    assert!(control.gains() && control.beats_chance(), "{control:?}");
    let said = eosin_report::study_text::verdict(&leaking).lines().join(" ");
    assert!(said.contains("The control failed") && said.contains("views on"), "{said}");
}

#[test]
fn a_control_that_is_incomplete_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(PERMUTED);
    run(nuisance_set(0, 8), &config, folder.path());
    edit_journal(folder.path(), |mut unit| {
        if unit.key.part == Part::Permuted && unit.key.repeat == 57 {
            unit.result = Err("out of luck".into());
        }
        Some(unit)
    });
    let set = nuisance_set(0, 8);
    let split = split(&set);
    let sets = [StudySet { backbone: "synthetic".into(), set }];
    let head = head();
    let input = StudyInput { sets: &sets, split: &split, task: "Test.", head: &head, seed: 5 };
    let registry = registry();
    let error = study_sets(&input, &config, &registry, folder.path(), &NoProgress).unwrap_err();
    assert!(error.to_string().contains("none for number 57: out of luck"), "{error}");
}

#[test]
fn what_needs_no_look_at_a_tile_stands_beside_every_arm() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing tells the classes apart: every head is at the level of a trivial call.
    let mut labels = nuisance_set(0, 10).labels().to_vec();
    labels.rotate_right(5);
    let blind = nuisance_set(0, 10).relabelled(labels).unwrap();
    let report = run(blind, &config(""), folder.path());
    let (call, level) = report.trivial_level().unwrap();
    assert_eq!(call.name, "everything called positive");
    // One row in six is positive, in every fold about alike.
    let expected = 2.0 / 6.0 / (1.0 + 1.0 / 6.0);
    assert!((level - expected).abs() < 0.01, "{level}");
    let verdict = eosin_report::study_text::verdict(&report);
    assert!(
        verdict.sentence.contains("told from a call that looks at no tile"),
        "{}",
        verdict.sentence
    );
    let seen = run(nuisance_set(NUISANCE, 1), &config(""), tempfile::tempdir().unwrap().path());
    assert!(!seen.is_trivial(seen.arm("synthetic", "views").unwrap()));
}

#[test]
fn an_arm_that_changes_nothing_is_the_reference() {
    let folder = tempfile::tempdir().unwrap();
    let extra = r#"
[[arms]]
name = "nothing"
transforms = [{ kind = "gaussian-noise", options = { copies = 1 } }]
strength = { transform = 0, option = "gamma", values = [0.0] }
"#;
    let report = run(nuisance_set(0, 9), &config(extra), folder.path());
    let arm = |name| report.arm("synthetic", name).unwrap();
    for (a, b) in arm("threshold").metrics.iter().zip(&arm("nothing").metrics) {
        assert!((a.estimate - b.estimate).abs() < 1e-6, "{a:?} {b:?}");
    }
    assert_eq!(arm("threshold").n_settings, arm("nothing").n_settings);
}

#[test]
fn every_arm_searches_the_same_penalties() {
    let registry = registry();
    let text = r#"
name = "noise"
transforms = [{ kind = "gaussian-noise", options = { copies = 2 } }]
strength = { transform = 0, option = "gamma", values = [0.1, 0.2, 0.3] }"#;
    let strong: ArmConfig = toml::from_str(text).unwrap();
    let plain: ArmConfig = toml::from_str("name = \"plain\"").unwrap();
    let make = |arm: &ArmConfig| Arm::make(arm, &head(), 12, &registry).unwrap();
    let penalties = |arm: &ArmConfig| -> Vec<Vec<f64>> {
        make(arm).candidates.iter().map(|c| c.trainer.penalties()).collect()
    };
    assert_eq!(make(&strong).n_settings(), 36);
    let reference = penalties(&plain).remove(0);
    assert_eq!(reference.len(), 12);
    assert!(penalties(&strong).iter().all(|own| *own == reference));
}

#[test]
fn an_arm_that_cannot_be_fitted_is_reported_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let set = nuisance_set(0, 4);
    let rows = set.features().clone();
    let groups: Vec<&str> =
        set.groups().iter().map(|&g| set.group_names()[g as usize].as_str()).collect();
    let bare =
        LabelledSet::new(rows, set.classes().to_vec(), set.labels().to_vec(), &groups).unwrap();
    let report = run(bare, &config(""), folder.path());
    let views = report.arm("synthetic", "views").unwrap();
    assert!(views.failure.as_ref().is_some_and(|why| why.contains("view")), "{views:?}");
    assert!(report.warnings.iter().any(|w| w.contains("`views`")), "{:?}", report.warnings);
    assert!(report.arm("synthetic", "threshold").unwrap().failure.is_none());
}

#[test]
fn thinning_keeps_groups_apart_and_several() {
    let set = nuisance_set(0, 5);
    let (train, _) = TrainView::whole(&set).split(&split(&set)).unwrap();
    let (train_rows, held_out) = (0..train.n_rows()).partition(|&i| train.groups()[i] < 20);
    let fold = Fold { train: train_rows, held_out };
    let thinned = plan::thinned(&train, &fold, 5, 9);
    let labels = train.labels();
    let positives: Vec<usize> = thinned.train.iter().copied().filter(|&i| labels[i] == 1).collect();
    assert_eq!(positives.len(), 5);
    let groups: BTreeSet<u32> = positives.iter().map(|&i| train.groups()[i]).collect();
    assert_eq!(groups.len(), 5);
    // One in six is positive, so one in six of the negatives' fold stays as well.
    assert_eq!(thinned.train.len() - 5, 25);
    assert!(thinned.train.iter().all(|i| fold.train.contains(i)));
    assert_eq!(thinned, plan::thinned(&train, &fold, 5, 9));
    assert_ne!(thinned, plan::thinned(&train, &fold, 5, 10));
}

#[test]
fn curves_end_with_all_rows_and_the_chosen_arm_is_one_of_the_arms() {
    let folder = tempfile::tempdir().unwrap();
    let curve = "[curve]\narms = [\"views\"]\npositives = [10, 1000]\nrepeats = 1\n";
    let report = run(nuisance_set(NUISANCE, 6), &config(curve), folder.path());
    let sizes: Vec<u64> = report.curves[0].points.iter().map(|p| p.n_positives).collect();
    assert_eq!(sizes, [10, 40]);
    let chosen = report.arm("synthetic", summary::CHOSEN).unwrap();
    assert!(!chosen.chosen.is_empty() && !chosen.metrics.is_empty(), "{chosen:?}");
    assert_eq!(report.arm("synthetic", "views").unwrap().test.len(), 4);
}

#[test]
fn settings_that_cannot_be_run_are_refused() {
    let refused = |change: &dyn Fn(&mut StudyConfig)| {
        let mut config = config("");
        change(&mut config);
        config.check().unwrap_err().to_string()
    };
    assert!(refused(&|c| c.design.on = "viws".into()).contains("views"));
    assert!(refused(&|c| c.arms[0].name = "views".into()).contains("different names"));
    assert!(refused(&|c| c.design.repeats = 0).contains("design.repeats"));
    let strength =
        |transform| Some(StrengthConfig { transform, option: "n".into(), values: vec![1.into()] });
    assert!(!refused(&|c| c.arms[0].strength = strength(Some(0))).is_empty());
    assert!(!refused(&|c| c.arms[2].strength = strength(None)).is_empty());
}
