//! What the failpoints do when they are compiled in.

use std::sync::OnceLock;
use std::time::Duration;

use crate::{Bug, Injected};

static PLANTED: OnceLock<Option<Bug>> = OnceLock::new();

/// Reads which places fail; call it once, before anything else starts.
///
/// # Panics
/// When `FAILPOINTS` or `SHOPMESH_PLANTED_BUG` cannot be understood: a test that arms nothing would prove nothing.
pub fn arm() {
    // The scenario ends when it is dropped.
    std::mem::forget(fail::FailScenario::setup());
    PLANTED.get_or_init(read_bug);
}

/// A place that tests can make fail: `return(abort)` ends the process as a crash would, `return(pause:20000)` waits so many
/// milliseconds, `return(error)` fails.
///
/// # Errors
/// [`Injected`] when told so.
///
/// # Panics
/// For an action that is none of these.
#[expect(clippy::panic, reason = "a test that arms nothing would prove nothing")]
pub async fn at(name: &'static str) -> Result<(), Injected> {
    let Some(action) = fail::eval(name, Option::unwrap_or_default) else { return Ok(()) };
    // A test waits for this line. Not through tracing: the next thing may be the end of the process.
    #[expect(clippy::disallowed_macros, reason = "the last words of a process that is told to die")]
    {
        eprintln!("failpoint {name}: {action}");
    }
    match action.split_once(':') {
        None if action == "abort" => std::process::abort(),
        None if action == "error" => Err(Injected(name)),
        Some(("pause", milliseconds)) => {
            let Ok(milliseconds) = milliseconds.parse() else { panic!("{name}: {action} is no action") };
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            Ok(())
        }
        None | Some(_) => panic!("{name}: {action} is no action"),
    }
}

/// Whether a bug was planted.
pub fn planted(bug: Bug) -> bool {
    *PLANTED.get_or_init(read_bug) == Some(bug)
}

#[expect(clippy::panic, reason = "a test that plants nothing would prove nothing")]
fn read_bug() -> Option<Bug> {
    #[expect(clippy::disallowed_methods, reason = "a setting of tests, not of the program")]
    let word = std::env::var("SHOPMESH_PLANTED_BUG").ok()?;
    match Bug::ALL.into_iter().find(|bug| bug.word() == word) {
        Some(bug) => Some(bug),
        None => panic!("SHOPMESH_PLANTED_BUG: {word} is no bug"),
    }
}
