//! What `GITHUB.md` says of the pace of comments is what is measured.

#![cfg(test)]

use std::path::Path;

use hookme_tests::pace::{Client, rows, table, with_table};

#[test]
fn the_page_holds_what_is_measured_and_only_hookme_is_never_refused() {
    let rows = rows(|_| Ok(())).unwrap();
    for row in &rows {
        let [_, large] = row.runs;
        if row.client == Client::Ours {
            for run in row.runs {
                assert_eq!((run.refused, run.broken.total()), (0, 0), "{run:?}");
            }
        } else {
            // So this GitHub is known to enforce its limits.
            assert!(large.refused > 0, "{row:?}");
            assert!(2 * large.broken.during_pause > large.refused, "{row:?}");
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../GITHUB.md");
    let page = std::fs::read_to_string(path).unwrap();
    let measured = with_table(&page, &table(&rows)).unwrap();
    assert!(
        page == measured,
        "GITHUB.md holds another table than what was measured; run `make pace`:\n{}",
        table(&rows),
    );
}
