//! The life of offers under any order of events.

use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::{
    CALM_RUNS_TO_WITHDRAW, ContactRules, Event, Forbidden, OfferState, after_run, may_send, transition,
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

proptest! {
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
