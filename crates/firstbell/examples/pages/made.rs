//! The pages and completions themselves: a pure function of the command line's definition and of the README's settings.

use clap::Command;
use clap_complete::{Shell, generate};

const README: &str = include_str!("../../../../README.md");
const EXAMPLE: &str = include_str!("../../../../packaging/debian/config.toml.example");

/// One file, with its path below the folder.
pub(crate) struct Made {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every file.
pub(crate) fn all() -> Vec<Made> {
    let mut command = visible(&firstbell::cli::definition());
    command.build();
    let mut made = vec![Made { path: "man/firstbell.toml.5".into(), text: settings() }];
    of(&command, "firstbell", &mut made);
    for (shell, name) in
        [(Shell::Bash, "firstbell.bash"), (Shell::Zsh, "_firstbell"), (Shell::Fish, "firstbell.fish")]
    {
        let mut bytes = Vec::new();
        generate(shell, &mut command.clone(), "firstbell", &mut bytes);
        made.push(Made { path: format!("completions/{name}"), text: text(bytes) });
    }
    made
}

/// The command without what is for firstbell itself, which completions would offer: none can be taken out of one that is made.
fn visible(command: &Command) -> Command {
    let kept = command.get_subcommands().filter(|inner| !inner.is_hide_set()).cloned();
    Command::new("firstbell")
        .version(env!("CARGO_PKG_VERSION"))
        .about(command.get_about().cloned().unwrap_or_default())
        .after_help(command.get_after_help().cloned().unwrap_or_default())
        .args(command.get_arguments().cloned())
        .subcommand_required(true)
        .subcommands(kept)
}

fn of(command: &Command, name: &str, made: &mut Vec<Made>) {
    let mut bytes = Vec::new();
    // Names are static in clap; this program ends soon.
    let page = command.clone().name(&*name.to_owned().leak()).disable_help_subcommand(true);
    let page =
        clap_mangen::Man::new(page).title(name).source(concat!("firstbell ", env!("CARGO_PKG_VERSION")));
    page.manual("firstbell's manual").render(&mut bytes).expect("a vector takes every byte");
    // Without a date, of which nothing here knows, what follows would be taken for one.
    let mut page = text(bytes).replacen(" 1  \"", " 1 \"\" \"", 1);
    if name == "firstbell" {
        page.push_str(".SH \"SEE ALSO\"\n.BR firstbell.toml (5)\n");
    }
    made.push(Made { path: format!("man/{name}.1"), text: page });
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        of(inner, &format!("{name}-{}", inner.get_name()), made);
    }
}

/// The README's table of settings as a page.
fn settings() -> String {
    let section = README.split("\n### Settings\n").nth(1).and_then(|rest| rest.split("\n## ").next());
    let section = section.expect("the README has its settings");
    let mut page = String::from(".TH firstbell.toml 5 \"\" \"firstbell ");
    page.push_str(env!("CARGO_PKG_VERSION"));
    page.push_str("\" \"firstbell's manual\"\n.SH NAME\nfirstbell.toml \\- what firstbell is told in its configuration\n");
    page.push_str(".SH FILES\n$FIRSTBELL_CONFIG, else\n.I firstbell/config.toml\n");
    page.push_str("in the user's configuration folder; of the service,\n.I /etc/firstbell/config.toml\n.SH DESCRIPTION\n");
    for line in section.lines().filter(|line| !line.starts_with("|---") && *line != "| key | meaning |") {
        match line.strip_prefix("| ").and_then(|row| row.strip_suffix(" |")?.split_once(" | ")) {
            Some((key, meaning)) => {
                page.push_str(&format!(".TP\n{}\n{}\n", written(key), written(meaning)));
            }
            None if line.is_empty() => page.push_str(".PP\n"),
            None => page.push_str(&format!("{}\n", written(line))),
        }
    }
    page.push_str(".SH EXAMPLE\n.nf\n");
    for line in EXAMPLE.lines() {
        page.push_str(&format!("{}\n", escaped(line)));
    }
    page.push_str(".fi\n.SH \"SEE ALSO\"\n.BR firstbell (1)\n");
    page.replace(".PP\n.PP\n", ".PP\n")
        .replace(".PP\n.TP\n", ".TP\n")
        .replace(".PP\n.SH", ".SH")
        .replace("DESCRIPTION\n.PP\n", "DESCRIPTION\n")
}

/// Markdown as roff: code in bold, of a link its words.
fn written(markdown: &str) -> String {
    let mut plain = String::new();
    let mut rest = markdown;
    while let Some((before, after)) = rest.split_once('[') {
        match after.split_once("](").and_then(|(words, target)| Some((words, target.split_once(')')?.1))) {
            Some((words, left)) if !words.contains(['[', '`']) => {
                plain.push_str(before);
                plain.push_str(words);
                rest = left;
            }
            _ => {
                plain.push_str(before);
                plain.push('[');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    let mut roff = String::new();
    for (n, part) in escaped(&plain).split('`').enumerate() {
        match n % 2 {
            0 => roff.push_str(part),
            _ => roff.push_str(&format!("\\fB{part}\\fR")),
        }
    }
    roff
}

fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('…', "...");
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("made of strings")
}
