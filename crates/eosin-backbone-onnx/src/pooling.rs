// SPDX-License-Identifier: MIT OR Apache-2.0

/// Brings one tile's output to a vector of `dim` values; an error tells what does not fit.
///
/// `sides` are the output's without the first, `pooling` is the card's, and `prefix` the number of
/// tokens that are no patches.
pub fn pool(
    values: &[f32],
    sides: &[usize],
    dim: usize,
    pooling: &str,
    prefix: usize,
) -> Result<Vec<f32>, String> {
    let misfit = || format!("{sides:?} values a tile");
    if values.len() == dim {
        return Ok(values.to_vec());
    }
    match *sides {
        [n_tokens, width] if n_tokens > prefix => {
            let mean = || mean(values[prefix * width..].chunks_exact(width), width);
            let pooled = match pooling {
                "cls" => values[..width].to_vec(),
                "mean" | "average" => mean(),
                "cls+mean" => [&values[..width], &mean()].concat(),
                other => return Err(format!("tokens, which pooling `{other}` does not join")),
            };
            if pooled.len() == dim { Ok(pooled) } else { Err(misfit()) }
        }
        [channels, rows, columns] if channels == dim => {
            let positions = (rows * columns).max(1);
            Ok(values.chunks_exact(positions).map(|plane| average(plane.iter().copied())).collect())
        }
        [_, _, channels] if channels == dim => Ok(mean(values.chunks_exact(dim), dim)),
        _ => Err(misfit()),
    }
}

fn mean<'a>(rows: impl ExactSizeIterator<Item = &'a [f32]> + Clone, width: usize) -> Vec<f32> {
    (0..width).map(|i| average(rows.clone().map(|row| row[i]))).collect()
}

/// The mean, summed in double precision.
fn average(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    let n = values.len().max(1) as f64;
    (values.map(f64::from).sum::<f64>() / n) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_pooled_as_the_card_says() {
        let values: Vec<f32> = (0..12).map(|v| v as f32).collect();
        let check = |sides: &[usize], dim, pooling: &str, expected: &[f32]| {
            assert_eq!(pool(&values, sides, dim, pooling, 1).unwrap(), expected, "{pooling}");
        };
        check(&[12], 12, "output", &values);
        check(&[12, 1, 1], 12, "average", &values);
        check(&[4, 3], 3, "cls", &[0.0, 1.0, 2.0]);
        check(&[4, 3], 3, "mean", &[6.0, 7.0, 8.0]);
        check(&[4, 3], 6, "cls+mean", &[0.0, 1.0, 2.0, 6.0, 7.0, 8.0]);
        check(&[3, 2, 2], 3, "average", &[1.5, 5.5, 9.5]);
        check(&[2, 3, 2], 2, "average", &[2.5, 8.5]);
        check(&[3, 2, 2], 2, "average", &[5.0, 6.0]);
        for (sides, dim, pooling) in [
            (&[4, 3][..], 4, "cls"),
            (&[4, 3], 3, "max"),
            (&[1, 12], 7, "mean"),
            (&[2, 6], 5, "cls"),
        ] {
            assert!(pool(&values, sides, dim, pooling, 1).is_err(), "{sides:?} {pooling}");
        }
    }
}
