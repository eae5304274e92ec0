// SPDX-License-Identifier: MIT OR Apache-2.0

//! The JSON, the page and the tables of a small sample with every section filled.

mod sample;

use eosin_core::Matrix;
use eosin_report::verdict::run_verdict;
use eosin_report::{RunReport, pca, render_html, tables};
use sample::sample;

#[test]
fn json_is_stable() {
    insta::assert_snapshot!("report_json", sample().to_json().unwrap());
}

#[test]
fn json_round_trips_with_undefined_numbers() {
    let mut report = sample();
    report.arms[1].metrics[1].lower = f64::NAN;
    let json = report.to_json().unwrap();
    assert!(json.contains("\"lower\": null"));
    let back = RunReport::from_json(&json).unwrap();
    assert!(back.arms[1].metrics[1].lower.is_nan());
    // serde_json reads a float back within a unit of its last place.
    for (a, b) in report.arms.iter().zip(&back.arms) {
        assert_eq!((&a.backbone, &a.confusion), (&b.backbone, &b.confusion));
        assert!((a.metrics[0].upper - b.metrics[0].upper).abs() < 1e-15);
    }
}

#[test]
fn page_has_every_section_in_order() {
    let page = render_html(&sample()).unwrap();
    let headings: Vec<&str> =
        page.split("<h2>").skip(1).filter_map(|s| s.split("</h2>").next()).collect();
    insta::assert_snapshot!("html_headings", headings.join("\n"));
    insta::assert_snapshot!("html_skeleton", skeleton(&page));
}

/// The tags of the page's body without attributes and text, runs of the same line folded.
fn skeleton(page: &str) -> String {
    let body = page.split("</style>").nth(1).unwrap();
    let mut lines: Vec<(String, usize)> = Vec::new();
    for tag in body.split('<').skip(1) {
        let name = tag.split([' ', '>']).next().unwrap().to_string();
        match lines.last_mut() {
            Some((last, n)) if *last == name => *n += 1,
            _ => lines.push((name, 1)),
        }
    }
    let fold = |(name, n): (String, usize)| if n == 1 { name } else { format!("{name} ×{n}") };
    lines.into_iter().map(fold).collect::<Vec<_>>().join(" ")
}

#[test]
fn page_needs_nothing_from_elsewhere() {
    let page = render_html(&sample()).unwrap().to_lowercase();
    for outside in
        ["http://", "https://", "<script", "<link", "<img", "<iframe", "@import", "url(", "src="]
    {
        assert!(!page.contains(outside), "{outside} in the page");
    }
}

#[test]
fn text_of_users_is_escaped() {
    let evil = "<script>alert('x')</script>&\"";
    let mut report = sample();
    report.title = evil.into();
    report.notes = vec![evil.into()];
    report.warnings = vec![evil.into()];
    report.data.task = evil.into();
    report.data.classes[1].name = evil.into();
    report.data.positive = Some(evil.into());
    report.data.splits[0].name = evil.into();
    report.data.leakage[0].examples = vec![evil.into()];
    report.backbones[0].name = evil.into();
    report.backbones[0].licence.name = evil.into();
    report.rankings[0].proxy = evil.into();
    report.rankings[0].rows[0].backbone = evil.into();
    report.rankings[0].verdict = evil.into();
    report.arms[0].augmentation = evil.into();
    report.arms[0].metrics[0].name = evil.into();
    report.gains[0].change = evil.into();
    report.embedding_maps[0].backbone = evil.into();
    report.learning_curves[0].name = evil.into();
    report.centres[0].centre = evil.into();
    report.skipped[0].reason = evil.into();
    report.config_digest = evil.into();
    let page = render_html(&report).unwrap();
    assert!(!page.contains("<script"), "a script came through");
    assert!(page.contains("&lt;script&gt;"));
}

#[test]
fn backticks_are_code_and_a_lone_one_stays() {
    let mut report = sample();
    report.warnings = vec!["`a<b` and `c".into()];
    let page = render_html(&report).unwrap();
    assert!(page.contains("Warning: <code>a&lt;b</code> and `c</p>"));
}

#[test]
fn a_default_that_was_kept_is_shown_once() {
    let mut report = sample();
    report.selected_backbone = report.default_backbone.clone();
    let page = render_html(&report).unwrap();
    assert!(page.contains("Default and selected"));
    assert_eq!(page.matches("class=\"confusion\"").count(), 2);
    let verdict = run_verdict(&report);
    assert_eq!(
        verdict.sentence,
        "On the test part augmentation helped: F1 is 0.630 with it and 0.520 without."
    );
}

#[test]
fn an_empty_report_renders() {
    let page = render_html(&RunReport::default()).unwrap();
    assert!(page.contains("no gain and no loss"));
    assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
}

