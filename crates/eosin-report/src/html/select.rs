// SPDX-License-Identifier: MIT OR Apache-2.0

//! The page of a selection.

use std::collections::BTreeMap;

use eosin_core::Result;
use maud::{DOCTYPE, Markup, html};

use super::policy::head;
use super::{inline, legend, section, verdict};
use crate::number::{count, interval, percent_of, score, signed};
use crate::plot::{
    Chart, Cloud, Curve, IntervalRow, Place, costs, curves, intervals, scatter, versus,
};
use crate::{AgreementRow, SelectRanking, SelectReport};

/// Draws a selection, the verdict first; `tiles_per_s` are speeds that were measured on this
/// machine, which the report itself does not hold.
pub fn render_select_html(
    report: &SelectReport,
    tiles_per_s: &BTreeMap<String, f64>,
) -> Result<String> {
    let sections = [
        section("The decision", report.rankings.first().map(|r| ranking(report, r))),
        section("What it costs", cost(report, tiles_per_s)),
        section("Proxies against the target", agreement(report)),
        section("Every task", tasks(report)),
        section("Maps of the embeddings", maps(report)),
        section("Left out", left_out(report)),
        section("Methods", Some(methods(report))),
    ];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&format!("Backbone for: {}", report.title)))
            body {
                h1 { "Backbone for: " (report.title) }
                p class="meta" {
                    "Eosin " (report.eosin_version) " · configuration "
                    code { (report.config_digest) } " · seed " (report.seed)
                }
                (verdict::verdict(&report.verdict))
                @if !report.notes.is_empty() {
                    div class="note" { @for note in &report.notes { p { (inline(note)) } } }
                }
                @for warning in &report.warnings { p class="warning" { "Note: " (inline(warning)) } }
                @for section in &sections { (section) }
            }
        }
    };
    Ok(page.into_string() + "\n")
}

fn ranking(report: &SelectReport, ranking: &SelectRanking) -> Markup {
    let rows: Vec<IntervalRow> = ranking
        .rows
        .iter()
        .map(|row| {
            let mut remarks =
                vec![format!("{} {}", score(row.mean), interval(row.lower, row.upper))];
            if row.p_best.is_finite() {
                remarks.push(format!("P(best) {:.2}", row.p_best));
            }
            remarks.extend(Some(row.remark()).filter(|remark| !remark.is_empty()));
            IntervalRow {
                name: row.backbone.clone(),
                estimate: row.mean,
                lower: row.lower,
                upper: row.upper,
                class: match (row.backbone == report.selected, row.is_control) {
                    (true, _) => "chosen",
                    (_, true) => "control",
                    _ => "",
                },
                remark: remarks.join(" · "),
                with_best: row.may_be_best(),
            }
        })
        .collect();
    let level = ranking.trivial_level();
    html! {
        h3 { (ranking.task) ", " (ranking.probe) @if ranking.role == "beside" { " (beside)" } }
        @if !ranking.description.is_empty() { p { (ranking.description) } }
        (intervals(&ranking.task, &ranking.metric, &rows, level.map(|(_, level)| level)))
        p class="small" {
            (ranking.metric) ", " (ranking.design)
            @if rows.iter().filter(|row| row.with_best).count() > 1 { "; an upright bar joins what is not told apart from the best candidate" }
            @if let Some((call, level)) = level { "; the dashed line is what " (call.name) " scores (" (score(level)) "), which looks at no tile" }
        }
        @if ranking.role == "decides" && !ranking.baselines.is_empty() { (baselines(ranking)) }
        @if !ranking.beside.is_empty() { (beside(ranking)) }
        @if !ranking.pairs.is_empty() { (pairs(ranking)) }
    }
}

fn baselines(ranking: &SelectRanking) -> Markup {
    html! {
        div class="scroll" { table {
            thead { tr { th { "Without looking at scores" } th { "Backbone" } th class="number" { "Score" } th { "The choice gains" } } }
            tbody { @for row in &ranking.baselines { tr {
                td { (row.name) }
                td { @if let Some(name) = &row.backbone { code { (name) } } @else { "any, with the same chance" } }
                td class="number" { (score(row.mean)) }
                td { (signed(row.gain.estimate)) " " span class="interval" { (interval(row.gain.lower, row.gain.upper)) } }
            } } }
        } }
    }
}

/// Scores that decide nothing.
fn beside(ranking: &SelectRanking) -> Markup {
    html! {
        details {
            summary { "Scores that decide nothing: without training, or on fewer dimensions" }
            div class="scroll" { table {
                thead { tr { th { "Backbone" } @for name in ranking.beside.keys() { th class="number" { (name) } } } }
                tbody { @for row in &ranking.rows { tr {
                    td { code { (row.backbone) } }
                    @for values in ranking.beside.values() {
                        td class="number" { (score(values.get(&row.backbone).copied().unwrap_or(f64::NAN))) }
                    }
                } } }
            } }
        }
    }
}

