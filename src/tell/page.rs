//! The status as one page: no scripts, nothing from elsewhere, light and dark, for screens of any width and for print.
//!
//! Every text from outside goes through [`Markup::text`]. The policy forbids what the page does not have.

mod advice;
mod jobs;
mod nights;
mod source;
mod summary;

use std::{fmt::Display, sync::LazyLock};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::Seen;
use crate::{
    domain::moment::{minute, second},
    html::Markup,
};

const STYLE: &str = include_str!("page/style.css");

/// The policy in the page itself, which also holds where it was saved as a file.
static OWN_POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'")
});

/// The policy that the page is served with.
pub static POLICY: LazyLock<String> =
    LazyLock::new(|| format!("{}; frame-ancestors 'none'; sandbox", *OWN_POLICY));

/// The page.
pub fn page(of: &Seen) -> String {
    let mut page = Markup::default();
    page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.put("<meta http-equiv=\"Content-Security-Policy\" content=\"", &*OWN_POLICY, "\">\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.raw("<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n");
    page.put("<title>", summary::headline(&of.status), " &ndash; Key Vault backups</title>\n");
    page.raw("<style>").raw(STYLE).raw("</style>\n</head>\n<body>\n");
    summary::write(&mut page, of);
    page.raw("<main>\n");
    summary::facts(&mut page, of);
    page.raw("<section aria-labelledby=\"sources\">\n<h2 id=\"sources\">Sources</h2>\n");
    nights::legend(&mut page);
    page.raw("<ol class=\"sources\">\n");
    for (number, state) in of.status.by_urgency().into_iter().enumerate() {
        source::write(&mut page, of, state, number);
    }
    page.raw("</ol>\n</section>\n");
    jobs::write(&mut page, &of.status);
    page.raw("</main>\n<footer>\n<p>As of ");
    time(&mut page, of.status.now);
    page.raw(". The page does not change by itself. It says the same as <code>keyvault-backup status</code>");
    page.put(
        " and <code>GET /api/status</code>.</p>\n<p>keyvault-backup ",
        env!("PROGRAM_VERSION"),
        "</p>\n",
    );
    page.raw("</footer>\n</body>\n</html>\n");
    page.finish()
}

/// A text with a capital at its start.
fn sentence(text: impl Display) -> String {
    let text = text.to_string();
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    first + letters.as_str()
}

/// Adds a time to the minute.
fn time(page: &mut Markup, at: OffsetDateTime) {
    page.put("<time datetime=\"", second(at), "\">").put("", minute(at), "</time>");
}
