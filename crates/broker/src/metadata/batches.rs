//! How records of the metadata log go into batches: those of one command count together or not at
//! all.

use bytes::Bytes;

/// The values of the two records around a transaction (KIP-868).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Transaction {
    pub(super) begin: Bytes,
    pub(super) end: Bytes,
}

/// Bytes of the values in a batch, at most: with what a record has beside its value, a batch stays
/// below `max.message.bytes`.
const MOST: usize = 512 << 10;
/// Bytes that a record has beside its value, at most.
const OVERHEAD: usize = 32;

/// The batches for the values of a command: one, where they fit. Where they do not, they go into
/// several with a transaction around; at a level of `metadata.version` that has no transactions, a
/// batch ends where an item of the command does. `ends` has the number of values before the end of
/// each item.
pub(super) fn in_batches(
    values: Vec<Bytes>,
    ends: &[usize],
    transaction: Option<Transaction>,
) -> Vec<Vec<Bytes>> {
    if values.iter().map(size).sum::<usize>() <= MOST {
        return vec![values];
    }
    let Some(Transaction { begin, end }) = transaction else { return cut_at_items(values, ends) };
    let all = std::iter::once(begin).chain(values).chain([end]);
    gather(all.map(|value| vec![value]))
}

fn cut_at_items(values: Vec<Bytes>, ends: &[usize]) -> Vec<Vec<Bytes>> {
    let (mut values, mut at) = (values.into_iter(), 0);
    let items = ends.iter().map(|end| {
        let item = values.by_ref().take(end - at).collect();
        at = *end;
        item
    });
    gather(items)
}

/// Puts items together as long as they fit into a batch.
fn gather(items: impl Iterator<Item = Vec<Bytes>>) -> Vec<Vec<Bytes>> {
    let (mut batches, mut bytes) = (Vec::<Vec<Bytes>>::new(), 0);
    for item in items {
        let more: usize = item.iter().map(size).sum();
        match batches.last_mut().filter(|_| bytes + more <= MOST) {
            Some(batch) => {
                batch.extend(item);
                bytes += more;
            }
            None => {
                batches.push(item);
                bytes = more;
            }
        }
    }
    batches
}

fn size(value: &Bytes) -> usize {
    value.len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(count: usize) -> Vec<Bytes> {
        (0..u8::try_from(count).unwrap()).map(|number| Bytes::from(vec![number; 100_000])).collect()
    }

    fn transaction() -> Transaction {
        Transaction { begin: Bytes::from_static(b"begin"), end: Bytes::from_static(b"end") }
    }

    #[test]
    fn a_command_that_fits_is_one_batch_without_a_transaction() {
        assert_eq!(in_batches(values(5), &[2, 5], Some(transaction())), [values(5)]);
    }

    #[test]
    fn a_larger_command_is_one_transaction() {
        let batches = in_batches(values(12), &[12], Some(transaction()));
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [6, 5, 3]);
        let all = batches.concat();
        assert_eq!((all.first(), all.last()), (Some(&transaction().begin), Some(&transaction().end)));
        assert_eq!(all[1..13], values(12));
    }

    #[test]
    fn without_transactions_no_item_is_torn() {
        let batches = in_batches(values(12), &[3, 6, 9, 12], None);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 3, 3]);
        assert_eq!(batches.concat(), values(12));
    }
}
