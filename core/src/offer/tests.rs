//! The life of offers under any order of events.

use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::{
    Addressee, CALM_RUNS_TO_WITHDRAW, ContactRules, Due, Event, Forbidden, OfferState, Pressure, after_run,
    bundle, due_date, is_due, may_send, next_day, transition,
};
use crate::unit::Consent;

const EVENTS: [Event; 7] = [
    Event::Draft,
    Event::Approve,
    Event::Send,
    Event::Accept,
    Event::Decline,
    Event::Expire,
    Event::Withdraw,
];

fn willing() -> ContactRules {
    ContactRules {
        consent: Consent { sales: true, ..Consent::default() },
        address: "buyer@customer.example".to_owned(),
        cool_down_days: 30,
        ..ContactRules::default()
    }
}

#[test]
fn nothing_is_sent_without_consent_contact_or_in_the_cool_down() {
    let today = date(2026, 11, 24);
    assert_eq!(may_send(&willing(), today), Ok(()));
    let cases: [(ContactRules, Forbidden); 6] = [
        (ContactRules { consent: Consent::default(), ..willing() }, Forbidden::NoConsent),
        (ContactRules { no_contact: true, ..willing() }, Forbidden::NoContact),
        (
            ContactRules { no_contact_until: Some(date(2026, 12, 1)), ..willing() },
            Forbidden::NotBefore(date(2026, 12, 1)),
        ),
        (ContactRules { buying_months: vec![1, 2], ..willing() }, Forbidden::OutsideBuyingMonths),
        (
            ContactRules { last_sent: Some(date(2026, 11, 1)), ..willing() },
            Forbidden::CoolDown(date(2026, 11, 1)),
        ),
        (ContactRules { address: " ".to_owned(), ..willing() }, Forbidden::NoAddress),
    ];
    for (rules, why) in cases {
        assert_eq!(may_send(&rules, today), Err(why));
    }
}

#[test]
fn a_need_that_flaps_withdraws_nothing() {
    let mut calm = 0;
    for seen in [false, false, true, false, false, true] {
        let (next, event) = after_run(OfferState::Drafted, seen, calm);
        assert_eq!(event, None);
        calm = next;
    }
    for run in 1..=CALM_RUNS_TO_WITHDRAW {
        let (next, event) = after_run(OfferState::Sent, false, calm);
        assert_eq!(event.is_some(), run == CALM_RUNS_TO_WITHDRAW);
        calm = next;
    }
}

#[test]
fn an_offer_is_due_in_the_months_in_which_the_customer_buys() {
    let today = date(2026, 11, 24);
    assert_eq!(due_date(date(2027, 3, 10), &[], today), date(2027, 3, 10));
    assert_eq!(due_date(date(2027, 3, 10), &[1, 9], today), date(2027, 1, 31), "the window before the date");
    assert_eq!(
        due_date(date(2026, 12, 10), &[1, 9], today),
        date(2027, 1, 1),
        "too late for the last: the next"
    );
    assert_eq!(due_date(date(2026, 10, 1), &[], today), today, "overdue");
}

#[test]
fn a_date_that_moves_over_the_edge_neither_makes_nor_ends_an_offer() {
    let today = date(2026, 11, 24);
    let due = |days: i64, late: f64, open: bool| {
        let on = today.checked_add(jiff::Span::new().days(days)).unwrap();
        is_due(Pressure { order_by: on, late_probability: Some(late) }, on, today, 60, open)
    };
    assert!(due(60, 0.0, false) && !due(61, 0.0, false));
    assert!(due(61, 0.0, true) && due(120, 0.0, true) && !due(121, 0.0, true));
    assert!(due(400, 0.1, false) && !due(400, 0.09, false) && due(400, 0.05, true) && !due(400, 0.04, true));
}

#[test]
fn the_next_day_is_the_first_on_which_nothing_forbids_it() {
    let today = date(2026, 11, 24);
    assert_eq!(next_day(&willing(), today), Ok(today));
    let rules = ContactRules {
        buying_months: vec![2],
        no_contact_until: Some(date(2027, 2, 10)),
        last_sent: Some(date(2026, 11, 20)),
        ..willing()
    };
    assert_eq!(next_day(&rules, today), Ok(date(2027, 2, 10)));
    assert_eq!(next_day(&ContactRules { no_contact: true, ..willing() }, today), Err(Forbidden::NoContact));
}