fn pairs(ranking: &SelectRanking) -> Markup {
    html! {
        details {
            summary { "Every pair" }
            div class="scroll" { table {
                thead { tr {
                    th { "Pair" } th { "Difference, corrected t" }
                    th class="number" { "p" } th class="number" { "p, Holm" }
                    th class="number" { "P(worse)" } th class="number" { "P(equal)" } th class="number" { "P(better)" }
                } }
                tbody { @for pair in &ranking.pairs { tr {
                    td { code { (pair.first) } " − " code { (pair.second) } }
                    td { (signed(pair.difference.estimate)) " " span class="interval" { (interval(pair.difference.lower, pair.difference.upper)) } }
                    td class="number" { (score(pair.p)) }
                    td class="number" { (score(pair.p_holm)) }
                    @for p in pair.posterior { td class="number" { (score(p)) } }
                } } }
            } }
        }
    }
}

fn cost(report: &SelectReport, tiles_per_s: &BTreeMap<String, f64>) -> Option<Markup> {
    let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
    let speed = |name: &str| tiles_per_s.get(name).copied();
    let place = |cost: &dyn Fn(&crate::SelectCandidate) -> Option<f64>| -> Vec<Place> {
        let known = report.candidates.iter().filter_map(|c| Some((c, cost(c)?, c.score?)));
        known
            .filter(|(_, _, score)| score.is_finite())
            .map(|(c, cost, score)| Place {
                name: c.backbone.clone(),
                cost,
                score,
                on_front: c.on_front,
            })
            .collect()
    };
    let by_speed = place(&|c| speed(&c.backbone).map(|s| 1000.0 / s));
    let robust = report.candidates.iter().any(|c| c.robustness.is_some());
    let seen = report.candidates.iter().any(|c| !c.overlaps.is_empty());
    (!report.candidates.is_empty()).then(|| html! {
        div class="grid-of" {
            (costs("parameters", "score", &place(&|c| Some(c.parameters as f64))))
            (costs("bytes per tile", "score", &place(&|c| Some(c.bytes_per_tile as f64))))
            @if !by_speed.is_empty() { (costs("ms per tile, network alone, measured here", "score", &by_speed)) }
        }
        p {
            "Coloured backbones are on the front: no other scores within " (report.rope)
            " of them or better and costs less in parameters, length, licence or robustness."
        }
        div class="scroll" { table {
            thead { tr {
                th { "Backbone" } th class="number" { "Tiles/s here" } th class="number" { "Parameters" }
                th class="number" { "Weights, MB" } th class="number" { "Bytes per tile" } th { "Licence" }
                @if robust { th { "Robustness index" } th class="number" { "Centre told" } }
                @if seen { th { "May have seen" } }
                th { "Front" }
            } }
            tbody { @for c in &report.candidates { tr {
                td { code { (c.backbone) } @if c.is_control { " (control)" } }
                td class="number" { @if let Some(s) = speed(&c.backbone) { (format!("{s:.1}")) } @else { "–" } }
                td class="number" { (count(c.parameters)) }
                td class="number" { (megabytes(c.weight_bytes)) }
                td class="number" { (count(c.bytes_per_tile)) }
                td { (c.licence.name) @if !c.licence.is_commercial() { " " span class="warning" { "not commercial" } } }
                @if robust {
                    td { @if let Some(r) = &c.robustness { (score(r.estimate)) " " span class="interval" { (interval(r.lower, r.upper)) } } @else { "–" } }
                    td class="number" { (score(c.centre_probe.unwrap_or(f64::NAN))) }
                }
                @if seen { td class="warning" { (c.overlaps.join("; ")) } }
                td { @if c.on_front { "yes" } @else { "no" } }
            } } }
        } }
    })
}

fn agreement(report: &SelectReport) -> Option<Markup> {
    (!report.agreement.is_empty()).then(|| html! {
        p { "Each point is a backbone, controls left out: its score on the proxy and on the target's training part." }
        div class="grid-of" { @for row in &report.agreement { (scattered(row)) } }
        div class="scroll" { table {
            thead { tr {
                th { "Proxy" } th class="number" { "τ-b" } th class="number" { "SE" } th class="number" { "Regret of its first" }
                th class="number" { "of its first three" } th { "Holds the best in three" } th class="number" { "Regret, random pick" }
                th class="number" { "Regret, largest model" }
            } }
            tbody { @for a in &report.agreement { tr {
                td { (a.proxy) }
                td class="number" { (format!("{:.2}", a.tau_b)) }
                td class="number" { (format!("{:.2}", a.standard_error)) }
                td class="number" { (score(a.regret)) }
                td class="number" { (score(a.regret_top_3)) }
                td { @if a.top_3_hit { "yes" } @else { "no" } " (chance " (format!("{:.2}", a.top_3_hit_random)) ")" }
                td class="number" { (score(a.regret_random)) }
                td class="number" { (score(a.regret_largest)) }
            } } }
        } }
        @if !report.shortlist.is_empty() {
            p {
                "Shortlist by all proxies (mean standardised score): "
                @for (i, row) in report.shortlist.iter().enumerate() {
                    @if i > 0 { ", " } code { (row.backbone) } " (" (format!("{:+.2}", row.standardised)) ")"
                }
                "."
            }
        }
    })
}

