//! Decoding: bytes become events, with the fields the shipped rules want, or one rule.

use std::path::PathBuf;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use tocsin_bench::{samples, setup};
use tocsin_core::decoder::Decoder;

const LINES: usize = 20_000;

fn main() {
    divan::main();
}

#[divan::bench]
fn auth_json(bencher: Bencher<'_, '_>) {
    decode(bencher, &samples::auth(LINES));
}

#[divan::bench]
fn auth_json_for_one_rule(bencher: Bencher<'_, '_>) {
    decode_for(bencher, &samples::auth(LINES), setup::bench_rule("failed_login.yml"));
}

/// The same with spaces after colons and commas.
#[divan::bench]
fn spaced_json(bencher: Bencher<'_, '_>) {
    let text = samples::auth(LINES).replace("\":", "\": ").replace(",\"", ", \"");
    decode(bencher, &text);
}

#[divan::bench]
fn sshd_lines(bencher: Bencher<'_, '_>) {
    decode(bencher, &samples::sshd(LINES));
}

#[divan::bench]
fn access_lines(bencher: Bencher<'_, '_>) {
    decode(bencher, &samples::access(LINES));
}

fn decode(bencher: Bencher<'_, '_>, text: &str) {
    decode_for(bencher, text, setup::shipped_rules());
}

fn decode_for(bencher: Bencher<'_, '_>, text: &str, rules: PathBuf) {
    let plan = setup::plan(&[rules]);
    let mut decoder = setup::decoder(&plan);
    bencher
        .counter(ItemsCount::new(LINES))
        .counter(BytesCount::of_str(text))
        .with_inputs(|| setup::batches(text))
        .bench_local_values(|batches| {
            for batch in batches {
                black_box(decoder.decode(batch));
            }
        });
}
