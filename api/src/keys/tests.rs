use proptest::prelude::*;

use super::*;

fn hash(key: &str) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for byte in Sha256::digest(key) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

fn keys(entries: &[&str]) -> Result<Keys, KeysError> {
    entries.join(",").parse()
}

#[test]
fn each_key_is_found_under_its_own_name_and_rights() {
    let (a, b) = (hash("first"), hash("second").to_ascii_uppercase());
    let keys = keys(&[&format!("ci-1:{a}"), &format!(" ops_2:{b}:operator ")]).unwrap();
    let found = |shown: &str| {
        let (place, key) = keys.find(Some(shown.as_bytes()))?;
        Some((place, key.id.as_str().to_owned(), key.is_operator))
    };
    assert_eq!(found("first"), Some((0, "ci-1".to_owned(), false)));
    assert_eq!(found("second"), Some((1, "ops_2".to_owned(), true)));
}

#[test]
fn nothing_but_the_whole_key_is_a_key() {
    let keys = keys(&[&format!("a:{}", hash("canary")), &format!("b:{}", hash(""))]).unwrap();
    for shown in [
        "",
        "canar",
        "canary ",
        "Canary",
        "canaryy",
        "a",
        &hash("canary"),
    ] {
        assert!(keys.find(Some(shown.as_bytes())).is_none(), "{shown:?}");
    }
    assert!(keys.find(None).is_none());
    assert!(Keys::default().find(Some(b"canary")).is_none());
}

#[test]
fn a_list_that_could_be_meant_otherwise_is_refused_and_not_repeated() {
    let (good, other) = (hash("canary"), hash("other"));
    let long = "i".repeat(33);
    for entries in [
        vec![good.clone()],
        vec!["a:canary".to_owned()],
        vec![format!("a:{good}:admin")],
        vec![format!("a:{good}:operator:x")],
        vec![format!("a:{good}:")],
        vec![format!(":{good}")],
        vec![format!("A:{good}")],
        vec![format!("a b:{good}")],
        vec![format!("{long}:{good}")],
        vec![format!("a:{}", &good[1..])],
        vec![format!("a:+{}", &good[1..])],
        vec![format!("a:{good}"), String::new()],
        vec![format!("a:{good}"), format!("a:{other}")],
        vec![format!("a:{good}"), format!("b:{good}")],
    ] {
        let refused = entries.join(",").parse::<Keys>();
        let told = refused.map(|_| ()).unwrap_err().to_string();
        assert!(!told.contains("canary") && !told.contains(&good), "{told}");
    }
    assert!("".parse::<Keys>().unwrap().is_empty());
}

#[test]
fn more_keys_than_may_be_compared_with_each_request_are_refused() {
    let entries =
        |count: usize| -> Vec<String> { (0..count).map(|n| format!("k{n}:{n:064x}")).collect() };
    let most = entries(KEYS_MAX).join(",").parse::<Keys>().unwrap();
    assert_eq!(most.len(), KEYS_MAX);
    assert!(entries(KEYS_MAX + 1).join(",").parse::<Keys>().is_err());
}

#[test]
fn what_is_printed_of_the_keys_holds_no_hash() {
    let good = hash("canary");
    let keys = keys(&[&format!("ci:{good}")]).unwrap();
    let shown = format!("{keys:?}");
    assert!(
        shown.contains("ci") && !shown.contains(&good[..8]),
        "{shown}"
    );
    let bytes = format!("{:?}", &KeyHash::of(b"canary").0[..2]);
    assert!(!shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
}

proptest! {
    #[test]
    fn of_any_keys_exactly_the_one_that_is_shown_is_found(
        known in proptest::collection::btree_set("[!-~]{1,60}", 1..20),
        stranger in "[!-~]{0,60}",
    ) {
        let known: Vec<_> = known.into_iter().collect();
        let entries: Vec<_> = known.iter().enumerate().map(|(n, key)| format!("k{n}:{}", hash(key))).collect();
        let keys: Keys = entries.join(",").parse().unwrap();
        for (n, key) in known.iter().enumerate() {
            let (place, found) = keys.find(Some(key.as_bytes())).unwrap();
            prop_assert_eq!(place, n);
            prop_assert_eq!(found.id.as_str(), format!("k{n}"));
        }
        prop_assert_eq!(keys.find(Some(stranger.as_bytes())).is_some(), known.contains(&stranger));
    }
}
