//! Tokens nobody should believe. Each is wrong in one way and right in all others.

use jsonwebtoken::crypto::sign;
use jsonwebtoken::{Algorithm, EncodingKey};

use crate::house::SECRET;

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
/// Claims that are right.
pub const CLAIMS: &str = r#"{"sub":"ann","tenant_id":"acme","exp":4000000000,"roles":["admin"]}"#;

/// base64url without padding.
pub fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number =
            chunk.iter().chain([0; 2].iter()).take(3).fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        for place in 0..=chunk.len() {
            text.push(char::from(ALPHABET[number >> (18 - 6 * place) & 63]));
        }
    }
    text
}

/// A token of these texts, signed with this secret and algorithm.
pub fn token(header: &str, claims: &str, secret: &[u8], algorithm: Algorithm) -> String {
    let message = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()));
    let signature = sign(message.as_bytes(), &EncodingKey::from_secret(secret), algorithm).unwrap();
    format!("{message}.{signature}")
}

/// A token that is right.
pub fn good() -> String {
    token(HEADER, CLAIMS, SECRET, Algorithm::HS256)
}

/// Everything that is wrong, by name.
pub fn hostile() -> Vec<(String, String)> {
    let mut all = texts();
    all.extend(headers().into_iter().map(|header| {
        let token = token(&header, CLAIMS, SECRET, Algorithm::HS256);
        (format!("header {header:.60}"), token)
    }));
    all.extend(claims().into_iter().map(|claims| {
        let token = token(HEADER, &claims, SECRET, Algorithm::HS256);
        (format!("claims {claims:.80}"), token)
    }));
    all
}

