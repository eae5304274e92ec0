// SPDX-License-Identifier: MIT OR Apache-2.0

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{ProxyTask, Result, TileMeta};

/// What a proxy may do with what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It is the task itself, on its training rows.
    Target,
    /// It helps to shortlist backbones.
    Proxy,
    /// It is shown beside and decides nothing.
    Beside,
}

/// What a kind reads from the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// A class per tile.
    Classes,
    /// A number per tile, which is cut into thirds.
    Numbers,
    /// Classes where there are any; all tiles are one class otherwise.
    Nothing,
}

/// The rows of a proxy's task, the same for every backbone.
#[derive(Clone, Copy, Debug)]
pub struct ProxyRows<'a> {
    /// Class names.
    pub classes: &'a [String],
    /// Class index per row.
    pub labels: &'a [u32],
    /// Group name per row.
    pub groups: &'a [String],
    /// What the store knows of each row.
    pub metas: &'a [TileMeta],
}

/// Rows with classes and groups, the same for every backbone.
#[derive(Clone, Debug, PartialEq)]
pub struct ProxyProblem {
    /// What tells it from the kind's other problems; empty where there is but one.
    pub name: String,
    /// Positions in the task's rows.
    pub positions: Vec<usize>,
    /// Class names.
    pub classes: Vec<String>,
    /// Class index per position.
    pub labels: Vec<u32>,
    /// Group name per position.
    pub groups: Vec<String>,
}

/// A kind of proxy task: what is asked of the rows of a store.
///
/// The implementer looks at rows and places, never at embeddings, so that every backbone gets the
/// same problems. Where there are several problems, a fold's score is their mean.
///
/// ```
/// use eosin_core::{ProxyProblem, ProxyKind, ProxyRows, Reads, Result, Role};
/// /// Whether a tile lies in the left half of its slide's coordinates.
/// struct Left;
/// impl ProxyKind for Left {
///     fn kind(&self) -> &'static str { "left" }
///     fn role(&self) -> Role { Role::Proxy }
///     fn reads(&self) -> Reads { Reads::Nothing }
///     fn problems(&self, rows: &ProxyRows) -> Result<Vec<ProxyProblem>> {
///         let middle = rows.metas.iter().map(|m| m.x).max().unwrap_or(0) / 2;
///         Ok(vec![ProxyProblem {
///             name: String::new(),
///             positions: (0..rows.metas.len()).collect(),
///             classes: vec!["left".into(), "right".into()],
///             labels: rows.metas.iter().map(|m| u32::from(m.x > middle)).collect(),
///             groups: rows.groups.to_vec(),
///         }])
///     }
/// }
/// ```
pub trait ProxyKind: Send + Sync {
    /// The kind, as configurations name it.
    fn kind(&self) -> &'static str;
    /// What it may decide.
    fn role(&self) -> Role;
    /// What it reads from the manifest.
    fn reads(&self) -> Reads;
    /// What is asked.
    fn problems(&self, rows: &ProxyRows) -> Result<Vec<ProxyProblem>>;
    /// The probe that answers, where it is not one of the selection's.
    fn own_probe(&self, _metas: &[TileMeta], _seed: u64) -> Result<Option<Arc<dyn ProxyTask>>> {
        Ok(None)
    }
    /// Whether a probe that does well speaks against the backbone; its score is taken from 1.
    fn is_nuisance(&self) -> bool {
        false
    }
    /// Views per tile that it needs beside the tiles; 0 for none.
    fn needs_views(&self) -> bool {
        false
    }
    /// Most rows that it is asked on, evenly taken; all where absent.
    fn max_rows(&self) -> Option<usize> {
        None
    }
}
