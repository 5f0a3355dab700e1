//! The kinds of damage that are done to a file.

use crate::world::Image;

/// One damage: its kind, what exactly was done, and what the file holds then; `None` when it is
/// removed.
pub struct Damage {
    pub kind: &'static str,
    pub detail: String,
    pub content: Option<Vec<u8>>,
    /// For a bit of a log, its byte counted from the start of its batch.
    pub header_byte: Option<usize>,
}

/// The name of a file's kind.
pub fn file_kind(path: &str) -> &str {
    match path.rsplit_once('.') {
        Some((_, suffix @ ("log" | "index" | "timeindex" | "txnindex" | "snapshot" | "deleted"))) => suffix,
        _ => path.rsplit('/').next().unwrap_or(path),
    }
}

/// All damages of one file. One of `pace` bits is flipped.
pub fn damages(path: &str, bytes: &[u8], older: &Image, pace: usize) -> Vec<Damage> {
    let mut found = Vec::new();
    for bit in bits(path, bytes, pace) {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let starts = if file_kind(path) == "log" { starts(bytes) } else { Vec::new() };
        let header_byte = starts.iter().rev().find(|start| **start <= bit / 8).map(|start| bit / 8 - start);
        let (detail, content) = (format!("byte {} bit {}", bit / 8, bit % 8), Some(flipped));
        found.push(Damage { kind: "bit", detail, content, header_byte });
    }
    let mut add = |kind, detail: String, content: Option<Vec<u8>>| {
        if content.as_deref() != Some(bytes) {
            found.push(Damage { kind, detail, content, header_byte: None });
        }
    };
    for (from, to) in zeroed(path) {
        let mut zeros = bytes.to_vec();
        zeros[bytes.len() * from / 2..bytes.len() * to / 2].fill(0);
        add("zeroed", format!("halves {from} to {to}"), Some(zeros));
    }
    let mut lengths = vec![0, bytes.len() * 2 / 3];
    if file_kind(path) == "log" {
        lengths.extend(starts(bytes));
    }
    lengths.sort_unstable();
    lengths.dedup();
    for length in lengths {
        add("truncated", format!("to {length} of {}", bytes.len()), Some(bytes[..length].to_vec()));
    }
    add("removed", String::new(), None);
    if let Some(old) = older.get(path) {
        add("older version", format!("{} bytes", old.len()), Some(old.clone()));
    }
    found
}

/// The bits of a small file; of a log those of the first 61 bytes of its first, middle and last
/// batch.
fn bits(path: &str, bytes: &[u8], pace: usize) -> Vec<usize> {
    let of = |from: usize, to: usize| from * 8..to.min(bytes.len()) * 8;
    let all: Vec<usize> = match file_kind(path) {
        "log" => {
            let starts = starts(bytes);
            let mut chosen: Vec<_> = [0, starts.len() / 2, starts.len().wrapping_sub(1)]
                .iter()
                .filter_map(|at| starts.get(*at))
                .collect();
            chosen.dedup();
            chosen.into_iter().flat_map(|start| of(*start, start + HEADER)).collect()
        }
        // The next opening removes it.
        "deleted" => Vec::new(),
        _ => of(0, bytes.len()).collect(),
    };
    all.into_iter().step_by(pace).collect()
}

/// Halves of an index, which is smaller than a page here.
fn zeroed(path: &str) -> &'static [(usize, usize)] {
    match file_kind(path) {
        "index" | "timeindex" | "txnindex" => &[(0, 2), (0, 1), (1, 2)],
        _ => &[],
    }
}

/// Where the batches of a log start.
pub fn starts(bytes: &[u8]) -> Vec<usize> {
    let length = |at: usize| bytes.get(at + 8..at + 12).map(|field| field.try_into().unwrap());
    let next = |at: &usize| Some(at + 12 + u32::from_be_bytes(length(*at)?) as usize);
    std::iter::successors(Some(0), next).take_while(|at| *at < bytes.len()).collect()
}

/// Bytes of a batch's header.
const HEADER: usize = 61;
