//! How much work and memory an explanation may take, whatever is in the files.

/// What an explanation may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest file that is read, in bytes; two of them are in memory at a time.
    pub file_bytes: u64,
    /// The most artifacts of one folder.
    pub files: usize,
    /// The most sections of one object, members of one archive, and symbols of one object that are looked at.
    pub parts: usize,
    /// The most differences of one artifact that are explained; the rest is counted.
    pub differences: usize,
    /// How often, on average, each byte of the two files may be looked at when they are compared.
    pub passes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: 512 << 20, files: 4096, parts: 1_000_000, differences: 16, passes: 16 }
    }
}

/// Bytes that may still be looked at.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { left: bytes }
    }

    /// Takes `bytes`; false, and nothing is left, where they are not there.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let enough = bytes <= self.left;
        self.left = if enough { self.left - bytes } else { 0 };
        enough
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.left == 0
    }
}
