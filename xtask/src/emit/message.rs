//! The module of one message: its structs, and how each is read and written.

use std::fmt::Write as _;

use super::types::{condition, default, doc_kind, plain_default, range_text, rust_type};
use super::{MARK, Result};
use crate::names::{field, snake, type_name};
use crate::spec::{FieldSpec, Spec, StructSpec, Versions};

/// The module of one message.
pub fn message(spec: &Spec) -> Result<String> {
    let mut out = format!(
        "{MARK}//! [`{}`].\n\n#[allow(unused_imports)]\nuse crate::codec::prelude::*;\n\n",
        spec.name
    );
    let emitter = Emitter { spec };
    let range = format!("versions {}", range_text(spec.versions));
    let doc = match (spec.kind.as_str(), spec.key) {
        ("request", Some(key)) => format!("The request of API {key}, {range}."),
        ("response", Some(key)) => format!("The response of API {key}, {range}."),
        (_, Some(key)) => format!("Record type {key}, {range}."),
        _ => format!("`{}`, {range}.", spec.name),
    };
    emitter.structure(&mut out, &spec.name, &doc, &spec.fields, spec.versions)?;
    for StructSpec { name, fields } in &spec.common {
        let doc = format!("`{name}` in [`{}`].", spec.name);
        emitter.structure(&mut out, &type_name(name), &doc, fields, spec.versions)?;
    }
    emitter.traits(&mut out)?;
    Ok(out)
}

struct Emitter<'a> {
    spec: &'a Spec,
}

/// What the code for one field needs.
struct Field<'a> {
    spec: &'a FieldSpec,
    name: String,
    /// Versions in which it is there, among those of its struct.
    versions: Versions,
    nullable: Versions,
    tagged: Versions,
    rust: String,
    default: String,
}

