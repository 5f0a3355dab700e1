//! Types, defaults and conditions as Rust text.

use super::Result;
use crate::names::type_name;
use crate::spec::{FieldSpec, Versions};

/// When a version among `valid` lies in `versions`: `None` never, `"true"` always.
pub fn condition(versions: Versions, valid: Versions) -> Option<String> {
    let both = versions.and(valid);
    match (both.is_empty(), both.low == valid.low, both.high == valid.high) {
        (true, ..) => None,
        (_, true, true) => Some("true".into()),
        (_, false, true) => Some(format!("v >= {}", both.low)),
        (_, true, false) => Some(format!("v <= {}", both.high)),
        (_, false, false) if both.low == both.high => Some(format!("v == {}", both.low)),
        (_, false, false) => Some(format!("({}..={}).contains(&v)", both.low, both.high)),
    }
}

/// Versions in words.
pub fn range_text(versions: Versions) -> String {
    match versions {
        Versions { low, high } if low == high => low.to_string(),
        Versions { low, high } => format!("{low} to {high}"),
    }
}

/// A type in words.
pub fn doc_kind(kind: &str) -> String {
    match kind.strip_prefix("[]") {
        Some(element) => format!("array of {element}"),
        None => kind.to_owned(),
    }
}

/// The Rust type of a kind of field.
pub fn rust_type(kind: &str) -> String {
    if let Some(element) = kind.strip_prefix("[]") {
        return format!("Vec<{}>", rust_type(element));
    }
    match kind {
        "bool" => "bool",
        "int8" => "i8",
        "int16" => "i16",
        "uint16" => "u16",
        "int32" => "i32",
        "uint32" => "u32",
        "int64" => "i64",
        "float64" => "f64",
        "string" => "ByteString",
        "bytes" => "Bytes",
        "records" => "Records",
        "uuid" => "Uuid",
        other => return type_name(other),
    }
    .to_owned()
}

/// The expression of a field's default.
pub fn default(spec: &FieldSpec, is_optional: bool) -> Result<String> {
    let text =
        spec.default.as_ref().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let text = text.map(|text| text.trim().to_owned());
    if is_optional {
        return Ok(match (text.as_deref(), spec.kind.as_str()) {
            (Some("null"), _) | (None, "records") => "None".into(),
            (None, _) => "Some(Default::default())".into(),
            (Some(text), _) => format!("Some({})", literal(text, &spec.kind)?),
        });
    }
    match text.as_deref() {
        None | Some("null") => Ok("Default::default()".into()),
        Some(text) => literal(text, &spec.kind),
    }
}

fn literal(text: &str, kind: &str) -> Result<String> {
    let number = |text: &str| -> Result<i64> {
        let hex = text.strip_prefix("0x").map(|digits| i64::from_str_radix(digits, 16));
        Ok(hex.unwrap_or_else(|| text.parse())?)
    };
    Ok(match kind {
        "bool" => text.parse::<bool>()?.to_string(),
        "string" if text.is_empty() => "Default::default()".into(),
        "string" => format!("ByteString::from_static({text:?})"),
        "float64" => format!("{:?}", text.parse::<f64>()?),
        "uuid" | "bytes" => "Default::default()".into(),
        kind if kind.contains("int") => match number(text)? {
            0 => "Default::default()".into(),
            i64::MAX => "i64::MAX".into(),
            number => number.to_string(),
        },
        _ => "Default::default()".into(),
    })
}

/// A default as documentation says it.
pub fn plain_default(default: &str) -> String {
    match default {
        "None" => "null".into(),
        other => other
            .replace("Some(", "")
            .replace("Default::default())", "empty")
            .trim_end_matches(')')
            .to_owned(),
    }
}
