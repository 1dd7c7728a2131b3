//! The names, patterns and values that meet in random worlds.

/// Namespace and name of every service. Two of them join to the same text with `-`.
pub(super) const APPS: [(&str, &str); 6] =
    [("a", "b-c"), ("a-b", "c"), ("a", "v1"), ("a", "v2"), ("a-b", "v1"), ("a", "web")];

pub(super) const NAMESPACES: [&str; 2] = ["a", "a-b"];

/// Service accounts beside those that are called like their service.
pub(super) const ACCOUNTS: [&str; 7] = ["b-c", "c", "v1", "v2", "web", "shared", "default"];

/// Patterns of paths that are portable.
pub(super) const PATHS: [&str; 16] = [
    "/",
    "/api",
    "/api/.*",
    "/a|/b",
    "^/items/[0-9]+$",
    "/x.y",
    "/items(/.*)?$",
    "/v[12]/.*",
    "^/x$",
    "/q%3fz",
    ".*",
    "/(one|two)/x$",
    "/`$",
    "(?i)/case$",
    "/\\d+$",
    "",
];

/// Patterns that are not.
pub(super) const BAD_PATHS: [&str; 4] = ["/a(?=b)", "/[", "\\bx", "a{1001}"];

pub(super) const TARGETS: [&str; 26] = [
    "/",
    "/api",
    "/api/x",
    "/API",
    "/a",
    "/b/c",
    "/items",
    "/items/7",
    "/items/7/x",
    "/x",
    "/x.y",
    "/xzy",
    "/v1/x",
    "/q%3Fz",
    "/one/x",
    "/%60",
    "/CASE",
    "/42",
    "/items/../api",
    "//api//x",
    "/%61pi?q=/b",
    "/api/%2e%2e/items",
    "/a/.",
    "/api%2fx",
    "/%00",
    "/\\x",
];

pub(super) const METHODS: [&str; 5] = ["GET", "POST", "PUT", "HEAD", "get"];

/// Header names and patterns of values.
pub(super) const HEADERS: [(&str, &str); 8] = [
    ("x-user", "beta"),
    ("x-user", "al.*"),
    ("X-Team", "t-[0-9]+"),
    ("x-user", "a|ab"),
    ("x-empty", ".*"),
    ("host", "b-c\\.a\\.mesh"),
    ("Host", "v[0-9]\\..*"),
    (":authority", "c\\..*"),
];

/// Header lines.
pub(super) const LINES: [(&str, &str); 10] = [
    ("x-user", "beta"),
    ("X-User", "alice"),
    ("x-user", " ab "),
    ("x-user", "abc"),
    ("x-team", "t-12"),
    ("x-team", "t-x"),
    ("x-empty", ""),
    ("X-EMPTY", "v"),
    ("x-user", "a, ab"),
    ("x-forwarded-for", "127.1.0.1"),
];
