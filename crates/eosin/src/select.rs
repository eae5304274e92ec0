// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{LabelledSet, Result, TrainView};
use eosin_eval::splits;
use eosin_proxy::select::{Arm, Cost, RankOptions, Ranking, rank, test_train_ratio};

use crate::embed::Skipped;
use crate::session::{Embedded, Session};

/// The ranking of a run's backbones by one proxy task.
#[derive(Clone, Debug)]
pub struct ProxyRanking {
    /// Name of the proxy task.
    pub proxy: String,
    /// What it asks.
    pub description: String,
    /// A ranking per probe; the first decides.
    pub rankings: Vec<Ranking>,
    /// Rows, groups and classes it was made on.
    pub n_rows: usize,
    /// Number of groups.
    pub n_groups: usize,
}

/// Scores every backbone on every proxy task, on identical grouped folds of the training part.
pub fn select(
    session: &Session,
    embedded: &[Embedded],
    skipped: &[Skipped],
) -> Result<Vec<ProxyRanking>> {
    let options = &session.config.run.selection;
    let seed = session.config.run.seed;
    let head = &session.config.head;
    let trainer = session.registry.head(&head.kind, &head.options)?;
    let probes: Vec<_> = options
        .probes
        .iter()
        .map(|probe| session.registry.probe(probe, &trainer, seed))
        .collect::<Result<_>>()?;
    let mut rankings = Vec::new();
    for (name, task) in &session.config.proxies {
        let rows = session.dataset.rows(task, skipped)?.train_only();
        let sets: Vec<LabelledSet> = embedded
            .iter()
            .map(|e| {
                let matrix = session.matrix(&e.outcome.fingerprint, &rows.tile_ids, 1)?;
                rows.labelled(matrix, None)
            })
            .collect::<Result<_>>()?;
        let Some(first) = sets.first() else { continue };
        let n_classes = rows.classes.len();
        let (labels, groups) = (first.labels(), first.groups());
        let k = splits::feasible_folds(labels, groups, n_classes, options.folds)?.max(2);
        let folds = splits::repeated(labels, groups, n_classes, k, options.repeats, seed)?;
        session.progress.start(&format!("select by {name}"), (sets.len() * probes.len()) as u64);
        let mut arms = Vec::new();
        for (embedded, set) in embedded.iter().zip(&sets) {
            let view = TrainView::whole(set);
            let mut scores = Vec::new();
            for probe in &probes {
                scores.push(probe.score(&view, &folds)?);
                session.progress.advance(1);
            }
            arms.push(Arm {
                backbone: embedded.info.name.clone(),
                control: is_control(embedded),
                cost: Cost {
                    // Speed differs from run to run; a ranking must not.
                    tiles_per_s: None,
                    parameters: embedded.info.parameters,
                    dim: embedded.info.dim,
                },
                scores,
            });
        }
        session.progress.finish();
        let ratio = test_train_ratio(&TrainView::whole(first), &folds);
        let probes = arms.first().map_or(&[][..], |arm| &arm.scores);
        let by_probe = probes
            .iter()
            .map(|scores| {
                let options = RankOptions {
                    probe: scores.probe.clone(),
                    rope: options.rope,
                    test_train_ratio: ratio,
                    level: session.config.run.evaluation.level,
                    seed,
                    ..RankOptions::default()
                };
                rank(&arms, &options)
            })
            .collect::<Result<_>>()?;
        rankings.push(ProxyRanking {
            proxy: name.clone(),
            description: task.description.clone(),
            rankings: by_probe,
            n_rows: rows.tile_ids.len(),
            n_groups: first.group_names().len(),
        });
    }
    Ok(rankings)
}

/// Backbones that say what a score means: without training, or without a network.
pub fn is_control(embedded: &Embedded) -> bool {
    embedded.info.parameters == 0 || embedded.info.weights_sha256.starts_with("random")
}
