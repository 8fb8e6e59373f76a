//! `GET /`: which units need an order, the most urgent first; `GET /units.csv`: the same rows for a spreadsheet.

use askama::Template;
use axum::extract::{OriginalUri, Query, State};
use axum::http::header;
use axum::response::{Html, IntoResponse as _, Response};
use headroom_core::forecast::State as ForecastState;
use headroom_core::unit::Resource;
use jiff::Timestamp;
use serde::Deserialize;

use crate::database::acting;
use crate::database::worklist_page::{self, Line, Selection, Sort, Totals};
use crate::report;
use crate::web::frame::Frame;
use crate::web::line::money;
use crate::web::person::SignedIn;
use crate::web::problem::Problem;
use crate::web::query_value::percent_encoded;
use crate::web::role::Role;
use crate::web::state::Web;
use crate::web::wording::{ago, resource_word, state_word};

/// Rows of one page.
const ROWS_A_PAGE: i64 = 100;
/// Most rows of one file.
const ROWS_A_FILE: i64 = 1_000_000;
/// Windows in which an order must be made: the value in an address, days, name.
const WINDOWS: [(&str, i32, &str); 4] = [
    ("overdue", 0, "overdue"),
    ("30", 30, "within 30 days"),
    ("90", 90, "within 90 days"),
    ("365", 365, "within a year"),
];

/// What the address says. Everything that is shown can be sent to a colleague as an address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    q: String,
    state: String,
    resource: String,
    territory: String,
    due: String,
    sort: String,
    dir: String,
    page: String,
}

impl Filter {
    pub(crate) fn selection(&self, now: Timestamp) -> Result<Selection<'_>, Problem> {
        if self.q.contains('\0') || self.territory.contains('\0') {
            return Err(Problem::Invalid("a filter holds no character NUL".to_owned()));
        }
        let known =
            self.state.is_empty() || self.state == "none" || self.state.parse::<ForecastState>().is_ok();
        if !known {
            return Err(Problem::Invalid(format!("there is no state {:?}", clipped(&self.state))));
        }
        let resource = match self.resource.as_str() {
            "" => None,
            name => Some(
                name.parse::<Resource>()
                    .map_err(|_| Problem::Invalid(format!("there is no resource {:?}", clipped(name))))?,
            ),
        };
        let due_days = match self.due.as_str() {
            "" => None,
            due => Some(
                WINDOWS
                    .iter()
                    .find(|(value, ..)| *value == due)
                    .map(|(_, days, _)| *days)
                    .ok_or_else(|| Problem::Invalid(format!("there is no window {:?}", clipped(due))))?,
            ),
        };
        Ok(Selection {
            text: Some(self.q.trim()).filter(|text| !text.is_empty()),
            state: Some(self.state.as_str()).filter(|state| !state.is_empty()),
            resource,
            territory: Some(self.territory.as_str()).filter(|name| !name.is_empty()),
            due_days,
            unit: None,
            now,
        })
    }

    pub(crate) fn sort(&self) -> Result<(Sort, bool), Problem> {
        let sort = match self.sort.as_str() {
            "" => Sort::default(),
            name => Sort::ALL
                .into_iter()
                .find(|sort| sort.as_str() == name)
                .ok_or_else(|| Problem::Invalid(format!("cannot sort by {:?}", clipped(name))))?,
        };
        match self.dir.as_str() {
            "" | "asc" => Ok((sort, false)),
            "desc" => Ok((sort, true)),
            other => Err(Problem::Invalid(format!("dir is asc or desc, not {:?}", clipped(other)))),
        }
    }

    fn page(&self) -> Result<i64, Problem> {
        match self.page.as_str() {
            "" => Ok(1),
            text => text
                .parse::<u32>()
                .map(|page| i64::from(page).max(1))
                .map_err(|_| Problem::Invalid(format!("there is no page {:?}", clipped(text)))),
        }
    }

    fn is_filtered(&self) -> bool {
        [&self.q, &self.state, &self.resource, &self.territory, &self.due]
            .into_iter()
            .any(|value| !value.is_empty())
    }

    /// An address with these values replaced.
    fn address(&self, path: &str, changes: &[(&str, &str)]) -> String {
        let own = [
            ("q", &self.q),
            ("state", &self.state),
            ("resource", &self.resource),
            ("territory", &self.territory),
            ("due", &self.due),
            ("sort", &self.sort),
            ("dir", &self.dir),
        ];
        let mut pairs: Vec<(&str, &str)> =
            own.into_iter().map(|(name, value)| (name, value.as_str())).collect();
        for (name, value) in changes {
            match pairs.iter_mut().find(|(own, _)| own == name) {
                Some(pair) => pair.1 = value,
                None => pairs.push((name, value)),
            }
        }
        let query: Vec<String> = pairs
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
            .collect();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
    }
}

