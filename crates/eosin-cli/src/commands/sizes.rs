// SPDX-License-Identifier: MIT OR Apache-2.0

use comfy_table::{CellAlignment, Table, presets};
use eosin::TaskSizes;

/// The parts of a task and the folds that they allow, as a dry run shows them.
pub fn print_sizes(sizes: &TaskSizes) {
    let mut parts = table(&["part", "tiles", "groups"], &sizes.classes);
    for part in &sizes.parts {
        let numbers = [part.n_tiles, part.n_groups].into_iter().chain(part.counts.iter().copied());
        parts.add_row([part.name.clone()].into_iter().chain(numbers.map(|n| n.to_string())));
    }
    for column in parts.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("task {}\n{parts}", sizes.task);
    if !sizes.folds.is_empty() {
        let mut folds = table(&["folds", "asked", "possible"], &[]);
        for planned in &sizes.folds {
            let possible = match planned.possible {
                (_, 0) => "none".to_string(),
                possible => product(possible),
            };
            folds.add_row([planned.purpose.to_string(), product(planned.asked), possible]);
        }
        println!("{folds}");
    }
    let reasons = sizes.folds.iter().flat_map(|planned| {
        planned.reasons.iter().map(|reason| format!("{}: {reason}", planned.purpose))
    });
    for note in reasons.chain(sizes.notes()) {
        println!("note: {note}");
    }
}

/// Repeats and folds.
fn product((repeats, k): (usize, usize)) -> String {
    if repeats == 1 { k.to_string() } else { format!("{repeats} × {k}") }
}

fn table(names: &[&str], classes: &[String]) -> Table {
    let mut table = Table::new();
    let header = names.iter().copied().chain(classes.iter().map(String::as_str));
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(header);
    table
}
