//! Which characters of a text that others wrote may be shown as they are, on a terminal and on a page alike.

/// Whether a character shows as itself, and where it stands: it controls nothing, is not without width, and turns no writing
/// direction around. Line ends and tabs are controls, too.
pub fn is_printable(letter: char) -> bool {
    !(letter.is_control() || hides(letter))
}

/// Marks of direction, joiners, separators of lines, invisible operators, and tags: characters that change how a text looks
/// without being seen.
fn hides(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_as_itself_is_printable_and_nothing_else() {
        assert!("a/b c é中-_".chars().all(is_printable));
        for hidden in
            ['\0', '\x1b', '\n', '\u{9b}', '\u{202e}', '\u{2067}', '\u{200f}', '\u{200b}', '\u{feff}', '\u{e0041}']
        {
            assert!(!is_printable(hidden), "{hidden:?}");
        }
    }
}