fn scattered(row: &AgreementRow) -> Markup {
    let places: Vec<Place> = row
        .points
        .iter()
        .filter(|(_, proxy, target)| proxy.is_finite() && target.is_finite())
        .map(|(name, proxy, target)| Place {
            name: name.clone(),
            cost: *proxy,
            score: *target,
            on_front: false,
        })
        .collect();
    versus(&row.proxy, "score on the target", &places)
}

fn tasks(report: &SelectReport) -> Option<Markup> {
    let rest: Vec<&SelectRanking> = report.rankings.iter().skip(1).collect();
    (!rest.is_empty()).then(|| html! { @for one in rest { (ranking(report, one)) } })
}

fn maps(report: &SelectReport) -> Option<Markup> {
    (!report.maps.is_empty()).then(|| html! {
        p {
            "The first two principal components of the embeddings of the target's training tiles. They "
            "show what varies most, which need not be what a head uses."
        }
        (legend(&report.classes))
        div class="grid-of" { @for map in &report.maps {
            @let clouds: Vec<Cloud> = report.classes.iter().enumerate().map(|(class, name)| Cloud {
                name: name.clone(),
                colour: class,
                hollow: false,
                points: map.points.iter().filter(|p| p.label as usize == class).map(|p| p.at).collect(),
            }).collect();
            @let caption = format!("{} points; the axes hold {} and {} of the variance", map.points.len(), percent_of(map.explained[0]), percent_of(map.explained[1]));
            (scatter(&map.backbone, &caption, &clouds))
        } }
    })
}

fn left_out(report: &SelectReport) -> Option<Markup> {
    (!report.left_out.is_empty()).then(|| html! {
        div class="scroll" { table {
            thead { tr { th { "Backbone" } th { "Why" } } }
            tbody { @for row in &report.left_out { tr { td { code { (row.backbone) } } td { (row.reason) } } } }
        } }
    })
}

fn methods(report: &SelectReport) -> Markup {
    let level = format!("{:.0} %", report.level * 100.0);
    html! {
        p {
            "All backbones are scored on the same repeated grouped folds, with " (report.budget)
            ". Intervals (" (level) ") and p-values are those of the corrected resampled t-test (Nadeau and "
            "Bengio 2003), adjusted by Holm over all pairs; probabilities those of the Bayesian correlated "
            "t-test (Benavoli et al. 2017) with differences below " (report.rope) " taken for none; repeats "
            "are different random partitions. Two backbones are told apart where the adjusted p is below "
            (format!("{:.2}", 1.0 - report.level)) ", which is where their interval leaves 0 out, and equivalent "
            "where the posterior of a difference below " (report.rope) " is 0.95 or more; otherwise nothing is "
            "known of their difference. What choosing gains is measured by choosing again within the training "
            "part of every fold (nested selection). Of the candidates within " (report.rope) " of the "
            "best, those licensed for commercial use come first, then the one with the fewest parameters."
        }
        p {
            "The proxies shortlist by the mean of their standardised scores; the folds of the task's own "
            "training part decide; the test part is not looked at. Controls are ranked and never selected. "
            "Scores without training, the PCA control, nuisances, invariance and magnification decide nothing."
        }
    }
}

/// A page with one chart of named curves, points as (x, y) with y from 0 to 1.
pub fn curves_html(title: &str, labels: [&str; 2], named: &[(String, Vec<[f64; 2]>)]) -> String {
    let xs = named.iter().flat_map(|(_, points)| points.iter().map(|p| p[0]));
    let (low, high) = xs.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
    let range = if low < high { (low, high) } else { (0.0, 1.0) };
    let lines: Vec<Curve> = named
        .iter()
        .map(|(name, points)| Curve {
            name: name.clone(),
            points: points.clone(),
            band: Vec::new(),
            marks: true,
        })
        .collect();
    let chart =
        Chart { title, labels, ranges: [range, (0.0, 1.0)], x_marks: None, reference: None };
    let names: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body { h1 { (title) } (legend(&names)) (curves(&chart, &lines)) }
        }
    };
    page.into_string() + "\n"
}
