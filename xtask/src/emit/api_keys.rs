//! The enum of all APIs.

use std::fmt::Write as _;

use super::types::range_text;
use super::{MARK, Result};
use crate::spec::Spec;

/// `ApiKey` with what is known of each API.
pub fn api_keys(specs: &[Spec]) -> Result<String> {
    let mut requests: Vec<&Spec> = specs.iter().filter(|spec| spec.kind == "request").collect();
    requests.sort_by_key(|spec| spec.key);
    let mut out = format!(
        "{MARK}\nuse std::ops::RangeInclusive;\n\n/// An API of the protocol, by its number.\n#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]\n#[non_exhaustive]\n#[repr(i16)]\npub enum ApiKey {{\n"
    );
    let rows: Vec<(String, i16, &Spec)> = requests
        .iter()
        .map(|spec| {
            Ok((
                spec.name.trim_end_matches("Request").to_owned(),
                spec.key.ok_or("a request has a key")?,
                *spec,
            ))
        })
        .collect::<Result<_>>()?;
    for (name, key, spec) in &rows {
        writeln!(out, "/// `{name}`, versions {}.\n{name} = {key},", range_text(spec.versions))?;
    }
    writeln!(
        out,
        "}}\n\nimpl ApiKey {{\n/// All APIs, by number.\npub const ALL: [ApiKey; {}] = [",
        rows.len()
    )?;
    rows.iter().try_for_each(|(name, ..)| writeln!(out, "ApiKey::{name},"))?;
    writeln!(
        out,
        "];\n\n/// Its name.\n#[must_use]\npub const fn name(self) -> &'static str {{ match self {{"
    )?;
    rows.iter().try_for_each(|(name, ..)| writeln!(out, "ApiKey::{name} => \"{name}\","))?;
    writeln!(
        out,
        "}} }}\n\n/// The versions that there are, the latest of which may still change ([`ApiKey::is_unstable`]).\n#[must_use]\npub const fn versions(self) -> RangeInclusive<i16> {{ match self {{"
    )?;
    for (name, _, spec) in &rows {
        writeln!(out, "ApiKey::{name} => {}..={},", spec.versions.low, spec.versions.high)?;
    }
    writeln!(
        out,
        "}} }}\n\n/// The first version with compact encodings and tagged fields (KIP-482); `None` when none has them.\n#[must_use]\npub const fn flexible_from(self) -> Option<i16> {{ match self {{"
    )?;
    for (name, _, spec) in &rows {
        match spec.flexible {
            Some(flexible) => writeln!(out, "ApiKey::{name} => Some({}),", flexible.low)?,
            None => writeln!(out, "ApiKey::{name} => None,")?,
        }
    }
    let unstable: Vec<_> =
        rows.iter().filter(|row| row.2.unstable).map(|row| format!("ApiKey::{}", row.0)).collect();
    let unstable = if unstable.is_empty() {
        "false".to_owned()
    } else {
        format!("matches!(self, {})", unstable.join(" | "))
    };
    writeln!(
        out,
        "}} }}\n\n/// Whether its latest version may still change.\n#[must_use]\npub const fn is_unstable(self) -> bool {{ {unstable} }}\n}}"
    )?;
    Ok(out)
}