fn clipped(text: &str) -> String {
    text.chars().take(60).collect()
}

struct Column {
    name: &'static str,
    address: Option<String>,
    order: Option<&'static str>,
}

struct Count {
    name: String,
    number: i64,
    address: String,
    current: bool,
}

#[derive(Template)]
#[template(path = "worklist.html")]
struct WorklistPage {
    frame: Frame,
    heading: &'static str,
    now: Timestamp,
    filter: Filter,
    filtered: bool,
    states: Vec<(&'static str, &'static str)>,
    resources: Vec<(&'static str, &'static str)>,
    windows: Vec<(&'static str, &'static str)>,
    territories: Vec<String>,
    counts: Vec<Count>,
    columns: Vec<Column>,
    rows: Vec<Line>,
    total: i64,
    total_unfiltered: i64,
    first: i64,
    last: i64,
    previous: Option<String>,
    following: Option<String>,
    csv_address: String,
    sort_sentence: String,
    money: String,
    due: String,
    forecast: String,
    can_enrol: bool,
}

/// `GET /`
pub(crate) async fn page(
    State(web): State<Web>,
    who: SignedIn,
    OriginalUri(uri): OriginalUri,
    Query(filter): Query<Filter>,
) -> Result<Html<String>, Problem> {
    let now = Timestamp::now();
    let selection = filter.selection(now)?;
    let (sort, descending) = filter.sort()?;
    let mut client = web.connection().await?;
    let transaction = acting::reading(&mut client, who.person_id).await?;
    let totals = worklist_page::totals(&transaction, &selection).await?;
    let everything = Selection { now, ..Selection::default() };
    let total_unfiltered = match filter.is_filtered() {
        true => worklist_page::totals(&transaction, &everything).await?.units,
        false => totals.units,
    };
    let pages = (totals.units + ROWS_A_PAGE - 1) / ROWS_A_PAGE;
    let number = filter.page()?.min(pages.max(1));
    let offset = (number - 1) * ROWS_A_PAGE;
    let rows = worklist_page::page(&transaction, &selection, sort, descending, ROWS_A_PAGE, offset).await?;
    let territories = worklist_page::territories(&transaction).await?;
    let as_of = worklist_page::forecast_as_of(&transaction).await?;
    drop(transaction);

    let to_page = |page: i64| filter.address("/", &[("page", &page.to_string())]);
    let address = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let page = WorklistPage {
        frame: web.frame(&who, "/", address),
        heading: if who.role == Role::Customer { "Your units" } else { "Which units need an order" },
        now,
        filtered: filter.is_filtered(),
        states: ForecastState::ALL.iter().map(|state| (state.as_str(), state_word(*state))).collect(),
        resources: Resource::ALL
            .iter()
            .map(|resource| (resource.as_str(), resource_word(*resource)))
            .collect(),
        windows: WINDOWS.iter().map(|(value, _, name)| (*value, *name)).collect(),
        territories,
        counts: counts(&filter, &totals),
        columns: columns(&filter, sort, descending),
        total: totals.units,
        total_unfiltered,
        first: if rows.is_empty() { 0 } else { offset + 1 },
        last: offset + i64::try_from(rows.len()).unwrap_or(0),
        previous: (number > 1).then(|| to_page(number - 1)),
        following: (number < pages).then(|| to_page(number + 1)),
        csv_address: filter.address("/units.csv", &[]),
        sort_sentence: sort_sentence(sort, descending),
        money: priced(&totals),
        due: due(&totals),
        forecast: match as_of {
            Some(as_of) => format!("Forecast {}.", ago(as_of, now)),
            None => "The fleet was not forecast yet.".to_owned(),
        },
        can_enrol: who.role == Role::Admin,
        rows,
        filter,
    };
    Ok(Html(page.render()?))
}

/// `GET /units.csv`
pub(crate) async fn csv(
    State(web): State<Web>,
    who: SignedIn,
    Query(filter): Query<Filter>,
) -> Result<Response, Problem> {
    let now = Timestamp::now();
    let selection = filter.selection(now)?;
    let (sort, descending) = filter.sort()?;
    let mut client = web.connection().await?;
    let transaction = acting::reading(&mut client, who.person_id).await?;
    let lines = worklist_page::page(&transaction, &selection, sort, descending, ROWS_A_FILE, 0).await?;
    drop(transaction);
    let rows: Vec<_> = lines.into_iter().map(|line| line.row).collect();
    let name = format!("attachment; filename=\"headroom-units-{}.csv\"", now.strftime("%Y-%m-%d"));
    let headers =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, report::to_csv(&rows)?).into_response())
}

