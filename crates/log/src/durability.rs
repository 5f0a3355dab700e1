//! What is durable when an append returns.

/// What an append has made sure of when it returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// The records are in the operating system's page cache: they survive the end of the process,
    /// however it ends, but not the loss of power or a crash of the system, unless
    /// [`LogConfig::flush_messages`](crate::LogConfig::flush_messages) asks for a sync. This is
    /// what Kafka does.
    Written,
    /// The records, and all before them, have been synced to the disk (`fdatasync`): they survive
    /// the loss of power. One sync serves all who wait for it (group commit).
    Synced,
    /// As [`Durability::Written`], but without the sync that `flush.messages` asks for: the caller
    /// makes it by [`Log::sync_if_due`](crate::Log::sync_if_due) before it acknowledges the
    /// records. For callers that append under a lock of their own, and wait for the disk when they
    /// have released it.
    Deferred,
}
