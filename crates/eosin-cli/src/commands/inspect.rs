// SPDX-License-Identifier: MIT OR Apache-2.0

use anyhow::Result;
use eosin::crates::annotation::{ClassMap, LabelBy, LabelRules};
use eosin::crates::core::Error;
use eosin::{AnnotationView, LabelledSlide, Registry};

use super::{print_facts, tiling};
use crate::arguments::{GridArguments, InspectArguments, LabelArguments};
use crate::exit::Outcome;

/// `eosin inspect`.
pub fn inspect(arguments: &InspectArguments, registry: &Registry) -> Result<Outcome> {
    if arguments.slide.is_none() && arguments.grid != GridArguments::default() {
        let hint = "name the slide whose tiles are meant with --slide";
        return Err(Error::input("options of tiles", "a slide", "none", hint).into());
    }
    let (tiling, rules) = (tiling(&arguments.grid)?, rules(&arguments.labels)?);
    let slide = arguments.slide.as_deref();
    let view = AnnotationView {
        format: arguments.format.as_deref(),
        slide: slide.map(|path| LabelledSlide { path, tiling: &tiling, rules: &rules }),
    };
    for path in &arguments.paths {
        // Who names a format or a slide says that the path is of annotations.
        let inspection = if view.format.is_some() || view.slide.is_some() {
            eosin::inspect_annotations(path, &view, registry)?
        } else {
            eosin::inspect(path, registry)?
        };
        println!("{}: {}", path.display(), inspection.kind);
        print_facts(&inspection.facts);
    }
    Ok(Outcome::Done)
}

/// How tiles get their classes, as the arguments say it.
fn rules(arguments: &LabelArguments) -> Result<LabelRules> {
    let mut pairs = Vec::new();
    for pair in &arguments.map {
        // Behind the last sign, since classes of annotations are named by whoever drew them.
        let Some((from, to)) = pair.rsplit_once('=') else {
            let hint = "write --map Tumor=tumour, or --map Artefact= for what is passed over";
            return Err(Error::input("--map", "CLASS=CLASS or CLASS=", pair.clone(), hint).into());
        };
        pairs.push((from.to_string(), Some(to.to_string()).filter(|to| !to.is_empty())));
    }
    let share = arguments.min_share.unwrap_or(0.5);
    Ok(LabelRules {
        by: if arguments.by_centre { LabelBy::Centre } else { LabelBy::Share(share) },
        classes: if pairs.is_empty() { ClassMap::Same } else { ClassMap::Named(pairs) },
        priority: arguments.priority.clone(),
        outside: arguments.outside.clone(),
    })
}