#[test]
fn undefined_numbers_are_dashes() {
    let mut report = sample();
    for arm in &mut report.arms {
        for m in &mut arm.metrics {
            (m.estimate, m.lower, m.upper) = (f64::NAN, f64::NAN, f64::NAN);
        }
    }
    for gain in &mut report.gains {
        gain.absolute.estimate = f64::NAN;
        gain.relative = f64::NAN;
    }
    let page = render_html(&report).unwrap();
    assert!(!page.contains("NaN"), "NaN on the page");
    assert!(!tables::two_by_two(&report).contains("NaN"));
}

#[test]
fn tables_for_the_terminal() {
    let report = sample();
    insta::assert_snapshot!("two_by_two", tables::two_by_two(&report));
    insta::assert_snapshot!("gains", tables::gains(&report));
    insta::assert_snapshot!("rankings", tables::rankings(&report));
}

#[test]
fn no_gain_is_claimed_at_the_level_of_calls_that_look_at_no_tile() {
    // The interval of the best arm reaches down to 0.51, of the others further.
    let mut report = sample();
    report.trivial[0].metrics[0].estimate = 0.55;
    let verdict = run_verdict(&report);
    assert!(verdict.sentence.starts_with("No head is told from a call that looks at no tile"));
    assert!(verdict.sentence.contains("0.630 at best, and 0.550 with everything called positive"));
    for said in verdict.all() {
        assert!(!said.contains("a gain on these"), "{said}");
    }
    assert!(tables::gains(&report).contains("at the level of a trivial call"));
    let page = render_html(&report).unwrap();
    assert!(!page.contains("class=\"good\""), "a gain is coloured");
}

#[test]
fn verdict_claims_no_more_than_the_interval() {
    let read = |word: &str| {
        let mut report = sample();
        report.gains[2].word = word.into();
        run_verdict(&report)
    };
    assert!(read("better").sentence.contains("helped: F1 is 0.630 with it and 0.520 without"));
    assert!(read("worse").sentence.contains("did harm"));
    assert!(read("not told apart").sentence.starts_with("It cannot be told whether"));
    let mut few = sample();
    few.gains[2].word = "not tested".into();
    few.gains[2].n_groups = 3;
    assert!(run_verdict(&few).sentence.starts_with("Too few groups to tell"));
    let told = read("better");
    assert!(told.bullets.len() <= 3 && !told.details.is_empty(), "{told:?}");
}

#[test]
fn pca_agrees_with_scikit_learn() {
    // `make_pca.py` beside the golden file draws the same rows.
    let golden = include_str!("golden/pca.csv");
    let mut rows: Vec<Vec<f32>> = Vec::new();
    let mut expected: Vec<[f64; 2]> = Vec::new();
    let mut explained = [0.0; 2];
    for line in golden.lines().filter(|l| !l.starts_with('#')) {
        let values: Vec<f64> = line.split(',').map(|v| v.parse().unwrap()).collect();
        if rows.is_empty() && explained[0] == 0.0 {
            explained = [values[0], values[1]];
            continue;
        }
        expected.push([values[0], values[1]]);
        rows.push(values[2..].iter().map(|v| *v as f32).collect());
    }
    let found = pca::project(&Matrix::from_rows(&rows).unwrap()).unwrap();
    for (i, (a, b)) in found.points.iter().zip(&expected).enumerate() {
        for k in 0..2 {
            assert!((a[k] - b[k]).abs() < 1e-3, "row {i}: {a:?} for {b:?}");
        }
    }
    for (found, expected) in found.explained.iter().zip(explained) {
        assert!((found - expected).abs() < 1e-5);
    }
    // Five rows of seven columns go through the other Gram matrix; each twice, they do not.
    let few = Matrix::from_rows(&rows[..5]).unwrap();
    let mut twice = few.clone();
    twice.append(&few).unwrap();
    let (few, twice) = (pca::project_2d(&few).unwrap(), pca::project_2d(&twice).unwrap());
    for (a, b) in few.iter().zip(&twice) {
        assert!((a[0] - b[0]).abs() < 1e-3 && (a[1] - b[1]).abs() < 1e-3, "{a:?} and {b:?}");
    }
}

#[test]
fn pca_of_little_is_sound() {
    let check = |rows: &[Vec<f32>]| pca::project_2d(&Matrix::from_rows(rows).unwrap()).unwrap();
    assert_eq!(check(&[]), Vec::<[f64; 2]>::new());
    assert_eq!(check(&[vec![3.0, 4.0]]), [[0.0, 0.0]]);
    assert_eq!(check(&[vec![1.0, 2.0], vec![1.0, 2.0]]), [[0.0, 0.0]; 2]);
    // One dimension: the second axis holds nothing. The largest loading is positive.
    assert_eq!(check(&[vec![1.0], vec![3.0]]), [[-1.0, 0.0], [1.0, 0.0]]);
    assert!(pca::project_2d(&Matrix::from_rows(&[vec![f32::NAN], vec![0.0]]).unwrap()).is_err());
}
