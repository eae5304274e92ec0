// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Draw, FeatureTransform, LabelledSet, Matrix, TrainBatch, TrainView, ViewBank};
use eosin_network::LearnedOperator;

use crate::{Normals, on_threads};

const DIM: usize = 12;
const VIEWS: usize = 4;

/// How the views of a synthetic bank come about.
#[derive(Clone, Copy)]
enum Views {
    /// f(Tx) = f(x) + c₁ B₁ f(x) + c₂ B₂ f(x) + noise: linear in the parameters.
    Linear,
    /// f(Tx) = f(x) + noise that nothing tells of.
    Noise,
    /// f(Tx) = f(x).
    Same,
}

/// A set with its bank, which tells how its views were made where `tells` is set.
fn bank(n: usize, views: Views, seed: u64, tells: bool) -> LabelledSet {
    let mut normals = Normals::new(seed);
    let features = Matrix::new(n, DIM, normals.many(n * DIM)).unwrap();
    let maps = [normals.many(DIM * DIM), normals.many(DIM * DIM)];
    let (mut seen, mut told) = (Vec::new(), Vec::new());
    for row in features.rows() {
        for _ in 0..VIEWS {
            let c = normals.many(2);
            let noise = normals.many(DIM);
            for (i, &x) in row.iter().enumerate() {
                let mapped = |k: usize| -> f32 {
                    row.iter().zip(&maps[k][i * DIM..]).map(|(x, b)| x * b).sum()
                };
                seen.push(match views {
                    Views::Linear => {
                        x + 0.1 * (c[0] * mapped(0) + c[1] * mapped(1)) + 0.02 * noise[i]
                    }
                    Views::Noise => x + 0.4 * noise[i],
                    Views::Same => x,
                });
            }
            told.extend(c);
        }
    }
    let labels = (0..n).map(|i| (i % 2) as u32).collect();
    let groups: Vec<String> = (0..n).map(|i| format!("p{}", i % 24)).collect();
    let mut bank = ViewBank::new(VIEWS, Matrix::new(n * VIEWS, DIM, seen).unwrap()).unwrap();
    if tells {
        bank = bank.with_parameters(Matrix::new(n * VIEWS, 2, told).unwrap()).unwrap();
    }
    LabelledSet::new(features, vec!["a".into(), "b".into()], labels, &groups)
        .and_then(|set| set.with_bank(bank))
        .unwrap()
}

fn small() -> LearnedOperator {
    LearnedOperator {
        hidden: 64,
        epochs: 40,
        dropout: 0.0,
        batch: 64,
        ..LearnedOperator::default()
    }
}

const DRAW: Draw = Draw { seed: 1, fold: 0, epoch: 0 };

#[test]
fn it_conforms() {
    let operator = LearnedOperator { hidden: 8, epochs: 2, ..LearnedOperator::default() };
    eosin_testkit::conformance::feature_transform(&operator);
    eosin_testkit::conformance::feature_transform(&LearnedOperator { copies: 0, ..operator });
}

#[test]
fn it_learns_an_operator_that_is_linear_in_its_parameters() {
    let set = bank(600, Views::Linear, 1, true);
    let view = TrainView::whole(&set);
    let operator = small();
    let fitted = operator.fit_operator(&view).unwrap();
    let skill = fitted.skill();
    eprintln!("linear operator: {skill:.3?}");
    assert!(skill.skill > 0.6, "{skill:?}");
    assert!(skill.cosine > skill.identity_cosine, "{skill:?}");
    assert!(fitted.refusal().is_none());
    assert_eq!(skill.by_view.len(), VIEWS);

    let batch = TrainBatch::from_view(&view);
    let made = operator.fit(&view).unwrap();
    let new = made.apply(&batch, DRAW).unwrap();
    assert_eq!(new.n_rows(), 5 * batch.n_rows());
    assert!((new.weights()[0] - 0.2).abs() < 1e-6);
    // New rows differ from their parents about as much as views do.
    let moved = |from: &dyn Fn(usize) -> Vec<f32>, n: usize| -> f64 {
        let square = |i: usize| -> f64 {
            from(i).iter().zip(view.feature_row(i)).map(|(a, b)| f64::from(a - b).powi(2)).sum()
        };
        (0..n).map(square).sum::<f64>() / n as f64
    };
    let n = batch.n_rows();
    let by_operator = moved(&|i| new.features().row(n + i).to_vec(), n);
    let by_view = moved(&|i| view.bank_row(i, 1).unwrap().to_vec(), n);
    assert!((by_operator / by_view - 1.0).abs() < 0.5, "{by_operator} against {by_view}");
    assert!(made.notes()[0].contains("skill 0."), "{:?}", made.notes());

    // Without the parameters, no view tells where it leads: there is nothing to learn.
    let untold = bank(600, Views::Linear, 1, false);
    let blind = small().fit_operator(&TrainView::whole(&untold)).unwrap();
    assert!(blind.skill().skill < 0.1, "{:?}", blind.skill());
    assert!(fitted.transformed(&[0.0; DIM], &[0.0; 2]).is_ok());
    assert!(fitted.transformed(&[0.0; DIM], &[0.0; 3]).is_err());
}

