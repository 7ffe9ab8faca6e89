//! Being written.
/// Runs the command.
pub fn run<T>(_: &T) -> anyhow::Result<u8> {
    anyhow::bail!("not there yet")
}