fn columns(filter: &Filter, sort: Sort, descending: bool) -> Vec<Column> {
    let name = |sort: Sort| match sort {
        Sort::State => "State",
        Sort::Customer => "Customer",
        Sort::Unit => "Unit",
        Sort::Used => "Used and capacity",
        Sort::OrderBy => "Order by",
        Sort::Full => "Full on P50 (P10 – P90)",
        Sort::Resource => "What runs out",
        Sort::Price => "Plan and price",
        Sort::Seen => "Last seen",
    };
    Sort::ALL
        .into_iter()
        .map(|column| {
            let current = column == sort;
            let next = if current && !descending { "desc" } else { "asc" };
            Column {
                name: name(column),
                address: Some(filter.address("/", &[("sort", column.as_str()), ("dir", next)])),
                order: current.then_some(if descending { "descending" } else { "ascending" }),
            }
        })
        .collect()
}

fn sort_sentence(sort: Sort, descending: bool) -> String {
    let what = match sort {
        Sort::OrderBy => "the last day to order",
        Sort::Full => "the median date",
        Sort::State => "state",
        Sort::Customer => "customer",
        Sort::Unit => "unit",
        Sort::Used => "the share used",
        Sort::Resource => "what runs out",
        Sort::Price => "price",
        Sort::Seen => "the last measurement",
    };
    format!("sorted by {what}{}", if descending { ", backwards" } else { "" })
}

fn counts(filter: &Filter, totals: &Totals) -> Vec<Count> {
    let all: i64 = totals.by_state.iter().map(|(_, number)| number).sum();
    let mut counts = vec![Count {
        name: "All".to_owned(),
        number: all,
        address: filter.address("/", &[("state", "")]),
        current: filter.state.is_empty(),
    }];
    for (state, number) in &totals.by_state {
        let value = state.map_or("none", |state| state.as_str());
        counts.push(Count {
            name: state.map_or("No forecast yet", state_word).to_owned(),
            number: *number,
            address: filter.address("/", &[("state", value)]),
            current: filter.state == value,
        });
    }
    counts
}

fn priced(totals: &Totals) -> String {
    if totals.prices.is_empty() {
        return "no plan with a price".to_owned();
    }
    let sums: Vec<String> = totals.prices.iter().map(|(sum, currency)| money(*sum, currency)).collect();
    format!("plans for {}", sums.join(" + "))
}

fn due(totals: &Totals) -> String {
    match (totals.due_soon, totals.overdue) {
        (0, _) => "nothing to order within 30 days".to_owned(),
        (due, 0) => format!("{due} to order within 30 days"),
        (due, overdue) => format!("{due} to order within 30 days, {overdue} of them overdue"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::Filter;

    #[test]
    fn an_address_keeps_what_was_chosen() {
        let filter = Filter { q: "a&b=c".to_owned(), sort: "full".to_owned(), ..Filter::default() };
        assert_eq!(filter.address("/", &[("dir", "desc")]), "/?q=a%26b%3Dc&sort=full&dir=desc");
        assert_eq!(Filter::default().address("/units.csv", &[]), "/units.csv");
    }

    #[test]
    fn what_cannot_be_asked_for_is_named() {
        let wrong =
            |filter: Filter| filter.selection(Timestamp::UNIX_EPOCH).expect_err("refused").to_string();
        assert!(wrong(Filter { state: "happy".to_owned(), ..Filter::default() }).contains("happy"));
        assert!(wrong(Filter { resource: "time".to_owned(), ..Filter::default() }).contains("time"));
        assert!(wrong(Filter { due: "-1".to_owned(), ..Filter::default() }).contains("-1"));
        assert!(Filter { page: "0x".to_owned(), ..Filter::default() }.page().is_err());
        assert_eq!(Filter { page: "0".to_owned(), ..Filter::default() }.page().expect("a page"), 1);
    }

    proptest! {
        #[test]
        fn any_text_is_a_filter_or_is_refused(q in ".*", state in ".*", sort in ".*", dir in ".*", page in ".*") {
            let filter = Filter { q, state, sort, dir, page, ..Filter::default() };
            let _ = filter.selection(Timestamp::UNIX_EPOCH);
            let _ = filter.sort();
            let _ = filter.page();
            prop_assert!(filter.address("/", &[]).is_ascii());
        }
    }
}
