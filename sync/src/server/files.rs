//! How many files, sockets among them, this process may have open.

/// Files that are not clients' sockets: the database, its journals, the pool, the console.
const OTHERS: u64 = 256;

/// Has the system allow as many as it is ready to without being asked by an administrator.
///
/// Returns how many connections there may be at most, and what an administrator should know if that is
/// less than `wanted`.
#[cfg(unix)]
pub(super) fn allow(wanted: usize) -> (usize, Option<String>) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let before = getrlimit(Resource::Nofile);
    // Nothing is no limit.
    let most = before.maximum.unwrap_or(u64::MAX);
    if before.current.is_some_and(|current| current < most) {
        // More than this some systems refuse, and nobody needs.
        let raised = Rlimit { current: Some(most.min(1 << 20)), maximum: before.maximum };
        // What is refused stays as it was.
        let _ = setrlimit(Resource::Nofile, raised);
    }
    let current = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let room = usize::try_from(current.saturating_sub(OTHERS).max(16)).unwrap_or(usize::MAX);
    let told = (room < wanted).then(|| {
        format!(
            "the system allows {current} open files, so there may be {room} connections instead of \
             {wanted}; raise the hard limit (ulimit -Hn, LimitNOFILE of systemd, --ulimit of containers)"
        )
    });
    (wanted.min(room), told)
}

/// Elsewhere the system decides when it comes to it.
#[cfg(not(unix))]
pub(super) fn allow(wanted: usize) -> (usize, Option<String>) {
    (wanted, None)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_have_as_many_as_the_system_lets_it() {
        use rustix::process::{Resource, getrlimit};
        let (few, told) = allow(1);
        assert_eq!((few, told), (1, None));
        let after = getrlimit(Resource::Nofile);
        let most = after.maximum.unwrap_or(u64::MAX).min(1 << 20);
        assert!(after.current.is_none_or(|current| current >= most), "{after:?}");
        let (all, told) = allow(usize::MAX);
        assert_eq!(told.is_some(), all < usize::MAX);
        assert!(told.is_none_or(|told| told.contains("ulimit -Hn")));
    }
}
