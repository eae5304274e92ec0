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
fn sizes_are_within_the_tolerance() {
    let (labels, groups) = example();
    let folds = grouped_stratified_kfold(&labels, &groups, 3, 5, 3).unwrap();
    let sizes: Vec<usize> = folds.iter().map(|f| f.held_out.len()).collect();
    let mean = labels.len() as f64 / 5.0;
    let within = |&n: &usize| n as f64 * TOLERANCE >= mean && n as f64 <= mean * TOLERANCE;
    assert!(sizes.iter().all(within), "{sizes:?}");
    // Groups are dealt evenly, whatever their sizes.
    for fold in &folds {
        let mut own: Vec<u32> = fold.held_out.iter().map(|&row| groups[row]).collect();
        own.dedup();
        assert_eq!(own.len(), 8);
    }
}

#[test]
fn the_seed_decides() {
    let (labels, groups) = example();
    let make = |seed| grouped_stratified_kfold(&labels, &groups, 3, 5, seed).unwrap();
    assert_eq!(make(5), make(5));
    assert_ne!(make(5), make(6));
    let rounds = repeated(&labels, &groups, 3, 5, 3, 5).unwrap();
    assert_eq!((rounds.k, rounds.repeats, rounds.folds.len()), (5, 3, 15));
    assert_eq!(rounds.folds[..5], make(5));
    assert_ne!(rounds.folds[..5], rounds.folds[5..10]);
}

/// Patients of very unequal size, as of colon nuclei: `sizes` rows each, one in three positive.
fn unequal(sizes: &[usize]) -> (Vec<u32>, Vec<u32>) {
    let rows = sizes
        .iter()
        .enumerate()
        .flat_map(|(group, &n)| (0..n).map(move |i| (u32::from(i % 3 == group % 3), group as u32)));
    rows.unzip()
}

/// The partition that each repeat makes, whatever the order of its folds.
fn partitions(rounds: &Repeated) -> BTreeSet<BTreeSet<Vec<usize>>> {
    let of = |folds: &[Fold]| folds.iter().map(|f| f.held_out.clone()).collect();
    rounds.folds.chunks(rounds.k).map(of).collect()
}

#[test]
fn the_seed_makes_other_partitions_of_patients_of_unequal_size() {
    let sizes = [900, 610, 420, 300, 240, 190, 150, 120, 95, 80, 66, 54, 44, 36, 28, 20, 12];
    let (labels, groups) = unequal(&sizes);
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let rounds = repeated(&labels, &groups, 2, 5, 1, seed).unwrap();
        assert_eq!((rounds.k, rounds.notes.len()), (5, 0), "{:?}", rounds.notes);
        seen.extend(partitions(&rounds));
    }
    assert!(seen.len() > 190, "{} partitions by 200 seeds", seen.len());
    let rounds = repeated(&labels, &groups, 2, 5, 5, 1).unwrap();
    assert_eq!((rounds.repeats, partitions(&rounds).len()), (5, 5));
}

#[test]
fn repeats_are_the_partitions_that_there_are() {
    // Four groups part into two pairs in three ways.
    let (labels, groups) = unequal(&[9, 9, 9, 9]);
    let rounds = repeated(&labels, &groups, 2, 2, 5, 1).unwrap();
    assert_eq!((rounds.k, rounds.repeats, rounds.folds.len()), (2, 3, 6));
    assert_eq!(partitions(&rounds).len(), 3);
    assert!(
        rounds.notes[0].contains("5 repeats were asked for and 3 are made"),
        "{:?}",
        rounds.notes
    );
}

#[test]
fn folds_that_cannot_be_are_lowered_and_said() {
    // Five folds of five groups are one partition; four are ten.
    let (labels, groups) = unequal(&[9, 9, 12, 9, 15]);
    let rounds = repeated(&labels, &groups, 2, 5, 5, 1).unwrap();
    assert_eq!((rounds.k, rounds.repeats), (4, 5));
    assert!(
        rounds.notes[0].contains("5 folds were asked for and 4 are made"),
        "{:?}",
        rounds.notes
    );
    // A class in three groups alone.
    let labels: Vec<u32> = (0..30).map(|row| u32::from(row % 10 < 3)).collect();
    let groups: Vec<u32> = (0..30).map(|row| row % 10).collect();
    let rounds = repeated(&labels, &groups, 2, 5, 4, 1).unwrap();
    assert_eq!((rounds.k, rounds.repeats), (3, 4));
    assert!(rounds.notes[0].contains("a class has rows in 3 groups alone"), "{:?}", rounds.notes);
    // A class of one group is on one side, and said to be.
    let alone: Vec<u32> = groups.iter().map(|&g| u32::from(g == 0)).collect();
    let rounds = repeated(&alone, &groups, 2, 5, 2, 1).unwrap();
    assert_eq!(rounds.k, 5);
    assert!(rounds.notes[0].contains("in one group alone"), "{:?}", rounds.notes);
}

#[test]
fn many_classes_are_dealt_one_by_one() {
    // Nine classes, six patients each: a permutation of all hardly ever has every class in
    // every fold.
    let groups: Vec<u32> = (0..540).map(|row| row / 10).collect();
    let labels: Vec<u32> = groups.iter().map(|g| g % 9).collect();
    let rounds = repeated(&labels, &groups, 9, 5, 5, 1).unwrap();
    assert_eq!((rounds.k, rounds.repeats), (5, 5));
    assert!(rounds.notes[0].contains("dealt to the folds by themselves"), "{:?}", rounds.notes);
    for fold in &rounds.folds {
        assert!((0..9).all(|class| fold.held_out.iter().any(|&row| labels[row] == class)));
    }
}

#[test]
fn inner_folds_stay_inside_the_outer_training_part() {
    let (labels, groups) = unequal(&[40, 30, 22, 30, 12, 18, 50, 9, 21, 15]);
    let outer = repeated(&labels, &groups, 2, 5, 2, 1).unwrap().folds;
    let inner = inner_folds(&labels, &groups, 2, &outer, 3, 1).unwrap().unwrap();
    assert_eq!(inner.counts, [3; 10]);
    for (fold, made) in outer.iter().zip(inner.folds.chunks(3)) {
        let mut rows: Vec<usize> = made.iter().flat_map(|f| f.held_out.clone()).collect();
        rows.sort_unstable();
        assert_eq!(rows, fold.train);
        for f in made {
            assert_eq!(f.train.len() + f.held_out.len(), fold.train.len());
            assert!(f.train.iter().all(|&t| f.held_out.iter().all(|&h| groups[t] != groups[h])));
        }
    }
    let scores: Vec<f64> = (0..30).map(|i| f64::from(i / 3)).collect();
    assert_eq!(inner.means(&scores), (0..10).map(f64::from).collect::<Vec<_>>());
    // Two groups of a class: an outer fold leaves one to train on.
    let (labels, groups) = ([1, 0, 1, 0, 0, 0], [0, 0, 1, 1, 2, 3]);
    let outer = repeated(&labels, &groups, 2, 2, 1, 1).unwrap().folds;
    assert_eq!(inner_folds(&labels, &groups, 2, &outer, 3, 1).unwrap(), None);
    assert!((test_train_ratio(&outer, &groups) - 1.0).abs() < 1e-12);
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
