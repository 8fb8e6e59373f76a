//! Whether name and password are right.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Instant;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use axum::extract::ConnectInfo;
use axum::http::Extensions;
use tokio::sync::Semaphore;

use super::person::SignedIn;
use super::problem::Problem;
use super::role::Role;
use super::session::new_token;
use super::state::Web;
use crate::database::people;

/// Longest name and password that are looked at, bytes.
const LENGTH_MAX: usize = 500;
/// Passwords that are checked at the same time: each takes about 20 MB and a core for a while.
static CHECKS: Semaphore = Semaphore::const_new(2);
/// What the password of somebody unknown is checked against, so that it takes as long as that of somebody known.
static NOBODY: LazyLock<String> = LazyLock::new(|| {
    Argon2::default().hash_password(new_token().as_bytes()).map(|hash| hash.to_string()).unwrap_or_default()
});

/// The address at the other end of the connection.
pub(crate) fn address_of(extensions: &Extensions) -> String {
    extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or_else(|| "unknown".to_owned(), |info| info.0.ip().to_string())
}

/// Who signs in with this name and password; `None` where that is nobody, without saying which of the two is wrong.
pub(crate) async fn check(
    web: &Web,
    name: &str,
    password: &str,
    address: &str,
) -> Result<Option<SignedIn>, Problem> {
    let name = name.trim();
    web.attempts().allowed(name, address, Instant::now()).map_err(|seconds| Problem::TooMany { seconds })?;
    // PostgreSQL's text holds no NUL.
    let plausible = name.len() <= LENGTH_MAX && password.len() <= LENGTH_MAX && !name.contains('\0');
    let client = web.connection().await?;
    let known = if plausible { people::for_sign_in(&**client, name).await? } else { None };
    drop(client);
    let hash = known.as_ref().map_or_else(|| NOBODY.clone(), |known| known.password_hash.clone());
    let password = if plausible { password.to_owned() } else { String::new() };
    let permit = CHECKS.acquire().await.map_err(|error| Problem::Internal(error.into()))?;
    let right = tokio::task::spawn_blocking(move || is_right(&password, &hash))
        .await
        .map_err(|error| Problem::Internal(error.into()))?;
    drop(permit);
    match known {
        Some(known) if right => {
            web.attempts().worked(name);
            Ok(Some(SignedIn { person_id: known.person_id, name: known.name, role: Role::of(&known.role)? }))
        }
        _ => {
            web.attempts().failed(name, address, Instant::now());
            tracing::warn!(address, "refused a sign-in: wrong name or password");
            Ok(None)
        }
    }
}

fn is_right(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use argon2::Argon2;
    use argon2::password_hash::PasswordHasher as _;

    use super::{NOBODY, is_right};

    #[test]
    fn only_the_password_that_was_hashed_is_right() {
        let hash = Argon2::default().hash_password(b"correct horse").expect("hashes").to_string();
        assert!(hash.starts_with("$argon2id$"));
        assert!(is_right("correct horse", &hash));
        assert!(!is_right("correct horse ", &hash));
        assert!(!is_right("correct horse", "no hash at all"));
        assert!(!is_right("", &NOBODY) && NOBODY.starts_with("$argon2"));
    }
}
