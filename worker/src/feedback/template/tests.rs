use std::time::{Duration, Instant};

use super::*;

const MARKER: &str = "<!-- hookme:1 -->";

fn requirement(description: &str, grade: f64) -> Requirement {
    Requirement {
        description: description.to_owned(),
        grade,
    }
}

fn rendered(
    template: &Template,
    requirements: Vec<Requirement>,
) -> Result<Rendered, TemplateError> {
    let evaluation = Evaluation {
        username: "octo-cat".to_owned(),
        requirements,
    };
    let context = Context {
        owner: "octocat",
        repository: "hello_world",
        pull_request: 7,
        commit: "6dcb09b5b57875f334f61aebed695e2e4193db5e",
        evaluation: &evaluation,
    };
    template.render(&context, MARKER)
}

/// What a template without the marker's line makes of one requirement.
fn text_of(source: &str, description: &str) -> String {
    let template = Template::parse(source).unwrap();
    let rendered = rendered(&template, vec![requirement(description, 4.5)]).unwrap();
    let body = rendered.text.strip_prefix(MARKER).unwrap();
    body.strip_prefix('\n').unwrap().to_owned()
}

fn mistake(source: &str) -> String {
    Template::parse(source).unwrap_err().to_string()
}

#[test]
fn the_built_in_template_is_a_grade_and_a_table() {
    let requirements = vec![
        requirement("The server answers", 3.0),
        requirement("It has tests", 1.0),
        requirement("It is documented", 4.5),
    ];
    let comment = rendered(&Template::default(), requirements).unwrap();
    let expected = "\
<!-- hookme:1 -->
## Grade: 66.67% (2 of 3 requirements met)

For **octo-cat**, at commit 6dcb09b5b57875f334f61aebed695e2e4193db5e.

| Requirement | Result |
|:------------|:------:|
| The server answers | ✅ |
| It has tests | ❌ |
| It is documented | ✅ |";
    assert_eq!(comment.text, expected);
    assert!(!comment.is_cut);
    assert!(Template::parse(include_str!("../default.md.j2")).is_ok());
}

#[test]
fn the_built_in_template_says_that_there_are_no_requirements() {
    let comment = rendered(&Template::default(), vec![]).unwrap();
    let expected = "\
<!-- hookme:1 -->
## No requirements were evaluated

For **octo-cat**, at commit 6dcb09b5b57875f334f61aebed695e2e4193db5e.";
    assert_eq!(comment.text, expected);
}

#[test]
fn every_requirement_stays_one_row_whatever_its_description_holds() {
    let hostile = [
        "a | b \\| c \\",
        "first\nsecond\r\n\n| forged | ✅ |\u{2028}third",
        "<img src=x> <!-- -->",
        "@everyone, see #1 and [this](https://x.y)",
        &"a".repeat(100_000),
        "the last",
    ];
    let requirements = hostile.map(|description| requirement(description, 1.0));
    let comment = rendered(&Template::default(), requirements.to_vec()).unwrap();
    assert!(!comment.is_cut);
    let rows: Vec<_> = comment.text.lines().skip(7).collect();
    assert_eq!(rows.len(), hostile.len(), "{}", comment.text);
    for row in rows {
        let plain = row.replace(r"\\", "").replace(r"\|", "");
        assert!(
            row.starts_with("| ") && row.ends_with(" | ❌ |") && plain.matches('|').count() == 3,
            "{row}"
        );
        assert!(!row.contains('<') && !row.contains("@e") && !row.contains("#1"));
    }
}

#[test]
fn a_cut_leaves_the_grade_and_whole_rows() {
    // The first description moves the cut to another place in a row.
    for first in [1, 100, 200, 300, 400] {
        let mut requirements = vec![requirement(&"&".repeat(DESCRIPTION_CHARS_MAX), 3.0); 1_000];
        requirements[0].description.truncate(first);
        let comment = rendered(&Template::default(), requirements).unwrap();
        assert!(comment.is_cut);
        assert!(comment.text.encode_utf16().count() <= COMMENT_CHARS_MAX);
        assert!(
            comment
                .text
                .starts_with("<!-- hookme:1 -->\n## Grade: 100% (")
        );
        let (whole, _) = comment.text.split_once("\n\n*The rest is left").unwrap();
        let rows: Vec<_> = whole.lines().skip(7).collect();
        assert!(rows.len() > 20);
        for row in rows {
            assert!(row.starts_with("| &") && row.ends_with("; | ✅ |"), "{row}");
        }
    }
}

#[test]
fn a_file_from_windows_renders_the_same() {
    let source = include_str!("../default.md.j2").replace('\n', "\r\n");
    let template = Template::parse(&format!("\u{feff}{source}")).unwrap();
    let requirements = vec![requirement("a", 3.0), requirement("b", 1.0)];
    let built_in = rendered(&Template::default(), requirements.clone()).unwrap();
    let comment = rendered(&template, requirements).unwrap();
    assert_eq!(comment.text.replace('\r', ""), built_in.text);
}

#[test]
fn a_template_sees_these_variables() {
    let source = "{{ username }} {{ owner }}/{{ repository }} {{ pull_request }} {{ commit }} \
        {{ passed }} {{ total }} {{ percentage }} \
        {% for one in requirements %}{{ one.description }} {{ one.grade }} {{ one.is_met }}{% endfor %}";
    let sha = "6dcb09b5b57875f334f61aebed695e2e4193db5e";
    assert_eq!(
        text_of(source, "d"),
        format!("octo-cat octocat/hello\\_world 7 {sha} 1 1 100 d 4.5 True")
    );
}

