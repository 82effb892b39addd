use penstock_operators::like::{LikeError, LikePattern};
use proptest::prelude::*;

use crate::strategies::hash_of;

/// The case folding of the characters that these tests use, by table.
fn folded(char: char) -> char {
    match char {
        'A' => 'a',
        'B' => 'b',
        'K' | '\u{212a}' => 'k',
        'S' | 'ſ' => 's',
        'Ü' => 'ü',
        'Σ' | 'ς' => 'σ',
        'ẞ' => 'ß',
        other => other,
    }
}

/// Matching by definition: every way is tried. The pattern does not end in a lone escape.
fn naive(pattern: &[char], text: &[char], fold: fn(char) -> char) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|skip| naive(rest, &text[skip..], fold)),
        ['_', rest @ ..] => !text.is_empty() && naive(rest, &text[1..], fold),
        ['\\', char, rest @ ..] | [char, rest @ ..] => {
            text.first().is_some_and(|first| fold(*first) == fold(*char))
                && naive(rest, &text[1..], fold)
        }
    }
}

fn pattern_pieces() -> impl Strategy<Value = Vec<&'static str>> {
    let piece = prop::sample::select(vec![
        "%", "%", "_", "a", "A", "b", "k", "\u{212a}", "ß", "Ü", "σ", "\n", "😀", "\\%", "\\_",
        "\\\\", "\\a",
    ]);
    prop::collection::vec(piece, 0..8)
}

fn texts() -> impl Strategy<Value = String> {
    let ascii = prop::sample::select(vec!['a', 'A', 'b', 'B', 'k', 'K', '\n', '%', '_', '\\']);
    let any = prop::sample::select(vec![
        'a', 'b', 'K', '\u{212a}', 'ß', 'ẞ', 'ü', 'Ü', 'σ', 'ς', 'Σ', '\n', '%', '😀',
    ]);
    prop_oneof![prop::collection::vec(ascii, 0..9), prop::collection::vec(any, 0..9)]
        .prop_map(|chars| chars.into_iter().collect())
}

/// A pattern and a text that came from it: wildcards filled in, some letters in another case.
fn related() -> impl Strategy<Value = (String, String)> {
    (pattern_pieces(), texts(), any::<u16>()).prop_map(|(pieces, fill, choices)| {
        let mut text = String::new();
        for (at, piece) in pieces.iter().enumerate() {
            match *piece {
                "%" => text.push_str(&fill),
                "_" => text.push(fill.chars().next().unwrap_or('x')),
                literal if choices >> at & 1 == 0 => {
                    text.push_str(literal.trim_start_matches('\\'))
                }
                "a" => text.push('A'),
                "σ" => text.push('ς'),
                "\\\\" => text.push('\\'),
                literal => text.push_str(literal.trim_start_matches('\\')),
            }
        }
        (pieces.concat(), text)
    })
}

fn check_against_naive(pattern: &str, text: &str) {
    let chars: Vec<char> = pattern.chars().collect();
    let text_chars: Vec<char> = text.chars().collect();
    let like = LikePattern::new(pattern, false).expect("a pattern");
    assert_eq!(like.matches(text), naive(&chars, &text_chars, |char| char));
    let ilike = LikePattern::new(pattern, true).expect("a pattern");
    assert_eq!(ilike.matches(text), naive(&chars, &text_chars, folded));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn patterns_match_by_definition(pieces in pattern_pieces(), text in texts()) {
        check_against_naive(&pieces.concat(), &text);
    }

    #[test]
    fn patterns_match_what_they_were_filled_with((pattern, text) in related()) {
        check_against_naive(&pattern, &text);
    }
}

fn check(pattern: &str, case_insensitive: bool, cases: &[(&str, bool)]) {
    let compiled = LikePattern::new(pattern, case_insensitive).expect("a pattern");
    for (text, expected) in cases {
        assert_eq!(compiled.matches(text), *expected, "{compiled} and {text:?}");
    }
}

#[test]
fn edge_6_wildcards_match_line_breaks_and_the_whole_text_counts() {
    check("a%b", false, &[("a\nb", true), ("z\nab", false), ("ab", true), ("abc", false)]);
    check("foo_", false, &[("fooa\nbar", false), ("foo\n", true), ("foo", false)]);
    check(r"foo\%", false, &[("foo%", true), ("foox", false), ("foo", false)]);
    check("_", false, &[("😀", true), ("é", true), ("e\u{301}", false), ("", false)]);
    check("", false, &[("", true), ("a", false)]);
    check("%", false, &[("", true), ("a\nb", true)]);
    check("ab%ba", false, &[("aba", false), ("abba", true)]);
    check("%ab%ab%", false, &[("abab", true), ("ab", false), ("xabyabz", true)]);
    check("A%", false, &[("a", false), ("Ab", true)]);
}

#[test]
fn edge_7_case_is_folded_character_by_character() {
    check("MÜLLER", true, &[("müller", true), ("MULLER", false)]);
    check("ΣΙΓΜΑ", true, &[("σιγμα", true), ("ςιγμα", true)]);
    check("STRASSE", true, &[("straße", false), ("Strasse", true), ("ſtrasse", true)]);
    check("%STRAẞE%", true, &[("die straße hier", true), ("die strasse hier", false)]);
    check("\u{212a}elvin", true, &[("KELVIN", true), ("kelvin", true)]);
    check("%B_D%", true, &[("abcde", true), ("ABCDE", true), ("abde", false)]);
}

#[test]
fn a_pattern_that_ends_in_a_lone_escape_is_refused() {
    for pattern in ["\\", "a\\", "a\\\\\\"] {
        let error = LikePattern::new(pattern, false).expect_err("a lone escape");
        assert_eq!(error, LikeError::LoneEscape);
        assert_eq!(error.to_string(), "the pattern ends in a lone escape character");
    }
    check(r"a\\", false, &[("a\\", true)]);
}

#[test]
fn patterns_are_equal_by_text_and_case() {
    let like = |pattern, insensitive| LikePattern::new(pattern, insensitive).expect("a pattern");
    assert_eq!(like("a%", false), like("a%", false));
    assert_eq!(hash_of(&like("a%", true)), hash_of(&like("a%", true)));
    assert_ne!(like("a%", false), like("a%", true));
    assert_ne!(like("a%", false), like("a%%", false));
    assert_eq!(like("a%", true).to_string(), "ilike \"a%\"");
    assert_eq!((like("a%", true).pattern(), like("a%", true).is_case_insensitive()), ("a%", true));
}

#[test]
fn many_wildcards_do_not_take_exponential_time() {
    let pattern = format!("{}b", "%a_".repeat(200));
    let text = "a".repeat(5000);
    for case_insensitive in [false, true] {
        check(&pattern, case_insensitive, &[(&text, false), (&format!("{text}b"), true)]);
    }
}
