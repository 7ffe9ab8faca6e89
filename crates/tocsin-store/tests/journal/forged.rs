//! A record whose bytes look like a frame is never taken for one, whatever is damaged around it.

use std::fs;

use tocsin_pipeline::journal::Journal;
use tocsin_store::journal::format::{FRAME_MAGIC, HEAD_BYTES, HEADER_BYTES, SALT_BYTES, Seal};

use crate::support::{Content, Written, append, events, open, read, small};

/// The bytes of a frame that stands in a journal of the same kind.
fn stolen(written: &Written, index: usize) -> Vec<u8> {
    let frame = &written.frames[index];
    let (base, path) = written.segments().into_iter().next().unwrap();
    fs::read(path).unwrap()[(frame.start - base) as usize..(frame.end - base) as usize].to_vec()
}

#[test]
fn a_frame_within_a_record_never_comes_back_as_one() {
    let other = Written::of(small(1 << 20), [events(&[b"forged"])]);
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, _) = open(folder.path(), small(1 << 20));
    let first = append(&mut writer, &events(&[b"honest"]));
    // One of another journal; one of this very segment; one made for its place with a guessed salt.
    let of_other = stolen(&other, 0);
    let file = folder.path().join("00000000000000000000.log");
    let of_this = fs::read(&file).unwrap()[first.start as usize..first.end as usize].to_vec();
    let prefix = events(&[&of_other, &of_this, &[0; HEAD_BYTES]]);
    let records_at = first.end + (append(&mut writer, &prefix).records_at - first.end);
    let place = records_at + (of_other.len() + of_this.len() + 2) as u64;
    let guessed = Seal::new(&[0; SALT_BYTES]).head(place, &[2, 0, 0, 0, 0, 0, 0, 0, 0], &[]);
    assert_eq!(guessed[..4], FRAME_MAGIC);
    let second = writer.end();
    let forged = append(&mut writer, &events(&[&of_other, &of_this, &guessed, &FRAME_MAGIC.repeat(5_000)]));
    let last = append(&mut writer, &Content::Tick(3));
    writer.sync().unwrap();

    // Its head destroyed, reading goes through its bytes; its payload destroyed, over them.
    for place in [forged.start, forged.start + 5, forged.records_at - 1, forged.end - 1] {
        let mut bytes = fs::read(&file).unwrap();
        bytes[place as usize] ^= 0x40;
        fs::write(&file, &bytes).unwrap();
        let (frames, holes) = read(folder.path(), HEADER_BYTES, writer.end());
        assert_eq!(frames.len(), 3, "damage at {place}");
        assert_eq!(frames.last().map(|frame| frame.start), Some(last.start));
        assert_eq!(holes.iter().map(|hole| (hole.from, hole.to)).collect::<Vec<_>>(), [(second, last.start)]);
        bytes[place as usize] ^= 0x40;
        fs::write(&file, &bytes).unwrap();
    }
}
