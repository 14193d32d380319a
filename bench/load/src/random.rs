//! Numbers that no other run has, for keys and ids.

/// A random number.
///
/// # Errors
/// When the system has none.
pub(crate) fn random() -> anyhow::Result<u64> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("there is no randomness: {error}"))?;
    Ok(u64::from_le_bytes(bytes))
}
