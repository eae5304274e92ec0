// SPDX-License-Identifier: MIT OR Apache-2.0

//! One HTML file that needs nothing else: no script, no font, no picture from elsewhere, and a
//! policy that lets a browser take none.

mod curves;
mod evaluation;
mod figures;
mod policy;
mod provenance;
mod select;
mod selection;
mod study;
mod summary;
mod verdict;

pub use select::{curves_html, render_select_html};

use eosin_core::Result;
use maud::{DOCTYPE, Markup, html};

pub use self::evaluation::render_evaluation_html;
pub use self::study::render_study_html;
use crate::RunReport;
use crate::plot::N_COLOURS;
use crate::verdict::run_verdict;

/// Draws the report, the verdict first; every text of the report is escaped.
pub fn render_html(report: &RunReport) -> Result<String> {
    let sections = [
        summary::result(report),
        selection::rankings(report),
        curves::performance(report),
        curves::calibration(report),
        curves::prevalence(report),
        curves::learning(&report.learning_curves),
        curves::centres(report),
        selection::trade_offs(report),
        selection::maps(report),
        provenance::data(report),
        provenance::backbones(report),
        provenance::skipped(report),
        provenance::methods(report),
        provenance::limits(report),
    ];
    let head = html! {
        h1 { (report.title) }
        p class="meta" {
            "Eosin " (report.eosin_version) " · configuration "
            code { (report.config_digest) } " · seed " (report.seed)
        }
        (verdict::verdict(&run_verdict(report)))
        (remarks(&report.notes, &report.warnings))
    };
    Ok(page(&report.title, &head, &sections))
}

/// A whole page: the style sheet inside, then what stands above the sections, then they.
fn page(title: &str, head: &Markup, sections: &[Markup]) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (policy::head(title))
            body {
                (head)
                @for section in sections { (section) }
            }
        }
    };
    page.into_string() + "\n"
}

/// What a reader must know before the numbers.
fn remarks(notes: &[String], warnings: &[String]) -> Markup {
    html! {
        @if !notes.is_empty() {
            div class="note" { @for note in notes { p { (inline(note)) } } }
        }
        @for warning in warnings { p class="warning" { "Warning: " (inline(warning)) } }
    }
}

/// A heading with what stands under it; nothing where there is nothing to say.
fn section(title: &str, body: Option<Markup>) -> Markup {
    html! { @if let Some(body) = body { section { h2 { (title) } (body) } } }
}

/// Text in which what stands between backticks is code; escaped like any text.
fn inline(text: &str) -> Markup {
    // A last backtick without a partner is a letter like any other.
    let paired = text.matches('`').count() / 2 * 2;
    html! {
        @for (i, part) in text.splitn(paired + 1, '`').enumerate() {
            @if i % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// A coloured dot and a name per series.
fn legend<S: AsRef<str>>(names: &[S]) -> Markup {
    html! {
        ul class="legend" {
            @for (i, name) in names.iter().enumerate() {
                li { i class={ "c" (i % N_COLOURS) } {} (name.as_ref()) }
            }
        }
    }
}
