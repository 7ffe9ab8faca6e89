//! The secret under which this house signs and reads its JWTs: configured, or the data folder's own.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::encoding::base64url;
use crate::files;
use crate::random::random;

/// The file within the data folder.
pub const JWT_SECRET_FILE: &str = "jwt_secret";

/// Bytes a secret has at least: as many as the hash it keys (RFC 7518 §3.2).
pub const SECRET_BYTES_MIN: usize = 32;

/// Random bytes of a folder's own secret.
const RANDOM_BYTES: usize = 32;

/// Rights of others than the owner.
const OTHERS: u32 = 0o077;

/// An HS256 secret: the bytes of its text.
#[derive(Clone, PartialEq, Eq)]
pub struct JwtSecret(String);

/// A secret cannot be used.
#[derive(Debug, Error)]
pub enum SecretError {
    /// Somebody might guess it.
    #[error("{origin}: a JWT secret has at least {SECRET_BYTES_MIN} bytes, this one has {bytes}")]
    TooShort {
        /// Where it comes from.
        origin: String,
        /// Its length.
        bytes: usize,
    },
    /// Somebody else may have read it.
    #[error(
        "{path}: others may read it (mode {mode:o}); delete it to get a new one, or `chmod 600` it if you \
         trust them"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file cannot be read or made.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
}

impl JwtSecret {
    /// A configured secret; `origin` says where it was found.
    ///
    /// # Errors
    /// [`SecretError::TooShort`].
    pub fn configured(text: &str, origin: &str) -> Result<JwtSecret, SecretError> {
        if text.len() < SECRET_BYTES_MIN {
            return Err(SecretError::TooShort { origin: origin.to_string(), bytes: text.len() });
        }
        Ok(JwtSecret(text.to_string()))
    }

    /// The secret of a data folder, made if there is none. All who ask get the same.
    ///
    /// # Errors
    /// [`SecretError`], which says what to do.
    pub fn of_folder(folder: &Path) -> Result<JwtSecret, SecretError> {
        let path = folder.join(JWT_SECRET_FILE);
        let unusable = |reason| SecretError::File { path: path.clone(), reason };
        if !path.exists() {
            let random = random::<RANDOM_BYTES>().map_err(unusable)?;
            files::make_folder(folder).map_err(unusable)?;
            files::make_once(&path, base64url(&random).as_bytes()).map_err(unusable)?;
        }
        let mode = fs::metadata(&path).map_err(unusable)?.permissions().mode() & 0o777;
        if mode & OTHERS != 0 {
            return Err(SecretError::Exposed { path, mode });
        }
        let text = fs::read_to_string(&path).map_err(unusable)?;
        JwtSecret::configured(text.trim_end(), &path.display().to_string())
    }

    /// The bytes to sign with.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for JwtSecret {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtSecret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_who_ask_get_the_same_secret() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let secrets: Vec<JwtSecret> = std::thread::scope(|scope| {
            let racing: Vec<_> =
                (0..8).map(|_| scope.spawn(|| JwtSecret::of_folder(&data).unwrap())).collect();
            racing.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(secrets.iter().all(|secret| *secret == secrets[0]));
        assert_eq!(secrets[0].as_bytes().len(), 43);
        assert_eq!(JwtSecret::of_folder(&data).unwrap(), secrets[0]);
        assert_ne!(
            JwtSecret::of_folder(folder.path()).unwrap(),
            secrets[0],
            "another folder, another secret"
        );
    }

    #[test]
    fn a_secret_that_others_may_read_or_guess_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(JWT_SECRET_FILE);
        JwtSecret::of_folder(folder.path()).unwrap();
        for mode in [0o640, 0o604, 0o644, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = JwtSecret::of_folder(folder.path()).unwrap_err().to_string();
            assert!(
                refused.contains(&format!("(mode {mode:o})")) && refused.contains("chmod 600"),
                "{refused}"
            );
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short\n").unwrap();
        let refused = JwtSecret::of_folder(folder.path()).unwrap_err();
        assert!(matches!(refused, SecretError::TooShort { bytes: 5, .. }), "{refused}");
        assert!(JwtSecret::configured(&"x".repeat(31), "JWT_SECRET").is_err());
        assert!(JwtSecret::configured(&"x".repeat(32), "JWT_SECRET").is_ok());
    }

    #[test]
    fn a_secret_is_never_shown_by_debug() {
        let secret = JwtSecret::configured(&"x".repeat(32), "JWT_SECRET").unwrap();
        assert_eq!(format!("{secret:?}"), "JwtSecret");
    }
}
