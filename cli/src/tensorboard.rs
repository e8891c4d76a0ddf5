//! TensorBoard: a view of what `metrics.jsonl` keeps. Nothing else here knows its format.
//!
//! Records are framed by tensorboard-rs and their messages are those of tensorboard-proto. The file is ours, because that
//! crate's own writer panics where a file cannot be written, writes four times an event from a thread of its own, and names
//! files by the second, so that two starts within one second destroy each other. What holds here instead:
//! - one folder, a new file per start, which is never one that exists; names sort in the order of the starts, whatever the
//!   clock does, because readers take files in that order;
//! - a start that goes on after `n` decisions says so (`SessionLog` START at `n + 1`): readers forget what an earlier file
//!   says of later decisions, so that each step is seen once;
//! - an event is buffered, and on disk after [`flush`](TensorBoard::flush); a full disk is an error that names the file;
//! - NaN and infinities break charts: they are left out (`metrics.jsonl` has them as `null`).

use crate::clock;
use anyhow::{Context, Result, anyhow};
use protobuf::{Message, RepeatedField};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read};
use std::path::{Path, PathBuf};
use tensorboard_proto::event::{Event, SessionLog, SessionLog_SessionStatus};
use tensorboard_proto::summary::{Summary, Summary_Value, SummaryMetadata, SummaryMetadata_PluginData};
use tensorboard_proto::tensor::TensorProto;
use tensorboard_proto::types::DataType;
use tensorboard_rs::record_writer::RecordWriter;
use tensorboard_rs::summary::scalar;

/// The folder of a run's event files.
pub(crate) const EVENTS_FOLDER: &str = "tensorboard";
/// What every event file's name begins with; TensorBoard looks for it.
const PREFIX: &str = "events.out.tfevents.";
/// The version of the format, the first event of every file.
const FILE_VERSION: &str = "brain.Event:2";
/// More than stands before and around the configuration in a file.
const HEAD_BYTES: u64 = 4_096;
/// The tag of the run's configuration.
const CONFIG: &str = "config";

/// The event file of one start of a run.
pub(crate) struct TensorBoard {
    path: PathBuf,
    file: File,
    records: RecordWriter<BufWriter<File>>,
}

impl TensorBoard {
    /// Begins the event file of a run that goes on after so many decisions, 0 for a new one, whose configuration is shown as
    /// a text at step 0, once.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub(crate) fn begin(folder: &Path, decisions: u64, config: &str) -> Result<Self> {
        let context = || format!("cannot write TensorBoard's file in {}", folder.display());
        fs::create_dir_all(folder).with_context(context)?;
        let (path, file) = create(folder).with_context(context)?;
        let writer = file.try_clone().map(BufWriter::new).with_context(context)?;
        let mut board = Self { path, file, records: RecordWriter::new(writer) };
        board.write(0, |event| event.set_file_version(FILE_VERSION.to_owned()))?;
        // Readers forget this step and later ones; at step 0 stands the config.
        let mut session = SessionLog::new();
        session.set_status(SessionLog_SessionStatus::START);
        board.write(decisions + 1, |event| event.set_session_log(session))?;
        let block = block(config);
        if !is_shown(folder, &board.path, &block).with_context(context)? {
            board.write(0, |event| event.set_summary(text(CONFIG, block)))?;
        }
        board.flush()?;
        Ok(board)
    }

    fn write(&mut self, decisions: u64, fill: impl FnOnce(&mut Event)) -> Result<()> {
        let path = &self.path;
        let step = i64::try_from(decisions).context("more decisions than TensorBoard can count")?;
        let mut event = Event::new();
        fill(&mut event);
        event.set_step(step);
        event.set_wall_time(clock::seconds_since_1970());
        let bytes = event
            .write_to_bytes()
            .map_err(|error| anyhow!("cannot write {}: an event: {error}", path.display()))?;
        self.records.write(&bytes).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Takes the number of `tag` after so many decisions.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub(crate) fn scalar(&mut self, tag: &str, decisions: u64, value: f64) -> Result<()> {
        let value = value as f32;
        if !value.is_finite() {
            return Ok(());
        }
        self.write(decisions, |event| event.set_summary(scalar(tag, value)))
    }

    /// Makes sure that everything taken so far outlives the program.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let written = self.records.flush().and_then(|()| self.file.sync_data());
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// A file that did not exist, named later than all that do.
fn create(folder: &Path) -> io::Result<(PathBuf, File)> {
    let mut second = clock::seconds_since_1970() as u64;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let taken = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('.').next()?.parse().ok());
        second = second.max(taken.map_or(0, |taken: u64| taken.saturating_add(1)));
    }
    loop {
        let path = folder.join(format!("{PREFIX}{second:010}.thoughtcache.{}.0", std::process::id()));
        match File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => second += 1,
            Err(error) => return Err(error),
        }
    }
}

