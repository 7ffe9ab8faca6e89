//! Inputs nothing can be read from as they are: compressed in a way that is not undone here, or in
//! another encoding. They are refused by their first bytes, instead of record by record.

/// How compressed inputs begin, the name of the compression, and the program that undoes it. Plain
/// gzip files are decompressed by their source and come here only compressed twice, or by a pipe.
const COMPRESSED: [(&[u8], &str, &str); 5] = [
    (b"\xFD7zXZ\0", "xz", "xz"),
    (b"\x28\xB5\x2F\xFD", "zstd", "zstd"),
    (b"BZh1AY&SY", "bzip2", "bzip2"),
    (b"BZh\x17\x72\x45\x38\x50\x90", "bzip2", "bzip2"),
    (b"\x1F\x8B\x08", "gzip", "gzip"),
];

/// How text in other encodings begins, and the name of the encoding.
const ENCODED: [(&[u8], &str); 4] = [
    (b"\xFF\xFE\0\0", "UTF-32"),
    (b"\0\0\xFE\xFF", "UTF-32"),
    (b"\xFF\xFE", "UTF-16"),
    (b"\xFE\xFF", "UTF-16"),
];

/// What an input with these first bytes is, and what to do with it; `None` if it may be read.
#[must_use]
pub fn what(first: &[u8]) -> Option<String> {
    if let Some((_, name, program)) = COMPRESSED.iter().find(|(magic, ..)| begins(first, magic)) {
        return Some(format!(
            "compressed with {name}: decompress it first, for example `{program} -dc FILE | tocsin scan -`"
        ));
    }
    let (_, name) = ENCODED.iter().find(|(mark, _)| first.starts_with(mark))?;
    Some(format!(
        "text in {name}: convert it first, for example `iconv -f {name} -t UTF-8 FILE | tocsin scan -`"
    ))
}

/// Whether bytes begin with a mark. The block size of bzip2, a digit in the fourth place, is not
/// part of its mark.
fn begins(first: &[u8], magic: &[u8]) -> bool {
    match (magic.strip_prefix(b"BZh"), first.strip_prefix(b"BZh")) {
        (Some(block), Some([b'1'..=b'9', rest @ ..])) => rest.starts_with(block),
        _ => first.starts_with(magic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_by_their_first_bytes() {
        for (first, expect) in [
            (&b"\xFD7zXZ\0\0\x04"[..], Some("compressed with xz")),
            (b"\x28\xB5\x2F\xFD\x04", Some("compressed with zstd")),
            (b"BZh91AY&SY\x00", Some("compressed with bzip2")),
            (b"BZh1\x17\x72\x45\x38\x50\x90", Some("compressed with bzip2")),
            (b"BZh91 is a name", None),
            (b"\x1F\x8B\x08\0", Some("compressed with gzip")),
            (b"\xFF\xFE{\0", Some("text in UTF-16")),
            (b"\xFE\xFF\0{", Some("text in UTF-16")),
            (b"\xFF\xFE\0\0", Some("text in UTF-32")),
            (b"\xEF\xBB\xBF{}", None),
            (b"{}", None),
            (b"", None),
        ] {
            let got = what(first);
            let begin = got.as_deref().and_then(|got| got.split_once(':')).map(|(begin, _)| begin);
            assert_eq!(begin, expect, "{first:?}");
        }
    }
}
