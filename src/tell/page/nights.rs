//! The last nights as small bars. What needs attention is taller, and not told by its colour alone.

use crate::{
    domain::{
        run::Verdict,
        state::{History, Night},
    },
    html::Markup,
};

/// How a night is drawn: a class, the top and the height of its bar, and its words.
struct Drawn {
    class: &'static str,
    top: u8,
    height: u8,
    words: &'static str,
}

const fn drawn(night: Night) -> Drawn {
    match night {
        Night::Ended(Verdict::Succeeded) => Drawn { class: "s", top: 14, height: 8, words: "succeeded" },
        Night::Ended(Verdict::PartiallyFailed) => {
            Drawn { class: "p", top: 7, height: 15, words: "partially failed" }
        }
        Night::Ended(Verdict::Failed) => Drawn { class: "f", top: 0, height: 22, words: "failed" },
        Night::Nothing => Drawn { class: "n", top: 20, height: 2, words: "without a run" },
        Night::Unread => Drawn { class: "u", top: 14, height: 8, words: "not read" },
    }
}

const ALL: [Night; 5] = [
    Night::Ended(Verdict::Failed),
    Night::Ended(Verdict::PartiallyFailed),
    Night::Ended(Verdict::Succeeded),
    Night::Nothing,
    Night::Unread,
];

/// The nights in words: how many ended how.
pub(super) fn words(of: &History) -> String {
    let count = |night: Night| of.nights.iter().filter(|(_, of)| *of == night).count();
    let each = ALL.map(|night| (count(night), drawn(night).words));
    let each = each.iter().filter(|(count, _)| *count > 0).map(|(count, words)| format!("{count} {words}"));
    each.collect::<Vec<_>>().join(", ")
}

/// Adds the bars, oldest first.
pub(super) fn write(page: &mut Markup, of: &History) {
    page.put("<svg class=\"nights\" viewBox=\"0 0 ", of.nights.len() * 6, " 22\" role=\"img\" aria-label=\"");
    page.put("Last nights: ", words(of), "\">");
    for (number, (day, night)) in of.nights.iter().enumerate() {
        let Drawn { class, top, height, words } = drawn(*night);
        page.put("<rect class=\"", class, "\"").put(" x=\"", number * 6, "\"");
        page.put(" y=\"", top, "\" width=\"4\"").put(" height=\"", height, "\">");
        page.put("<title>", day, ": ").put("", words, "</title></rect>");
    }
    page.raw("</svg>");
}

/// Adds what the bars mean.
pub(super) fn legend(page: &mut Markup) {
    page.raw("<p class=\"legend\">");
    for night in ALL {
        let Drawn { class, top, height, words } = drawn(night);
        page.raw("<span><svg viewBox=\"0 0 4 22\" aria-hidden=\"true\">").put("<rect class=\"", class, "\"");
        page.put(" y=\"", top, "\" width=\"4\"")
            .put(" height=\"", height, "\"/></svg>")
            .put(" ", words, "</span> ");
    }
    page.raw("</p>\n");
}
