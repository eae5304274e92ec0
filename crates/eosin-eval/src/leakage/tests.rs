// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Matrix;

use super::*;

fn tile<'a>(
    id: &'a str,
    group: &'a str,
    split: &'a str,
    label: &'a str,
    digest: &'a str,
) -> TileRow<'a> {
    TileRow { id, group, split, label, digest: (!digest.is_empty()).then_some(digest) }
}

#[test]
fn a_clean_split_passes() {
    let report = check(&[
        tile("a", "p1", "train", "x", "1"),
        tile("b", "p1", "train", "x", "1"),
        tile("c", "p2", "test", "y", "2"),
        tile("d", "p3", "test", "y", ""),
        tile("e", "p4", "train", "x", ""),
    ]);
    assert!(report.is_clean());
    report.ensure_clean().unwrap();
    assert!(report.describe().is_empty());
}

#[test]
fn a_group_in_two_splits_is_named_with_rows() {
    let report = check(&[
        tile("a", "p1", "train", "x", ""),
        tile("b", "p1", "test", "x", ""),
        tile("c", "p1", "test", "x", ""),
    ]);
    assert_eq!(report.shared_groups[0].splits, ["test", "train"]);
    assert_eq!(report.shared_groups[0].counts, [2, 1]);
    let error = report.ensure_clean().unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("group p1") && text.contains("a (train)") && text.contains("b (test)"),
        "{text}"
    );
}

#[test]
fn identical_tiles_in_two_groups_of_one_split_are_found_and_no_others() {
    let rows = [
        tile("a", "p1", "train", "x", "1"),
        tile("b", "p1", "train", "x", "1"),
        tile("c", "p1", "train", "x", "2"),
        tile("d", "p2", "train", "x", "2"),
        tile("e", "p3", "train", "x", "3"),
        tile("f", "p4", "test", "x", "3"),
        tile("g", "p5", "test", "x", "4"),
        tile("h", "p6", "test", "x", "4"),
    ];
    let found = identical_in_groups(&rows, "train");
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0].rows[..], &found[0].groups[..]),
        (&["c", "d"].map(String::from)[..], &["p1", "p2"].map(String::from)[..])
    );
}

#[test]
fn identical_tiles_across_splits_are_found() {
    let report = check(&[
        tile("a", "p1", "train", "x", "d"),
        tile("b", "p2", "test", "x", "d"),
        tile("c", "p3", "test", "x", "e"),
    ]);
    assert_eq!(report.shared_tiles[0].rows, ["a", "b"]);
    assert!(report.conflicting_labels.is_empty());
    assert!(report.ensure_clean().unwrap_err().to_string().contains("the same tile"));
}

#[test]
fn identical_tiles_with_two_labels_are_found_within_a_split() {
    let report = check(&[tile("a", "p1", "test", "x", "d"), tile("b", "p1", "test", "y", "d")]);
    assert!(report.shared_tiles.is_empty());
    assert_eq!(report.conflicting_labels[0].labels, ["x", "y"]);
    let text = report.ensure_clean().unwrap_err().to_string();
    assert!(text.contains("a (x), b (y)"), "{text}");
    assert_eq!(report.describe().len(), 1);
}

/// Rows of two splits, of which `copies` are slightly changed copies of rows of the other split.
fn embeddings(n: usize, dim: usize, copies: &[(usize, usize)]) -> Matrix {
    // A linear congruential sequence: any numbers without pattern do.
    let mut state = 12_345_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let mut matrix = Matrix::new(n, dim, (0..n * dim).map(|_| next()).collect()).unwrap();
    for &(from, to) in copies {
        let row: Vec<f32> = matrix.row(from).iter().map(|v| 2.5 * v + 0.01 * next()).collect();
        matrix.row_mut(to).copy_from_slice(&row);
    }
    matrix
}

