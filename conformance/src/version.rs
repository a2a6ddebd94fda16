//! Which server has what.

/// Whether a version is at least another; parts that are missing count as 0.
pub(crate) fn at_least(version: &str, wanted: &str) -> bool {
    let parts = |text: &str| {
        let mut parts: Vec<u64> = text
            .split('.')
            .map(|part| part.parse().unwrap_or(0))
            .collect();
        parts.resize(4, 0);
        parts
    };
    parts(version) >= parts(wanted)
}

/// The version that a module states as one number, such as 21005 for 2.10.5.
pub(crate) fn of_module(number: u64) -> String {
    format!(
        "{}.{}.{}",
        number / 10_000,
        number / 100 % 100,
        number % 100
    )
}
