//! Record batches inside of messages, and messages in pieces: what a broker sends from its files is
//! never copied through the codec.

use bytes::{Bytes, BytesMut};

/// A field that holds record batches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Records {
    /// The batches themselves, shared with the frame they came in.
    Bytes(Bytes),
    /// Batches that lie in a file; whoever sends the message puts them in. Never the result of
    /// reading.
    Region(Region),
}

/// A stretch of a file that is to be sent in place of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Region {
    /// What the sender knows the stretch by.
    pub token: u64,
    /// Its length in bytes.
    pub length: u32,
}

/// A part of a message on its way out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece {
    /// Bytes to send.
    Bytes(Bytes),
    /// A stretch of a file to send.
    Region(Region),
}

/// A message on its way out: its pieces in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pieces {
    /// The pieces.
    pub pieces: Vec<Piece>,
}

impl Records {
    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Records::Bytes(bytes) => bytes.len(),
            Records::Region(region) => region.length as usize,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The batches, unless they lie in a file.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Records::Bytes(bytes) => Some(bytes),
            Records::Region(_) => None,
        }
    }
}

impl Default for Records {
    fn default() -> Records {
        Records::Bytes(Bytes::new())
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Records {
        Records::Bytes(bytes)
    }
}

impl Pieces {
    /// Length of all pieces in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        let length = |piece: &Piece| match piece {
            Piece::Bytes(bytes) => bytes.len(),
            Piece::Region(region) => region.length as usize,
        };
        self.pieces.iter().map(length).sum()
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All pieces as one; `None` when one of them lies in a file.
    #[must_use]
    pub fn into_bytes(self) -> Option<Bytes> {
        let mut whole = BytesMut::new();
        let mut pieces = self.pieces.into_iter();
        match (pieces.next(), pieces.len()) {
            (None, _) => return Some(Bytes::new()),
            (Some(Piece::Bytes(only)), 0) => return Some(only),
            (Some(Piece::Bytes(first)), _) => whole.extend_from_slice(&first),
            (Some(Piece::Region(_)), _) => return None,
        }
        for piece in pieces {
            let Piece::Bytes(bytes) = piece else { return None };
            whole.extend_from_slice(&bytes);
        }
        Some(whole.freeze())
    }
}