/// A text as TensorBoard's text page shows it as it is: an indented block of Markdown.
fn block(text: &str) -> String {
    text.lines().flat_map(|line| ["    ", line, "\n"]).collect()
}

/// Whether an earlier start of the run has shown this text: near the head of its file, if it was not killed before.
fn is_shown(folder: &Path, own: &Path, block: &str) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path != own {
            let mut head = Vec::new();
            File::open(&path)?.take(block.len() as u64 + HEAD_BYTES).read_to_end(&mut head)?;
            if head.windows(block.len().max(1)).any(|window| window == block.as_bytes()) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// A text of TensorBoard's text page.
fn text(tag: &str, block: String) -> Summary {
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_STRING);
    tensor.set_string_val(RepeatedField::from_vec(vec![block.into_bytes()]));
    let mut plugin = SummaryMetadata_PluginData::new();
    plugin.set_plugin_name("text".to_owned());
    let mut metadata = SummaryMetadata::new();
    metadata.set_plugin_data(plugin);
    let mut value = Summary_Value::new();
    value.set_tag(tag.to_owned());
    value.set_metadata(metadata);
    value.set_tensor(tensor);
    let mut summary = Summary::new();
    summary.set_value(RepeatedField::from_vec(vec![value]));
    summary
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event_files(folder: &Path) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// The events of a file as their bytes say: lengths lead from one to the next.
    fn events(path: &Path) -> Vec<Event> {
        let bytes = fs::read(path).unwrap();
        let (mut events, mut rest) = (Vec::new(), &bytes[..]);
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            events.push(Message::parse_from_bytes(&rest[12..12 + length]).unwrap());
            rest = &rest[16 + length..];
        }
        events
    }

    #[test]
    fn starts_of_one_run_within_a_second_keep_their_files_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let ahead = format!("{PREFIX}9999999990.other-host.1.0"); // a machine whose clock was wrong
        fs::write(folder.path().join(&ahead), "").unwrap();
        for decisions in [0, 64, 128] {
            TensorBoard::begin(folder.path(), decisions, "seed = 1").unwrap();
        }
        let files = event_files(folder.path());
        assert_eq!(files.len(), 4, "{files:?}");
        assert!(files[0].ends_with(ahead));
        let starts: Vec<i64> = files[1..].iter().map(|file| events(file)[1].get_step()).collect();
        assert_eq!(starts, [1, 65, 129]);
        let lengths: Vec<usize> = files[1..].iter().map(|file| events(file).len()).collect();
        assert_eq!(lengths, [3, 2, 2], "the config is shown once");
    }

    #[test]
    fn a_file_says_its_version_then_its_start_then_the_config_then_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let mut board = TensorBoard::begin(folder.path(), 0, "seed = 1\n[agent]").unwrap();
        board.scalar("train/loss", 64, f64::NAN).unwrap();
        board.scalar("train/loss", 64, 1e300).unwrap(); // infinite as an f32
        board.scalar("train/loss", 128, 0.5).unwrap();
        board.flush().unwrap();
        let events = events(&event_files(folder.path())[0]);
        assert_eq!(events.len(), 4, "numbers that are not finite are left out");
        assert_eq!(events[0].get_file_version(), FILE_VERSION);
        assert_eq!(events[1].get_session_log().get_status(), SessionLog_SessionStatus::START);
        let config = &events[2].get_summary().get_value()[0];
        assert_eq!(config.get_metadata().get_plugin_data().get_plugin_name(), "text");
        assert_eq!(config.get_tensor().get_string_val(), [b"    seed = 1\n    [agent]\n".to_vec()]);
        let loss = &events[3].get_summary().get_value()[0];
        assert_eq!((events[3].get_step(), loss.get_tag(), loss.get_simple_value()), (128, "train/loss", 0.5));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_and_no_panic() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = TensorBoard::begin(&file.join("tensorboard"), 0, "").err().unwrap();
        assert!(error.to_string().starts_with("cannot write TensorBoard's file in"), "{error:#}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_and_no_panic() {
        let file = File::options().write(true).open("/dev/full").unwrap();
        let writer = BufWriter::new(file.try_clone().unwrap());
        let mut board = TensorBoard { path: "/dev/full".into(), file, records: RecordWriter::new(writer) };
        board.scalar("train/loss", 64, 0.5).unwrap();
        let error = format!("{:#}", board.flush().unwrap_err());
        assert!(error.starts_with("cannot write /dev/full: "), "{error}");
    }
}
