//! The result of a sticky assignment.

use super::super::Assignment;

/// What came of an assignment.
#[derive(Debug)]
pub(in super::super) struct Given {
    /// Who is to have what.
    pub(in super::super) assignment: Assignment,
    /// Partitions that were another's than who is to have them.
    pub(in super::super) moving: Vec<usize>,
}
