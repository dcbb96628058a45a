//! What a test needs beside Wharf. Where it is missing the test is skipped with a printed reason, and fails under
//! `WHARF_TEST_REQUIRE=all`.

use std::path::{Path, PathBuf};

/// Redis, for a store, and its client.
pub(crate) fn redis() -> bool {
    installed(
        "redis-server",
        program("redis-server").is_some() && program("redis-cli").is_some(),
    )
}

/// PostgreSQL's server, for a store, and its client.
pub(crate) fn postgres() -> bool {
    let server = Path::new("/usr/lib/postgresql").is_dir() || program("postgres").is_some();
    installed("postgresql", server && program("psql").is_some())
}

/// PgBouncer, for the pool of a store.
pub(crate) fn pgbouncer() -> bool {
    let found = program("pgbouncer").is_some() || Path::new("/usr/sbin/pgbouncer").is_file();
    installed("pgbouncer", found)
}

/// Node.js with npm, for pages that are built.
pub(crate) fn node() -> bool {
    installed(
        "Node.js",
        program("node").is_some() && program("npm").is_some(),
    )
}

/// Where a program is.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// False, with the reason printed, where something is not `present`.
pub(crate) fn installed(what: &str, present: bool) -> bool {
    if !present {
        let required = std::env::var("WHARF_TEST_REQUIRE").is_ok_and(|value| value == "all");
        assert!(
            !required,
            "{what} is not installed, and WHARF_TEST_REQUIRE=all asks for it"
        );
        eprintln!("skipped: {what} is not installed");
    }
    present
}
