// SPDX-License-Identifier: MIT OR Apache-2.0

use anyhow::Result;
use comfy_table::{Table, presets};
use eosin::{Embedded, Session};

use super::run::dry_run;
use super::{open, tell_skipped};
use crate::arguments::RunArguments;
use crate::exit::Outcome;
use crate::progress::Bars;

/// `eosin select`.
pub fn select(arguments: &RunArguments, bars: &Bars) -> Result<Outcome> {
    let session = open(arguments, bars)?;
    if arguments.dry_run {
        return dry_run(&session);
    }
    let embedded: Vec<Embedded> = session
        .config
        .run
        .backbones
        .iter()
        .map(|name| session.embed(name, None, None))
        .collect::<Result<_, _>>()?;
    let skipped = Session::skipped(&embedded);
    for proxy in eosin::select(&session, &embedded, &skipped)? {
        println!("{}: {}", proxy.proxy, proxy.description);
        println!("{} tiles, {} groups", proxy.n_rows, proxy.n_groups);
        for ranking in &proxy.rankings {
            let mut table = Table::new();
            table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header([
                "backbone",
                ranking.metric.as_str(),
                "95 % interval",
                "P(best)",
                "",
            ]);
            for arm in &ranking.arms {
                let note = match (arm.control, arm.tied_with_best) {
                    (true, _) => "control",
                    (false, true) => "tied with the best",
                    (false, false) => "",
                };
                table.add_row([
                    arm.backbone.clone(),
                    format!("{:.3}", arm.mean),
                    format!("{:.3} to {:.3}", arm.lower, arm.upper),
                    format!("{:.2}", arm.probability_best),
                    note.to_string(),
                ]);
            }
            println!("probe {}\n{table}", ranking.probe);
        }
        if let Some(first) = proxy.rankings.first() {
            println!("{}\n", first.verdict);
        }
    }
    tell_skipped(&skipped);
    Ok(Outcome::of(skipped.len()))
}
