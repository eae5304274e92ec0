// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};

use eosin_core::{Error, PredictionWriter, Result, SlidePredictions};

use super::clock;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    Clock,
    LeavesPart,
    NamesNothing,
    SlideIsAFileName,
}

/// Counts tiles.
pub struct Count(pub Fault);

impl PredictionWriter for Count {
    fn kind(&self) -> &'static str {
        "count"
    }

    fn write(&self, slide: &SlidePredictions, folder: &Path) -> Result<Vec<PathBuf>> {
        let name = match self.0 {
            Fault::SlideIsAFileName => format!("{}.txt", slide.slide),
            _ => "count.txt".into(),
        };
        let (partial, path) = (folder.join(".count.partial"), folder.join(name));
        let mut text = slide.tiles.len().to_string();
        if self.0 == Fault::Clock {
            text += &clock().to_string();
        }
        let fault = |e| Error::io("write", &path, e);
        std::fs::write(&partial, &text).map_err(fault)?;
        match self.0 {
            Fault::LeavesPart => std::fs::write(&path, &text).map_err(fault)?,
            _ => std::fs::rename(&partial, &path).map_err(fault)?,
        }
        Ok(vec![if self.0 == Fault::NamesNothing { folder.join("other.txt") } else { path }])
    }
}