fn texts() -> Vec<(String, String)> {
    let good = good();
    let parts: Vec<&str> = good.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let none = |alg: &str| base64url(format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#).as_bytes());
    let signed = |algorithm| token(HEADER, CLAIMS, SECRET, algorithm);
    let longer = format!("{}{}", &signature[..signature.len() - 1], "B");
    let with_pad = |text: &str| format!("{text}=");
    [
        ("empty", String::new()),
        ("one word", "token".to_string()),
        ("two dots", "..".to_string()),
        ("two parts", format!("{header}.{claims}")),
        ("four parts", format!("{good}.{signature}")),
        ("no header", format!(".{claims}.{signature}")),
        ("no claims", format!("{header}..{signature}")),
        ("no signature", format!("{header}.{claims}.")),
        ("short signature", format!("{header}.{claims}.{}", &signature[..20])),
        ("signature of another bit", format!("{header}.{claims}.{longer}")),
        ("zero signature", format!("{header}.{claims}.{}", base64url(&[0; 32]))),
        ("zero ES256 signature", format!("{}.{claims}.{}", none("ES256"), base64url(&[0; 64]))),
        ("none", format!("{}.{claims}.", none("none"))),
        ("None", format!("{}.{claims}.", none("None"))),
        ("NONE", format!("{}.{claims}.", none("NONE"))),
        ("none with a signature", format!("{}.{claims}.{signature}", none("none"))),
        ("another secret", token(HEADER, CLAIMS, b"another secret of 32 bytes or more", Algorithm::HS256)),
        ("an empty secret", token(HEADER, CLAIMS, b"", Algorithm::HS256)),
        ("signed HS384, says HS256", signed(Algorithm::HS384)),
        ("padded claims", format!("{header}.{}.{signature}", with_pad(claims))),
        ("padded signature", format!("{header}.{claims}.{}", with_pad(signature))),
        ("plain base64", good.replace('_', "/").replace('-', "+") + "+/"),
        ("a tab in it", format!("{header}.{claims}.\t{signature}")),
        ("a blank in it", format!("{header}. {claims}.{signature}")),
        ("claims of another token", {
            let more = token(HEADER, &CLAIMS.replace("ann", "bob"), SECRET, Algorithm::HS256);
            let other = more.split('.').nth(1).unwrap().to_string();
            format!("{header}.{other}.{signature}")
        }),
        ("not JSON", token(HEADER, "nonsense", SECRET, Algorithm::HS256)),
        ("JSON cut off", token(HEADER, &CLAIMS[..CLAIMS.len() - 1], SECRET, Algorithm::HS256)),
        ("a list", token(HEADER, "[]", SECRET, Algorithm::HS256)),
        ("a JWT in a JWT", token(HEADER, &format!("\"{good}\""), SECRET, Algorithm::HS256)),
        ("9 KiB", {
            let claims = CLAIMS.replacen('{', &format!("{{\"x\":\"{}\",", "x".repeat(9 << 10)), 1);
            token(HEADER, &claims, SECRET, Algorithm::HS256)
        }),
    ]
    .map(|(name, token)| (name.to_string(), token))
    .to_vec()
}

fn headers() -> Vec<String> {
    let with = |more: &str| format!(r#"{{"alg":"HS256","typ":"JWT",{more}}}"#);
    let mut all: Vec<String> = [
        r#""crit":["exp"],"exp":1"#,
        r#""crit":[]"#,
        r#""crit":["b64"],"b64":false"#,
        r#""jku":"https://evil.example/keys""#,
        r#""x5u":"https://evil.example/cert""#,
        r#""x5c":["MIIB"]"#,
        r#""jwk":{"kty":"oct","k":"AAAA"}"#,
        r#""kid":"../../../../dev/null""#,
        r#""kid":"..""#,
        r#""kid":"' UNION SELECT 'x"#,
        r#""kid":"https://evil.example/key""#,
        r#""kid":"a\u0000b""#,
        r#""kid":7"#,
        r#""cty":"JWT""#,
        r#""zip":"DEF""#,
        r#""enc":"A128GCM""#,
        r#""alg":"none""#,
        r#""x5t":"AAAA""#,
        r##""x5t#S256":"AAAA""##,
        r#""url":"https://evil.example""#,
        r#""nonce":"1""#,
    ]
    .iter()
    .map(|more| with(more))
    .collect();
    all.extend(
        [
            r#"{"alg":"hs256","typ":"JWT"}"#,
            r#"{"alg":"HS384","typ":"JWT"}"#,
            r#"{"alg":"RS256","typ":"JWT"}"#,
            r#"{"alg":"ES256","typ":"JWT"}"#,
            r#"{"alg":"EdDSA","typ":"JWT"}"#,
            r#"{"alg":"PS256","typ":"JWT"}"#,
            r#"{"alg":["HS256"],"typ":"JWT"}"#,
            r#"{"alg":null,"typ":"JWT"}"#,
            r#"{"typ":"JWT"}"#,
            r#"{"alg":"HS256","typ":"JWE"}"#,
            r#"{"alg":"HS256","typ":"secevent+jwt"}"#,
            r#"{"alg":"HS256","typ":7}"#,
            "{}",
            "[]",
            "",
        ]
        .map(str::to_string),
    );
    all
}

fn claims() -> Vec<String> {
    let exp = |value: &str| CLAIMS.replace("4000000000", value);
    let with = |more: &str| CLAIMS.replacen('{', &format!("{{{more},"), 1);
    let mut all: Vec<String> = [
        "1",
        "0",
        "-1",
        "1e9",
        "1e308",
        "1e400",
        "4000000000.5",
        "4e9",
        "\"4000000000\"",
        "null",
        "true",
        "[4000000000]",
        "{}",
        "253402300800",
        "1700000000000",
        "18446744073709551615",
        "99999999999999999999999",
    ]
    .iter()
    .map(|value| exp(value))
    .collect();
    let usual = [
        r#""nbf":3999999999"#,
        r#""nbf":"1""#,
        r#""nbf":1.5"#,
        r#""nbf":null"#,
        r#""nbf":-1"#,
        r#""iat":"1""#,
        r#""iat":null"#,
        r#""iat":1e308"#,
        r#""iss":7"#,
        r#""iss":["a"]"#,
        r#""sub":"bob""#,
        r#""exp":4000000001"#,
        r#""tenant_id":"other""#,
        r#""roles":[]"#,
    ];
    all.extend(usual.iter().map(|more| with(more)));
    for (from, to) in [
        (r#""exp":4000000000,"#, ""),
        (r#""sub":"ann","#, ""),
        (r#""sub":"ann""#, r#""sub":"""#),
        (r#""sub":"ann""#, r#""sub":null"#),
        (r#""sub":"ann""#, r#""sub":7"#),
        (r#""sub":"ann""#, r#""sub":["ann"]"#),
        (r#""tenant_id":"acme","#, ""),
        (r#""tenant_id":"acme""#, r#""tenant_id":"""#),
        (r#""tenant_id":"acme""#, r#""tenant_id":"nobody""#),
        (r#""tenant_id":"acme""#, r#""tenant_id":"ACME""#),
        (r#""tenant_id":"acme""#, r#""tenant_id":"acme ""#),
        (r#""tenant_id":"acme""#, r#""tenant_id":1"#),
        (r#""tenant_id":"acme""#, r#""tenant_id":["acme"]"#),
        (r#""tenant_id":"acme""#, r#""tenant_id":null"#),
        (r#"["admin"]"#, r#""admin""#),
        (r#"["admin"]"#, "null"),
        (r#"["admin"]"#, r#"["admin",7]"#),
        (r#"["admin"]"#, r#"{"admin":true}"#),
        (r#"["admin"]"#, "true"),
    ] {
        all.push(CLAIMS.replace(from, to));
    }
    all
}
