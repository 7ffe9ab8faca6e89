//! Decoding: bytes become events, with the fields the shipped rules want.

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
fn sshd_lines(bencher: Bencher<'_, '_>) {
    decode(bencher, &samples::sshd(LINES));
}

#[divan::bench]
fn access_lines(bencher: Bencher<'_, '_>) {
    decode(bencher, &samples::access(LINES));
}

fn decode(bencher: Bencher<'_, '_>, text: &str) {
    let plan = setup::plan(&[setup::shipped_rules()]);
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
