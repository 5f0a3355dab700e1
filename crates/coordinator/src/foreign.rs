//! Groups of protocols that are not spoken here: share (KIP-932) and streams (KIP-1071). What they
//! have logged is left as it is, and their names are not to be had: Kafka does not load a partition
//! in which a group is of two kinds.

use bytes::Bytes;

use crate::GroupId;
use crate::record::{RecordError, split};

/// That there is a group of a protocol which is not spoken here, or that it is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ForeignRecord {
    /// It is there.
    There(GroupId),
    /// It was taken away.
    Gone(GroupId),
}

impl ForeignRecord {
    /// Reads a record that is none of [`GroupRecord`](crate::GroupRecord)'s; `None` for one of a
    /// kind that is not known, and for one that takes away something of a group but not the group.
    ///
    /// # Errors
    /// [`RecordError::NoKind`] without a kind, [`RecordError::NoGroup`] without a name behind it.
    pub fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Option<ForeignRecord>, RecordError> {
        let (kind, key) = split(key)?;
        if !is_foreign(kind) {
            return Ok(None);
        }
        let group = name(&key).ok_or(RecordError::NoGroup { kind })?;
        Ok(match value {
            Some(_) => Some(ForeignRecord::There(group)),
            None => GROUPS.contains(&kind).then_some(ForeignRecord::Gone(group)),
        })
    }
}

/// All keys begin with the group's name: a length and UTF-8.
fn name(key: &Bytes) -> Option<GroupId> {
    let (length, rest) = key.split_first_chunk()?;
    let length = usize::try_from(i16::from_be_bytes(*length)).ok()?;
    std::str::from_utf8(rest.get(..length)?).ok().map(GroupId::new)
}

/// Whether it is something of a share group, or of a streams group.
fn is_foreign(kind: i16) -> bool {
    matches!(kind, 9..=15 | 17..=23)
}

/// The groups themselves.
const GROUPS: [i16; 2] = [11, 17];

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: i16, name: &[u8]) -> Bytes {
        let length = i16::try_from(name.len()).unwrap();
        Bytes::from([&kind.to_be_bytes()[..], &length.to_be_bytes(), name, b"\0\x01m"].concat())
    }

    #[test]
    fn only_the_end_of_the_group_itself_gives_its_name_back() {
        let (there, gone) = (ForeignRecord::There("g".into()), ForeignRecord::Gone("g".into()));
        for (kind, with, without) in [
            (3, None, None),
            (10, Some(&there), None),
            (11, Some(&there), Some(&gone)),
            (16, None, None),
            (17, Some(&there), Some(&gone)),
            (23, Some(&there), None),
            (24, None, None),
        ] {
            let key = key(kind, b"g");
            let value = Bytes::from_static(b"\0\0");
            assert_eq!(ForeignRecord::decode(&key, Some(&value)), Ok(with.cloned()), "{kind}");
            assert_eq!(ForeignRecord::decode(&key, None), Ok(without.cloned()), "{kind}");
        }
    }

    #[test]
    fn keys_that_end_too_early_are_refused() {
        let whole = key(11, b"group");
        for length in 2..9 {
            let cut = whole.slice(..length);
            let wanted = Err(RecordError::NoGroup { kind: 11 });
            assert_eq!(ForeignRecord::decode(&cut, None), wanted, "{length}");
        }
        assert_eq!(ForeignRecord::decode(&key(11, b"\xff"), None), Err(RecordError::NoGroup { kind: 11 }));
        let negative = Bytes::from_static(b"\0\x0b\xff\xffgroup");
        assert_eq!(ForeignRecord::decode(&negative, None), Err(RecordError::NoGroup { kind: 11 }));
        assert_eq!(ForeignRecord::decode(&Bytes::new(), None), Err(RecordError::NoKind { got: 0 }));
    }
}
