//! Where a fresh token goes: the shelf of sinks.

mod file;

pub use file::FileSink;

use crate::ports::Sink;
use crate::written::Section;

/// One sink as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkConfig {
    /// A file.
    File(FileSink),
}

impl SinkConfig {
    /// Reads one `[[account.NAME.sink]]`.
    pub fn read(mut section: Section<'_>) -> Option<SinkConfig> {
        let kind = section.parsed("kind", |kind| match kind {
            "file" => Ok(()),
            _ => Err("is not known; known kinds: file".into()),
        });
        if kind.is_none() && !section.asked("kind") {
            section.fault("kind is missing; known kinds: file");
        }
        let sink = FileSink::read(&mut section);
        section.end(&["kind", "path", "format"]);
        sink.map(SinkConfig::File)
    }

    /// The sink itself.
    pub fn open(&self) -> Box<dyn Sink> {
        match self {
            SinkConfig::File(sink) => Box::new(sink.clone()),
        }
    }
}
