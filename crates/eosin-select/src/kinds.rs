// SPDX-License-Identifier: MIT OR Apache-2.0

//! Kinds of proxy tasks: what is asked of the rows of a store.

use std::sync::Arc;

use eosin_core::{
    Error, LabelledSet, Matrix, ProxyKind, ProxyMaker, ProxyProblem, ProxyRows, ProxyTask, Reads,
    Registry, Result, Role, TileMeta,
};
use eosin_proxy::proxies::{Invariance, SpatialNeighbourhood, nuisance_task, spatial_blocks};
use eosin_proxy::{FewShot, SimpleShot};
use serde::Deserialize;

/// Registers kinds of proxy tasks, which are their own options.
macro_rules! register_proxies {
    ($registry:ident, $($kind:literal => $proxy:ty,)+) => {
        $($registry.proxies.register($kind, ProxyMaker::of::<$proxy>($kind));)+
    };
}

/// Adds every kind of proxy task.
pub fn register(registry: &mut Registry) {
    register_proxies! { registry,
        "labelled" => Labelled,
        "density" => Density,
        "few-shot" => FewShotKind,
        "invariance" => InvarianceKind,
        "nuisance" => Nuisance,
        "magnification" => Magnification,
        "spatial-neighbourhood" => Spatial,
    }
}

/// Kind `labelled`: classes that somebody has annotated.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labelled {}

/// Kind `density`: the third in which a number of the manifest lies, such as haematoxylin density.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Density {}

/// Kind `few-shot`: annotated classes from a few rows of each, the mean over many draws.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FewShotKind {
    /// Training rows of each class.
    pub shots: usize,
    /// Draws for each fold.
    pub episodes: usize,
}

/// Kind `invariance`: how near views of a tile are to it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InvarianceKind {
    /// Tiles whose views are embedded.
    pub tiles: usize,
}

/// Kind `nuisance`: whether slide, patient, centre or scanner can be told within a class.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nuisance {
    /// `slide`, `patient`, `centre` or `scanner`.
    pub of: NuisanceOf,
    /// Side of the blocks by which slides are split, in level-0 pixels.
    #[serde(default = "block_px")]
    pub block_px: u32,
}

/// What should not be told from an embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NuisanceOf {
    /// The slide.
    Slide,
    /// The patient, or whatever else groups are.
    Patient,
    /// The hospital.
    Centre,
    /// The scanner.
    Scanner,
}

/// Kind `magnification`: which resolution a tile has; diagnostic only.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Magnification {}

/// Kind `spatial-neighbourhood`: whether tiles that lie together are near in embedding.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Spatial {
    /// Neighbours that are looked at.
    pub k: usize,
    /// Tile sides within which tiles lie together.
    pub radius: f64,
    /// Side of the blocks by which a single slide is split, in level-0 pixels.
    pub block_px: u32,
}

impl Default for FewShotKind {
    fn default() -> Self {
        Self { shots: 5, episodes: 20 }
    }
}

impl Default for InvarianceKind {
    fn default() -> Self {
        Self { tiles: 200 }
    }
}

impl Default for Spatial {
    fn default() -> Self {
        Self { k: 5, radius: 2.0, block_px: block_px() }
    }
}

fn block_px() -> u32 {
    2048
}

/// All rows with their own classes and groups.
fn whole(rows: &ProxyRows) -> Vec<ProxyProblem> {
    vec![ProxyProblem {
        name: String::new(),
        positions: (0..rows.labels.len()).collect(),
        classes: rows.classes.to_vec(),
        labels: rows.labels.to_vec(),
        groups: rows.groups.to_vec(),
    }]
}

