//! RE2's way of writing expressions, which Kafka's is, put into that of the engine. What stands
//! between `\Q` and `\E` is meant letter by letter, and in brackets all but `-`, `]` and an escape
//! is a letter, where the engine knows sets (`&&`, `--`, `~~`, brackets in brackets). A brace that
//! tells no number is a letter too, what is repeated is not repeated again, and there are fewer
//! flags.

/// The same expression for the engine; `None` for one that is wrong in a way that the engine would
/// not see.
pub(super) fn for_the_engine(text: &str) -> Option<String> {
    let mut reader = Reader { rest: text, out: String::with_capacity(text.len()), is_wrong: false };
    while reader.pass_quoted()
        || reader.pass_escape()
        || reader.pass_brackets()
        || reader.pass_repetition()
        || reader.pass_flags()
        || reader.pass_letter()
    {}
    (!reader.is_wrong).then_some(reader.out)
}

struct Reader<'a> {
    rest: &'a str,
    out: String,
    is_wrong: bool,
}

impl Reader<'_> {
    /// As many bytes go out as they are.
    fn copy(&mut self, bytes: usize) -> bool {
        let (copied, rest) = self.rest.split_at(bytes);
        self.out.push_str(copied);
        self.rest = rest;
        bytes > 0
    }

    fn pass_letter(&mut self) -> bool {
        self.copy(self.rest.chars().next().map_or(0, char::len_utf8))
    }

    fn pass_quoted(&mut self) -> bool {
        let Some(quoted) = self.rest.strip_prefix("\\Q") else { return false };
        let (letters, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
        self.out.push_str(&regex_syntax::escape(letters));
        self.rest = after;
        true
    }

    /// An escape with what belongs to it: `\.`, `\p{Greek}`, `\x{2d}`.
    fn pass_escape(&mut self) -> bool {
        let Some(escaped) = self.rest.strip_prefix('\\') else { return false };
        if escaped.starts_with(['<', '>']) {
            // The engine knows words by them.
            self.rest = escaped;
            return self.pass_letter();
        }
        if let Some((letter, length)) = octal(escaped) {
            self.out.push_str(&format!(r"\x{{{letter:x}}}"));
            self.rest = &escaped[length..];
            return true;
        }
        self.is_wrong |= escaped.starts_with(['u', 'U']);
        let letter = escaped.chars().next().map_or(0, char::len_utf8);
        let braced = escaped[letter..].starts_with('{') && matches!(&escaped[..letter], "p" | "P" | "x");
        let end = escaped.find('}').filter(|_| braced).map_or(letter, |end| end + 1);
        self.copy(1 + end)
    }

    /// `*`, `+`, `?` or `{2,3}`, perhaps with a `?` that makes it lazy. Another behind it is wrong,
    /// and so is a number above 1,000.
    fn pass_repetition(&mut self) -> bool {
        let length = operator(self.rest);
        if length == 0 {
            if self.rest.starts_with('{') {
                self.out.push('\\');
            }
            return false;
        }
        let numbers =
            self.rest[..length].split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
        self.is_wrong |=
            numbers.into_iter().any(|number| number.parse().map_or(true, |number: u32| number > 1000));
        self.copy(length);
        if self.rest.starts_with('?') {
            self.copy(1);
        }
        self.is_wrong |= operator(self.rest) > 0;
        true
    }

    /// `(?i)` or `(?i:`: the engine has more flags.
    fn pass_flags(&mut self) -> bool {
        let Some(flags) = self.rest.strip_prefix("(?") else { return false };
        let length = flags.bytes().take_while(|byte| byte.is_ascii_alphabetic() || *byte == b'-').count();
        if flags[length..].starts_with([':', ')']) {
            self.is_wrong |= !flags[..length].chars().all(|flag| "imsU-".contains(flag));
        }
        self.copy(2 + length)
    }

    /// A class: members until `]`, which is a letter where it comes first.
    fn pass_brackets(&mut self) -> bool {
        if !self.rest.starts_with('[') {
            return false;
        }
        self.copy(1);
        if self.rest.starts_with('^') {
            self.copy(1);
        }
        let mut is_first = true;
        while !self.rest.is_empty() && (is_first || !self.rest.starts_with(']')) {
            is_first = false;
            self.pass_member();
        }
        self.copy(usize::from(!self.rest.is_empty()))
    }

    /// A named class, or a letter, or two with all between them.
    fn pass_member(&mut self) {
        if self.pass_class_in_class() {
            return;
        }
        self.pass_letter_of_class();
        let is_range = self.rest.starts_with('-') && !self.rest.starts_with("-]") && self.rest.len() > 1;
        if is_range {
            self.copy(1);
            self.pass_letter_of_class();
        }
    }

    /// `[:alpha:]`, `\d`, `\pL`: none of them is an end of a range.
    fn pass_class_in_class(&mut self) -> bool {
        if self.rest.starts_with("[:")
            && let Some(end) = self.rest.find(":]")
        {
            let name = self.rest.get(2..end).unwrap_or_default();
            self.is_wrong |= !NAMES.contains(&name.strip_prefix('^').unwrap_or(name));
            return self.copy(end + 2);
        }
        let escaped = self.rest.strip_prefix('\\').unwrap_or_default();
        if escaped.starts_with(['p', 'P']) && !escaped[1..].starts_with('{') {
            let name = escaped[1..].chars().next().map_or(0, char::len_utf8);
            return self.copy(2 + name);
        }
        escaped.starts_with(['d', 'D', 's', 'S', 'w', 'W', 'p', 'P']) && self.pass_escape()
    }

    fn pass_letter_of_class(&mut self) {
        if self.rest.starts_with(['[', ']', '&', '-', '~', '^']) {
            self.out.push('\\');
        }
        let _ = self.pass_escape() || self.pass_letter();
    }
}

