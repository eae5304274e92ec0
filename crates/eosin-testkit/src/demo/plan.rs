// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{Error, Result, Tile, TileSource};
use eosin_tile::stain::haematoxylin_density;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::DemoConfig;

/// The target's class of interest.
pub const POSITIVE: &str = "microcalcification";
/// The target's other class.
pub const NEGATIVE: &str = "none";

/// Labels of the proxy task from the lowest tercile to the highest.
const TERCILES: [&str; 3] = ["low", "mid", "high"];

/// Tiles with their labels, in the order of the source.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The tiles.
    pub tiles: Vec<PlannedTile>,
}

/// A tile with everything that the manifest says of it.
#[derive(Clone, Debug)]
pub struct PlannedTile {
    /// The tile as it was cut.
    pub tile: Tile,
    /// Its block.
    pub group: String,
    /// `train` or `test`.
    pub split: &'static str,
    /// Mean haematoxylin density.
    pub density: f64,
    /// Tercile of that density over all tiles of the plan.
    pub h_density: &'static str,
    /// Whether a microcalcification is to be drawn.
    pub positive: bool,
}

/// Cuts all tiles and decides on blocks, sides and labels; nothing is drawn yet.
pub fn plan(source: &dyn TileSource, config: &DemoConfig) -> Result<Plan> {
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    let mut blocks = blocks(source, config);
    blocks.shuffle(&mut rng);
    if config.split.max_blocks > 0 {
        blocks.truncate(config.split.max_blocks);
    }
    let n: usize = blocks.iter().map(|(_, tiles)| tiles.len()).sum();
    let wanted = config.split.test_share * n as f64;
    let mut n_test = 0;
    let mut n_test_blocks = 0;
    for (_, tiles) in &blocks {
        if (n_test as f64) < wanted {
            n_test += tiles.len();
            n_test_blocks += 1;
        }
    }
    let (test, train) = blocks.split_at(n_test_blocks);
    let share = config.target.positive_share;
    let positives = [positives(test, share)?, positives(train, share)?].concat();

    let mut tiles = Vec::with_capacity(n);
    for (side, blocks) in [("test", test), ("train", train)] {
        for (group, indices) in blocks {
            for &index in indices {
                let tile = source.read(index)?;
                let density = haematoxylin_density(&tile.image);
                let planned = PlannedTile {
                    tile,
                    group: group.clone(),
                    split: side,
                    density,
                    h_density: TERCILES[0],
                    positive: positives.contains(&index),
                };
                tiles.push((index, planned));
            }
        }
    }
    tiles.sort_by_key(|(index, _)| *index);
    let mut tiles: Vec<PlannedTile> = tiles.into_iter().map(|(_, tile)| tile).collect();
    set_terciles(&mut tiles);
    Ok(Plan { tiles })
}

/// Tile indices by block, in the order of the blocks' names; tiles that reach over a block's border
/// are left out, so that tiles of two blocks share no pixel.
fn blocks(source: &dyn TileSource, config: &DemoConfig) -> Vec<(String, Vec<usize>)> {
    let mut blocks: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, meta) in source.tiles().iter().enumerate() {
        let tile_px = f64::from(meta.size_level0_px);
        let block_px = config.split.block_um / config.tiles.tile_um * tile_px;
        let block = |edge: i64| {
            let cell = |at: f64| (at / block_px).floor() as i64;
            let first = cell(edge as f64);
            (first == cell(edge as f64 + tile_px)).then_some(first)
        };
        if let (Some(column), Some(row)) = (block(meta.x), block(meta.y)) {
            blocks.entry(format!("block-{column:02}-{row:02}")).or_default().push(index);
        }
    }
    blocks.into_iter().collect()
}

/// Tiles to draw on: blocks take turns, so that positives are spread over groups.
fn positives(blocks: &[(String, Vec<usize>)], share: f64) -> Result<Vec<usize>> {
    let n: usize = blocks.iter().map(|(_, tiles)| tiles.len()).sum();
    let wanted = (share * n as f64).round() as usize;
    if wanted == 0 || wanted >= n {
        return Err(Error::input(
            "target.positive_share",
            "positives and negatives on both sides of the split",
            format!("{wanted} positives among {n} tiles"),
            "raise target.positive_share, or cut more tiles",
        ));
    }
    // Every block offers its tiles from the middle of its list on, one in each round.
    let rounds = blocks.iter().map(|(_, tiles)| tiles.len()).max().unwrap_or(0);
    let offers = (0..rounds).flat_map(|round| {
        blocks.iter().filter_map(move |(_, tiles)| {
            let at = (tiles.len() / 2 + round) % tiles.len().max(1);
            (round < tiles.len()).then(|| tiles[at])
        })
    });
    Ok(offers.take(wanted).collect())
}

fn set_terciles(tiles: &mut [PlannedTile]) {
    let mut order: Vec<usize> = (0..tiles.len()).collect();
    order.sort_by(|&a, &b| tiles[a].density.total_cmp(&tiles[b].density).then(a.cmp(&b)));
    for (rank, &at) in order.iter().enumerate() {
        tiles[at].h_density = TERCILES[rank * TERCILES.len() / order.len()];
    }
}
