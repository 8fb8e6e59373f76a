//! Empties the outbox by SMTP. A message keeps its id over all tries: should the hub die between the mail server's word
//! and its own commit, the message goes out again under the same Message-ID, and has one effect.

use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Message, SmtpTransport, Transport as _};

use crate::config::{Smtp, SmtpTls};
use crate::database::outbox::{self, Held};
use crate::failure::Failure;
use crate::hub::Hub;

/// How long the mail server may take: a withdrawal of consent waits for the end of a sending.
const PATIENCE: Duration = Duration::from_secs(20);
/// Seconds before the next try, doubled with each.
const RETRY_SECONDS: i64 = 60;
/// Most messages of one round: the next round goes on.
const ROUND: usize = 200;

/// Sends what is due; gives the number of messages that the mail server took. Without a mail server nothing is sent.
pub(super) async fn send_due(hub: &Hub) -> anyhow::Result<usize> {
    let Some(smtp) = &hub.settings().smtp else { return Ok(0) };
    let transport = transport(smtp)?;
    let mut seen = Vec::new();
    let mut sent = 0;
    while seen.len() < ROUND {
        let mut client = hub.pool().get().await?;
        let Some(message) = outbox::first_due(&**client, Timestamp::now(), &seen).await? else { break };
        seen.push(message.id);
        let transaction = client.transaction().await?;
        match outbox::hold(&transaction, &message).await? {
            Held::Taken => continue,
            Held::MustNot => outbox::drop_message(&*transaction, message.id).await?,
            Held::MayGo => match deliver(&transport, smtp, &message).await {
                Ok(()) => {
                    outbox::sent(&*transaction, message.id, Timestamp::now()).await?;
                    sent += 1;
                }
                Err(error) => {
                    let why = format!("{error:#}");
                    tracing::warn!(message = %message.id, error = why, "a message could not be sent");
                    let wait = RETRY_SECONDS << message.tries.clamp(0, 10);
                    let again = Timestamp::now() + SignedDuration::from_secs(wait);
                    outbox::failed(&*transaction, message.id, &why, again).await?;
                }
            },
        }
        transaction.commit().await?;
    }
    Ok(sent)
}

fn transport(smtp: &Smtp) -> anyhow::Result<SmtpTransport> {
    let parameters = || TlsParameters::new(smtp.host.clone()).context("the mail server's name");
    let tls = match smtp.tls {
        SmtpTls::None => Tls::None,
        SmtpTls::StartTls => Tls::Required(parameters()?),
        SmtpTls::Tls => Tls::Wrapper(parameters()?),
    };
    let mut builder =
        SmtpTransport::builder_dangerous(&smtp.host).port(smtp.port).tls(tls).timeout(Some(PATIENCE));
    if let Some((user, password_file)) = &smtp.credentials {
        let password = std::fs::read_to_string(password_file).with_context(|| {
            Failure::Configuration(format!("cannot read smtp.password_file {}", password_file.display()))
        })?;
        let password = password.trim_end_matches(['\r', '\n']).to_owned();
        builder = builder.credentials(Credentials::new(user.clone(), password));
    }
    Ok(builder.build())
}

async fn deliver(transport: &SmtpTransport, smtp: &Smtp, message: &outbox::Message) -> anyhow::Result<()> {
    let from: lettre::message::Mailbox = smtp.from.parse().context("smtp.from is no address")?;
    let to = message.recipient.parse().with_context(|| format!("{:?} is no address", message.recipient))?;
    let id = format!("<{}@{}>", message.id, from.email.domain());
    let email = Message::builder()
        .message_id(Some(id))
        .from(from)
        .to(to)
        .subject(&message.subject)
        .header(ContentType::TEXT_PLAIN)
        .body(message.body.clone())?;
    let transport = transport.clone();
    tokio::task::spawn_blocking(move || transport.send(&email)).await.context("the sending ended")??;
    Ok(())
}
