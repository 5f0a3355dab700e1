//! Gathering records into batches.

use klamm_record::{BatchBuilder, BatchOptions, NewRecord};
use klamm_types::Offset;

use crate::{AppendError, Durability, Log};

/// Gathers records into batches and appends each batch when it is full: the fast way to write many
/// small records.
///
/// What has been pushed since the last full batch is in this process only, until [`Writer::flush`].
/// Dropping a writer flushes it, as well as it can; call `flush` to learn of errors.
#[derive(Debug)]
pub struct Writer {
    log: Log,
    durability: Durability,
    batch_bytes: usize,
    /// `None` only while a batch is being appended.
    builder: Option<BatchBuilder<Vec<u8>>>,
    /// Settings of the batches, read once.
    options: BatchOptions,
    /// The index, in the batch being gathered, of its first record without a key.
    first_keyless: Option<usize>,
}

impl Log {
    /// A writer that appends a batch whenever it has 16 KiB (Kafka's `batch.size`), with this
    /// durability.
    ///
    /// ```
    /// use klamm_log::{Durability, LogDir, NewRecord, Position};
    ///
    /// # let tmp = tempfile::tempdir()?;
    /// let log = LogDir::open(tmp.path())?.log("numbers", 0)?;
    /// let mut writer = log.writer(Durability::Written);
    /// (0..1000).try_for_each(|n: u32| writer.push(&NewRecord::new(&n.to_be_bytes())))?;
    /// assert_eq!(writer.flush()?.get(), 1000);
    ///
    /// let (mut reader, mut bytes) = (log.reader(Position::Start)?, 0);
    /// while let Some(record) = reader.next()? {
    ///     bytes += record.value.map_or(0, |value| value.len());
    /// }
    /// assert_eq!(bytes, 4000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn writer(&self, durability: Durability) -> Writer {
        let options = BatchOptions { compression: self.config().compression, ..BatchOptions::default() };
        let (log, batch_bytes, builder, first_keyless) = (self.clone(), BATCH_BYTES, None, None);
        Writer { log, durability, batch_bytes, builder, options, first_keyless }
    }
}

impl Writer {
    /// The writer with batches of about `bytes` before compression (Kafka's `batch.size`).
    #[must_use]
    pub fn batch_bytes(mut self, bytes: usize) -> Writer {
        self.batch_bytes = bytes;
        self
    }

    /// Adds a record; one without a time gets the clock's. When the batch is full it is appended
    /// first.
    ///
    /// # Errors
    /// [`AppendError::NoKey`] for a record without a key in a compacted log; the writer can go on
    /// without it. Otherwise [`AppendError`]; this record is then not in the log, nor are those
    /// that had to be appended before it and could not.
    #[inline]
    pub fn push(&mut self, record: &NewRecord<'_>) -> Result<(), AppendError> {
        let timestamp = record.timestamp.unwrap_or_else(|| self.log.inner.clock.now());
        let record = NewRecord { timestamp: Some(timestamp), ..*record };
        if self
            .builder
            .as_ref()
            .is_some_and(|b| !b.is_empty() && b.size() + size_of(&record) > self.batch_bytes)
        {
            self.flush()?;
        }
        let is_first_keyless = record.key.is_none() && self.first_keyless.is_none();
        if is_first_keyless && self.log.config().cleanup_policy.compacts() {
            return Err(AppendError::NoKey { index: 0, record: self.gathered() });
        }
        let options = self.options;
        let builder = self.builder.get_or_insert_with(|| BatchBuilder::new(Vec::new(), options));
        builder.append(&record)?;
        if is_first_keyless {
            self.first_keyless = Some(self.gathered() - 1);
        }
        Ok(())
    }

    /// Number of records in the batch being gathered.
    fn gathered(&self) -> usize {
        self.builder.as_ref().map_or(0, |builder| builder.count() as usize)
    }

    /// Appends what has been gathered and returns the log's end: the offset after the last record.
    ///
    /// # Errors
    /// [`AppendError`]; the records that were gathered are then lost to the log, unless only a sync
    /// failed. [`AppendError::NoKey`] when the log has become a compacted one since a record
    /// without a key was pushed.
    pub fn flush(&mut self) -> Result<Offset, AppendError> {
        let Some(full) = self.builder.take_if(|builder| !builder.is_empty()) else {
            return Ok(self.log.bounds().end());
        };
        let mut batch = full.finish()?;
        let appended = self.log.append_built(&mut batch, self.first_keyless.take(), self.durability);
        batch.buffer.clear();
        self.builder = Some(BatchBuilder::new(batch.buffer, self.options));
        appended
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

/// Bytes that a record has in a batch, or a few more.
#[inline]
fn size_of(record: &NewRecord<'_>) -> usize {
    let bytes = |bytes: Option<&[u8]>| bytes.map_or(1, |b| b.len() + 5);
    let headers: usize = record.headers.iter().map(|h| bytes(Some(h.key)) + bytes(h.value)).sum();
    bytes(record.key) + bytes(record.value) + headers + 16
}

const BATCH_BYTES: usize = 16 * 1024;
