// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every suite passes a sound implementation and fails each deliberately broken one, by the name
//! of the duty that it breaks.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::broken::{annotation, augment, backbone, head, proxy, store, tile, writer};
use eosin_testkit::conformance;

/// Runs a suite and returns the message with which it failed.
fn failure(suite: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(suite)).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
}

fn check<F: Copy + std::fmt::Debug>(cases: &[(F, &str)], suite: impl Fn(F)) {
    for &(fault, duty) in cases {
        let message = failure(|| suite(fault));
        let message = message.unwrap_or_else(|| panic!("{fault:?} was not noticed"));
        assert!(message.contains(duty), "{fault:?}: expected \"{duty}\", found \"{message}\"");
    }
}

#[test]
fn annotation_format() {
    use annotation::{Fault, Points, SAMPLE};
    conformance::annotation_format(&Points(Fault::None), "a.points", SAMPLE);
    check(
        &[
            (Fault::KnowsAll, "recognises"),
            (Fault::KnowsNone, "recognises"),
            (Fault::EmptyClass, "a class or none"),
            (Fault::Infinite, "finite bounds"),
            (Fault::NoId, "id"),
            (Fault::Closed, "the first corner once"),
            (Fault::Clock, "reading again"),
            (Fault::OneRead, "byte by byte"),
            (Fault::GoesOn, "no further call"),
            (Fault::Swallows, "expected it back"),
            (Fault::IgnoresCorners, "corners_of_one"),
            (Fault::IgnoresTexts, "text_bytes"),
            (Fault::IgnoresBytes, "bytes"),
            (Fault::TakesTheBeginning, "a file cut after"),
        ],
        |fault| conformance::annotation_format(&Points(fault), "a.points", SAMPLE),
    );
}

#[test]
fn tile_source() {
    use tile::{Fault, Source};
    conformance::tile_source(&Source::new(Fault::None));
    check(
        &[
            (Fault::SameIds, "tile ids: expected each once"),
            (Fault::ShiftedMeta, "expected the tile planned there"),
            (Fault::Cursor, "same pixels in any order"),
            (Fault::ThreadLocal, "same pixels on any thread"),
            (Fault::TissueAboveOne, "tissue fraction"),
            (Fault::NoDigest, "a digest of its file"),
            (Fault::Unreadable, "expected success"),
        ],
        |fault| conformance::tile_source(&Source::new(fault)),
    );
}

#[test]
fn backbone() {
    use backbone::{Fault, Network};
    conformance::backbone(&Network::new(Fault::None));
    check(
        &[
            (Fault::SortedRows, "row order"),
            (Fault::BatchNorm, "batch-size invariance"),
            (Fault::Counter, "determinism"),
            (Fault::Constant, "different tiles"),
            (Fault::DropsLast, "a batch of five: expected 5 × 3"),
            (Fault::NotFinite, "expected finite values"),
            (Fault::LooksAtNames, "pixels alone"),
            (Fault::EmptyIsAnError, "an empty batch"),
        ],
        |fault| conformance::backbone(&Network::new(fault)),
    );
}

#[test]
fn embedding_store() {
    use store::{Fault, Memory};
    conformance::embedding_store(&Memory::new(Fault::None));
    check(
        &[
            (Fault::VisibleAtOnce, "before commit: expected no set"),
            (Fault::CommitOnDrop, "after a writer that was dropped"),
            (Fault::ReversedScan, "in the order of commits"),
            (Fault::TakesAnyContract, "rows of another contract"),
            (Fault::TakesAnyWidth, "rows of another length"),
            (Fault::UnknownIsEmpty, "a scan to be refused"),
            (Fault::UnknownListsNothing, "unknown set"),
            (Fault::Unsorted, "ordered by fingerprint"),
            (Fault::MixesSets, "expected batches of set"),
            (Fault::ForgetsViews, "expected views"),
            (Fault::SwallowsVisitor, "the visitor's own error"),
            (Fault::TornScan, "a commit during a scan"),
            (Fault::ConstantVersion, "expected a version above"),
        ],
        |fault| conformance::embedding_store(&Memory::new(fault)),
    );
}

#[test]
fn feature_transform() {
    use augment::{Fault, Jitter};
    conformance::feature_transform(&Jitter(Fault::None));
    check(
        &[
            (Fault::FitsOnHeldOut, "training rows alone"),
            (Fault::OtherGroups, "its parent's group"),
            (Fault::Clock, "determinism"),
            (Fault::OneDimensionLess, "dimensions: expected 8"),
            (Fault::TargetsOfTwo, "a target that is a distribution"),
            (Fault::NotFinite, "expected finite values"),
            (Fault::AllWeightsZero, "at least one above 0"),
            (Fault::NoRows, "expected at least one"),
        ],
        |fault| conformance::feature_transform(&Jitter(fault)),
    );
}

#[test]
fn head_trainer() {
    use head::{Fault, Trainer};
    conformance::head_trainer(&Trainer(Fault::None));
    check(
        &[
            (Fault::SumsToTwo, "probabilities that sum to 1"),
            (Fault::Clock, "determinism"),
            (Fault::SortedRows, "row order"),
            (Fault::StandardisesBatch, "batch-size invariance: expected row"),
            (Fault::AnyWidth, "another dimension"),
            (Fault::OtherKind, "record: expected kind"),
            (Fault::ShortTensor, "record: expected"),
            (Fault::PathIgnoresPenalty, "fit_path: expected the head of penalty"),
            (Fault::IgnoresWeights, "rows of weight 0"),
            (Fault::NoGrid, "expected a grid"),
            (Fault::RenamesClasses, "expected classes"),
        ],
        |fault| conformance::head_trainer(&Trainer(fault)),
    );
}

#[test]
fn proxy_task() {
    use proxy::{Fault, NearestMean};
    conformance::proxy_task(&NearestMean(Fault::None));
    check(
        &[
            (Fault::FitsOnEverything, "held-out rows: expected chance"),
            (Fault::FitsOutsideFold, "rows of the fold alone"),
            (Fault::LowerIsBetter, "higher is better"),
            (Fault::OrderMatters, "fold order"),
            (Fault::Clock, "determinism"),
            (Fault::TakesTornGroups, "torn groups"),
            (Fault::OneScoreLess, "expected one per fold"),
        ],
        |fault| conformance::proxy_task(&NearestMean(fault)),
    );
}

#[test]
fn prediction_writer() {
    use writer::{Count, Fault};
    let suite = |fault| {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        std::fs::create_dir(&own).unwrap();
        conformance::prediction_writer(&Count(fault), &own);
    };
    suite(Fault::None);
    check(
        &[
            (Fault::Clock, "determinism"),
            (Fault::LeavesPart, "no part of others"),
            (Fault::NamesNothing, "in the folder, which it is not"),
            (Fault::SlideIsAFileName, "in the folder, which it is not"),
        ],
        suite,
    );
}
