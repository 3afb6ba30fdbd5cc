//! Signs tokens with a key that nobody can guess, and whose other half is enough to check them.

// In reports:
use palisade::token::jwks::{KeySet, StaticKeys};
use palisade::token::sign::Signer;

fn keys() -> Result<(Signer, StaticKeys), Box<dyn std::error::Error>> {
    let signer = Signer::generate_es256("2026-11")?;
    let keys = StaticKeys::new(KeySet::new([signer.verify_key()?])?);
    Ok((signer, keys))
}
