//! The manual and the completions, as `make pages` makes them: a page for every command that is shown, every option in both,
//! and nothing of what is for firstbell itself.

#[path = "../examples/pages/made.rs"]
mod made;

use std::collections::BTreeMap;

use clap::Command;

fn files() -> BTreeMap<String, String> {
    made::all().into_iter().map(|made| (made.path, made.text)).collect()
}

/// Calls `each` with every command that is shown and its whole name.
fn shown(command: &Command, name: &str, each: &mut impl FnMut(&str, &Command)) {
    each(name, command);
    for inner in command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
        shown(inner, &format!("{name}-{}", inner.get_name()), each);
    }
}

fn definition() -> Command {
    let mut command = firstbell::cli::definition();
    command.build();
    command
}

#[test]
fn every_shown_command_has_a_page_with_all_that_it_takes() {
    let files = files();
    let mut pages = 0;
    shown(&definition(), "firstbell", &mut |name, command| {
        let page = files.get(&format!("man/{name}.1")).unwrap_or_else(|| panic!("{name} has no page"));
        pages += 1;
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            let written = match argument.get_long() {
                Some(long) => format!("\\-\\-{}", long.replace('-', "\\-")),
                None => argument.get_value_names().unwrap()[0].to_string(),
            };
            assert!(page.contains(&written), "{name}'s page does not tell {written}:\n{page}");
        }
        for inner in command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
            let named = format!("{name}-{}(1)", inner.get_name()).replace('-', "\\-");
            assert!(page.contains(&named), "{name}'s page does not lead to {named}:\n{page}");
        }
    });
    let made = files.keys().filter(|path| path.ends_with(".1")).count();
    assert!(pages > 20 && made == pages, "{made} pages for {pages} commands");
}

#[test]
fn completions_offer_all_that_is_shown_and_nothing_hidden() {
    let files = files();
    for shell in ["firstbell.bash", "_firstbell", "firstbell.fish"] {
        let text = &files[&format!("completions/{shell}")];
        shown(&definition(), "firstbell", &mut |name, command| {
            let last = name.rsplit('-').next().unwrap();
            assert!(text.contains(last), "{shell} does not know {name}");
            for long in command.get_arguments().filter_map(clap::Arg::get_long) {
                assert!(text.contains(long), "{shell} does not know --{long} of {name}");
            }
        });
    }
    for (path, text) in &files {
        for hidden in ["cage", "Shuts a login engine in", "under a supervisor"] {
            assert!(!text.contains(hidden), "{path} tells of {hidden}, which is for firstbell itself");
        }
    }
}

#[test]
fn the_page_of_settings_has_each_that_the_readme_has() {
    let page = &files()["man/firstbell.toml.5"];
    for setting in
        ["keep_days", "\\fBcalendar = [...]\\fR", "[rehearsal.leap] control", "FIRSTBELL_LOG", "redirect_url"]
    {
        let setting = setting.replace("\\fB", "").replace("\\fR", "");
        assert!(page.contains(&setting), "{setting} is not in\n{page}");
    }
    assert!(!page.contains('`') && !page.contains("]("), "Markdown is left in\n{page}");
}
