//! Files of properties, as `java.util.Properties` reads them: comments with `#` and `!`, keys that
//! end at `=`, `:` or white space, lines that go on behind a `\`, and escapes.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::Chars;

/// A property, and the number of the line where it begins; 1 for the first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Property {
    pub(super) key: String,
    /// Without white space around it, which Kafka removes.
    pub(super) value: String,
    pub(super) line: usize,
}

/// A `\u` without four hexadecimal digits, and the line where the property begins that has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Malformed {
    pub(super) text: String,
    pub(super) line: usize,
}

/// The properties in the bytes of a file. Java takes each byte for a character of ISO 8859-1, and
/// so is done here where the bytes are not UTF-8.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Property>, Malformed> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text.trim_start_matches('\u{feff}')),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = text.split('\n').zip(1..);
    let mut found = Vec::new();
    while let Some((text, line)) = next_line(&mut lines) {
        found.push(property(&text, line).ok_or(Malformed { text, line })?);
    }
    Ok(found)
}

/// The next line that is neither blank nor a comment, with those that it goes on in.
fn next_line<'a>(lines: &mut impl Iterator<Item = (&'a str, usize)>) -> Option<(String, usize)> {
    let mut trimmed = lines.by_ref().map(|(line, number)| (line.trim_start_matches(BLANK), number));
    let (first, number) = trimmed.find(|(line, _)| !line.is_empty() && !line.starts_with(['#', '!']))?;
    let mut whole = first.to_owned();
    while goes_on(&whole) {
        whole.pop();
        let Some((more, _)) = lines.next() else { break };
        whole.push_str(more.trim_start_matches(BLANK));
    }
    Some((whole, number))
}

/// Whether a line ends in a backslash that is not escaped itself.
fn goes_on(line: &str) -> bool {
    line.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
}

fn property(line: &str, number: usize) -> Option<Property> {
    let mut rest = line.chars().peekable();
    let key = unescaped(&mut rest, |c| BLANK.contains(&c) || matches!(c, '=' | ':'))?;
    skip_blank(&mut rest);
    if rest.next_if(|c| matches!(c, '=' | ':')).is_some() {
        skip_blank(&mut rest);
    }
    let value = unescaped(&mut rest, |_| false)?;
    Some(Property { key, value: value.trim().to_owned(), line: number })
}

fn skip_blank(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| BLANK.contains(c)).is_some() {}
}

/// Characters up to one that ends it and is not escaped; `None` when a `\u` is malformed.
fn unescaped(rest: &mut Peekable<Chars<'_>>, ends: impl Fn(char) -> bool) -> Option<String> {
    let mut text = String::new();
    while let Some(c) = rest.next_if(|c| !ends(*c)) {
        text.push(if c == '\\' { escape(rest)? } else { c });
    }
    Some(text)
}

/// The character behind a backslash. A surrogate is no character here, and U+FFFD in its place.
fn escape(rest: &mut Peekable<Chars<'_>>) -> Option<char> {
    Some(match rest.next() {
        Some('u') => {
            let digits: String = rest.by_ref().take(4).collect();
            let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4)?;
            char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        Some('t') => '\t',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('f') => '\u{c}',
        Some(other) => other,
        None => '\\',
    })
}

/// White space, as far as Java takes it for such here.
const BLANK: [char; 3] = [' ', '\t', '\u{c}'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_java_reads_it() {
        let text = b"\xef\xbb\xbf# comment \\\n  ! another\n\n a=1\nb : two words  \nc three\nd\\:e=f\\=g\\\\h\n\
            listeners=PLAINTEXT\\://a\\:1,\\\n   OTHER://b:2\r\nlast\\\r\n\tone=\\u00e9\\t.\nalone\nempty=\ni==j\n";
        let want = [
            ("a", "1", 4),
            ("b", "two words", 5),
            ("c", "three", 6),
            ("d:e", "f=g\\h", 7),
            ("listeners", "PLAINTEXT://a:1,OTHER://b:2", 8),
            ("lastone", "\u{e9}\t.", 10),
            ("alone", "", 12),
            ("empty", "", 13),
            ("i", "=j", 14),
        ];
        let got = parse(text).unwrap();
        let got: Vec<_> = got.iter().map(|p| (p.key.as_str(), p.value.as_str(), p.line)).collect();
        assert_eq!(got, want);
        assert_eq!(parse(b"log.dirs=/caf\xe9").unwrap()[0].value, "/caf\u{e9}");
        assert_eq!(parse("log.dirs=/caf\u{e9}".as_bytes()).unwrap()[0].value, "/caf\u{e9}");
        for line in ["a=\\u12", "a=\\uwxyz", "\\u1=b"] {
            assert_eq!(parse(line.as_bytes()), Err(Malformed { text: line.to_owned(), line: 1 }));
        }
    }
}
