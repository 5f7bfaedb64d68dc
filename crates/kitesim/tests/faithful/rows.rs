//! The requirements list has 36 rows, and each has a test that is named after it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ROWS: u32 = 36;

/// The numbers that stand in the names of a file's tests: `row_07_…`, `rows_11_12_…`, `row_22_row_24_…`.
fn rows_of(text: &str) -> BTreeSet<u32> {
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("fn row")?.split('(').next());
    let numbers = names
        .flat_map(|name| name.split('_').filter(|part| part.len() == 2).filter_map(|part| part.parse().ok()));
    numbers.collect()
}

#[test]
fn every_row_has_a_test_of_its_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faithful");
    let files = fs::read_dir(folder).expect("the tests are there");
    let texts = files.filter_map(|file| fs::read_to_string(file.expect("a file").path()).ok());
    let covered: BTreeSet<u32> = texts.flat_map(|text| rows_of(&text)).collect();
    assert_eq!(covered, (1..=ROWS).collect());
}

#[test]
fn the_reader_of_names_reads_them() {
    assert_eq!(
        rows_of("#[test]\nfn rows_11_12_15_a_whole_login() {\nfn row_22_row_24_x(y: u8) {"),
        [11, 12, 15, 22, 24].into()
    );
}
