//! Letters stand out from what is behind them: WCAG 2.2 AA, computed from the style sheet's own colours.

use std::collections::BTreeMap;

use synchronicity_web::{asset, badge};

/// What letters have, and what is behind them.
const TEXTS: [(&str, &str); 14] = [
    ("ink", "paper"),
    ("ink", "shade"),
    ("soft", "paper"),
    ("soft", "shade"),
    ("link", "paper"),
    ("link", "shade"),
    ("good", "paper"),
    ("good", "shade"),
    ("bad", "paper"),
    ("bad", "shade"),
    ("warn", "paper"),
    ("warn", "shade"),
    ("none", "paper"),
    ("none", "shade"),
];

/// Plots and signs: 3 to 1 is enough.
const SIGNS: [(&str, &str); 6] = [
    ("good-fill", "paper"),
    ("bad-fill", "paper"),
    ("warn-fill", "paper"),
    ("none-fill", "paper"),
    ("focus", "paper"),
    ("soft", "paper"),
];

fn luminance(hex: &str) -> f64 {
    let digits = hex.trim_start_matches('#');
    let digits =
        if digits.len() == 3 { digits.chars().flat_map(|digit| [digit, digit]).collect() } else { digits.to_owned() };
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}

fn ratio(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// The colours of each `:root` block: light, dark, print.
fn themes() -> Vec<BTreeMap<String, String>> {
    let blocks = asset::STYLE.content.split(":root {").skip(1);
    let colours = |block: &str| {
        let block = block.split('}').next().unwrap().to_owned();
        let pairs = block.split(';').filter_map(|line| line.split_once(':'));
        let pairs = pairs.filter(|(_, value)| value.trim().starts_with('#'));
        pairs.map(|(name, value)| (name.trim().trim_start_matches("--").to_owned(), value.trim().to_owned())).collect()
    };
    blocks.map(colours).collect()
}

#[test]
fn black_on_white_is_21_to_1_and_a_known_grey_is_what_others_compute() {
    assert!((ratio("#000", "#ffffff") - 21.0).abs() < 1e-9);
    assert!((ratio("#767676", "#fff") - 4.54).abs() < 0.01);
}

#[test]
fn every_pair_of_colours_can_be_read_in_light_and_in_dark() {
    let themes = themes();
    assert_eq!(themes.len(), 3, "light, dark and print");
    for (theme, colours) in ["light", "dark"].iter().zip(&themes) {
        for (pairs, least) in [(&TEXTS[..], 4.5), (&SIGNS[..], 3.0)] {
            for (text, behind) in pairs {
                let found = ratio(&colours[*text], &colours[*behind]);
                assert!(found >= least, "{theme}: {text} on {behind} is {found:.2} to 1, {least} are needed");
            }
        }
    }
    let mut print = themes[0].clone();
    print.extend(themes[2].clone());
    for (text, behind) in TEXTS {
        assert!(ratio(&print[text], &print[behind]) >= 4.5, "print: {text} on {behind}");
    }
}

#[test]
fn every_colour_that_is_used_is_a_named_one() {
    let after = asset::STYLE.content.split("* { box-sizing").nth(1).unwrap().split("@media print").next().unwrap();
    // What begins with the sign otherwise is the name of an element.
    assert!(!after.contains(": #") && !after.contains(" #"), "a colour that no test knows");
}

#[test]
fn white_letters_of_a_badge_can_be_read_on_each_of_its_colours() {
    for (name, colour) in badge::COLOURS {
        assert!(ratio("#fff", colour) >= 4.5, "{name}");
    }
}
