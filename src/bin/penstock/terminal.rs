//! The full screen on a terminal, which is put back as it was however the watch ends.

use std::io::{self, BufWriter, Stdout, Write};
use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetColors};
use crossterm::{cursor, queue, style::Colors, terminal};
use penstock::{Following, Patch, Subscription};

use crate::command::Watch;
use crate::failure::Failure;
use crate::screen::{Line, Look, Screen, Scroll};
use crate::watch::{Troubles, now};

/// How long to wait for a key before looking for changes.
const KEY_WAIT: Duration = Duration::from_millis(40);
/// How often the times on the screen are drawn anew.
const CLOCK_INTERVAL: Duration = Duration::from_secs(1);

/// Shows a result until `q` or Ctrl-C.
///
/// # Errors
/// A result that ended, or a failing terminal.
pub(crate) fn run(
    options: &Watch,
    live: &mut Subscription,
    following: &Following,
) -> Result<(), Failure> {
    let tree = live.resync().map_err(|error| Failure::File {
        file: options.query.file.clone(),
        reason: error.to_string(),
    })?;
    let mut screen = Screen::new(&options.query.file, &options.query.sql, tree);
    let mut troubles = Troubles::default();
    let mut terminal = Terminal::enter()?;
    let start = now();
    let mut drawn: Option<Instant> = None;
    while options.lasting.is_none_or(|lasting| start.elapsed() < lasting) {
        let time = start.elapsed();
        let patches: Vec<Patch> = live.changes().collect();
        screen.change(&patches, time);
        let mut stale = screen.fade(time) || !patches.is_empty();
        stale |= drawn.is_none_or(|drawn| drawn.elapsed() >= CLOCK_INTERVAL);
        if let Some(trouble) = troubles.look(options, live, following)?.pop() {
            screen.trouble = Some(trouble);
            stale = true;
        } else if !patches.is_empty() {
            screen.trouble = None;
        }
        if stale {
            let (width, height) = terminal::size()?;
            terminal.draw(&screen.lines(width.into(), height.into(), time))?;
            drawn = Some(now());
        }
        if !event::poll(KEY_WAIT)? {
            continue;
        }
        match event::read()? {
            Event::Key(key) if key.kind != KeyEventKind::Release => match meaning(key) {
                Meaning::Quit => break,
                Meaning::Scroll(by) => screen.scroll(by),
                Meaning::Nothing => continue,
            },
            Event::Resize(..) => {}
            _ => continue,
        }
        drawn = None;
    }
    Ok(())
}

enum Meaning {
    Quit,
    Scroll(Scroll),
    Nothing,
}

fn meaning(key: KeyEvent) -> Meaning {
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Meaning::Quit,
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Meaning::Quit,
        KeyCode::Up | KeyCode::Char('k') => Meaning::Scroll(Scroll::Rows(-1)),
        KeyCode::Down | KeyCode::Char('j') => Meaning::Scroll(Scroll::Rows(1)),
        KeyCode::PageUp => Meaning::Scroll(Scroll::Pages(-1)),
        KeyCode::PageDown | KeyCode::Char(' ') => Meaning::Scroll(Scroll::Pages(1)),
        KeyCode::Home => Meaning::Scroll(Scroll::Start),
        KeyCode::End => Meaning::Scroll(Scroll::End),
        KeyCode::Left => Meaning::Scroll(Scroll::Columns(-1)),
        KeyCode::Right => Meaning::Scroll(Scroll::Columns(1)),
        _ => Meaning::Nothing,
    }
}

/// The alternate screen. Dropping it, or a panic, brings the usual one back.
struct Terminal {
    out: BufWriter<Stdout>,
}

impl Terminal {
    fn enter() -> io::Result<Terminal> {
        terminal::enable_raw_mode()?;
        // From here on dropping it puts things back.
        let mut terminal = Terminal { out: BufWriter::new(io::stdout()) };
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            usual(panic);
        }));
        queue!(terminal.out, terminal::EnterAlternateScreen, cursor::Hide)?;
        terminal.out.flush()?;
        Ok(terminal)
    }

    fn draw(&mut self, lines: &[Line]) -> io::Result<()> {
        let out = &mut self.out;
        queue!(out, terminal::BeginSynchronizedUpdate)?;
        for (row, line) in (0_u16..).zip(lines) {
            queue!(out, cursor::MoveTo(0, row))?;
            for (text, look) in line {
                dress(out, *look)?;
                queue!(out, Print(text), SetAttribute(Attribute::Reset), ResetColor)?;
            }
            queue!(out, terminal::Clear(terminal::ClearType::UntilNewLine))?;
        }
        queue!(out, terminal::EndSynchronizedUpdate)?;
        out.flush()
    }
}

/// Sets attributes and colours; of these, terminals that are told to have none show the former.
fn dress(out: &mut impl Write, look: Look) -> io::Result<()> {
    match look {
        Look::Plain => Ok(()),
        Look::Strong => queue!(out, SetAttribute(Attribute::Bold)),
        Look::Faint => queue!(out, SetAttribute(Attribute::Dim)),
        Look::Head => {
            queue!(out, SetAttribute(Attribute::Bold), SetAttribute(Attribute::Underlined))
        }
        Look::New => marked(out, Color::Green),
        Look::Changed => marked(out, Color::Yellow),
        Look::Trouble => queue!(out, SetColors(Colors::new(Color::Red, Color::Reset))),
    }
}

fn marked(out: &mut impl Write, colour: Color) -> io::Result<()> {
    queue!(out, SetAttribute(Attribute::Bold), SetColors(Colors::new(Color::Black, colour)))
}

/// Puts the terminal back. What fails here cannot be helped.
fn restore() {
    let mut out = io::stdout();
    let _ = queue!(out, terminal::EndSynchronizedUpdate, cursor::Show);
    let _ = queue!(out, terminal::LeaveAlternateScreen);
    let _ = out.flush();
    let _ = terminal::disable_raw_mode();
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}
