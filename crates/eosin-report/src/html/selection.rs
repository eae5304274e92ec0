// SPDX-License-Identifier: MIT OR Apache-2.0

use maud::{Markup, html};

use super::{inline, section};
use crate::number::{interval, percent_of, score};
use crate::plot::{Cloud, IntervalRow, Place, costs, intervals, scatter};
use crate::{EmbeddingMap, Ranking, RankingRow, RunReport, TradeOff};

/// Every ranking with its intervals and verdict.
pub(super) fn rankings(report: &RunReport) -> Markup {
    let body = (!report.rankings.is_empty()).then(|| html! {
        p {
            "Proxy tasks shortlist backbones, and the task's own training folds decide; the test side is "
            "not looked at. The first ranking decides, the others are there to see whether it stands."
        }
        @for (i, ranking) in report.rankings.iter().enumerate() { (one(report, i, ranking)) }
    });
    section("Choice of the backbone", body)
}

fn one(report: &RunReport, at: usize, ranking: &Ranking) -> Markup {
    let rows: Vec<IntervalRow> = ranking.rows.iter().map(|row| interval_row(report, row)).collect();
    html! {
        h3 { (ranking.proxy) ", " (ranking.probe) @if at == 0 { " (decides)" } }
        (intervals(&ranking.proxy, &ranking.metric, &rows, None))
        @if !ranking.verdict.is_empty() { p { strong { "Verdict: " } (inline(&ranking.verdict)) } }
        p class="small" {
            (ranking.metric) @if !ranking.design.is_empty() { ", " (ranking.design) }
            @if rows.iter().filter(|row| row.with_best).count() > 1 {
                "; an upright bar joins what is not told apart from the best candidate"
            }
        }
    }
}

fn interval_row(report: &RunReport, row: &RankingRow) -> IntervalRow {
    let chosen = row.backbone == report.selected_backbone;
    let mut remarks = vec![format!("{} {}", score(row.mean), interval(row.lower, row.upper))];
    if row.p_best.is_finite() {
        remarks.push(format!("P(best) {:.2}", row.p_best));
    }
    remarks.extend(Some(row.remark()).filter(|remark| !remark.is_empty()));
    IntervalRow {
        name: row.backbone.clone(),
        estimate: row.mean,
        lower: row.lower,
        upper: row.upper,
        class: if chosen {
            "chosen"
        } else if row.is_control {
            "control"
        } else {
            ""
        },
        remark: remarks.join(" · "),
        with_best: row.may_be_best(),
    }
}

/// Score against costs, the front first.
pub(super) fn trade_offs(report: &RunReport) -> Markup {
    let first = report.trade_offs.first();
    let body = first.map(|first| html! {
        div class="grid-of" { @for cost in first.costs.keys() { (trade_off_chart(report, cost)) } }
        p { "A backbone is on the front when no other scores as well and costs less." }
        div class="scroll" { table {
            thead { tr { th { "Backbone" } th { "Score" } @for name in first.costs.keys() { th class="number" { (name) } } th { "On the front" } } }
            tbody { @for row in &report.trade_offs { (trade_off(first, row)) } }
        } }
    });
    section("Score against cost", body)
}

fn trade_off_chart(report: &RunReport, cost: &str) -> Markup {
    let places = report.trade_offs.iter().filter_map(|row| {
        let value = *row.costs.get(cost)?;
        (row.score.is_finite() && value.is_finite()).then(|| Place {
            name: row.backbone.clone(),
            cost: value,
            score: row.score,
            on_front: row.on_front,
        })
    });
    costs(cost, "score", &places.collect::<Vec<_>>())
}

fn trade_off(first: &TradeOff, row: &TradeOff) -> Markup {
    html! {
        tr {
            td { code { (row.backbone) } }
            td { (score(row.score)) }
            @for name in first.costs.keys() {
                td class="number" { @if let Some(cost) = row.costs.get(name) { (cost) } @else { "–" } }
            }
            td { @if row.on_front { "yes" } @else { "no" } }
        }
    }
}

/// A map of the embeddings per backbone.
pub(super) fn maps(report: &RunReport) -> Markup {
    let classes = &report.data.classes;
    let splits = &report.data.splits;
    let body = (!report.embedding_maps.is_empty()).then(|| html! {
        p {
            "The first two principal components of the embeddings. They show what varies most, "
            "which need not be what a head uses: classes that overlap here may still be told apart."
        }
        ul class="legend" {
            @for (i, class) in classes.iter().enumerate() { li { i class={ "c" (i % crate::plot::N_COLOURS) } {} (class.name) } }
            @for (i, split) in splits.iter().enumerate() { li { i class=(if i == 0 { "plain" } else { "hollow" }) {} (split.name) } }
        }
        div class="grid-of" { @for map in &report.embedding_maps { (embedding_map(report, map)) } }
    });
    section("Maps of the embeddings", body)
}

fn embedding_map(report: &RunReport, map: &EmbeddingMap) -> Markup {
    // Scarce classes are drawn last, so that they are not buried.
    let mut order: Vec<usize> = (0..report.data.classes.len()).collect();
    order.sort_by_key(|&c| std::cmp::Reverse(report.data.classes[c].n_tiles));
    let mut clouds = Vec::new();
    for class in order {
        for split in 0..report.data.splits.len().max(1) {
            let mine = map.points.iter().filter(|p| {
                p.label as usize == class
                    && (p.split as usize == split || report.data.splits.is_empty())
            });
            clouds.push(Cloud {
                name: report.data.classes[class].name.clone(),
                colour: class,
                hollow: split > 0,
                points: mine.map(|p| p.at).collect(),
            });
        }
    }
    let caption = format!(
        "{} points; the axes hold {} and {} of the variance",
        map.points.len(),
        percent_of(map.explained[0]),
        percent_of(map.explained[1])
    );
    scatter(&map.backbone, &caption, &clouds)
}
