//! From plan to offer: who gets one, what the database refuses, what is sent once, and what is withdrawn.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use headroom_tests::{fleet, hub::Hub};

fn done(hub: &Hub, arguments: &[&str]) -> String {
    let ran = hub.run(arguments);
    assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
    ran.out
}

/// A hub whose fleet is forecast and whose offers are drafted.
fn hub(settings: &str) -> Hub {
    let hub = Hub::with(&format!("offers.notice_days = 365\nplan.horizon_days = 365\n{settings}"));
    fleet::load(&hub);
    done(&hub, &["forecast"]);
    done(&hub, &["job", "run", "offers"]);
    hub
}

fn offer_of(hub: &Hub, unit: &str) -> String {
    hub.psql(&format!(
        "select distinct o.offer_id from fleet.offers o join fleet.offer_items i using (offer_id) join fleet.units u using (unit_id)
          where u.name = '{unit}' and o.state <> 'withdrawn'"
    ))
}

#[test]
fn a_filling_unit_has_a_plan_with_price_and_date_and_a_drafted_offer_to_its_contact() {
    let hub = hub("");
    let plans = done(&hub, &["plan", "--stored", "--json"]);
    let plans: serde_json::Value = serde_json::from_str(&plans).expect("JSON");
    let chosen = |unit: &str| {
        plans
            .as_array()
            .expect("a list")
            .iter()
            .find(|p| p["unit"] == unit && p["chosen"] == true)
            .cloned()
            .expect("a plan")
    };
    let (filling, slow) = (chosen("filling"), chosen("filling too"));
    assert_eq!(
        (filling["action"].as_str(), filling["items"].as_str()),
        (Some("expansion"), Some("1 × DRIVE")),
        "{filling}"
    );
    assert_eq!(chosen("crowded")["action"], "upgrade", "no bay is free");
    let date = |plan: &serde_json::Value| {
        plan["order_by"].as_str().expect("a date").parse::<jiff::civil::Date>().expect("a date")
    };
    let later = (date(&filling) - date(&slow)).get_days();
    assert!((20..=40).contains(&later), "equal units, but 30 days more for approval: {later}");

    let told = hub.psql(&format!(
        "select o.state, o.contact_email, o.price > 0, o.order_by is not null from fleet.offers o where o.offer_id = {}",
        offer_of(&hub, "filling")
    ));
    assert_eq!(told, "drafted|willing@customer.example|t|t");
    assert_eq!(offer_of(&hub, "filling"), offer_of(&hub, "crowded"), "needs of one customer share an offer");
    assert_eq!(offer_of(&hub, "calm"), "");
    // Without the sales purpose there is a forecast and a plan, and no offer; not by hand either.
    assert_eq!(chosen("private")["action"], "expansion");
    assert_eq!(offer_of(&hub, "private"), "");
    let refused = hub.cluster.try_psql(
        headroom_tests::hub::DATABASE,
        "with o as (insert into fleet.offers (customer_id, currency) select customer_id, 'EUR' from fleet.customers
                     where reference = 'C-private' returning offer_id)
         insert into fleet.offer_items (offer_id, unit_id, resource, product_id, action, quantity, price)
         select offer_id, unit_id, 'capacity', product_id, 'expansion', 1, 1 from o, fleet.units where name = 'private'",
    );
    assert!(format!("{:#}", refused.expect_err("refused")).contains("sales purpose"));
    done(&hub, &["job", "run", "offers"]);
    assert_eq!(
        hub.psql("select count(*) from fleet.offers where state = 'drafted'"),
        "2",
        "one offer a need"
    );
}

#[test]
fn a_representative_sees_nothing_of_a_unit_without_the_sales_purpose() {
    let hub = hub("");
    hub.psql(
        "create role rep login in role headroom_sales;
         insert into fleet.people (name, email, role, password_hash, database_role) values ('Rep', 'rep', 'sales', '$argon2x', 'rep')",
    );
    let seen = |sql: &str| hub.psql(&format!("set session authorization rep; {sql}"));
    assert_eq!(seen("select count(*) from fleet.units where name = 'private'"), "0");
    assert_eq!(seen("select count(*) from fleet.units"), "4");
    assert_eq!(
        seen(
            "select count(*) from fleet.plans p join fleet.forecast_runs r using (run_id) where r.is_current and p.chosen"
        ),
        "3"
    );
}

#[test]
fn a_need_that_is_gone_withdraws_the_offer_after_three_runs_and_consent_at_once() {
    let hub = hub("");
    let offer = offer_of(&hub, "filling too");
    let state = || hub.psql(&format!("select state from fleet.offers where offer_id = {offer}"));
    // The customer frees half of the space.
    hub.psql(
        "with k as (update fleet.components k set status_until = now() from fleet.units u
                     where u.unit_id = k.unit_id and u.name = 'filling too' returning k.component_id)
         insert into fleet.status (component_id, at, capacity_bytes, used_bytes, used_source)
         select component_id, now() - interval '5 seconds', 900000000000000, 4000000000000, 'zfs' from k",
    );
    for run in 1..=3 {
        assert_eq!(state(), "drafted", "before run {run}");
        done(&hub, &["forecast"]);
        done(&hub, &["job", "run", "offers"]);
        done(&hub, &["job", "run", "offers"]); // a run counts once
    }
    assert_eq!(state(), "withdrawn");

    let offer = offer_of(&hub, "filling");
    hub.psql("insert into fleet.consents (customer_id, purpose, granted) select customer_id, 'sales', false from fleet.customers where reference = 'C-willing'");
    assert_eq!(hub.psql(&format!("select state from fleet.offers where offer_id = {offer}")), "withdrawn");
    done(&hub, &["job", "run", "offers"]);
    assert_eq!(offer_of(&hub, "filling"), "", "and no other is made");
}

