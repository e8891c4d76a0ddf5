//! Bars and spinners on standard error; nothing at all when it is a file, or with `--quiet`.

use crate::console::Console;
use indicatif::{HumanFloatCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt;
use std::time::Duration;

const TICK: Duration = Duration::from_millis(120);

/// A bar over `total` units, `unit` in the plural; its message is free.
pub(crate) fn bar(console: Console, total: u64, unit: &str) -> ProgressBar {
    let template = format!(
        "{{bar:24.cyan/dim}} {{percent:>3}} %  {{human_pos}}/{{human_len}} {unit}  {{rate}}  {{eta}} left  {{msg}}"
    );
    styled(console, total, &template)
}

/// Units a second. A precision in the template (`{per_sec:.0}`) would be read as a colour.
fn write_rate(state: &ProgressState, text: &mut dyn fmt::Write) {
    let _ = write!(text, "{:.0}/s", HumanFloatCount(state.per_sec()));
}

/// A sign of life beside a sentence, for work whose length is unknown.
pub(crate) fn spinner(console: Console, sentence: impl Into<String>) -> ProgressBar {
    let bar = draw(console, ProgressBar::new_spinner().with_message(sentence.into()));
    bar.enable_steady_tick(TICK);
    bar
}

fn styled(console: Console, total: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    draw(console, ProgressBar::new(total).with_style(style.with_key("rate", write_rate)))
}

fn draw(console: Console, bar: ProgressBar) -> ProgressBar {
    let is_shown = console.shows_progress();
    bar.set_draw_target(if is_shown {
        ProgressDrawTarget::stderr_with_hz(8)
    } else {
        ProgressDrawTarget::hidden()
    });
    bar
}

/// A bar over the bytes of a file.
pub(crate) fn bytes(console: Console, total: u64) -> ProgressBar {
    let template = "{bar:24.cyan/dim} {percent:>3} %  {bytes}/{total_bytes}  {eta} left";
    styled(console, total, template)
}

/// The bar of a training run: its prefix is the speed, its message how good the policy is.
pub(crate) fn training(console: Console, decisions: u64) -> ProgressBar {
    let template = "  {bar:24.cyan/dim} {percent:>3} %  {human_pos} of {human_len} decisions  {prefix}  {eta} left  {msg}";
    styled(console, decisions, template)
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::TermLike;
    use std::io;
    use std::sync::{Arc, Mutex};

    /// A terminal that keeps the last line that was drawn.
    #[derive(Clone, Debug, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            200
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            if !text.trim().is_empty() {
                *self.0.lock().unwrap() = text.to_owned();
            }
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_speed_is_a_whole_number_with_its_digits_grouped() {
        let screen = Screen::default();
        let bar = bar(Console::new(false, false), 1_000_000, "decisions");
        bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(screen.clone())));
        let bar = bar.with_elapsed(Duration::from_secs(100));
        bar.set_position(75_680_521);
        bar.abandon();
        let line = screen.0.lock().unwrap().clone();
        // 75,680,521 decisions in 100 s.
        assert!(line.contains("75,680,521/1,000,000 decisions  756,805/s  "), "{line}");
        assert!(!line.contains("38;5;0"), "{line:?}");
    }
}
