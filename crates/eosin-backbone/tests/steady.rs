// SPDX-License-Identifier: MIT OR Apache-2.0

//! The native engine allocates nothing once it is warm.
//!
//! A binary of its own, since it replaces the allocator.

#![expect(unsafe_code, reason = "a global allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use eosin_backbone::arch::{
    EfficientNetArch, EfficientNetArgs, Padding, ResNetArch, ResNetArgs, ResNetBlock, VitArch,
};
use eosin_backbone::native::{EfficientNet, Input, ResNet, TokenPooling, Vit};
use eosin_backbone::{builtin_card, random_weights};

/// The system's allocator, counting.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PX: usize = 64;
const BATCH: usize = 5;
/// Batches without an allocation that count as the steady state.
const QUIET: usize = 20;
/// Batches until which it must be reached: a buffer more is made when threads first meet.
const PATIENCE: usize = 400;

/// One test, since allocations of another would be counted too.
#[test]
fn a_warm_network_allocates_nothing() {
    let input = Input::new(PX, [0.5; 3], [0.5; 3]);
    let arch = EfficientNetArch::new(&EfficientNetArgs {
        width: 1.0,
        depth: 1.0,
        lite: true,
        padding: Padding::Same,
        norm_eps: 1e-3,
    });
    let mut weights = random_weights(&arch.tensors(), 1);
    let network = EfficientNet::new(&arch.take(&mut weights), &input).unwrap();
    check("efficientnet", network.dim(), |t, n, out| network.embed(t, n, out).unwrap());

    let arch = ResNetArch::new(&ResNetArgs { layers: vec![2, 2, 2, 2], block: ResNetBlock::Basic });
    let mut weights = random_weights(&arch.tensors(), 1);
    let network = ResNet::new(&arch.take(&mut weights), &input).unwrap();
    check("resnet", network.dim(), |t, n, out| network.embed(t, n, out).unwrap());

    let arch =
        VitArch::new(builtin_card("kaiko-s16").unwrap().arguments().unwrap(), TokenPooling::Cls);
    let mut weights = random_weights(&arch.tensors(), 1);
    let network = Vit::new(&arch.take(&mut weights, PX), &input).unwrap();
    check("vit", network.dim(), |t, n, out| network.embed(t, n, out).unwrap());
}

fn check(name: &str, dim: usize, embed: impl Fn(&[u8], usize, &mut [f32]) + Sync) {
    let tiles: Vec<u8> = (0..BATCH * PX * PX * 3).map(|i| (i * 31) as u8).collect();
    let mut out = vec![0.0; BATCH * dim];
    // Batches of one split their work within a tile, which takes other buffers.
    for n_tiles in [BATCH, 1] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let tiles = &tiles[..n_tiles * PX * PX * 3];
        let out = &mut out[..n_tiles * dim];
        let quiet = pool.install(|| {
            let mut quiet = 0;
            for _ in 0..PATIENCE {
                let before = ALLOCATIONS.load(Ordering::Relaxed);
                embed(tiles, n_tiles, out);
                let is_quiet = ALLOCATIONS.load(Ordering::Relaxed) == before;
                quiet = if is_quiet { quiet + 1 } else { 0 };
                if quiet == QUIET {
                    break;
                }
            }
            quiet
        });
        assert_eq!(quiet, QUIET, "{name}: batches of {n_tiles} kept allocating");
    }
}
