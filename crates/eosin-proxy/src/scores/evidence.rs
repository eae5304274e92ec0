// SPDX-License-Identifier: MIT OR Apache-2.0

use std::f64::consts::PI;

use eosin_core::{Matrix, Result};
use ndarray::Array1;

use super::spectrum::{check, gram, rows, spectrum};

/// Rounds of the fixed point at most, and the relative change at which it is taken as found; both
/// as the authors have them.
const MAX_ROUNDS: usize = 11;
const TOLERANCE: f64 = 0.01;

/// LogME: the maximum evidence of a Bayesian linear model, per row, mean over the classes one
/// against the rest.
///
/// Source: You et al. 2021, Algorithm 2, with the fixed point of t = α/β in the eigenbasis of FᵀF.
pub fn log_me(features: &Matrix, labels: &[u32], n_classes: usize) -> Result<f64> {
    check(features, labels, n_classes)?;
    let f = rows(features)?;
    let spectrum = spectrum(&gram(&f))?;
    let classes: Vec<u32> = (0..n_classes as u32).filter(|c| labels.contains(c)).collect();
    let mut total = 0.0;
    for &class in &classes {
        let y: Array1<f64> = labels.iter().map(|&l| f64::from(u8::from(l == class))).collect();
        // Fᵀy in the eigenbasis.
        let z = spectrum.vectors.t().dot(&f.t().dot(&y));
        total += evidence(&spectrum.values, &z, y.dot(&y), f.nrows());
    }
    Ok(total / classes.len() as f64)
}

/// Log evidence per row at the best α and β, given eigenvalues σ of FᵀF, z = VᵀFᵀy and ‖y‖².
fn evidence(sigma: &Array1<f64>, z: &Array1<f64>, y_square: f64, n_rows: usize) -> f64 {
    let (n, d) = (n_rows as f64, sigma.len() as f64);
    let (mut alpha, mut beta) = (1.0, 1.0);
    let (mut m_square, mut residual) = (0.0, 0.0);
    for _ in 0..MAX_ROUNDS {
        let t: f64 = alpha / beta;
        let mut gamma = 0.0;
        m_square = 0.0;
        residual = y_square;
        for (s, z) in sigma.iter().zip(z) {
            gamma += s / (s + t);
            // The posterior mean along this eigenvector.
            let m = z / (s + t);
            m_square += m * m;
            residual += s * m * m - 2.0 * m * z;
        }
        alpha = gamma / m_square;
        beta = (n - gamma) / residual;
        if (alpha / beta - t).abs() / t < TOLERANCE {
            break;
        }
    }
    let log_det: f64 = sigma.iter().map(|s| (alpha + beta * s).ln()).sum();
    let evidence = d / 2.0 * alpha.ln() + n / 2.0 * beta.ln()
        - log_det / 2.0
        - beta / 2.0 * residual
        - alpha / 2.0 * m_square
        - n / 2.0 * (2.0 * PI).ln();
    evidence / n
}