#[test]
fn noise_is_refused() {
    for views in [Views::Noise, Views::Same] {
        let set = bank(400, views, 2, true);
        let view = TrainView::whole(&set);
        let operator = small();
        let fitted = operator.fit_operator(&view).unwrap();
        // Training starts at skill 0, and validation keeps the first pass at worst: what is found
        // in noise is a little below 0 on groups that had no part in either.
        let skill = fitted.skill().skill;
        eprintln!("noise: {:.3?}", fitted.skill());
        assert!(skill.is_nan() || (-0.2..=0.0).contains(&skill), "{skill}");
        let batch = TrainBatch::from_view(&view);
        let made = operator.fit(&view).unwrap();
        let new = made.apply(&batch, DRAW).unwrap();
        assert_eq!(new.features(), batch.features());
        assert_eq!(new.weights(), batch.weights());
        assert!(made.notes()[0].contains("leaves rows as they are"), "{:?}", made.notes());
    }
}

#[test]
fn draws_decide_and_threads_do_not() {
    let set = bank(120, Views::Linear, 3, true);
    let view = TrainView::whole(&set);
    let operator = LearnedOperator { epochs: 8, ..small() };
    let batch = TrainBatch::from_view(&view);
    let made = |draw| {
        let fitted = operator.fit(&view).unwrap();
        fitted.apply(&batch, draw).unwrap().features().clone()
    };
    let first = on_threads(1, || made(DRAW));
    assert!(first.n_rows() > batch.n_rows(), "refused, so that draws have no say");
    assert_eq!(first, on_threads(3, || made(DRAW)));
    assert_ne!(first, made(Draw { epoch: 1, ..DRAW }));
}

#[test]
fn what_does_not_fit_is_refused() {
    let set = bank(40, Views::Linear, 4, true);
    let view = TrainView::whole(&set);
    assert!(LearnedOperator { hidden: 0, ..small() }.fit(&view).is_err());
    assert!(LearnedOperator { epochs: 0, ..small() }.fit(&view).is_err());
    let views = || ViewBank::new(1, Matrix::new(4, DIM, vec![0.0; 4 * DIM]).unwrap()).unwrap();
    assert!(views().with_parameters(Matrix::new(3, 1, vec![0.0; 3]).unwrap()).is_err());
    assert!(views().with_parameters(Matrix::new(4, 1, vec![f32::NAN; 4]).unwrap()).is_err());

    let without = LabelledSet::new(
        set.features().clone(),
        set.classes().to_vec(),
        set.labels().to_vec(),
        &["p"; 40],
    )
    .unwrap();
    let error = small().fit(&TrainView::whole(&without)).err().unwrap().to_string();
    assert!(error.contains("view bank"), "{error}");
    let fitted = small().fit_operator(&view).unwrap();
    let narrow = TrainBatch::from_view(&view)
        .with_features(Matrix::new(40, 2, vec![0.0; 80]).unwrap())
        .unwrap();
    assert!(eosin_core::FittedTransform::apply(&fitted, &narrow, DRAW).is_err());
}
