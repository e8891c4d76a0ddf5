//! Weighted least squares with few unknowns, none of them negative.
//!
//! *Rule.* The best of all solutions that set some unknowns to zero and are not negative in the others; each is one small
//! linear system. That is exact, and short where there are six unknowns.

/// Unknowns.
pub(super) const COLUMNS: usize = 6;
/// A pivot below this share of its diagonal means that the columns do not tell the unknowns apart.
const LEAST_PIVOT: f64 = 1e-12;

/// One equation: `columns * x = value`, counted `weight` times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) columns: [f64; COLUMNS],
    pub(super) value: f64,
    pub(super) weight: f64,
}

/// The `x >= 0` with the least sum of weighted squared residuals; unknowns whose column is zero stay zero.
pub(super) fn non_negative(rows: impl Iterator<Item = Row>) -> [f64; COLUMNS] {
    // A' W A and A' W b.
    let mut normal = [[0.0; COLUMNS]; COLUMNS];
    let mut right = [0.0; COLUMNS];
    for row in rows {
        for ((column, line), right) in row.columns.iter().zip(&mut normal).zip(&mut right) {
            *right += row.weight * column * row.value;
            for (entry, other) in line.iter_mut().zip(&row.columns) {
                *entry += row.weight * column * other;
            }
        }
    }
    let mut best = [0.0; COLUMNS];
    let mut best_gain = 0.0;
    for subset in 1..1_usize << COLUMNS {
        let Some(solution) = solved(&normal, &right, subset) else { continue };
        if solution.iter().any(|&x| x < 0.0) {
            continue;
        }
        // By how much the sum of squares falls against x = 0.
        let gain: f64 = solution.iter().zip(&right).map(|(x, b)| x * b).sum();
        if gain > best_gain {
            (best, best_gain) = (solution, gain);
        }
    }
    best
}

/// The solution in which only the unknowns of `subset` (by bit) are not zero; `None` where there is not exactly one.
fn solved(
    normal: &[[f64; COLUMNS]; COLUMNS],
    right: &[f64; COLUMNS],
    subset: usize,
) -> Option<[f64; COLUMNS]> {
    let chosen = |i: usize| subset >> i & 1 == 1;
    // Cholesky's factor of the scaled matrix, whose diagonal is 1.
    let scale: [f64; COLUMNS] = std::array::from_fn(|i| normal[i][i].sqrt());
    let mut factor = [[0.0; COLUMNS]; COLUMNS];
    let mut x = [0.0; COLUMNS];
    for i in (0..COLUMNS).filter(|&i| chosen(i)) {
        for j in (0..=i).filter(|&j| chosen(j)) {
            let done: f64 = (0..j).map(|k| factor[i][k] * factor[j][k]).sum();
            let left = normal[i][j] / (scale[i] * scale[j]) - done;
            if i == j {
                // Not a number where the column is zero.
                if left.is_nan() || left < LEAST_PIVOT {
                    return None;
                }
                factor[i][i] = left.sqrt();
            } else {
                factor[i][j] = left / factor[j][j];
            }
        }
        let done: f64 = (0..i).map(|k| factor[i][k] * x[k]).sum();
        x[i] = (right[i] / scale[i] - done) / factor[i][i];
    }
    for i in (0..COLUMNS).rev().filter(|&i| chosen(i)) {
        let done: f64 = (i + 1..COLUMNS).map(|k| factor[k][i] * x[k]).sum();
        x[i] = (x[i] - done) / factor[i][i];
    }
    Some(std::array::from_fn(|i| if chosen(i) { x[i] / scale[i] } else { 0.0 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    fn solve(rows: &[([f64; 3], f64, f64)]) -> [f64; 3] {
        let rows = rows.iter().map(|&(three, value, weight)| {
            let mut columns = [0.0; COLUMNS];
            columns[..3].copy_from_slice(&three);
            Row { columns, value, weight }
        });
        let solution = non_negative(rows);
        assert_eq!(solution[3..], [0.0; 3], "columns of zeros have no unknown");
        [solution[0], solution[1], solution[2]]
    }

    #[test]
    fn equations_that_agree_are_solved_exactly() {
        // x = 2, y = 3, z = 1e-9 with a column a billion times as large.
        let rows = [([1.0, 0.0, 0.0], 2.0, 1.0), ([1.0, 1.0, 0.0], 5.0, 4.0), ([0.0, 1.0, 1e9], 4.0, 1.0)];
        let [x, y, z] = solve(&rows);
        assert_relative_eq!(x, 2.0, max_relative = 1e-9);
        assert_relative_eq!(y, 3.0, max_relative = 1e-9);
        assert_relative_eq!(z, 1e-9, max_relative = 1e-9);
    }

    #[test]
    fn weights_decide_between_equations_that_do_not_agree() {
        // x = 1 three times against x = 5 once.
        let [x, ..] = solve(&[([1.0, 0.0, 0.0], 1.0, 3.0), ([1.0, 0.0, 0.0], 5.0, 1.0)]);
        assert_relative_eq!(x, 2.0, max_relative = 1e-12);
    }

    #[test]
    fn what_would_be_negative_is_zero_and_the_rest_is_solved_without_it() {
        // Free, x + y = 1 and x + 2 y = 0 give y = -1; without y the best x is a half.
        let [x, y, _] = solve(&[([1.0, 1.0, 0.0], 1.0, 1.0), ([1.0, 2.0, 0.0], 0.0, 1.0)]);
        assert_relative_eq!(x, 0.5, max_relative = 1e-12);
        assert_eq!(y, 0.0);
    }

    #[test]
    fn columns_that_say_the_same_share_nothing() {
        let [x, y, _] = solve(&[([1.0, 1.0, 0.0], 1.0, 1.0), ([2.0, 2.0, 0.0], 2.0, 1.0)]);
        assert_relative_eq!(x + y, 1.0, max_relative = 1e-12);
        assert!(x == 0.0 || y == 0.0);
    }
}
