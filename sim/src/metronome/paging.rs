//! Lists in pages. A token names the last item of the page before it, so that what is added or taken away in the
//! meantime neither repeats nor hides another.

use super::call::{Answer, Call};
use super::failure::Failure;
use super::value::{Fields, Json};

/// One page of a list.
pub(super) struct Page {
    items: Vec<Json>,
    next: Option<String>,
}

impl Page {
    /// `{"data": […], "next_page": …}`
    pub(super) fn answer(self) -> Answer {
        self.answer_as("next_page")
    }

    /// The same with the token in another field.
    pub(super) fn answer_as(self, token: &str) -> Answer {
        let body = Fields::default().with("data", self.items).with(token, self.next);
        Answer::Body(body.into())
    }
}

/// The page that the query's `limit` and `next_page` ask for; items come with their ids.
pub(super) fn by_query<T: Into<Json>>(
    call: &Call,
    items: Vec<(String, T)>,
    default: usize,
) -> Result<Page, Failure> {
    let limit = call.query.get("limit").map(String::as_str);
    page(items, limit, call.query.get("next_page").map(String::as_str), default, 100)
}

/// The page that the body's `limit` and the token in `token` ask for.
pub(super) fn by_body<T: Into<Json>>(
    call: &Call,
    items: Vec<(String, T)>,
    token: &str,
    default: usize,
    most: usize,
) -> Result<Page, Failure> {
    page(items, call.body.number("limit"), call.body.text(token), default, most)
}

fn page<T: Into<Json>>(
    items: Vec<(String, T)>,
    limit: Option<&str>,
    after: Option<&str>,
    default: usize,
    most: usize,
) -> Result<Page, Failure> {
    let out_of_bounds = || Failure::bad_request(format!("limit must be an integer from 1 to {most}"));
    let limit = limit.map_or(Some(default), |limit| limit.parse().ok()).ok_or_else(out_of_bounds)?;
    if limit == 0 || limit > most {
        return Err(out_of_bounds());
    }
    let start = match after.filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => {
            let last =
                token.strip_prefix("after:").and_then(|last| items.iter().position(|(id, _)| id == last));
            last.map(|last| last + 1).ok_or_else(|| Failure::bad_request("the page token is not valid"))?
        }
    };
    let more = items.len() > start + limit;
    let mut last = None;
    let taken = items.into_iter().skip(start).take(limit).map(|(id, item)| {
        last = Some(id);
        item.into()
    });
    let items = taken.collect();
    Ok(Page { items, next: last.filter(|_| more).map(|id| format!("after:{id}")) })
}