/// Takes messages by SMTP. The first one it takes and then hangs up before its word, as a server that dies.
fn mail_server(messages: usize) -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().take(messages).enumerate() {
            let mut stream = stream.expect("a connection");
            let mut lines = BufReader::new(stream.try_clone().expect("a clone"));
            let mut say = |text: &str| stream.write_all(text.as_bytes()).is_ok();
            say("220 mail.vendor.example ESMTP\r\n");
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
                let word = line.get(..4).unwrap_or_default().to_uppercase();
                line.clear();
                match word.as_str() {
                    "EHLO" => say("250 mail.vendor.example\r\n"),
                    "DATA" => {
                        say("354 go on\r\n");
                        let mut message = String::new();
                        while lines.read_line(&mut message).is_ok_and(|read| read > 0)
                            && !message.ends_with("\r\n.\r\n")
                        {}
                        let _heard = tell.send(message);
                        if number == 0 {
                            break;
                        }
                        say("250 taken\r\n")
                    }
                    "QUIT" => {
                        say("221 bye\r\n");
                        break;
                    }
                    _ => say("250 ok\r\n"),
                };
            }
        }
    });
    (port, told)
}

#[test]
fn an_offer_is_approved_sent_and_has_one_effect_though_the_mail_server_died() {
    let (port, told) = mail_server(2);
    let hub = hub(&format!(
        "smtp.host = \"127.0.0.1\"\nsmtp.port = {port}\nsmtp.tls = \"none\"\nsmtp.from = \"Sales <sales@vendor.example>\""
    ));
    let offer = offer_of(&hub, "filling");
    let ran = hub.run(&["offers", "send", &offer]);
    assert_eq!(ran.code, 77, "nothing is sent before a person approved it: {}", ran.out);
    done(&hub, &["offers", "approve", &offer]);
    done(&hub, &["offers", "send", &offer]);
    done(&hub, &["job", "run", "offers"]);
    let first = told.recv_timeout(std::time::Duration::from_secs(20)).expect("a message");
    assert_eq!(
        hub.psql(
            "select count(*) from fleet.outbox where sent_at is null and tries = 1 and failure is not null"
        ),
        "1"
    );
    hub.psql("update fleet.outbox set next_try_at = now()");
    done(&hub, &["job", "run", "offers"]);
    let second = told.recv_timeout(std::time::Duration::from_secs(20)).expect("a message");
    let id = |message: &str| {
        message.lines().find(|line| line.starts_with("Message-ID:")).map(str::to_owned).expect("an id")
    };
    assert_eq!(id(&first), id(&second), "sent again under the same id");
    assert!(second.contains("To: ") && second.contains("willing@customer.example"), "{second}");
    assert_eq!(hub.psql("select count(*) from fleet.outbox where sent_at is not null"), "1");
    done(&hub, &["job", "run", "offers"]);
    assert_eq!(hub.psql("select tries from fleet.outbox"), "2", "once taken it is not sent again");

    done(&hub, &["offers", "accept", &offer]);
    let ran = hub.run(&["offers", "withdraw", &offer]);
    assert_eq!(ran.code, 77, "{}", ran.err);
    done(&hub, &["job", "run", "offers"]);
    assert_eq!(hub.psql("select count(*) from fleet.offers o join fleet.offer_items i using (offer_id) join fleet.units u using (unit_id) where u.name = 'filling'"), "1", "what was accepted is not offered again");
}

#[test]
fn nothing_is_sent_to_whom_must_not_be_contacted_or_in_the_cool_down() {
    let hub = hub("");
    let offer = offer_of(&hub, "filling");
    done(&hub, &["offers", "approve", &offer]);
    let refused = |sql: &str, word: &str| {
        hub.psql(sql);
        let ran = hub.run(&["offers", "send", &offer]);
        assert_eq!(ran.code, 77, "{}", ran.out);
        assert!(ran.err.contains(word), "{}", ran.err);
        let straight = hub.cluster.try_psql(
            headroom_tests::hub::DATABASE,
            &format!("update fleet.offers set state = 'sent' where offer_id = {offer}"),
        );
        assert!(straight.is_err(), "the database refuses it too: {word}");
    };
    refused("update fleet.customers set no_contact = true", "does not want to be contacted");
    refused(
        "update fleet.customers set no_contact = false, buying_months = array[1 + extract(month from now() + interval '1 month')::int % 12]::smallint[]",
        "this month",
    );
    hub.psql("update fleet.customers set buying_months = '{}'");
    done(&hub, &["offers", "send", &offer]);
    assert_eq!(
        hub.psql("select count(*) from fleet.outbox where sent_at is null"),
        "1",
        "it waits for a mail server"
    );
    hub.psql("insert into fleet.consents (customer_id, purpose, granted) select customer_id, 'sales', false from fleet.customers");
    assert_eq!(
        hub.psql("select count(*) from fleet.outbox where sent_at is null"),
        "0",
        "withdrawn before it went"
    );
}
