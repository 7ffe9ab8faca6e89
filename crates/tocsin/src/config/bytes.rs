//! Sizes as they are written: `512B`, `64MiB`, `10GB`.

/// Units with the bytes they stand for, the largest first where one spelling ends another.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Reads a size in bytes: a whole number and its unit.
#[must_use]
pub fn read(text: &str) -> Option<u64> {
    let (number, size) = UNITS.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, size)))?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| number.parse::<u64>().ok()?.checked_mul(*size))?
}

/// The spelling with the fewest digits.
#[must_use]
pub fn show(bytes: u64) -> String {
    let fitting = UNITS.iter().filter(|(_, size)| bytes.is_multiple_of(*size) && bytes >= *size);
    let (unit, size) = fitting.min_by_key(|(_, size)| bytes / size).unwrap_or(&("B", 1));
    format!("{}{unit}", bytes / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, bytes, shown) in [
            ("0B", 0, "0B"),
            ("512B", 512, "512B"),
            ("1024B", 1_024, "1KiB"),
            ("64MiB", 64 << 20, "64MiB"),
            ("1024MiB", 1 << 30, "1GiB"),
            ("10GB", 10_000_000_000, "10GB"),
            ("1500KB", 1_500_000, "1500KB"),
            ("16777215TiB", 16_777_215 << 40, "16777215TiB"),
        ] {
            assert_eq!((read(text), show(bytes).as_str()), (Some(bytes), shown), "{text}");
        }
        for text in
            ["", "B", "64", "64M", "64mb", "1.5GB", "-1B", "1 MB", "16777216TiB", "99999999999999999999B"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
