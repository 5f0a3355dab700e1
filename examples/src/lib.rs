//! What the example programs and the tests share: the text form of what lies in a partition's
//! folder.
#![forbid(unsafe_code)]

use std::error::Error;
use std::process::ExitCode;

pub mod dump;
pub mod time;

/// Whether who read the output has had enough, as `head` does.
#[must_use]
pub fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}

/// What a program's `main` returns: its error, if there is one, is told to people.
#[must_use]
pub fn exit(program: &str, result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: {error}");
            ExitCode::FAILURE
        }
    }
}
