//! Kafka's names as Rust's.

/// `TopicName` as `topic_name`; a run of capitals stays together except for its last (`ISRCount`:
/// `isr_count`).
pub fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (i, c) in chars.iter().enumerate() {
        let after_lower = i > 0 && !chars[i - 1].is_uppercase();
        let before_lower = chars.get(i + 1).is_some_and(|next| next.is_lowercase());
        if c.is_uppercase() && i > 0 && (after_lower || before_lower) {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// A field's name; words that Rust keeps get a mark.
pub fn field(name: &str) -> String {
    let name = snake(name);
    if matches!(name.as_str(), "match" | "type" | "ref" | "use" | "move") {
        format!("r#{name}")
    } else {
        name
    }
}

/// A type's name, which begins with a capital.
pub fn type_name(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
