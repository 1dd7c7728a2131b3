//! Files that a backend produces.

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// File name, relative.
    pub name: String,
    /// Contents, always with a final newline.
    pub text: String,
}

/// Typed documents that know their file names and text form.
pub trait Artifacts {
    /// The files, in a stable order, with stable bytes.
    fn artifacts(&self) -> Vec<Artifact>;
}
