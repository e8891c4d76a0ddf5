//! Bars and spinners on standard error; nothing at all when it is a file, or with `--quiet`.

use crate::console::Console;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

const TICK: Duration = Duration::from_millis(120);

/// A bar over `total` units, `unit` in the plural; its message is free.
pub(crate) fn bar(console: Console, total: u64, unit: &str) -> ProgressBar {
    let template = format!(
        "{{bar:24.cyan/dim}} {{percent:>3}} %  {{human_pos}}/{{human_len}} {unit}  {{per_sec:.0}}  {{eta}} left  {{msg}}"
    );
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    draw(console, ProgressBar::new(total).with_style(style))
}

/// A sign of life beside a sentence, for work whose length is unknown.
pub(crate) fn spinner(console: Console, sentence: impl Into<String>) -> ProgressBar {
    let bar = draw(console, ProgressBar::new_spinner().with_message(sentence.into()));
    bar.enable_steady_tick(TICK);
    bar
}

fn draw(console: Console, bar: ProgressBar) -> ProgressBar {
    if console.shows_progress() {
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
    } else {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}

/// A bar over the bytes of a file.
pub(crate) fn bytes(console: Console, total: u64) -> ProgressBar {
    let template = "{bar:24.cyan/dim} {percent:>3} %  {bytes}/{total_bytes}  {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    draw(console, ProgressBar::new(total).with_style(style))
}

/// The bar of a training run: its prefix is the speed, its message how good the policy is.
pub(crate) fn training(console: Console, decisions: u64) -> ProgressBar {
    let template = "  {bar:24.cyan/dim} {percent:>3} %  {human_pos} of {human_len} decisions  {prefix}  {eta} left  {msg}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    draw(console, ProgressBar::new(decisions).with_style(style))
}
