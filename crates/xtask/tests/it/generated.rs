//! The generated files are what the code says. `UPDATE_EXPECT=1` writes them.

use expect_test::expect_file;
use palisade_core::stage::StageId;
use xtask::generate;
use xtask::reference;
use xtask::workspace::root;

#[test]
fn are_up_to_date() {
    for file in generate::files() {
        expect_file![root().join(&file.path)].assert_eq(&file.text);
    }
}

#[test]
fn the_page_of_stages_follows_the_order() {
    let page = reference::stages(&[StageId::Route, StageId::Admit]);
    let rows: Vec<&str> = page.lines().filter(|line| line.contains('`') && line.starts_with('|')).collect();
    assert!(rows[0].starts_with("| 1 | `route` | check |"), "{rows:?}");
    assert!(rows[1].starts_with("| 2 | `admit` | wrap |"), "{rows:?}");
}