#[test]
fn whatever_may_hold_text_is_escaped_and_the_templates_own_text_is_not() {
    let first = "{{ requirements[0].description }}";
    for (source, text) in [
        (format!("**{first}** <b>"), "**\\*a\\*** <b>"),
        ("**{{ username ~ '*' }}".to_owned(), "**octo-cat\\*"),
        (
            "{{ requirements|map(attribute='description')|join('|') }}.".to_owned(),
            "\\*a\\*.",
        ),
        (
            format!("{{% set cell %}}<i>{first}</i>{{% endset %}}{{{{ cell }}}}"),
            "<i>\\*a\\*</i>",
        ),
        (
            format!("{{% filter upper %}}{first}{{% endfilter %}}"),
            "\\*A\\*",
        ),
        ("{{ requirements[0].description|e }}".to_owned(), "\\*a\\*"),
        // The author's own word for it.
        ("{{ requirements[0].description|safe }}".to_owned(), "*a*"),
        (
            format!("{{% autoescape false %}}{first}{{% endautoescape %}}"),
            "*a*",
        ),
        (
            format!("{{% autoescape 'html' %}}{first}{{% endautoescape %}}"),
            "\\*a\\*",
        ),
    ] {
        let source = format!("{{% if total == 0 %}}none{{% else %}}{source}{{% endif %}}");
        assert_eq!(text_of(&source, "*a*"), text, "{source}");
    }
    let list = text_of("{{ requirements }}", "<*a|");
    assert!(!list.contains('<') && list.contains(r"\*a\|"), "{list}");
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (source, told) in [
        ("a\n{% if %}", "line 2: syntax error: "),
        ("a\n\n{{ usrname }}", "line 3: `usrname` is undefined"),
        (
            "{% for one in requirements %}\n{{ one.descripton }}\n{% endfor %}",
            "line 2: `one.descripton` is undefined",
        ),
        (
            "{% if usrname %}{% endif %}",
            "line 1: `usrname` is undefined",
        ),
        ("{{ username|shout }}", "line 1: unknown filter"),
        ("{{ now() }}", "line 1: unknown function"),
        ("{% include '/etc/passwd' %}", "line 1: syntax error: "),
        ("{% extends 'a' %}", "line 1: syntax error: "),
        ("{% import 'a' as b %}", "line 1: syntax error: "),
        (
            "{% if total == 0 %}{{ typo }}{% endif %}a",
            "line 1: `typo` is undefined",
        ),
    ] {
        let mistake = mistake(source);
        assert!(mistake.starts_with(told), "{mistake}");
    }
    let long = mistake(&format!("{{{{ {} }}}}", "a".repeat(10_000)));
    assert!(long.starts_with("line 1: `aaa") && long.len() < 300);
}

#[test]
fn what_fails_only_for_some_data_fails_then() {
    let template = Template::parse(
        "a\n{% for one in requirements %}{% if one.grade > 3 %}{{ typo }}{% endif %}{% endfor %}",
    )
    .unwrap();
    assert!(rendered(&template, vec![requirement("a", 3.0)]).is_ok());
    let error = rendered(&template, vec![requirement("secret", 4.0)]).unwrap_err();
    assert_eq!(error.to_string(), "line 2: `typo` is undefined");
    assert!(!format!("{error:?} {template:?}").contains("secret"));
}

#[test]
fn a_loop_that_does_not_end_is_stopped() {
    let nested = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
    let start = Instant::now();
    let error = Template::parse(&format!("a\n{nested}")).unwrap_err();
    assert_eq!(error, TemplateError::Endless { line: 2 });
    assert!(start.elapsed() < Duration::from_secs(5));
    let recursive = "{% for one in range(3) recursive %}{{ loop(range(3)) }}{% endfor %}";
    assert!(Template::parse(recursive).is_err());
    assert!(Template::parse(&format!("{{{{ {}1 }}}}", "(".repeat(60_000))).is_err());
}

#[test]
fn a_template_that_writes_without_end_is_cut() {
    let source =
        "{% for a in range(99999) %}{% for b in range(99999) %}a b {% endfor %}{% endfor %}";
    let comment = rendered(&Template::parse(source).unwrap(), vec![]).unwrap();
    assert!(comment.is_cut && comment.text.len() <= COMMENT_CHARS_MAX);
}

#[test]
fn a_thousand_requirements_have_fuel_for_a_rich_template() {
    let column = "{% if one.is_met and one.grade >= 4 %}**{{ loop.index }}**{% elif one.grade == 0 %}\
        none{% else %}{{ one.grade|round(1) }}{% endif %}";
    let source = format!(
        "a{{% for one in requirements %}}{}{{% endfor %}}",
        column.repeat(10)
    );
    let requirements = vec![requirement("a", 2.5); 1_000];
    assert!(rendered(&Template::parse(&source).unwrap(), requirements).is_ok());
}

#[test]
fn a_template_that_leaves_an_evaluation_without_words_is_refused() {
    for source in [
        "",
        " \n{# only a comment #}\n",
        "{% if passed < total %}fail{% endif %}",
        "{% if passed < total or total == 0 %}fail{% endif %}",
        "{% for one in requirements %}a{% endfor %}",
    ] {
        assert_eq!(
            Template::parse(source).unwrap_err(),
            TemplateError::Empty,
            "{source}"
        );
    }
}
