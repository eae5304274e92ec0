// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_annotation::geometry::{BoxTree, area, area_within, centre, contains};
use eosin_core::{Outline, Rectangle, Shape};
use proptest::prelude::*;
use serde::Deserialize;

use crate::{close_to, golden_json};

#[derive(Deserialize)]
struct Case {
    outer: Vec<[f64; 2]>,
    holes: Vec<Vec<[f64; 2]>>,
    area: f64,
    centre: [f64; 2],
    rectangles: Vec<Within>,
    points: Vec<Place>,
}

#[derive(Deserialize)]
struct Within {
    r#box: [f64; 4],
    area: f64,
}

#[derive(Deserialize)]
struct Place {
    point: [f64; 2],
    inside: bool,
}

pub fn rectangle([left, top, right, bottom]: [f64; 4]) -> Rectangle {
    Rectangle { left, top, right, bottom }
}

fn polygon(outer: Vec<[f64; 2]>, holes: Vec<Vec<[f64; 2]>>) -> Shape {
    Shape::Outlines(vec![Outline { outer, holes }])
}

#[test]
fn areas_centres_and_containment_are_those_of_shapely() {
    let (mut n_rectangles, mut n_points) = (0, 0);
    for case in golden_json::<Vec<Case>>("areas.json") {
        let shape = polygon(case.outer, case.holes);
        close_to(area(&shape).unwrap(), case.area, 1e-9 * case.area);
        let found = centre(&shape).unwrap().unwrap();
        close_to(found[0], case.centre[0], 1e-6);
        close_to(found[1], case.centre[1], 1e-6);
        for within in case.rectangles {
            let r = rectangle(within.r#box);
            let tolerance = 1e-9 * case.area.max(r.area());
            close_to(area_within(&shape, r).unwrap(), within.area, tolerance);
            n_rectangles += 1;
        }
        for place in case.points {
            assert_eq!(contains(&shape, place.point), place.inside, "{:?}", place.point);
            n_points += 1;
        }
    }
    assert!(n_rectangles > 400 && n_points > 600, "{n_rectangles} {n_points}");
}

#[test]
fn self_crossing_rings_hold_what_an_odd_number_of_turns_is_around() {
    let bow_tie = polygon(vec![[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0]], Vec::new());
    close_to(area(&bow_tie).unwrap(), 2.0, 1e-12);
    assert!(contains(&bow_tie, [0.2, 1.0]) && contains(&bow_tie, [1.8, 1.0]));
    assert!(!contains(&bow_tie, [1.0, 0.5]) && !contains(&bow_tie, [1.0, 1.5]));
    // Twice around is not inside.
    let square = [[0.0, 0.0], [3.0, 0.0], [3.0, 3.0], [0.0, 3.0]];
    let twice = polygon([square, square].concat(), Vec::new());
    close_to(area(&twice).unwrap(), 0.0, 1e-12);
    assert!(!contains(&twice, [1.0, 1.0]));
}

#[test]
fn what_overlaps_counts_once_and_holes_never_add() {
    let square = |x: f64| vec![[x, 0.0], [x + 2.0, 0.0], [x + 2.0, 2.0], [x, 2.0]];
    let outline = |x: f64| Outline { outer: square(x), holes: Vec::new() };
    let both = Shape::Outlines(vec![outline(0.0), outline(1.0)]);
    close_to(area(&both).unwrap(), 6.0, 1e-12);
    // A hole across the border, and one that covers part of it again.
    let holed = polygon(square(0.0), vec![square(1.0), square(1.5)]);
    close_to(area(&holed).unwrap(), 2.0, 1e-12);
}

#[test]
fn neighbours_share_no_point_and_leave_none_out() {
    let left = polygon(vec![[0.0, 0.0], [5.0, 0.0], [3.0, 10.0], [0.0, 10.0]], Vec::new());
    let right = polygon(vec![[5.0, 0.0], [9.0, 0.0], [9.0, 10.0], [3.0, 10.0]], Vec::new());
    for i in 0..100 {
        let y = f64::from(i) / 10.0;
        // On the shared edge, as near as numbers come, and beside it.
        for x in [5.0 - y / 5.0, 4.0, 5.0, 3.0, 1.0, 8.0] {
            let n = [&left, &right].iter().filter(|shape| contains(shape, [x, y])).count();
            assert_eq!(n, 1, "{x}, {y}");
        }
    }
    let boxed = Shape::Box(rectangle([0.0, 0.0, 4.0, 4.0]));
    assert!(contains(&boxed, [0.0, 0.0]));
    assert!(!contains(&boxed, [4.0, 0.0]) && !contains(&boxed, [0.0, 4.0]));
}

#[test]
fn an_outline_of_too_many_crossings_is_refused_and_not_waited_for() {
    // 20,000 lines from one side to the other and back cross 10⁸ times.
    let mut state = 7_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as f64 / 1e3
    };
    let scribble = polygon((0..40_000).map(|_| [random(), random()]).collect(), Vec::new());
    let error = area(&scribble).unwrap_err();
    assert!(error.to_string().contains("cross each other too often"), "{error}");
}