/// All rows as one class, by blocks of their slide where there is but one group.
fn without_classes(rows: &ProxyRows, block_px: u32) -> Result<Vec<ProxyProblem>> {
    let several = rows.groups.iter().any(|g| Some(g) != rows.groups.first());
    let groups = if several { rows.groups.to_vec() } else { spatial_blocks(rows.metas, block_px)? };
    let (classes, labels) = (vec!["all".to_string()], vec![0; rows.labels.len()]);
    let problems = whole(rows);
    Ok(problems
        .into_iter()
        .map(|p| ProxyProblem {
            classes: classes.clone(),
            labels: labels.clone(),
            groups: groups.clone(),
            ..p
        })
        .collect())
}

impl ProxyKind for Labelled {
    fn kind(&self) -> &'static str {
        "labelled"
    }
    fn role(&self) -> Role {
        Role::Proxy
    }
    fn reads(&self) -> Reads {
        Reads::Classes
    }
    fn problems(&self, rows: &ProxyRows) -> Result<Vec<ProxyProblem>> {
        Ok(whole(rows))
    }
}

impl ProxyKind for Density {
    fn kind(&self) -> &'static str {
        "density"
    }
    fn role(&self) -> Role {
        Role::Proxy
    }
    fn reads(&self) -> Reads {
        Reads::Numbers
    }
    fn problems(&self, rows: &ProxyRows) -> Result<Vec<ProxyProblem>> {
        Ok(whole(rows))
    }
}

impl ProxyKind for FewShotKind {
    fn kind(&self) -> &'static str {
        "few-shot"
    }
    fn role(&self) -> Role {
        Role::Proxy
    }
    fn reads(&self) -> Reads {
        Reads::Classes
    }
    fn problems(&self, rows: &ProxyRows) -> Result<Vec<ProxyProblem>> {
        Ok(whole(rows))
    }
    fn own_probe(&self, _metas: &[TileMeta], seed: u64) -> Result<Option<Arc<dyn ProxyTask>>> {
        let Self { shots, episodes } = *self;
        Ok(Some(Arc::new(FewShot { shots, episodes, seed })))
    }
}

impl ProxyKind for InvarianceKind {
    fn kind(&self) -> &'static str {
        "invariance"
    }
    fn role(&self) -> Role {
        Role::Beside
    }
    fn reads(&self) -> Reads {
        Reads::Nothing
    }
    fn problems(&self, rows: &ProxyRows) -> Result<Vec<ProxyProblem>> {
        without_classes(rows, block_px())
    }
    fn own_probe(&self, _metas: &[TileMeta], _seed: u64) -> Result<Option<Arc<dyn ProxyTask>>> {
        Ok(Some(Arc::new(Invariance)))
    }
    fn needs_views(&self) -> bool {
        true
    }
    fn max_rows(&self) -> Option<usize> {
        Some(self.tiles)
    }
}

impl ProxyKind for Nuisance {
    fn kind(&self) -> &'static str {
        "nuisance"
    }
    fn role(&self) -> Role {
        Role::Beside
    }
    fn reads(&self) -> Reads {
        Reads::Nothing
    }
    fn is_nuisance(&self) -> bool {
        true
    }
    /// One problem per class in which the nuisance takes several values; slides and patients are
    /// split by blocks of their slides, centres and scanners by group.
    fn problems(&self, rows: &ProxyRows) -> Result<Vec<ProxyProblem>> {
        let metas = rows.metas;
        let value = |i: usize| -> Option<String> {
            match self.of {
                NuisanceOf::Slide => Some(metas[i].slide.clone()),
                NuisanceOf::Patient => Some(rows.groups[i].clone()),
                NuisanceOf::Centre => metas[i].centre.clone(),
                NuisanceOf::Scanner => metas[i].scanner.clone(),
            }
        };
        let known: Vec<usize> = (0..metas.len()).filter(|&i| value(i).is_some()).collect();
        let nuisance: Vec<String> = known.iter().filter_map(|&i| value(i)).collect();
        let groups = match self.of {
            NuisanceOf::Centre | NuisanceOf::Scanner => {
                known.iter().map(|&i| rows.groups[i].clone()).collect()
            }
            NuisanceOf::Slide | NuisanceOf::Patient => {
                let own: Vec<TileMeta> = known.iter().map(|&i| metas[i].clone()).collect();
                spatial_blocks(&own, self.block_px)?
            }
        };
        // The set's only feature is a row's number, by which the rows of each task are known again.
        let numbers = Matrix::new(known.len(), 1, (0..known.len()).map(|i| i as f32).collect())?;
        let labels = known.iter().map(|&i| rows.labels[i]).collect();
        let set = LabelledSet::new(numbers, rows.classes.to_vec(), labels, &groups)?;
        let mut problems = Vec::new();
        let mut refused = None;
        for (class, name) in rows.classes.iter().enumerate() {
            match nuisance_task(&set, class as u32, &nuisance, &groups) {
                Ok(task) => problems.push(ProxyProblem {
                    name: name.clone(),
                    positions: task.features().rows().map(|r| known[r[0] as usize]).collect(),
                    classes: task.classes().to_vec(),
                    labels: task.labels().to_vec(),
                    groups: task
                        .groups()
                        .iter()
                        .map(|&g| task.group_names()[g as usize].clone())
                        .collect(),
                }),
                Err(error) => refused = Some(error),
            }
        }
        match (problems.is_empty(), refused) {
            (true, Some(error)) => Err(error),
            _ => Ok(problems),
        }
    }
}

