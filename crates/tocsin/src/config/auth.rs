//! The section `auth`, whose secret comes from a file or a variable and never stands in the
//! configuration itself. Its value shows in no message.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tocsin_api::AuthConfig;
use tocsin_sigma::ast::Severity;
use tocsin_store::JwtSecret;

use super::section::Section;
use super::settings::{Origin, Secrets, Setting, Value};

/// Bytes of a file with a secret. A longer one is refused: it is something else.
const SECRET_FILE_BYTES_MAX: u64 = 4_096;

/// Reads the section. An empty secret stands for the data folder's own.
pub fn auth(from: &mut Section<'_>) -> AuthConfig {
    let file = from.optional::<PathBuf>("jwt_secret_file");
    let given = from.raw("jwt_secret");
    let secret = match (given, file) {
        (Some(setting), _) => of_variable(from, setting),
        (None, Some(path)) if from.secrets() == Secrets::Read => of_file(from, &path),
        (None, _) => Vec::new(),
    };
    AuthConfig { secret, issuer: from.optional("issuer"), audience: from.optional("audience") }
}

fn of_variable(from: &mut Section<'_>, setting: Setting) -> Vec<u8> {
    match setting {
        Setting { value: Value::Text(text), origin: Origin::Variable(_), .. } => {
            checked(from, "jwt_secret", &text)
        }
        _ => {
            let reason = "a secret never stands in the configuration";
            let hint = "name a file with auth.jwt_secret_file, or set TOCSIN_AUTH__JWT_SECRET; \
                        this secret has been written down: make a new one";
            from.tell(Severity::Error, "inline_secret", "jwt_secret", reason, hint);
            Vec::new()
        }
    }
}

fn of_file(from: &mut Section<'_>, path: &Path) -> Vec<u8> {
    match read(path) {
        Ok(bytes) if bytes.len() as u64 > SECRET_FILE_BYTES_MAX => {
            let reason = format!("`{}` holds more than {SECRET_FILE_BYTES_MAX} bytes", path.display());
            from.refuse("jwt_secret_file", &reason, "the file holds the secret and nothing else");
            Vec::new()
        }
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => checked(from, "jwt_secret_file", &text),
            Err(_) => {
                let reason = format!("`{}` is not UTF-8", path.display());
                from.refuse("jwt_secret_file", &reason, "write the secret as text: openssl rand -base64 48");
                Vec::new()
            }
        },
        Err(error) => {
            let reason = format!("`{}` cannot be read: {error}", path.display());
            from.refuse("jwt_secret_file", &reason, "the user that runs tocsin must be able to read it");
            Vec::new()
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(SECRET_FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    // Editors and `echo` end a file with a line end, which is no part of the secret.
    if bytes.ends_with(b"\n") {
        bytes.pop();
    }
    if bytes.ends_with(b"\r") {
        bytes.pop();
    }
    Ok(bytes)
}

fn checked(from: &mut Section<'_>, key: &str, text: &str) -> Vec<u8> {
    match JwtSecret::configured(text, key) {
        Ok(secret) => secret.as_bytes().to_vec(),
        Err(_) => {
            let reason = format!("a secret of {} bytes can be guessed; 32 are the least", text.len());
            from.refuse(key, &reason, "make one with: openssl rand -base64 48");
            Vec::new()
        }
    }
}
