//! What the broker reads and writes in a directory beside the logs, through the same [`Disk`] as
//! the logs: a test that loses unsynced writes sees all of it.

use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use klamm_log::disk::{Disk, DiskFile, OpenMode};

/// A file that is read from its start to its end.
#[derive(Debug)]
pub(crate) struct FileReader {
    file: Box<dyn DiskFile>,
    position: u64,
}

impl FileReader {
    /// Opens a file; its length in bytes comes with it.
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> io::Result<(FileReader, u64)> {
        let file = disk.open(path, OpenMode::Read)?;
        let length = file.len()?;
        Ok((FileReader { file, position: 0 }, length))
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

/// Reads a text of at most 1 MiB.
pub(crate) fn read_text(disk: &dyn Disk, path: &Path) -> io::Result<String> {
    let (reader, length) = FileReader::open(disk, path)?;
    if length > LONGEST_TEXT {
        let words = format!("it has {length} bytes, expected at most {LONGEST_TEXT}");
        return Err(io::Error::new(ErrorKind::InvalidData, words));
    }
    let mut text = String::new();
    reader.take(LONGEST_TEXT).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes a text in the place of what the file holds, in one step that survives a power loss: a
/// draft, synced, renamed over it.
pub(crate) fn replace_text(disk: &dyn Disk, path: &Path, text: &str) -> io::Result<()> {
    let mut draft = path.to_owned().into_os_string();
    draft.push(".tmp");
    let draft = PathBuf::from(draft);
    let file = disk.open(&draft, OpenMode::Replace)?;
    file.write_all_at(text.as_bytes(), 0)?;
    file.sync()?;
    disk.rename(&draft, path)?;
    disk.sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// Whether there is a directory at `path`.
pub(crate) fn is_dir(disk: &dyn Disk, path: &Path) -> bool {
    disk.stat(path).is_ok_and(|stat| stat.is_dir)
}

/// Whether there is a file at `path`.
pub(crate) fn is_file(disk: &dyn Disk, path: &Path) -> bool {
    disk.stat(path).is_ok_and(|stat| !stat.is_dir)
}

/// The paths of what a directory holds; none where it cannot be listed.
pub(crate) fn entries(disk: &dyn Disk, directory: &Path) -> Vec<PathBuf> {
    let names = disk.list(directory).unwrap_or_default();
    names.into_iter().map(|name| directory.join(name)).collect()
}

const LONGEST_TEXT: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use klamm_log::disk::OsDisk;

    use super::*;

    #[test]
    fn a_text_is_replaced_and_no_draft_is_left() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("meta.properties");
        for text in ["version=1", "v"] {
            replace_text(&OsDisk, &path, text).unwrap();
            assert_eq!(read_text(&OsDisk, &path).unwrap(), text);
        }
        assert_eq!(entries(&OsDisk, root.path()), [path]);
    }
}
