// SPDX-License-Identifier: MIT OR Apache-2.0

//! Metrics and tests against scikit-learn, SciPy and statsmodels; made by `tests/golden/eval/make.py`;
//! standard errors of areas against MLstatkit and a full matrix of pairs, by `areas.py` there;
//! shares of unlabelled rows against scipy's optimiser, by `prevalence.py` there.

use eosin_core::Probabilities;
use eosin_eval::delong::{
    AucDifference, clustered_delong, clustered_delong_difference, delong, delong_difference,
};
use eosin_eval::hypothesis::{bayesian_correlated_t, corrected_resampled_t, holm, wilcoxon};
use eosin_eval::metrics::{
    BinaryCounts, ConfusionMatrix, CurvePoint, Ranked, brier, brier_multiclass,
    confusion_by_centre, expected_calibration_error, log_loss, log_loss_multiclass,
    metrics_by_centre, perfect_ece, reliability,
};
use eosin_eval::prevalence::{estimate_shares, recalibrated};
use serde_json::Value;

const TOLERANCE: f64 = 1e-10;

fn golden() -> Value {
    file("golden.json")
}

fn file(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/eval");
    let text = std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn flags(value: &Value) -> Vec<bool> {
    value.as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn classes(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
}

#[track_caller]
fn same(what: &str, ours: f64, theirs: &Value) {
    let theirs = number(theirs);
    let close = (ours - theirs).abs() <= TOLERANCE * theirs.abs().max(1.0);
    assert!(close || ours.is_nan() && theirs.is_nan(), "{what}: {ours} against {theirs}");
}

#[track_caller]
fn same_all(what: &str, ours: &[f64], theirs: &Value) {
    let theirs = theirs.as_array().unwrap();
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (ours, theirs) in ours.iter().zip(theirs) {
        same(what, *ours, theirs);
    }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-15
}

#[test]
fn binary_metrics_equal_scikit_learn() {
    for case in golden()["binary"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let scores = numbers(&case["scores"]);
        let labels: Vec<bool> =
            case["labels"].as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect();
        let weights = (!case["weights"].is_null()).then(|| numbers(&case["weights"]));
        let weights = weights.as_deref();
        let check = |metric: &str, ours| same(&format!("{name} {metric}"), ours, &case[metric]);

        let ranked = Ranked::new(&scores, &labels).unwrap();
        check("auroc", ranked.auroc(weights));
        check("auprc", ranked.auprc(weights));
        let counts = BinaryCounts::at(&scores, &labels, weights, number(&case["threshold"]));
        check("f1", counts.f1());
        check("mcc", counts.mcc());
        let truth: Vec<u32> = labels.iter().map(|&l| u32::from(l)).collect();
        let at = number(&case["threshold"]);
        let called: Vec<u32> = scores.iter().map(|&s| u32::from(s >= at)).collect();
        check("mcc", ConfusionMatrix::new(&truth, &called, 2, weights).unwrap().mcc());
        check("balanced_accuracy", counts.balanced_accuracy());
        check("recall", counts.recall());
        check("precision", counts.precision());
        check("accuracy", counts.accuracy());
        check("brier", brier(&scores, &labels, weights));
        check("log_loss", log_loss(&scores, &labels, weights));

        let curve = |points: Vec<CurvePoint>, theirs: &Value, what: &str| {
            let x: Vec<f64> = points.iter().map(|p| p.x).collect();
            let y: Vec<f64> = points.iter().map(|p| p.y).collect();
            same_all(&format!("{name} {what} x"), &x, &theirs[0]);
            same_all(&format!("{name} {what} y"), &y, &theirs[1]);
        };
        if !case["roc"].is_null() {
            curve(ranked.roc_points(weights), &case["roc"], "roc");
        }
        if !case["pr"].is_null() {
            curve(ranked.pr_points(weights), &case["pr"], "pr");
        }
        if let Some(theirs) = case.get("reliability") {
            let bins = reliability(&scores, &labels, weights, 15);
            let field = |f: fn(&eosin_eval::metrics::ReliabilityBin) -> f64| -> Vec<f64> {
                bins.iter().map(f).collect()
            };
            same_all(&format!("{name} predicted"), &field(|b| b.predicted), &theirs[0]);
            same_all(&format!("{name} observed"), &field(|b| b.observed), &theirs[1]);
            same_all(&format!("{name} bin weight"), &field(|b| b.weight), &theirs[2]);
            check("ece", expected_calibration_error(&scores, &labels, weights, 15));
        }
    }
}

#[test]
fn multiclass_metrics_equal_scikit_learn() {
    for case in golden()["multiclass"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let (truth, called) = (classes(&case["truth"]), classes(&case["called"]));
        let n_classes = case["n_classes"].as_u64().unwrap() as usize;
        let weights = (!case["weights"].is_null()).then(|| numbers(&case["weights"]));
        let weights = weights.as_deref();
        let check = |metric: &str, ours| same(&format!("{name} {metric}"), ours, &case[metric]);

        let confusion = ConfusionMatrix::new(&truth, &called, n_classes, weights).unwrap();
        same_all(&format!("{name} confusion"), confusion.counts(), &case["confusion"]);
        check("accuracy", confusion.accuracy());
        check("macro_f1", confusion.macro_f1());
        check("balanced_accuracy", confusion.balanced_accuracy());
        check("cohen_kappa", confusion.cohen_kappa());
        if let Some(values) = case.get("probabilities") {
            let probabilities = Probabilities::new(n_classes, numbers(values)).unwrap();
            assert_eq!(probabilities.argmax(), called);
            check("log_loss", log_loss_multiclass(&probabilities, &truth, weights));
            check("brier", brier_multiclass(&probabilities, &truth, weights));
        }
    }
}

#[test]
fn rows_left_uncalled_count_as_scikit_learn_counts_one_more_called_class() {
    let call = |&c: &i32| u32::try_from(c).ok();
    let truth = [0, 0, 0, 1, 1, 1, 0, 1, 1, 0];
    let called: Vec<Option<u32>> = [0, -1, 1, 1, -1, 0, 0, 1, 1, -1].iter().map(call).collect();
    let two = ConfusionMatrix::with_uncalled(&truth, &called, 2, None).unwrap();
    assert_eq!((two.counts(), two.uncalled()), (&[2.0, 1.0, 1.0, 3.0][..], &[2.0, 1.0][..]));
    let three = ConfusionMatrix::with_uncalled(
        &[0, 1, 2, 2, 1, 0, 2],
        &[0, 1, -1, 2, 0, -1, 1].iter().map(call).collect::<Vec<_>>(),
        3,
        None,
    )
    .unwrap();
    // matthews_corrcoef, balanced_accuracy_score, cohen_kappa_score, accuracy_score and f1_score
    // over the classes that there are, of scikit-learn 1.7.
    let expected = [
        (&two, [0.261_116_483_934, 0.5, 0.230_769_230_769, 0.5, 0.583_333_333_333]),
        (&three, [0.294_627_825_494, 0.444_444_444_444, 0.263_157_894_737, 0.428_571_428_571, 0.5]),
    ];
    for (confusion, theirs) in expected {
        let ours = [
            confusion.mcc(),
            confusion.balanced_accuracy(),
            confusion.cohen_kappa(),
            confusion.accuracy(),
            confusion.macro_f1(),
        ];
        for (ours, theirs) in ours.into_iter().zip(theirs) {
            assert!((ours - theirs).abs() < 1e-11, "{ours} for {theirs}");
        }
    }
    assert!(near(two.f1(1), 2.0 / 3.0) && near(two.coverage(), 0.7) && near(two.share(0, 1), 0.2));
    // A head that calls nothing finds nothing.
    let none = ConfusionMatrix::with_uncalled(&truth, &[None; 10], 2, None).unwrap();
    let scores = [none.f1(1), none.balanced_accuracy(), none.mcc(), none.accuracy()];
    assert!(scores.iter().all(|&score| near(score, 0.0)) && near(none.coverage(), 0.0));
    assert!(ConfusionMatrix::with_uncalled(&[3], &[None], 3, None).is_err());
}

#[test]
fn tests_equal_scipy_and_statsmodels() {
    let golden = golden();
    for case in golden["wilcoxon"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let ours = wilcoxon(&numbers(&case["differences"])).unwrap();
        same(&format!("{name} statistic"), ours.statistic, &case["statistic"]);
        same(&format!("{name} p"), ours.p, &case["p"]);
    }
    for case in golden["corrected_t"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let (differences, ratio) = (numbers(&case["differences"]), number(&case["ratio"]));
        let ours = corrected_resampled_t(&differences, ratio).unwrap();
        let posterior = bayesian_correlated_t(&differences, ratio, 0.01).unwrap();
        let check = |field: &str, ours| same(&format!("{name} {field}"), ours, &case[field]);
        check("mean", ours.mean);
        check("standard_error", ours.standard_error);
        check("t", ours.t);
        check("df", ours.df);
        check("p", ours.p);
        check("worse", posterior.worse);
        check("equivalent", posterior.equivalent);
        check("better", posterior.better);
    }
    same_all("holm", &holm(&numbers(&golden["holm"]["p"])), &golden["holm"]["adjusted"]);
}

#[test]
fn bad_scores_are_refused() {
    assert!(Ranked::new(&[f64::NAN], &[true]).is_err());
    assert!(Ranked::new(&[0.1], &[true, false]).is_err());
    assert!(ConfusionMatrix::new(&[0, 3], &[0, 1], 3, None).is_err());
    assert!(ConfusionMatrix::new(&[0], &[0, 1], 3, None).is_err());
}

#[test]
fn the_best_f1_threshold_is_found() {
    let ranked = Ranked::new(&[0.9, 0.8, 0.4, 0.2], &[true, true, false, true]).unwrap();
    let best = ranked.best_f1(None).unwrap();
    // Calling all positive gives 6/7, the first two alone 4/5.
    assert!((best.f1 - 6.0 / 7.0).abs() < 1e-15 && best.threshold <= 0.2);
    let best = ranked.best_f1(Some(&[1.0, 1.0, 1.0, 0.0])).unwrap();
    assert!((best.f1 - 1.0).abs() < 1e-15 && (best.threshold - 0.6).abs() < 1e-15);
    assert!(Ranked::new(&[0.1], &[false]).unwrap().best_f1(None).is_none());
    assert!((ranked.recall_at_precision(0.9, None) - 2.0 / 3.0).abs() < 1e-15);
}

#[test]
fn standard_errors_of_areas_equal_other_implementations() {
    for case in file("areas.json")["areas"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let (labels, groups) = (flags(&case["labels"]), classes(&case["groups"]));
        let scores = [0, 1].map(|i| numbers(&case["scores"][i]));
        let test = |what: &str, ours: AucDifference, theirs: &Value| {
            let check =
                |field: &str, ours, theirs| same(&format!("{name} {what} {field}"), ours, theirs);
            check("first", ours.first, &theirs["auc"][0]);
            check("second", ours.second, &theirs["auc"][1]);
            check("standard error", ours.standard_error, &theirs["difference_error"]);
            check("z", ours.z, &theirs["z"]);
            check("p", ours.p, &theirs["p"]);
            if !theirs["difference"].is_null() {
                check("difference", ours.difference, &theirs["difference"]);
                check("lower", ours.lower, &theirs["difference_lower"]);
                check("upper", ours.upper, &theirs["difference_upper"]);
            }
        };
        let [a, b] = &scores;
        let plain = &case["delong"];
        test("DeLong", delong_difference(a, b, &labels, 0.95).unwrap(), plain);
        let clustered = &case["clustered"];
        let difference = clustered_delong_difference(a, b, &labels, &groups, 0.95).unwrap();
        test("Obuchowski", difference, clustered);
        for (i, scores) in scores.iter().enumerate() {
            let ours = delong(scores, &labels, 0.95).unwrap();
            same(&format!("{name} lower"), ours.lower, &plain["lower"][i]);
            same(&format!("{name} upper"), ours.upper, &plain["upper"][i]);
            let ours = clustered_delong(scores, &labels, &groups, 0.95).unwrap();
            let check =
                |field: &str, ours| same(&format!("{name} {field}"), ours, &clustered[field][i]);
            check("auc", ours.auc);
            check("standard_error", ours.standard_error);
            check("lower", ours.lower);
            check("upper", ours.upper);
        }
    }
}

#[test]
fn degenerate_areas_have_a_documented_answer() {
    let labels = [true, true, false, false];
    let same_score = delong_difference(&[0.9, 0.8, 0.7, 0.1], &[0.9, 0.8, 0.7, 0.1], &labels, 0.95);
    let same_score = same_score.unwrap();
    assert!(
        same_score.z == 0.0
            && (same_score.p - 1.0).abs() < 1e-15
            && same_score.standard_error == 0.0
    );
    let perfect = [0.9, 0.8, 0.2, 0.1];
    let reversed = [0.1, 0.2, 0.8, 0.9];
    let sure = delong_difference(&reversed, &perfect, &labels, 0.95).unwrap();
    assert!(sure.z == f64::INFINITY && sure.p == 0.0 && near(sure.difference, 1.0));
    let estimate = delong(&perfect, &labels, 0.95).unwrap();
    assert!(estimate.standard_error == 0.0);
    assert!(near(estimate.upper, 1.0) && near(estimate.lower, 1.0));

    assert!(delong(&[0.1, 0.2, 0.3], &[true, false, false], 0.95).is_err());
    assert!(clustered_delong(&perfect, &labels, &[1, 1, 2, 3], 0.95).is_err());
    assert!(delong(&[f64::NAN, 0.8, 0.2, 0.1], &labels, 0.95).is_err());
    assert!(delong(&perfect[1..], &labels, 0.95).is_err());
    assert!(delong(&perfect, &labels, 1.0).is_err());
}

#[test]
fn operating_points_equal_scikit_learn() {
    for case in file("areas.json")["operating"].as_array().unwrap() {
        let (scores, labels) = (numbers(&case["scores"]), flags(&case["labels"]));
        let ranked = Ranked::new(&scores, &labels).unwrap();
        for point in case["recall_at_precision"].as_array().unwrap() {
            let recall = ranked.recall_at_precision(number(&point[0]), None);
            same(&format!("recall at precision {}", point[0]), recall, &point[1]);
        }
        let counts = BinaryCounts::at(&scores, &labels, None, number(&case["threshold"]));
        for point in case["precision_at_prevalence"].as_array().unwrap() {
            let precision = counts.precision_at_prevalence(number(&point[0]));
            same(&format!("precision at prevalence {}", point[0]), precision, &point[1]);
        }
    }
}

#[test]
fn centres_are_scored_by_themselves() {
    let scores = [0.9, 0.2, 0.4, 0.6, 0.1, 0.8];
    let labels = [true, false, true, false, false, true];
    let centres = [7, 7, 2, 2, 2, 9];
    let table = metrics_by_centre(&scores, &labels, &centres, 0.5).unwrap();
    let summary: Vec<(u32, usize, usize)> =
        table.iter().map(|c| (c.centre, c.n_rows, c.n_positives)).collect();
    assert_eq!(summary, [(2, 3, 1), (7, 2, 1), (9, 1, 1)]);
    assert!(near(table[0].auroc, 0.5) && near(table[1].auroc, 1.0) && table[2].auroc.is_nan());
    assert!(near(table[0].counts.f1(), 0.0) && near(table[2].counts.recall(), 1.0));

    let (truth, called) = ([0, 1, 2, 0, 1, 2], [0, 1, 1, 0, 2, 2]);
    let parts = confusion_by_centre(&truth, &called, 3, &centres).unwrap();
    let mut pooled = parts[0].1.clone();
    for (_, part) in &parts[1..] {
        pooled.add(part).unwrap();
    }
    assert_eq!(pooled, ConfusionMatrix::new(&truth, &called, 3, None).unwrap());
    assert!(metrics_by_centre(&scores, &labels, &centres[1..], 0.5).is_err());
    assert!(confusion_by_centre(&truth, &called[1..], 3, &centres).is_err());
}

#[test]
fn shares_of_unlabelled_rows_are_where_scipy_finds_the_likelihood_largest() {
    for case in file("prevalence.json")["shares"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let n_classes = case["n_classes"].as_u64().unwrap() as usize;
        let probabilities = Probabilities::new(n_classes, numbers(&case["probabilities"])).unwrap();
        let prior = numbers(&case["prior"]);
        let found = estimate_shares(&probabilities, &prior, None).unwrap();
        let expected = numbers(&case["shares"]);
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-5, "{name}: {found} against {expected}");
        }
        let there = recalibrated(&probabilities, &prior, &expected).unwrap();
        let first = &there.values()[..5 * n_classes];
        same_all(&format!("{name} recalibrated"), first, &case["recalibrated"]);
    }
}

#[test]
fn a_perfect_head_errs_as_much_as_scikit_learn_counts() {
    for case in file("prevalence.json")["perfect"].as_array().unwrap() {
        let found = perfect_ece(&numbers(&case["probabilities"]), 15, 2000, 3);
        // Both are means over draws: 2,000 of them have a standard error below 0.0003.
        assert!((found.mean - number(&case["mean"])).abs() < 0.0015, "{found:?}");
        assert!((found.upper - number(&case["upper"])).abs() < 0.004, "{found:?}");
    }
}

#[test]
fn the_threshold_of_a_precision_is_that_of_scikit_learn() {
    for case in file("prevalence.json")["at_precision"].as_array().unwrap() {
        let ranked = Ranked::new(&numbers(&case["scores"]), &flags(&case["labels"])).unwrap();
        for point in case["points"].as_array().unwrap() {
            let found = ranked.point_at_precision(number(&point[0]), None).unwrap();
            same("recall", found.x, &point[1]);
            same("precision", found.y, &point[2]);
            same("threshold", found.threshold, &point[3]);
        }
        assert_eq!(ranked.point_at_precision(1.1, None), None);
    }
}
