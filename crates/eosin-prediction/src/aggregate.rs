// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use eosin_core::{Prediction, Result, SlidePredictions};

use crate::place::require_sound;
use crate::table::{prediction_cells, prediction_header, write_csv};

/// What many slides add up to: `slides.csv` and `patients.csv`.
///
/// For heads of tiles: the share of tiles that are called each class, where tiles that are left
/// uncalled count in the whole, and the mean of each class's largest probabilities. For heads of
/// slides: the slide's call, and per patient the mean over its slides. Memory is that of the slides'
/// names and a few numbers for each.
#[derive(Clone, Debug)]
pub struct Aggregates {
    top_k: usize,
    classes: Vec<String>,
    has_sets: bool,
    of_slides: Option<bool>,
    slides: Vec<Sums>,
}

/// Numbers of a slide or a patient.
#[derive(Clone, Debug, Default)]
struct Sums {
    name: String,
    patient: String,
    n_slides: usize,
    n_tiles: usize,
    n_uncalled: usize,
    called: Vec<usize>,
    /// Of each class the largest probabilities, the largest first.
    top: Vec<Vec<f64>>,
    /// Sums over slides of what a head of slides says.
    probabilities: Vec<f64>,
    call: Vec<String>,
}

impl Aggregates {
    /// No slide yet; `top_k` largest probabilities are averaged.
    pub fn new(top_k: usize) -> Self {
        let top_k = top_k.max(1);
        Self { top_k, classes: Vec::new(), has_sets: false, of_slides: None, slides: Vec::new() }
    }

    /// Adds a slide; all are of one head.
    pub fn add(&mut self, slide: &SlidePredictions) -> Result<()> {
        require_sound(slide)?;
        self.classes = slide.classes.to_vec();
        self.of_slides = Some(slide.call.is_some());
        let n = self.classes.len();
        let mut sums = Sums {
            name: slide.slide.to_string(),
            patient: slide.patient.to_string(),
            n_slides: 1,
            n_tiles: slide.tiles.len(),
            called: vec![0; n],
            top: vec![Vec::new(); n],
            ..Sums::default()
        };
        let mut count = |prediction: &Prediction| match prediction.called {
            Some(class) => sums.called[class as usize] += 1,
            None => sums.n_uncalled += 1,
        };
        if let Some(call) = &slide.call {
            count(call);
            self.has_sets = call.set.is_some();
            sums.call = prediction_cells(call, &self.classes);
            sums.probabilities = call.probabilities.to_vec();
        } else {
            slide.tiles.iter().filter_map(|tile| tile.prediction.as_ref()).for_each(&mut count);
            for (class, top) in sums.top.iter_mut().enumerate() {
                let predicted = slide.tiles.iter().filter_map(|tile| tile.prediction);
                *top = predicted.map(|p| p.probabilities[class]).collect();
                keep_largest(top, self.top_k);
            }
        }
        self.slides.push(sums);
        Ok(())
    }

    /// Writes both tables into a folder.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let of_slides = self.of_slides == Some(true);
        let mut header = ["slide", "patient", "tiles"].map(String::from).to_vec();
        if of_slides {
            header.extend(prediction_header(&self.classes, self.has_sets));
        } else {
            header.extend(self.tile_header());
        }
        let rows = self.slides.iter().map(|sums| {
            let mut cells = vec![sums.name.clone(), sums.patient.clone(), sums.n_tiles.to_string()];
            cells.extend(if of_slides { sums.call.clone() } else { sums.tile_cells() });
            cells
        });
        let slides = write_csv(folder, "slides.csv", &header, rows)?;

        let mut header = ["patient", "slides", "tiles"].map(String::from).to_vec();
        if of_slides {
            header.push("slides_uncalled".into());
            header.extend(self.classes.iter().map(|class| format!("slides_called_{class}")));
            header.extend(self.classes.iter().map(|class| format!("mean_prob_{class}")));
        } else {
            header.extend(self.tile_header());
        }
        let rows = self.patients().into_iter().map(|sums| {
            let numbers = [sums.n_slides.to_string(), sums.n_tiles.to_string()];
            let mut cells = vec![sums.patient.clone()];
            cells.extend(numbers);
            if of_slides {
                cells.push(sums.n_uncalled.to_string());
                cells.extend(sums.called.iter().map(ToString::to_string));
                let means = sums.probabilities.iter().map(|sum| sum / sums.n_slides as f64);
                cells.extend(means.map(|mean| format!("{mean:.6}")));
            } else {
                cells.extend(sums.tile_cells());
            }
            cells
        });
        Ok(vec![slides, write_csv(folder, "patients.csv", &header, rows)?])
    }

    fn tile_header(&self) -> Vec<String> {
        let shares = self.classes.iter().map(|class| format!("share_called_{class}"));
        let tops = self.classes.iter().map(|class| format!("top{}_mean_{class}", self.top_k));
        ["tiles_uncalled".to_string()].into_iter().chain(shares).chain(tops).collect()
    }

    /// Patients by name, their slides' tiles taken together.
    fn patients(&self) -> Vec<Sums> {
        let mut patients: BTreeMap<&str, Sums> = BTreeMap::new();
        for slide in &self.slides {
            let Some(sums) = patients.get_mut(slide.patient.as_str()) else {
                patients.insert(&slide.patient, slide.clone());
                continue;
            };
            sums.n_slides += slide.n_slides;
            sums.n_tiles += slide.n_tiles;
            sums.n_uncalled += slide.n_uncalled;
            sums.called.iter_mut().zip(&slide.called).for_each(|(sum, n)| *sum += n);
            let both = sums.probabilities.iter_mut().zip(&slide.probabilities);
            both.for_each(|(sum, p)| *sum += p);
            for (top, more) in sums.top.iter_mut().zip(&slide.top) {
                top.extend(more);
                keep_largest(top, self.top_k);
            }
        }
        patients.into_values().collect()
    }
}

impl Sums {
    fn tile_cells(&self) -> Vec<String> {
        let shares = self.called.iter().map(|&n| n as f64 / self.n_tiles.max(1) as f64);
        let tops = self.top.iter().map(|top| top.iter().sum::<f64>() / top.len().max(1) as f64);
        let numbers = shares.chain(tops).map(|value| format!("{value:.6}"));
        [self.n_uncalled.to_string()].into_iter().chain(numbers).collect()
    }
}

fn keep_largest(values: &mut Vec<f64>, k: usize) {
    values.sort_by(|a, b| b.total_cmp(a));
    values.truncate(k);
    values.shrink_to_fit();
}

#[cfg(test)]
mod tests;
