//! `null` as Go reads it: the zero value.

use serde::{Deserialize, Deserializer};

/// For `deserialize_with`: `null` is what an absent field would be.
pub(super) fn zero<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(d: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(d)?.unwrap_or_default())
}