#[test]
fn near_duplicates_are_those_of_every_pair() {
    // More rows of a side than one block has.
    let n = 1400;
    let mut features = embeddings(n, 24, &[(3, 1200), (700, 1201), (5, 6), (8, 1399)]);
    features.row_mut(9).fill(0.0);
    let ids: Vec<String> = (0..n).map(|i| format!("t{i}")).collect();
    let split = |i: usize| {
        if i < 600 {
            "train"
        } else if i < 1200 {
            "test"
        } else {
            "val"
        }
    };
    let rows: Vec<TileRow> = (0..n)
        .map(|i| tile(&ids[i], "g", split(i), "x", if i == 8 || i == 1399 { "same" } else { "" }))
        .collect();
    for threshold in [0.999, 0.6] {
        let mut expected: Vec<(f64, [usize; 2])> = Vec::new();
        for i in 0..n {
            for j in i + 1..n {
                if split(i) != split(j) && (i, j) != (8, 1399) && i != 9 {
                    let dot = |a: usize, b: usize| -> f64 {
                        let pairs = features.row(a).iter().zip(features.row(b));
                        pairs.map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
                    };
                    let cosine = dot(i, j) / (dot(i, i) * dot(j, j)).sqrt();
                    if cosine >= threshold {
                        expected.push((cosine, [i, j]));
                    }
                }
            }
        }
        expected.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut involved: Vec<usize> = expected.iter().flat_map(|(_, pair)| *pair).collect();
        involved.sort_unstable();
        involved.dedup();
        let search = NearDuplicateSearch { cosine: threshold, limit: 50 };
        let found = search.find(&rows, &features).unwrap();
        assert_eq!((found.n_pairs, found.n_rows), (expected.len(), involved.len()));
        assert!(expected.len() > if threshold < 0.9 { 50 } else { 1 }, "{}", expected.len());
        assert_eq!(found.pairs.len(), expected.len().min(50));
        for (pair, (cosine, at)) in found.pairs.iter().zip(&expected) {
            assert!((pair.cosine - cosine).abs() < 1e-12);
            let mut names = pair.rows.clone();
            names.sort_by_key(|name| name[1..].parse::<usize>().unwrap());
            assert_eq!(names, at.map(|i| ids[i].clone()));
            assert_ne!(pair.splits[0], pair.splits[1]);
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(found, pool.install(|| search.find(&rows, &features)).unwrap());
    }
    assert!(NearDuplicateSearch::default().find(&rows[1..], &features).is_err());
    assert!(NearDuplicateSearch { cosine: 0.0, limit: 1 }.find(&rows, &features).is_err());
}

#[test]
fn near_duplicates_are_refused_with_their_rows() {
    let features = embeddings(4, 16, &[(0, 3)]);
    let rows = [
        tile("a", "p1", "train", "x", ""),
        tile("b", "p2", "train", "x", ""),
        tile("c", "p3", "test", "x", ""),
        tile("d", "p4", "test", "x", ""),
    ];
    let found = NearDuplicateSearch::default().find(&rows, &features).unwrap();
    let report = check(&rows).with_near_duplicates(found);
    let text = report.ensure_clean().unwrap_err().to_string();
    assert!(text.contains("d (test), a (train)") || text.contains("a (train), d (test)"), "{text}");
    assert!(text.contains("cosine 0.99 or more"), "{text}");
    assert_eq!(report.describe().len(), 1);
}

#[test]
fn a_waiver_lets_findings_pass_and_is_kept() {
    let report = check(&[tile("a", "p1", "train", "x", ""), tile("b", "p1", "test", "x", "")]);
    assert!(report.clone().allow("  ").is_err());
    let allowed = report.allow("one patient, two lesions years apart").unwrap();
    allowed.ensure_clean().unwrap();
    assert!(!allowed.is_clean());
    assert!(allowed.describe().last().unwrap().contains("two lesions"));
    let text = serde_json::to_string(&allowed).unwrap();
    assert_eq!(serde_json::from_str::<LeakageReport>(&text).unwrap(), allowed);
    // Reports of before these fields can be read.
    let old = "{\"shared_groups\":[],\"shared_tiles\":[],\"conflicting_labels\":[]}";
    assert!(serde_json::from_str::<LeakageReport>(old).unwrap().is_clean());
}
