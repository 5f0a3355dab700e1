//! The lock on a folder. The JVM takes a POSIX record lock (`fcntl`), which `flock` would not see;
//! an open file description lock (`F_OFD_SETLK`) conflicts with it and, other than a POSIX lock,
//! also holds inside one process and is not lost when another descriptor of the file is closed.

use std::fs::File;
use std::io;

/// Whether the lock could be taken; it is held until `file` is closed.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, fcntl};
    match fcntl(file, FcntlArg::F_OFD_SETLK(&whole_file())) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn whole_file() -> nix::libc::flock {
    use nix::libc;
    let kind = libc::c_short::try_from(libc::F_WRLCK).expect("a lock's type is a small number");
    let whence = libc::c_short::try_from(libc::SEEK_SET).expect("a whence is a small number");
    libc::flock { l_type: kind, l_whence: whence, l_start: 0, l_len: 0, l_pid: 0 }
}

/// Whether the lock could be taken; elsewhere than on Linux it excludes other Klamm processes, not
/// Kafka.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(std::fs::TryLockError::WouldBlock) => Ok(false),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}
