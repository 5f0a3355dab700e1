//! The disks that a machine can find when it comes up again after a power loss.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use crate::state::{Inode, Names, State, Write};
use crate::{SECTOR, SimDisk};

/// A disk as it is found after a power loss.
#[derive(Debug)]
pub struct Found {
    /// The disk, without a fault.
    pub disk: SimDisk,
    /// What of the unsynced changes it has, in words.
    pub how: String,
}

impl Found {
    /// A number that disks with the same names and bytes have in common, so that a test can look at
    /// each of them once.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let (state, mut hasher) = (self.disk.lock(), DefaultHasher::new());
        for (name, inode) in &state.names {
            name.hash(&mut hasher);
            inode.map(|inode| &state.inodes[inode].live).hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl SimDisk {
    /// The disks that the machine could find after a power loss at this moment: unsynced changes
    /// all lost, all kept, kept up to each prefix of a file's writes, the last write torn at each
    /// sector, and 16 subsets chosen by `seed`.
    #[must_use]
    pub fn crash(&self, seed: u64) -> Vec<Found> {
        let state = self.lock().clone();
        let mut found = vec![
            state.found("all that was not synced is lost", |_, _| false, |_| 0),
            state.found("all is kept", |_, _| true, |_| usize::MAX),
            state.found("names are kept, bytes are lost", |_, _| false, |_| usize::MAX),
        ];
        for (file, inode) in state.inodes.iter().enumerate().filter(|(_, inode)| !inode.pending.is_empty()) {
            for prefix in 0..inode.pending.len() {
                let kept = |of: usize, write: usize| of != file || write < prefix;
                let how = format!("of file {file} {prefix} of {} writes are kept", inode.pending.len());
                found.push(state.found(&how, kept, |_| usize::MAX));
            }
        }
        found.extend(state.torn());
        for round in 0..16 {
            let random = |a: usize, b: usize| mixed(seed ^ round << 32 ^ (a as u64) << 16 ^ b as u64);
            let kept = |file: usize, write: usize| random(file, write) % 2 == 0;
            let prefix = |directory: usize| [0, 2, 4, 6][(random(directory, 99) % 4) as usize];
            found.push(state.found(&format!("subset {round}"), kept, prefix));
        }
        found
    }
}

impl State {
    /// `kept` says which writes of which file are kept, `prefix` how many changes of names in a
    /// directory.
    fn found(
        &self,
        how: &str,
        kept: impl Fn(usize, usize) -> bool,
        prefix: impl Fn(usize) -> usize,
    ) -> Found {
        let mut state = State::default();
        for (file, inode) in self.inodes.iter().enumerate() {
            let mut bytes = inode.durable.clone();
            let pending = inode.pending.iter().enumerate().filter(|(write, _)| kept(file, *write));
            pending.for_each(|(_, write)| write.apply(&mut bytes));
            state.inodes.push(Inode { live: bytes.clone(), durable: bytes, pending: Vec::new() });
        }
        state.names = self.names_with(prefix);
        state.durable_names = state.names.clone();
        Found { disk: SimDisk::of(state), how: how.to_owned() }
    }

    /// The durable names with the first so many unsynced changes of each directory. What lies in a
    /// directory whose own name is gone cannot be found.
    fn names_with(&self, prefix: impl Fn(usize) -> usize) -> Names {
        let mut names = self.durable_names.clone();
        let mut directories: BTreeMap<&Path, (usize, usize)> = BTreeMap::new();
        for change in &self.changes {
            let number = directories.len();
            let (directory, done) = directories.entry(&change.directory).or_insert((number, 0));
            if *done < prefix(*directory) {
                change.apply(&mut names);
            }
            *done += 1;
        }
        let there: HashSet<_> = names.keys().cloned().collect();
        let is_root = |path: &Path| path.as_os_str().is_empty() || path == Path::new("/");
        names.retain(|path, _| path.ancestors().skip(1).all(|above| is_root(above) || there.contains(above)));
        names
    }

    /// The write that was interrupted, done up to each sector.
    fn torn(&self) -> Vec<Found> {
        let Some((file, Write::At(position, bytes))) = &self.interrupted else { return Vec::new() };
        let borders = (0..=bytes.len()).filter(|at| (position + at) % SECTOR == 0 || *at == bytes.len());
        let torn = |at: usize| {
            let mut state = self.clone();
            state.inodes[*file].pending.push(Write::At(*position, bytes[..at].to_vec()));
            state.found(&format!("the last write is torn after {at} bytes"), |_, _| true, |_| usize::MAX)
        };
        borders.map(torn).collect()
    }
}

fn mixed(mut x: u64) -> u64 {
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}
