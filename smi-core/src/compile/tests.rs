//! Rules S13–S37, each by a small world.