fn ring() -> impl Strategy<Value = Vec<[f64; 2]>> {
    // Coordinates on a coarse grid meet each other's edges and corners often.
    prop::collection::vec((0..24_u8, 0..24_u8), 3..14)
        .prop_map(|ring| ring.iter().map(|&(x, y)| [f64::from(x), f64::from(y)]).collect())
}

proptest! {
    /// Parts of the plane add up, however it is cut.
    #[test]
    fn areas_of_parts_add_up(outer in ring(), hole in ring(), cut in (0.0..24.0_f64, 0.0..24.0_f64)) {
        let shape = polygon(outer, vec![hole]);
        let (x, y) = cut;
        let whole = area(&shape).unwrap();
        let parts = [[0.0, 0.0, x, y], [x, 0.0, 24.0, y], [0.0, y, x, 24.0], [x, y, 24.0, 24.0]];
        let sum: f64 = parts.map(|part| area_within(&shape, rectangle(part)).unwrap()).iter().sum();
        prop_assert!((whole - sum).abs() < 1e-9, "{whole} {sum}");
        prop_assert!((0.0..=24.0 * 24.0 + 1e-9).contains(&whole));
    }

    /// The area is what a fine grid of points in the shape says.
    #[test]
    fn the_area_is_that_of_the_points_inside(outer in ring(), hole in ring()) {
        let shape = polygon(outer, vec![hole]);
        let n = 240;
        let at = |i: i32| (f64::from(i) + 0.5) * 24.0 / f64::from(n);
        let inside = (0..n * n).filter(|i| contains(&shape, [at(i % n), at(i / n)])).count();
        let sampled = inside as f64 * (24.0 / f64::from(n)).powi(2);
        // Points near the border are off by at most a cell; there are at most 28 edges.
        prop_assert!((area(&shape).unwrap() - sampled).abs() < 28.0 * 34.0 * 0.1 * 0.25);
    }

    /// Moving a shape moves its centre and keeps its area.
    #[test]
    fn moving_keeps_the_area(outer in ring(), by in (-1000.0..1000.0_f64, -1000.0..1000.0_f64)) {
        let moved = outer.iter().map(|[x, y]| [x + by.0, y + by.1]).collect();
        let (shape, moved) = (polygon(outer, Vec::new()), polygon(moved, Vec::new()));
        prop_assert!((area(&shape).unwrap() - area(&moved).unwrap()).abs() < 1e-7);
        let (a, b) = (centre(&shape).unwrap().unwrap(), centre(&moved).unwrap().unwrap());
        if area(&shape).unwrap() > 0.01 {
            prop_assert!((a[0] + by.0 - b[0]).abs() < 1e-6 && (a[1] + by.1 - b[1]).abs() < 1e-6);
        }
    }

    /// The tree finds what a walk through all finds.
    #[test]
    fn the_tree_finds_all(boxes in prop::collection::vec((0..60_u8, 0..60_u8, 0..9_u8, 0..9_u8), 0..400), at in (0..60_u8, 0..60_u8)) {
        let made = |&(x, y, w, h): &(u8, u8, u8, u8)| {
            Rectangle::new(f64::from(x), f64::from(y), f64::from(w), f64::from(h))
        };
        let boxes: Vec<Rectangle> = boxes.iter().map(made).collect();
        let asked = made(&(at.0, at.1, 7, 3));
        let mut found = Vec::new();
        BoxTree::new(&boxes).find(asked, &mut found);
        let expected: Vec<u32> =
            (0..boxes.len() as u32).filter(|i| boxes[*i as usize].meets(asked)).collect();
        prop_assert_eq!(found, expected);
    }
}