impl Emitter<'_> {
    fn structure(
        &self,
        out: &mut String,
        name: &str,
        doc: &str,
        fields: &[FieldSpec],
        valid: Versions,
    ) -> Result {
        let fields: Vec<Field<'_>> =
            fields.iter().map(|spec| self.field(spec, valid)).collect::<Result<_>>()?;
        let fields: Vec<Field<'_>> = fields.into_iter().filter(|field| !field.versions.is_empty()).collect();
        writeln!(out, "/// {doc}\n#[derive(Clone, Debug, PartialEq)]\npub struct {name} {{")?;
        for f in &fields {
            let tag = f.spec.tag.map(|tag| format!(", tag {tag}")).unwrap_or_default();
            let null = if f.nullable.is_empty() { "" } else { ", can be null" };
            let range = range_text(f.versions);
            let default = if f.default == "Default::default()" {
                String::new()
            } else {
                format!(", default `{}`", plain_default(&f.default))
            };
            writeln!(
                out,
                "/// `{}`: {}, versions {range}{tag}{null}{default}.\npub {}: {},",
                f.spec.name,
                doc_kind(&f.spec.kind),
                f.name,
                f.rust
            )?;
        }
        writeln!(out, "}}\n\nimpl Default for {name} {{ fn default() -> Self {{ {name} {{")?;
        for f in &fields {
            writeln!(out, "{}: {},", f.name, f.default)?;
        }
        writeln!(out, "}} }} }}\n\nimpl Part for {name} {{")?;
        self.read(out, &fields, valid)?;
        self.write(out, name, &fields, valid)?;
        writeln!(out, "}}\n")?;
        for f in &fields {
            if !f.spec.fields.is_empty() {
                let inner = type_name(f.spec.kind.trim_start_matches("[]"));
                let doc = format!("`{}` in [`{name}`].", f.spec.name);
                self.structure(out, &inner, &doc, &f.spec.fields, f.versions)?;
            }
        }
        Ok(())
    }

    fn field<'a>(&self, spec: &'a FieldSpec, valid: Versions) -> Result<Field<'a>> {
        let versions = spec.versions().and(valid);
        let nullable = spec.nullable_versions.map_or(Versions::NONE, |n| n.and(versions));
        let tagged = spec.tagged_versions.map_or(Versions::NONE, |t| t.and(versions));
        let base = rust_type(&spec.kind);
        let is_optional = !nullable.is_empty();
        let rust = if is_optional { format!("Option<{base}>") } else { base };
        let default = default(spec, is_optional)?;
        Ok(Field { spec, name: field(&spec.name), versions, nullable, tagged, rust, default })
    }

    /// An expression that says whether a version is flexible; for a field that has rules of its
    /// own, by those.
    fn flexible(&self, valid: Versions, own: Option<Versions>) -> String {
        match own.or(self.spec.flexible) {
            None => "false".into(),
            Some(flexible) => condition(flexible, valid).unwrap_or_else(|| "false".into()),
        }
    }

    fn read(&self, out: &mut String, fields: &[Field<'_>], valid: Versions) -> Result {
        writeln!(out, "fn read_part(r: &mut Reader, v: i16) -> Result<Self, DecodeError> {{ let _ = v;")?;
        writeln!(out, "#[allow(unused_mut)] let mut m = Self::default();")?;
        let flexible = self.flexible(valid, None);
        writeln!(out, "let flex = {flexible}; let _ = flex;")?;
        for f in fields.iter().filter(|f| !f.tagged.holds(f.versions)) {
            let untagged = if f.tagged.is_empty() {
                f.versions
            } else {
                Versions { low: f.versions.low, high: f.tagged.low - 1 }
            };
            let code = self.read_field(f, untagged);
            match condition(untagged, valid).as_deref() {
                Some("true") => writeln!(out, "{code}")?,
                Some(condition) => writeln!(out, "if {condition} {{ {code} }}")?,
                None => {}
            }
        }
        if flexible != "false" {
            self.read_tags(out, fields, valid)?;
        }
        writeln!(out, "Ok(m) }}")?;
        Ok(())
    }

    fn read_field(&self, f: &Field<'_>, within: Versions) -> String {
        let flex = f
            .spec
            .flexible_versions
            .map_or_else(|| "flex".to_owned(), |own| self.flexible(within, Some(own)));
        let (name, label) = (&f.name, &f.spec.name);
        if f.nullable.is_empty() {
            return format!("m.{name} = Wire::read(r, v, {flex})?;");
        }
        match condition(f.nullable, within).as_deref() {
            Some("true") => format!("m.{name} = Wire::read(r, v, {flex})?;"),
            Some(condition) => format!(
                "m.{name} = if {condition} {{ Wire::read(r, v, {flex})? }} else {{ Some(not_null(r, v, {flex}, \"{label}\")?) }};"
            ),
            None => format!("m.{name} = Some(not_null(r, v, {flex}, \"{label}\")?);"),
        }
    }

    fn read_tags(&self, out: &mut String, fields: &[Field<'_>], valid: Versions) -> Result {
        let tagged: Vec<_> = fields.iter().filter(|f| !f.tagged.is_empty()).collect();
        writeln!(out, "if flex {{")?;
        if tagged.is_empty() {
            writeln!(out, "r.skip_tags()?;")?;
        } else {
            writeln!(out, "r.tags(&mut |tag, r| {{ match tag {{")?;
            for f in tagged {
                let guard = match condition(f.tagged, valid).as_deref() {
                    Some("true") | None => String::new(),
                    Some(condition) => format!(" if {condition}"),
                };
                writeln!(
                    out,
                    "{}{guard} => {{ {} }}",
                    f.spec.tag.ok_or("a tagged field has a tag")?,
                    self.read_field(f, f.tagged).replace("Wire::read(r, v, flex)", "Wire::read_tagged(r, v)")
                )?;
            }
            writeln!(out, "_ => return Ok(false), }} Ok(true) }})?;")?;
        }
        writeln!(out, "}}")?;
        Ok(())
    }

    fn write(&self, out: &mut String, name: &str, fields: &[Field<'_>], valid: Versions) -> Result {
        writeln!(
            out,
            "fn write_part(&self, w: &mut Writer, v: i16) -> Result<(), EncodeError> {{ let _ = (&w, v);"
        )?;
        let flexible = self.flexible(valid, None);
        writeln!(out, "let flex = {flexible}; let _ = flex;")?;
        for f in fields {
            self.write_field(out, name, f, valid)?;
        }
        if flexible != "false" {
            self.write_tags(out, fields, valid)?;
        }
        writeln!(out, "Ok(()) }}")?;
        Ok(())
    }

    fn write_field(&self, out: &mut String, name: &str, f: &Field<'_>, valid: Versions) -> Result {
        let is_set = format!("differs(&self.{}, {})", f.name, f.default);
        let missing =
            format!("if {is_set} {{ return Err(unsupported(\"{name}\", \"{}\", v)); }}", f.spec.name);
        if f.tagged.holds(f.versions) {
            if !f.spec.ignorable && condition(f.tagged, valid).as_deref() != Some("true") {
                writeln!(
                    out,
                    "if !({}) {{ {missing} }}",
                    condition(f.tagged, valid).unwrap_or_else(|| "false".into())
                )?;
            }
            return Ok(());
        }
        let untagged = if f.tagged.is_empty() {
            f.versions
        } else {
            Versions { low: f.versions.low, high: f.tagged.low - 1 }
        };
        let code = self.write_value(f, untagged, name);
        match condition(untagged, valid).as_deref() {
            Some("true") => writeln!(out, "{code}")?,
            Some(condition) if f.spec.ignorable || !f.tagged.is_empty() => {
                writeln!(out, "if {condition} {{ {code} }}")?;
            }
            Some(condition) => writeln!(out, "if {condition} {{ {code} }} else {missing}")?,
            None => {}
        }
        Ok(())
    }

    fn write_value(&self, f: &Field<'_>, within: Versions, name: &str) -> String {
        let flex = f
            .spec
            .flexible_versions
            .map_or_else(|| "flex".to_owned(), |own| self.flexible(within, Some(own)));
        let (field, label) = (&f.name, &f.spec.name);
        let plain = format!("Wire::write(&self.{field}, w, v, {flex})?;");
        if f.nullable.is_empty() {
            return plain;
        }
        let bare =
            format!("self.{field}.as_ref().ok_or(null(\"{name}\", \"{label}\", v))?.write(w, v, {flex})?;");
        match condition(f.nullable, within).as_deref() {
            Some("true") => plain,
            Some(condition) => format!("if {condition} {{ {plain} }} else {{ {bare} }}"),
            None => bare,
        }
    }

    fn write_tags(&self, out: &mut String, fields: &[Field<'_>], valid: Versions) -> Result {
        let mut tagged: Vec<_> = fields.iter().filter(|f| !f.tagged.is_empty()).collect();
        tagged.sort_by_key(|f| f.spec.tag);
        if tagged.is_empty() {
            writeln!(out, "if flex {{ w.no_tags(); }}")?;
            return Ok(());
        }
        writeln!(out, "if flex {{ let mut tags = Tags::default();")?;
        for f in tagged {
            let value = format!("differs(&self.{}, {})", f.name, f.default);
            let condition = match condition(f.tagged, valid).as_deref() {
                Some("true") | None => value,
                Some(condition) => format!("{condition} && {value}"),
            };
            let tag = f.spec.tag.ok_or("a tagged field has a tag")?;
            writeln!(out, "if {condition} {{ tags.put({tag}, v, &self.{})?; }}", f.name)?;
        }
        writeln!(out, "tags.write(w); }}")?;
        Ok(())
    }

    fn traits(&self, out: &mut String) -> Result {
        let Spec { name, versions: Versions { low, high }, .. } = self.spec;
        writeln!(
            out,
            "impl Message for {name} {{ const NAME: &'static str = \"{name}\"; const VERSIONS: std::ops::RangeInclusive<i16> = {low}..={high}; }}\n"
        )?;
        let Some(key) = self.spec.key else { return Ok(()) };
        match self.spec.kind.as_str() {
            "request" => {
                let stem = name.trim_end_matches("Request");
                let module = snake(&format!("{stem}Response"));
                writeln!(
                    out,
                    "impl Request for {name} {{ const KEY: crate::ApiKey = crate::ApiKey::{stem}; type Response = super::{module}::{stem}Response; }}"
                )?;
            }
            "response" => {}
            _ => writeln!(out, "impl Record for {name} {{ const TYPE: i16 = {key}; }}")?,
        }
        Ok(())
    }
}