#[test]
fn needs_that_fall_due_together_share_an_offer_and_others_do_not() {
    let due = |customer: i64, address: &str, day: i8| Due {
        to: Addressee { customer, address: address.to_owned(), currency: "EUR".to_owned() },
        on: date(2026, 12, day),
    };
    let needs = [due(1, "a", 20), due(1, "a", 1), due(1, "b", 1), due(2, "a", 1), due(1, "a", 12)];
    let bundles = bundle(&needs, &[], 14);
    let told: Vec<_> = bundles.iter().map(|one| (one.draft, one.needs.as_slice())).collect();
    assert_eq!(told, [(None, &[1, 4][..]), (None, &[0]), (None, &[2]), (None, &[3])]);
    let bundles = bundle(&needs, &[due(1, "a", 25)], 14);
    assert!(bundles.iter().any(|one| one.draft == Some(0) && one.needs == [4, 0]), "{bundles:?}");
}

fn any_due() -> impl Strategy<Value = Due> {
    (0..3_i64, 0..2_u8, 0..2_u8, 0..200_i64).prop_map(|(customer, address, currency, days)| Due {
        to: Addressee {
            customer,
            address: format!("{address}@customer.example"),
            currency: if currency == 0 { "EUR" } else { "USD" }.to_owned(),
        },
        on: date(2026, 11, 24).checked_add(jiff::Span::new().days(days)).unwrap(),
    })
}

proptest! {
    #[test]
    fn each_need_is_in_one_bundle_that_mixes_nothing_and_spans_no_more_than_the_window(
        needs in proptest::collection::vec(any_due(), 0..30),
        drafts in proptest::collection::vec(any_due(), 0..5),
        window in 0..60_u16,
    ) {
        let bundles = bundle(&needs, &drafts, window);
        let mut seen: Vec<usize> = bundles.iter().flat_map(|one| one.needs.clone()).collect();
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..needs.len()).collect::<Vec<_>>());
        for one in &bundles {
            let first = one.draft.map_or(&needs[one.needs[0]], |draft| &drafts[draft]);
            for index in &one.needs {
                prop_assert_eq!(&needs[*index].to, &first.to);
                prop_assert!((needs[*index].on - first.on).get_days().unsigned_abs() <= u32::from(window));
            }
        }
        let mut joined: Vec<usize> = bundles.iter().filter_map(|one| one.draft).collect();
        joined.sort_unstable();
        prop_assert!(joined.windows(2).all(|pair| pair[0] != pair[1]), "a draft is joined by one bundle");
    }

    #[test]
    fn a_due_date_lies_in_a_buying_month_and_never_in_the_past(
        days in -400..800_i64,
        months in proptest::collection::vec(1..=12_u8, 0..4),
    ) {
        let today = date(2026, 11, 24);
        let order_by = today.checked_add(jiff::Span::new().days(days)).unwrap();
        let due = due_date(order_by, &months, today);
        prop_assert!(due >= today && (months.is_empty() || months.contains(&due.month().unsigned_abs())));
        if due > order_by.max(today) {
            let mut between = today.series(jiff::Span::new().days(1)).take_while(|day| *day <= order_by);
            prop_assert!(between.all(|day| !months.contains(&day.month().unsigned_abs())), "{due} is later than needed");
        }
    }

    #[test]
    fn whatever_happens_an_offer_is_sent_only_after_approval_and_ended_for_good(
        events in proptest::collection::vec(0..EVENTS.len(), 0..30),
    ) {
        let mut state = OfferState::Planned;
        let mut approved = false;
        for event in events.into_iter().map(|i| EVENTS[i]) {
            match transition(state, event) {
                Ok(next) => {
                    prop_assert!(state.is_open(), "{state} is an end");
                    approved |= next == OfferState::Approved;
                    prop_assert!(next != OfferState::Sent || approved);
                    state = next;
                }
                Err(refused) => prop_assert_eq!(refused.state, state),
            }
        }
    }

    #[test]
    fn the_cool_down_is_kept_to_the_day(cool in 0..700_u16, day in 0..1_000_i64) {
        let sent: Date = date(2024, 2, 29);
        let rules = ContactRules { last_sent: Some(sent), cool_down_days: cool, ..willing() };
        let today = sent.checked_add(jiff::Span::new().days(day)).unwrap();
        prop_assert_eq!(may_send(&rules, today).is_ok(), day >= i64::from(cool));
    }
}
