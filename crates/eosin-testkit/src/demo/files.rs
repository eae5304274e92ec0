// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use eosin_core::{Error, Result, RgbImage};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{DemoConfig, NEGATIVE, POSITIVE, Plan, PlannedTile, draw_cluster};

const README: &str = "\
# Demo tiles

Made by `demo-data` from a slide without annotations. The tissue is real; the labels are made, not
annotated: `h_density` is the tercile of the mean haematoxylin density (column `h_mean`), and
`label` says on which tiles the program has drawn a microcalcification. Groups are blocks of the
slide. Nothing that is learned from them says anything about disease.
";

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Tiles.
    pub n_tiles: usize,
    /// Blocks.
    pub n_groups: usize,
    /// Tiles and positives of the training side.
    pub train: [usize; 2],
    /// Tiles and positives of the test side.
    pub test: [usize; 2],
}

/// Draws on the positives and writes `tiles/*.png`, `README.md` and, last, `manifest.csv`.
pub fn write(plan: &Plan, config: &DemoConfig, out: &Path) -> Result<Summary> {
    let folder = out.join("tiles");
    std::fs::create_dir_all(&folder).map_err(|e| Error::io("create", &folder, e))?;
    let px_per_um = f64::from(config.tiles.tile_px) / config.tiles.tile_um;
    let mut csv = csv::Writer::from_writer(Vec::new());
    let columns = ["path", "label", "group", "split", "slide", "x", "y", "h_density", "h_mean"];
    csv.write_record(columns).map_err(|e| in_memory(&e))?;
    for (index, planned) in plan.tiles.iter().enumerate() {
        let mut image = planned.tile.image.clone();
        if planned.positive {
            let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
            // A stream per tile, so that one tile's grains do not move another's.
            rng.set_stream(index as u64 + 1);
            draw_cluster(&mut image, &config.target.cluster, px_per_um, &mut rng);
        }
        let meta = &planned.tile.meta;
        let name = format!("x{:05}-y{:05}.png", meta.x, meta.y);
        save(&image, &folder.join(&name))?;
        csv.write_record([
            format!("tiles/{name}"),
            if planned.positive { POSITIVE } else { NEGATIVE }.to_string(),
            planned.group.clone(),
            planned.split.to_string(),
            meta.slide.clone(),
            meta.x.to_string(),
            meta.y.to_string(),
            planned.h_density.to_string(),
            format!("{:.5}", planned.density),
        ])
        .map_err(|e| in_memory(&e))?;
    }
    let csv = csv.into_inner().map_err(|e| in_memory(e.error()))?;
    for (name, bytes) in [("README.md", README.as_bytes()), ("manifest.csv", &csv[..])] {
        let path = out.join(name);
        std::fs::write(&path, bytes).map_err(|e| Error::io("write", path, e))?;
    }
    Ok(Summary::of(&plan.tiles))
}

fn save(image: &RgbImage, path: &Path) -> Result<()> {
    image::save_buffer_with_format(
        path,
        image.data(),
        image.width(),
        image.height(),
        image::ExtendedColorType::Rgb8,
        image::ImageFormat::Png,
    )
    .map_err(|error| match error {
        image::ImageError::IoError(error) => Error::io("write", path, error),
        other => Error::io("write", path, std::io::Error::other(other)),
    })
}

fn in_memory(error: &dyn fmt::Display) -> Error {
    Error::input("manifest", "rows of text", error.to_string(), "report this as a bug")
}

impl Summary {
    fn of(tiles: &[PlannedTile]) -> Self {
        let groups: BTreeSet<&str> = tiles.iter().map(|t| t.group.as_str()).collect();
        let mut summary = Self { n_tiles: tiles.len(), n_groups: groups.len(), ..Self::default() };
        for tile in tiles {
            let side = if tile.split == "train" { &mut summary.train } else { &mut summary.test };
            side[0] += 1;
            side[1] += usize::from(tile.positive);
        }
        summary
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [[train, train_positives], [test, test_positives]] = [self.train, self.test];
        write!(
            f,
            "{} tiles of {} blocks; train: {train}, {train_positives} of them {POSITIVE}; \
             test: {test}, {test_positives} of them {POSITIVE}",
            self.n_tiles, self.n_groups
        )
    }
}
