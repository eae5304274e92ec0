// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

/// 40 groups of 1 to 6 rows; class 2 only in 5 of them.
fn example() -> (Vec<u32>, Vec<u32>) {
    let mut labels = Vec::new();
    let mut groups = Vec::new();
    for group in 0..40_u32 {
        for i in 0..=(group % 6) {
            labels.push(if group % 8 == 0 { 2 } else { (group + i) % 2 });
            groups.push(group * 3 + 1);
        }
    }
    (labels, groups)
}

#[test]
fn folds_part_all_rows_and_tear_no_group() {
    let (labels, groups) = example();
    let folds = grouped_stratified_kfold(&labels, &groups, 3, 5, 11).unwrap();
    let mut held_out: Vec<usize> = folds.iter().flat_map(|f| f.held_out.clone()).collect();
    held_out.sort_unstable();
    assert_eq!(held_out, (0..labels.len()).collect::<Vec<_>>());
    for fold in &folds {
        assert_eq!(fold.train.len() + fold.held_out.len(), labels.len());
        assert!(fold.held_out.iter().all(|&h| fold.train.iter().all(|&t| groups[t] != groups[h])));
    }
}

#[test]
fn a_class_in_k_groups_is_held_out_in_every_fold() {
    let (labels, groups) = example();
    for seed in 0..50 {
        for fold in grouped_stratified_kfold(&labels, &groups, 3, 5, seed).unwrap() {
            for class in 0..3 {
                assert!(fold.held_out.iter().any(|&i| labels[i] == class), "seed {seed}");
                assert!(fold.train.iter().any(|&i| labels[i] == class), "seed {seed}");
            }
        }
    }
}

#[test]
fn sizes_are_balanced() {
    let (labels, groups) = example();
    let folds = grouped_stratified_kfold(&labels, &groups, 3, 5, 3).unwrap();
    let sizes: Vec<usize> = folds.iter().map(|f| f.held_out.len()).collect();
    assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 6, "{sizes:?}");
}

#[test]
fn the_seed_decides() {
    let (labels, groups) = example();
    let make = |seed| grouped_stratified_kfold(&labels, &groups, 3, 5, seed).unwrap();
    assert_eq!(make(5), make(5));
    assert_ne!(make(5), make(6));
    let rounds = repeated(&labels, &groups, 3, 5, 3, 5).unwrap();
    assert_eq!(rounds.len(), 15);
    assert_eq!(rounds[..5], make(5));
    assert_ne!(rounds[..5], rounds[5..10]);
}

#[test]
fn too_few_groups_are_told() {
    let error = grouped_stratified_kfold(&[0, 1, 0, 1], &[0, 0, 1, 1], 2, 5, 0).unwrap_err();
    assert!(error.to_string().contains("from 2 to 2"), "{error}");
    assert!(grouped_stratified_kfold(&[0, 1], &[0], 2, 2, 0).is_err());
    assert!(grouped_stratified_kfold(&[0, 2], &[0, 1], 2, 2, 0).is_err());
    assert!(grouped_stratified_kfold(&[], &[], 2, 2, 0).is_err());
}

#[test]
fn feasible_folds_are_bounded_by_the_scarcest_class() {
    // Class 1 occurs in groups 0 and 1 alone; class 2 does not occur.
    let (labels, groups) = ([0, 1, 0, 1, 0, 0], [0, 0, 1, 1, 2, 3]);
    assert_eq!(feasible_folds(&labels, &groups, 3, 5).unwrap(), 2);
    assert_eq!(feasible_folds(&labels, &groups, 3, 1).unwrap(), 1);
    assert_eq!(feasible_folds(&[], &[], 3, 5).unwrap(), 0);
}

#[test]
fn each_group_is_left_out_once() {
    let folds = leave_one_group_out(&[4, 9, 4, 2]).unwrap();
    assert_eq!(folds.len(), 3);
    assert_eq!(folds[1], Fold { train: vec![1, 3], held_out: vec![0, 2] });
    assert!(leave_one_group_out(&[1, 1]).is_err());
}

#[test]
fn each_centre_is_left_out_with_its_patients_whole() {
    // Patient 1 is seen at both centres.
    let folds = leave_centre_out(&[0, 0, 1, 1], &[0, 1, 1, 2]).unwrap();
    assert_eq!(folds[0], Fold { train: vec![3], held_out: vec![0, 1] });
    assert_eq!(folds[1], Fold { train: vec![0], held_out: vec![2, 3] });
    assert!(leave_centre_out(&[0, 1], &[5, 5]).is_err());
    assert!(leave_centre_out(&[0, 0], &[0, 1]).is_err());
    assert!(leave_centre_out(&[0, 1], &[0]).is_err());
}

#[test]
fn points_of_a_learning_curve_are_nested() {
    let labels: Vec<u32> = (0..200).map(|i| u32::from(i % 5 == 0)).collect();
    let count = |rows: &[usize]| rows.iter().filter(|&&r| labels[r] == 1).count();
    for (others, n_rows) in
        [(Others::All, [165, 170, 185, 200]), (Others::SameShare, [25, 50, 125, 200])]
    {
        let subsets = learning_subsets(&labels, 1, &[10, 5, 25, 100], others, 3).unwrap();
        assert_eq!(subsets.iter().map(|s| s.n_positives).collect::<Vec<_>>(), [5, 10, 25, 40]);
        assert_eq!(subsets.iter().map(|s| s.rows.len()).collect::<Vec<_>>(), n_rows);
        for pair in subsets.windows(2) {
            assert_eq!(count(&pair[0].rows), pair[0].n_positives);
            assert!(pair[0].rows.iter().all(|row| pair[1].rows.contains(row)));
        }
        assert_eq!(subsets, learning_subsets(&labels, 1, &[10, 5, 25, 100], others, 3).unwrap());
        assert_ne!(subsets, learning_subsets(&labels, 1, &[10, 5, 25, 100], others, 4).unwrap());
    }
    assert!(learning_subsets(&labels, 7, &[5], Others::All, 0).is_err());
    assert!(learning_subsets(&labels, 1, &[0], Others::All, 0).is_err());
}
