//! Random choices.

use smi_core::testing::random::Random;

/// One of a list that is not empty.
pub(crate) fn one_of<'a, T>(random: &mut Random, list: &'a [T]) -> &'a T {
    &list[random.below(list.len())]
}
