//! The tables of reference values that tests read, and the statistics that tests compute.

/// A table as columns of text, by name.
pub(crate) struct Table {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of `env/tests/reference`.
    pub(crate) fn open(name: &str) -> Self {
        let path = format!("{}/tests/reference/{name}", env!("CARGO_MANIFEST_DIR"));
        Self::read(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}")))
    }

    /// A table that others computed, beside the repository; `None`, told in one line, where it is missing.
    pub(crate) fn beside(name: &str) -> Option<Self> {
        let path = format!("{}/../../shared/data/reference/{name}", env!("CARGO_MANIFEST_DIR"));
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("skipped: recorded data ../shared/data/reference/{name} is not here");
            return None;
        };
        Some(Self::read(&text))
    }

    fn read(text: &str) -> Self {
        let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
        let names = lines.next().unwrap();
        Self { names, rows: lines.collect() }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|values| Row { names: &self.names, values })
    }
}

/// One line of a table.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    names: &'a [String],
    values: &'a [String],
}

impl Row<'_> {
    pub(crate) fn text(&self, name: &str) -> &str {
        &self.values[self.names.iter().position(|known| known == name).unwrap()]
    }

    pub(crate) fn number(&self, name: &str) -> f64 {
        self.text(name).parse().unwrap()
    }
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

pub(crate) fn variance(values: &[f64]) -> f64 {
    let centre = mean(values);
    values.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (values.len() - 1) as f64
}

/// The correlation of pairs.
pub(crate) fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let (first, second): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let (a, b) = (mean(&first), mean(&second));
    let covariance = pairs.iter().map(|(x, y)| (x - a) * (y - b)).sum::<f64>() / (pairs.len() - 1) as f64;
    covariance / (variance(&first) * variance(&second)).sqrt()
}

/// The largest distance that two samples of a distribution have between their empirical distributions (Smirnov) with a
/// false alarm of 1e-4: `sqrt(-ln(alpha / 2) / 2) sqrt(1/n + 1/m)`.
pub(crate) fn smirnov_bound(n: usize, m: usize) -> f64 {
    (-(0.5e-4_f64).ln() / 2.0).sqrt() * (1.0 / n as f64 + 1.0 / m as f64).sqrt()
}

/// The largest distance between the empirical distributions of two samples.
pub(crate) fn smirnov(mut a: Vec<f64>, mut b: Vec<f64>) -> f64 {
    a.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    a.iter()
        .chain(&b)
        .map(|x| {
            let share = |s: &[f64]| s.partition_point(|y| y <= x) as f64 / s.len() as f64;
            (share(&a) - share(&b)).abs()
        })
        .fold(0.0, f64::max)
}
