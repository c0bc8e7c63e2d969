//! Time as headers and XML write it.

use time::{
    OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem, macros::format_description,
};

const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

const TICKS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]Z");

/// Such as `Mon, 06 Nov 2023 12:49:59 GMT`.
pub(crate) fn http_date(at: OffsetDateTime) -> String {
    at.to_offset(time::UtcOffset::UTC).format(HTTP_DATE).unwrap_or_default()
}

/// Reads what [`http_date`] writes.
pub(crate) fn read_http_date(text: &str) -> Option<OffsetDateTime> {
    Some(PrimitiveDateTime::parse(text, HTTP_DATE).ok()?.assume_utc())
}

/// Such as `2023-11-06T12:49:59.1234567Z`.
pub(crate) fn rfc3339(at: OffsetDateTime) -> String {
    at.to_offset(time::UtcOffset::UTC).format(TICKS).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn forms() {
        let at = datetime!(2023-11-06 12:49:59.1234567 UTC);
        assert_eq!(http_date(at), "Mon, 06 Nov 2023 12:49:59 GMT");
        assert_eq!(read_http_date(&http_date(at)), at.replace_nanosecond(0).ok());
        assert_eq!(read_http_date("yesterday"), None);
        assert_eq!(rfc3339(at), "2023-11-06T12:49:59.1234567Z");
    }
}
