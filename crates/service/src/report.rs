//! How a command ends: what went wrong, why, and what to do about it.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// What to do about an error. It stands in the chain of causes and is printed
/// as the last line.
#[derive(Debug)]
struct Hint {
    message: String,
    hint: String,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Adds to a failure what was being done and what helps.
pub trait Explain<T> {
    /// `message` says what failed, `hint` what to do about it.
    fn explain(self, message: impl Into<String>, hint: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Explain<T> for Result<T, E> {
    fn explain(self, message: impl Into<String>, hint: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| {
            error.into().context(Hint { message: message.into(), hint: hint.into() })
        })
    }
}

/// Stands before an error that kept a command from doing anything: the exit
/// status is 2.
#[derive(Clone, Copy, Debug)]
pub struct Misuse;

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was verified")
    }
}

/// The exit status of a command, its error printed to standard error.
pub fn exit(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough, as `head` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("{}", render(&error));
            let misused = error.downcast_ref::<Misuse>().is_some();
            if misused { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// What to do about an error, where somebody said so.
pub fn hint(error: &anyhow::Error) -> Option<&str> {
    error.downcast_ref::<Hint>().map(|hint| hint.hint.as_str())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

fn render(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error}\n");
    for cause in error.chain().skip(1) {
        text.push_str(&format!("  because: {cause}\n"));
    }
    if let Some(hint) = hint(error) {
        text.push_str(&format!("  hint: {hint}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_cause_and_remedy() {
        let failed: Result<(), _> = Err(io::Error::other("no route"));
        let error = failed.explain("cannot reach Kafka", "start a broker").unwrap_err();
        let error = error.context("topics were not created");
        assert_eq!(
            render(&error),
            "error: topics were not created\n  because: cannot reach Kafka\n  \
             because: no route\n  hint: start a broker\n"
        );
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let closed = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(is_broken_pipe(&closed.context("cannot write")));
        assert!(!is_broken_pipe(&anyhow::anyhow!("other")));
    }
}
