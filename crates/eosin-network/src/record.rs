// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Head, HeadRecord, Result};

use crate::abmil::{self, AbmilHead};
use crate::mean_pool::{self, MeanPoolHead};
use crate::mlp::{self, MlpHead};
use crate::slide_head::SlideHead;

/// The kinds of tile heads that [`head_from_record`] knows.
pub const KINDS: [&str; 1] = [mlp::KIND];

/// The kinds of slide heads that [`slide_head_from_record`] knows.
pub const SLIDE_KINDS: [&str; 2] = [mean_pool::KIND, abmil::KIND];

/// Makes a tile head again from what it was made of; it predicts the same bits.
pub fn head_from_record(record: &HeadRecord) -> Result<Box<dyn Head>> {
    match record.kind.as_str() {
        mlp::KIND => Ok(Box::new(MlpHead::from_record(record)?)),
        kind => Err(Error::unsupported(
            format!("a head of kind {kind}"),
            &KINDS,
            "use the release that trained it, or register its plugin",
        )),
    }
}

/// Makes a slide head again; `remake` makes the tile head inside a `mean-pool` head.
pub fn slide_head_from_record(
    record: &HeadRecord,
    remake: impl FnOnce(&HeadRecord) -> Result<Box<dyn Head>>,
) -> Result<Box<dyn SlideHead>> {
    match record.kind.split('/').next() {
        Some(abmil::KIND) => Ok(Box::new(AbmilHead::from_record(record)?)),
        Some(mean_pool::KIND) => Ok(Box::new(MeanPoolHead::from_record(record, remake)?)),
        _ => Err(Error::unsupported(
            format!("a slide head of kind {}", record.kind),
            &SLIDE_KINDS,
            "use the release that trained it, or register its plugin",
        )),
    }
}
