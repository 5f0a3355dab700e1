//! Message definitions as the generator sees them.

use std::error::Error;
use std::fs::File;
use std::io::Read;

use serde::Deserialize;
use serde_json::Value;

use crate::jars::Jars;

/// Where a message belongs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Family {
    /// Requests, responses, and data that travels inside them.
    Message,
    /// Records of `__consumer_offsets`.
    Group,
    /// Records of `__transaction_state`.
    Transaction,
    /// Records of the metadata log.
    Metadata,
}

/// A message.
#[derive(Clone, Debug)]
pub struct Spec {
    pub family: Family,
    pub name: String,
    pub key: Option<i16>,
    pub kind: String,
    pub versions: Versions,
    pub flexible: Option<Versions>,
    pub unstable: bool,
    pub fields: Vec<FieldSpec>,
    pub common: Vec<StructSpec>,
}

impl Spec {
    /// What Kafka calls the Java class; those of requests, responses and headers have a word
    /// behind.
    pub fn java_name(&self) -> String {
        let suffix =
            if matches!(self.kind.as_str(), "request" | "response" | "header") { "Data" } else { "" };
        format!("{}{suffix}", self.name)
    }
}

/// A struct that several fields of a message share.
#[derive(Clone, Debug, Deserialize)]
pub struct StructSpec {
    pub name: String,
    pub fields: Vec<FieldSpec>,
}

/// A field.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldSpec {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// A tagged field may leave them out; they are then those in which it is tagged.
    #[serde(default)]
    pub versions: Option<Versions>,
    #[serde(default)]
    pub nullable_versions: Option<Versions>,
    #[serde(default)]
    pub tagged_versions: Option<Versions>,
    #[serde(default)]
    pub flexible_versions: Option<Versions>,
    #[serde(default)]
    pub tag: Option<u32>,
    #[serde(default)]
    pub default: Option<Value>,
    #[serde(default)]
    pub ignorable: bool,
    #[serde(default)]
    pub fields: Vec<FieldSpec>,
}

/// A range of versions, both ends included; empty when `low > high`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Versions {
    pub low: i16,
    pub high: i16,
}

impl FieldSpec {
    pub fn versions(&self) -> Versions {
        self.versions.or(self.tagged_versions).unwrap_or(Versions::NONE)
    }
}

impl Versions {
    pub const NONE: Versions = Versions { low: 0, high: -1 };

    pub fn is_empty(self) -> bool {
        self.low > self.high
    }

    pub fn and(self, other: Versions) -> Versions {
        Versions { low: self.low.max(other.low), high: self.high.min(other.high) }
    }

    pub fn holds(self, other: Versions) -> bool {
        other.is_empty() || (self.low <= other.low && other.high <= self.high)
    }
}

impl TryFrom<String> for Versions {
    type Error = String;

    fn try_from(text: String) -> Result<Versions, String> {
        let number = |text: &str| text.parse::<i16>().map_err(|_| format!("no version: {text:?}"));
        if text == "none" {
            return Ok(Versions::NONE);
        }
        if let Some(low) = text.strip_suffix('+') {
            return Ok(Versions { low: number(low)?, high: i16::MAX });
        }
        let (low, high) = text.split_once('-').unwrap_or((&text, &text));
        Ok(Versions { low: number(low)?, high: number(high)? })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSpec {
    name: String,
    #[serde(default)]
    api_key: Option<i16>,
    #[serde(rename = "type")]
    kind: String,
    valid_versions: Versions,
    #[serde(default)]
    flexible_versions: Option<Versions>,
    #[serde(default)]
    latest_version_unstable: bool,
    #[serde(default)]
    fields: Vec<FieldSpec>,
    #[serde(default)]
    common_structs: Vec<StructSpec>,
}

const SOURCES: [(&str, Family, &str); 4] = [
    ("kafka-clients", Family::Message, "common/message/"),
    ("kafka-group-coordinator", Family::Group, "common/message/"),
    ("kafka-transaction-coordinator", Family::Transaction, "common/message/"),
    ("kafka-metadata", Family::Metadata, "common/metadata/"),
];

/// All messages that have a version, by family and name.
pub fn read_all(jars: &Jars) -> Result<Vec<Spec>, Box<dyn Error>> {
    let mut specs = Vec::new();
    for (artifact, family, folder) in SOURCES {
        let mut archive = zip::ZipArchive::new(File::open(jars.jar(artifact)?)?)?;
        for index in 0..archive.len() {
            let mut file = archive.by_index(index)?;
            if file.name().starts_with(folder) && file.name().ends_with(".json") {
                let mut text = String::new();
                file.read_to_string(&mut text)?;
                specs.extend(parse(family, &text).map_err(|error| format!("{}: {error}", file.name()))?);
            }
        }
    }
    specs.sort_by(|a, b| (a.family, &a.name).cmp(&(b.family, &b.name)));
    Ok(specs)
}

/// `None` for a message that no version has any more.
fn parse(family: Family, text: &str) -> Result<Option<Spec>, Box<dyn Error>> {
    let is_comment = |line: &&str| !line.trim_start().starts_with("//");
    let bare: String = text.lines().filter(is_comment).map(|line| line.to_owned() + "\n").collect();
    let raw: RawSpec = serde_json::from_str(&bare)?;
    if raw.valid_versions.is_empty() {
        return Ok(None);
    }
    Ok(Some(Spec {
        family,
        name: raw.name,
        key: raw.api_key,
        kind: raw.kind,
        versions: raw.valid_versions,
        flexible: raw.flexible_versions.filter(|f| !f.and(raw.valid_versions).is_empty()),
        unstable: raw.latest_version_unstable,
        fields: raw.fields,
        common: raw.common_structs,
    }))
}
