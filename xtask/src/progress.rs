//! Lines on stderr that say where a command stands.

/// Says where a command stands, on stderr.
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// `531 MB`, `1.1 GB`: powers of ten, as disks and downloads are sold.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_ten() {
        let told = [0, 9_999, 10_000, 530_604_548, 999_999_999, 1_080_000_000].map(size);
        assert_eq!(told, ["0 B", "9999 B", "10 kB", "530 MB", "999 MB", "1.1 GB"]);
    }
}
