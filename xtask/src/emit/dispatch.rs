//! What tests of all messages need: a list of them, and a way from a name to a type.

use std::fmt::Write as _;

use super::{MARK, Result, family_name};
use crate::names::snake;
use crate::spec::Spec;

const HEAD: &str = "#![allow(unreachable_pub, dead_code)]

use klamm_protocol::Message;

/// What is done with a message type.
pub trait Visit {
    /// What comes of it.
    type Out;
    /// Called with the type.
    fn visit<M: Message>(self) -> Self::Out;
}

/// Calls `visitor` with the type of message `name`.
pub fn with<V: Visit>(name: &str, visitor: V) -> V::Out {
    match name {
";

/// The module of the tests.
pub fn dispatch(specs: &[Spec]) -> Result<String> {
    let mut out = format!("{MARK}{HEAD}");
    for spec in specs {
        let (family, module) = (family_name(spec.family), snake(&spec.name));
        let path = format!("klamm_protocol::{family}::{module}::{}", spec.name);
        writeln!(out, "\"{}\" => visitor.visit::<{path}>(),", spec.java_name())?;
    }
    writeln!(out, "other => panic!(\"no message {{other}}\"), }} }}\n")?;
    writeln!(out, "/// All messages, by the names of their Java classes, with their versions.")?;
    writeln!(out, "pub const ALL: &[(&str, i16, i16)] = &[")?;
    for spec in specs {
        let Spec { versions, .. } = spec;
        writeln!(out, "(\"{}\", {}, {}),", spec.java_name(), versions.low, versions.high)?;
    }
    writeln!(out, "];")?;
    Ok(out)
}
