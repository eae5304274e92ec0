// SPDX-License-Identifier: MIT OR Apache-2.0

//! The few operations on small images that a tissue mask needs.

/// Median in a window of `2 radius + 1` a side, with edge pixels repeated outside (Huang 1979:
/// a histogram that slides along each row).
pub(super) fn median(values: &[u8], width: usize, radius: usize) -> Vec<u8> {
    if radius == 0 || width == 0 {
        return values.to_vec();
    }
    let height = values.len() / width;
    let half = ((2 * radius + 1) * (2 * radius + 1) / 2) as u32;
    let mut out = Vec::with_capacity(values.len());
    let clamp = |at: isize, len: usize| at.clamp(0, len as isize - 1) as usize;
    let radius = radius as isize;
    for y in 0..height as isize {
        let rows: Vec<usize> =
            (y - radius..=y + radius).map(|row| clamp(row, height) * width).collect();
        let mut histogram = [0u32; 256];
        for x in -radius..=radius {
            let x = clamp(x, width);
            for row in &rows {
                histogram[usize::from(values[row + x])] += 1;
            }
        }
        // `below` counts values under `middle`, so that the median is found by small steps.
        let (mut middle, mut below) = (0usize, 0u32);
        for x in 0..width as isize {
            if x > 0 {
                let (old, new) = (clamp(x - radius - 1, width), clamp(x + radius, width));
                for row in &rows {
                    let (gone, come) = (values[row + old], values[row + new]);
                    histogram[usize::from(gone)] -= 1;
                    histogram[usize::from(come)] += 1;
                    below -= u32::from(usize::from(gone) < middle);
                    below += u32::from(usize::from(come) < middle);
                }
            }
            while below > half {
                middle -= 1;
                below -= histogram[middle];
            }
            while below + histogram[middle] <= half {
                below += histogram[middle];
                middle += 1;
            }
            out.push(middle as u8);
        }
    }
    out
}

/// Dilation, then erosion, by a square of `side` pixels whose anchor is OpenCV's (`side / 2`).
/// Outside the image is background for the first and tissue for the second.
pub(super) fn close(mask: &mut Vec<bool>, width: usize, side: usize) {
    if side < 2 || width == 0 {
        return;
    }
    let (before, after) = (side / 2, side - 1 - side / 2);
    // The erosion looks the other way, so that the closing does not shift the mask.
    *mask = spread(mask, width, before, after, true);
    *mask = spread(mask, width, after, before, false);
}

/// The mask grown by `radius` pixels to every side, in a square.
pub(super) fn dilate(mask: &[bool], width: usize, radius: usize) -> Vec<bool> {
    if width == 0 { Vec::new() } else { spread(mask, width, radius, radius, true) }
}

/// Sets a pixel to `value` if any pixel from `before` to `after` around it has it, in x and in y.
fn spread(mask: &[bool], width: usize, before: usize, after: usize, value: bool) -> Vec<bool> {
    let height = mask.len() / width;
    let pass = |source: &[bool], along_x: bool| {
        let mut out = source.to_vec();
        let (lines, len) = if along_x { (height, width) } else { (width, height) };
        for line in 0..lines {
            let at = |i: usize| if along_x { line * width + i } else { i * width + line };
            for i in 0..len {
                let window = i.saturating_sub(before)..(i + after + 1).min(len);
                if window.into_iter().any(|j| source[at(j)] == value) {
                    out[at(i)] = value;
                }
            }
        }
        out
    };
    pass(&pass(mask, true), false)
}

/// Turns connected parts (4 neighbours) of `value` with fewer than `min_pixels` into the opposite.
pub(super) fn remove_small(mask: &mut [bool], width: usize, value: bool, min_pixels: usize) {
    if width == 0 {
        return;
    }
    let mut seen = vec![false; mask.len()];
    let mut part = Vec::new();
    for start in 0..mask.len() {
        if seen[start] || mask[start] != value {
            continue;
        }
        part.clear();
        part.push(start);
        seen[start] = true;
        let mut next = 0;
        while let Some(&at) = part.get(next) {
            next += 1;
            let x = at % width;
            let neighbours = [
                (x > 0).then(|| at - 1),
                (x + 1 < width).then(|| at + 1),
                at.checked_sub(width),
                (at + width < mask.len()).then(|| at + width),
            ];
            for neighbour in neighbours.into_iter().flatten() {
                if !seen[neighbour] && mask[neighbour] == value {
                    seen[neighbour] = true;
                    part.push(neighbour);
                }
            }
        }
        if part.len() < min_pixels {
            for &at in &part {
                mask[at] = !value;
            }
        }
    }
}