/// A letter by its number, and the bytes of that: up to three digits, of which the first is 0
/// unless two follow.
fn octal(text: &str) -> Option<(u32, usize)> {
    let digits: Vec<u32> = text.chars().take(3).map_while(|digit| digit.to_digit(8)).collect();
    let is_one = matches!(digits[..], [0, ..] | [_, _, ..]);
    is_one.then(|| (digits.iter().fold(0, |number, digit| number * 8 + digit), digits.len()))
}

/// Bytes of the repetition that this begins with; 0 for none.
fn operator(text: &str) -> usize {
    if text.starts_with(['*', '+', '?']) {
        return 1;
    }
    let Some((inner, _)) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) else { return 0 };
    let (least, most) = inner.split_once(',').unwrap_or((inner, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_padded = |text: &str| text.len() > 1 && text.starts_with('0');
    let is_repetition =
        !least.is_empty() && is_number(least) && is_number(most) && !is_padded(least) && !is_padded(most);
    if is_repetition { inner.len() + 2 } else { 0 }
}

/// Classes that have a name.
const NAMES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_alike_stays() {
        for text in
            ["", "t.*", r"\w+-\d{1,3}", r"[a-z\d._-]+", r"\\Q", "[[:alpha:]x]", r"[^\p{Greek}a]", "(", r"a\"]
        {
            let want = text.replace("._-]", r"._\-]");
            assert_eq!(for_the_engine(text), Some(want));
        }
    }

    #[test]
    fn letters_in_brackets_are_letters() {
        for (text, want) in [
            ("[a&&b]", r"[a\&\&b]"),
            ("[a~~b]", r"[a\~\~b]"),
            ("[+--]", r"[+-\-]"),
            ("[--a]", r"[\--a]"),
            ("[a[b]", r"[a\[b]"),
            ("[]a]", r"[\]a]"),
            ("[^]a]", r"[^\]a]"),
            ("[a^]", r"[a\^]"),
            ("[a-", "[a\\-"),
            ("[", "["),
            (r"[\]\Q]", r"[\]\Q]"),
            (r"[\<a]\>", "[<a]>"),
            (r"a\056\0\7", r"a\x{2e}\x{0}\7"),
            ("a{01}b{2,03}c{10}", r"a\{01}b\{2,03}c{10}"),
        ] {
            assert_eq!(for_the_engine(text).as_deref(), Some(want), "{text}");
        }
    }

    #[test]
    fn quoted_letters_are_letters() {
        for (text, want) in [(r"\Qa.b\E.*", r"a\.b.*"), (r"\Qa.b", r"a\.b"), (r"\Q[\E[&&]", r"\[[\&\&]")] {
            assert_eq!(for_the_engine(text).as_deref(), Some(want), "{text}");
        }
    }

    proptest::proptest! {
        /// Nothing a member can send makes it panic, and what has no special letters is left alone.
        #[test]
        fn any_text_can_be_put(text in ".*", special in r"[\[\]\\QEpx{}(?:^&~,0-9*+a-]*", plain in "[a-z.0-9_é]*") {
            let _ = (for_the_engine(&text), for_the_engine(&special));
            proptest::prop_assert_eq!(for_the_engine(&plain), Some(plain));
        }
    }
}