impl ProxyKind for Magnification {
    fn kind(&self) -> &'static str {
        "magnification"
    }
    fn role(&self) -> Role {
        Role::Beside
    }
    fn reads(&self) -> Reads {
        Reads::Nothing
    }
    fn problems(&self, rows: &ProxyRows) -> Result<Vec<ProxyProblem>> {
        let metas = rows.metas;
        let mpp = |i: usize| metas[i].effective_mpp.map(|m| format!("{:.3} µm/px", m.get()));
        let positions: Vec<usize> = (0..metas.len()).filter(|&i| mpp(i).is_some()).collect();
        let mut classes: Vec<String> = positions.iter().filter_map(|&i| mpp(i)).collect();
        classes.sort();
        classes.dedup();
        if classes.len() < 2 {
            return Err(Error::input(
                "proxy magnification",
                "tiles of at least two known resolutions",
                format!("{}", classes.len()),
                "cut tiles at several resolutions, or leave this proxy out",
            ));
        }
        let label = |&i: &usize| mpp(i).and_then(|m| classes.binary_search(&m).ok());
        Ok(vec![ProxyProblem {
            name: String::new(),
            labels: positions.iter().filter_map(label).map(|l| l as u32).collect(),
            groups: positions.iter().map(|&i| rows.groups[i].clone()).collect(),
            positions,
            classes,
        }])
    }
    fn own_probe(&self, _metas: &[TileMeta], _seed: u64) -> Result<Option<Arc<dyn ProxyTask>>> {
        Ok(Some(Arc::new(SimpleShot)))
    }
}

impl ProxyKind for Spatial {
    fn kind(&self) -> &'static str {
        "spatial-neighbourhood"
    }
    fn role(&self) -> Role {
        Role::Proxy
    }
    fn reads(&self) -> Reads {
        Reads::Nothing
    }
    fn problems(&self, rows: &ProxyRows) -> Result<Vec<ProxyProblem>> {
        let metas = rows.metas;
        let placed = metas.iter().any(|m| (m.x, m.y) != (metas[0].x, metas[0].y));
        if !placed {
            return Err(Error::input(
                "proxy spatial-neighbourhood",
                "tiles whose place on their slide is known",
                "tiles that all lie at one place",
                "give columns x and y, or leave this proxy out",
            ));
        }
        without_classes(rows, self.block_px)
    }
    fn own_probe(&self, metas: &[TileMeta], _seed: u64) -> Result<Option<Arc<dyn ProxyTask>>> {
        Ok(Some(Arc::new(SpatialNeighbourhood::new(metas, self.k, self.radius)?)))
    }
}
