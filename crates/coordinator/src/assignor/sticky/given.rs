/// What came of an assignment.
#[derive(Debug, Default)]
pub(in super::super) struct Given {
    /// The partitions of each member.
    pub(in super::super) own: Vec<Vec<usize>>,
    /// Partitions that were another's, and who is to have them next.
    pub(in super::super) moving: Vec<(usize, usize)>,
}
