//! Copies of a node: a cloned machine or a restored backup has the same id, key and store, and speaks on from there.
//!
//! A life is one store file in one boot. A node has one life after the other, and in each its sequence numbers rise. A
//! life that comes back after a later one has begun, or numbers that fall, mean that two copies speak. Which one is the
//! node cannot be told from here, and numbers of the one would count as read for the other, so nothing more is taken
//! until a person has it enrolled again: then the other copy's certificate ends.

use deadpool_postgres::GenericClient as Cached;
use jiff::Timestamp;
use tokio_postgres::{Error, GenericClient};
use uuid::Uuid;

/// What an answer says of the life it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    /// Which node.
    pub(crate) node: Uuid,
    /// Which store file.
    pub(crate) store: Uuid,
    /// Which boot.
    pub(crate) boot: Uuid,
    /// The highest sequence number that it tells.
    pub(crate) sequence: u64,
    /// When it answered, by its own clock.
    pub(crate) answered_at: Timestamp,
}

/// What is known of a life.
#[derive(Debug, Clone, Copy)]
struct Known {
    store: Uuid,
    boot: Uuid,
    answered_at: Timestamp,
    sequence: i64,
}

/// What contradicts that this answer comes from the node's one living copy. `known` has the newest life first.
fn contradiction(known: &[Known], life: &Life) -> Option<String> {
    let newest = known.first()?;
    let this = known.iter().find(|known| (known.store, known.boot) == (life.store, life.boot));
    // Two requests of one node may overtake each other: what is older than the last answer proves nothing.
    let last = known.iter().filter(|known| known.store == life.store).map(|known| known.answered_at).max();
    if last.is_some_and(|last| life.answered_at <= last) {
        return None;
    }
    if this.is_some() && (newest.store, newest.boot) != (life.store, life.boot) {
        return Some("an earlier life of this node speaks again, after a later one has begun".to_owned());
    }
    let highest = known.iter().filter(|known| known.store == life.store).map(|known| known.sequence).max()?;
    let sequence = i64::try_from(life.sequence).unwrap_or(i64::MAX);
    (sequence < highest)
        .then(|| format!("the sequence numbers of its store fell from {highest} to {sequence}"))
}

/// Notes a life. Gives what is wrong where two copies seem to speak. The node's row must be locked.
pub(crate) async fn note(client: &impl Cached, life: &Life, now: Timestamp) -> Result<Option<String>, Error> {
    let sequence = i64::try_from(life.sequence).unwrap_or(i64::MAX);
    let statement = client
        .prepare_cached(
            "select store_id, boot, answered_at, sequence from fleet.node_lives
              where node_id = $1 order by began_at desc, answered_at desc",
        )
        .await?;
    let known = client.query(&statement, &[&life.node]).await?;
    let known: Vec<Known> = known
        .iter()
        .map(|row| Known {
            store: row.get(0),
            boot: row.get(1),
            answered_at: row.get(2),
            sequence: row.get(3),
        })
        .collect();
    if let Some(wrong) = contradiction(&known, life) {
        return Ok(Some(wrong));
    }
    let statement = client
        .prepare_cached(
            "insert into fleet.node_lives as l (node_id, store_id, boot, began_at, answered_at, sequence)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (node_id, store_id, boot) do update
                set answered_at = greatest(l.answered_at, excluded.answered_at),
                    sequence = greatest(l.sequence, excluded.sequence)
              where l.answered_at < excluded.answered_at or l.sequence < excluded.sequence",
        )
        .await?;
    client
        .execute(&statement, &[&life.node, &life.store, &life.boot, &now, &life.answered_at, &sequence])
        .await?;
    Ok(None)
}

/// Whether the node was heard at this moment or later, by its own clock.
pub(crate) async fn was_heard_since(
    client: &impl GenericClient,
    node: Uuid,
    answered_at: Timestamp,
) -> Result<bool, Error> {
    let row = client
        .query_one(
            "select exists (select from fleet.node_lives where node_id = $1 and answered_at >= $2)",
            &[&node, &answered_at],
        )
        .await?;
    Ok(row.get(0))
}

/// Marks a node as forked; the first mark stays.
pub(crate) async fn mark(
    client: &impl GenericClient,
    node: Uuid,
    what: &str,
    now: Timestamp,
) -> Result<(), Error> {
    client
        .execute(
            "update fleet.nodes set forked_at = $2, fork = $3 where node_id = $1 and forked_at is null",
            &[&node, &now, &what],
        )
        .await?;
    Ok(())
}

/// Why nothing is taken from this node, where two copies of it seem to speak.
pub(crate) async fn fork(client: &impl Cached, node: Uuid) -> Result<Option<String>, Error> {
    let statement = client.prepare_cached("select fork from fleet.nodes where node_id = $1").await?;
    let row = client.query_opt(&statement, &[&node]).await?;
    Ok(row.and_then(|row| row.get(0)))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::{Known, Life, contradiction};

    const STORE: Uuid = Uuid::from_u128(1);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).expect("a time")
    }

    fn life(store: Uuid, boot: u128, sequence: u64, second: i64) -> Life {
        Life { node: Uuid::nil(), store, boot: Uuid::from_u128(boot), sequence, answered_at: at(second) }
    }

    /// Plays answers one after the other, as [`super::note`] keeps them.
    fn play(answers: &[Life]) -> Vec<bool> {
        let mut known: Vec<Known> = Vec::new();
        answers
            .iter()
            .map(|life| {
                let forked = contradiction(&known, life).is_some();
                if !forked {
                    let sequence = i64::try_from(life.sequence).expect("small");
                    match known.iter_mut().find(|k| (k.store, k.boot) == (life.store, life.boot)) {
                        Some(k) => {
                            k.answered_at = k.answered_at.max(life.answered_at);
                            k.sequence = k.sequence.max(sequence);
                        }
                        None => known.insert(
                            0,
                            Known {
                                store: life.store,
                                boot: life.boot,
                                answered_at: life.answered_at,
                                sequence,
                            },
                        ),
                    }
                }
                forked
            })
            .collect()
    }

    #[test]
    fn one_node_that_restarts_and_loses_its_store_is_no_fork() {
        let other = Uuid::from_u128(2);
        let answers = [
            life(STORE, 1, 10, 0),
            life(STORE, 1, 10, 5),
            life(STORE, 1, 12, 10),
            life(STORE, 2, 13, 20),
            life(other, 2, 1, 30),
            life(other, 3, 2, 40),
        ];
        assert_eq!(play(&answers), [false; 6]);
    }

    #[test]
    fn an_answer_that_was_overtaken_is_no_fork() {
        assert_eq!(play(&[life(STORE, 1, 12, 10), life(STORE, 1, 11, 9)]), [false, false]);
    }

    #[test]
    fn copies_are_told_by_lives_that_return_and_numbers_that_fall() {
        // A cloned machine boots anew; then the first one speaks again.
        assert_eq!(
            play(&[life(STORE, 1, 10, 0), life(STORE, 2, 11, 10), life(STORE, 1, 12, 20)]),
            [false, false, true]
        );
        // A restored backup.
        assert_eq!(play(&[life(STORE, 1, 50, 0), life(STORE, 2, 20, 10)]), [false, true]);
        // Two copies in the same boot, as a snapshot with memory leaves them.
        assert_eq!(play(&[life(STORE, 1, 50, 0), life(STORE, 1, 49, 10)]), [false, true]);
    }
}
