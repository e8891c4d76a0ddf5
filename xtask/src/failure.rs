//! How a command fails: with a text that says what happened, where, and what to type, and with an exit code.

use std::path::Path;

/// What may be done instead of a download.
pub(crate) const OWN_LIBTORCH: &str = "bring your own libtorch 2.11.0 with LIBTORCH=/path/to/libtorch, \
                            or that of an installed PyTorch 2.11.0 with LIBTORCH_USE_PYTORCH=1";

/// A failure with an exit code of its own: 1 when a check said no, 130 after Ctrl-C.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Refusal {
    pub text: String,
    pub exit_code: u8,
}

/// Fails when one of `all` steps did.
pub(crate) fn ensure_all_passed(failed: &[&str], all: usize) -> anyhow::Result<()> {
    if failed.is_empty() {
        return Ok(());
    }
    let text = format!("{} of {all} steps failed: {}", failed.len(), failed.join(", "));
    Err(Refusal { text, exit_code: 1 }.into())
}

/// The exit code of a failure; 2 when the command could not work.
pub(crate) fn exit_code(failure: &anyhow::Error) -> u8 {
    failure.downcast_ref::<Refusal>().map_or(2, |refusal| refusal.exit_code)
}

/// What could not be done with a file, for `with_context(cannot("read", &path))`.
pub(crate) fn cannot(doing: &str, path: &Path) -> impl Fn() -> String {
    move || format!("cannot {doing} {}", path.display())
}
