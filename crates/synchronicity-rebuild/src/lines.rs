//! Lines of untrusted output: bounded in length, and text whatever the bytes were.

use std::io::{self, BufRead, BufReader, Read};

/// A line longer than this is handed on in pieces.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Calls `each` for every line of `output` until its end; carriage returns and line ends are taken off, bytes that
/// are no UTF-8 are replaced.
pub(crate) fn each_line(output: impl Read, mut each: impl FnMut(&str)) -> io::Result<()> {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut output).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        each(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_without_their_ends_and_with_bad_bytes_replaced() {
        let mut lines = Vec::new();
        each_line(&b"one\r\ntw\xffo\nthree"[..], |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["one", "tw\u{fffd}o", "three"]);
    }

    #[test]
    fn an_endless_line_comes_in_pieces() {
        let mut pieces = 0;
        each_line(io::repeat(b'x').take(10 * LINE_BYTES_MAX), |_| pieces += 1).unwrap();
        assert_eq!(pieces, 10);
    }
}
