// SPDX-License-Identifier: MIT OR Apache-2.0

use anyhow::Result;
use eosin::Registry;

use super::print_facts;
use crate::arguments::InspectArguments;
use crate::exit::Outcome;

/// `eosin inspect`.
pub fn inspect(arguments: &InspectArguments, registry: &Registry) -> Result<Outcome> {
    for path in &arguments.paths {
        let inspection = eosin::inspect(path, registry)?;
        println!("{}: {}", path.display(), inspection.kind);
        print_facts(&inspection.facts);
    }
    Ok(Outcome::Done)
}
