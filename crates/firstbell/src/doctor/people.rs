//! Who else is on this machine, and as whom firstbell runs.

use std::collections::BTreeSet;

use super::finding::{Area, Finding};
use super::machine::Machine;

const AREA: Area = Area::Machine;
/// Numbers of people begin here, and end before `nobody` (Debian, Fedora; login.defs).
const PEOPLE: std::ops::Range<u32> = 1_000..65_000;

/// All that there is to say about users.
pub fn examine(machine: &Machine) -> Vec<Finding> {
    vec![others(machine), ourselves(machine)]
}

/// Other people's accounts; their names are their own affair.
pub fn others(machine: &Machine) -> Finding {
    let id = "other_users";
    let Some(passwd) = machine.text("/etc/passwd") else {
        return Finding::unknown(AREA, id, "whether other people use this machine");
    };
    let others: BTreeSet<u32> = passwd.lines().filter_map(person).filter(|uid| *uid != machine.uid).collect();
    let numbers = machine.names("/run/systemd/users");
    let here = numbers.iter().filter_map(|name| name.parse().ok()).filter(|uid| others.contains(uid)).count();
    let now = match here {
        0 => "none is logged in now".to_owned(),
        n => format!("{n} logged in now"),
    };
    match others.len() {
        0 => Finding::good(AREA, id, "nobody else can log in to this machine (but root)"),
        n => Finding::warning(
            AREA,
            id,
            format!("{n} other {} can log in to this machine, {now}", if n == 1 { "user" } else { "users" }),
            "take away what is not needed: sudo usermod --expiredate 1 NAME; or give firstbell a machine of its own",
        ),
    }
}

/// The number of somebody who can log in.
fn person(line: &str) -> Option<u32> {
    let parts: Vec<&str> = line.split(':').collect();
    let uid: u32 = parts.get(2)?.parse().ok()?;
    let shell = parts.get(6)?.trim();
    let none = ["nologin", "false", "sync"].iter().any(|name| shell.ends_with(name));
    (PEOPLE.contains(&uid) && !shell.is_empty() && !none).then_some(uid)
}

/// Whether nobody but root and whoever looks is in a group: Debian and Fedora give each user one of his own, and let it write.
pub fn is_alone_in(machine: &Machine, group: u32) -> bool {
    let (Some(groups), Some(passwd)) = (machine.text("/etc/group"), machine.text("/etc/passwd")) else {
        return false;
    };
    let number = |parts: &[&str], at: usize| parts.get(at).and_then(|text| text.parse::<u32>().ok());
    let us = |uid: Option<u32>| uid.is_some_and(|uid| uid == 0 || uid == machine.uid);
    let users: Vec<Vec<&str>> = passwd.lines().map(|line| line.split(':').collect()).collect();
    let named = |name: &str| users.iter().any(|parts| parts[0] == name && us(number(parts, 2)));
    let first =
        users.iter().filter(|parts| number(parts, 3) == Some(group)).all(|parts| us(number(parts, 2)));
    let mut rows = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let row = rows.find(|parts| number(parts, 2) == Some(group));
    let members = row.and_then(|parts| parts.get(3).copied());
    first && members.is_some_and(|members| members.split(',').filter(|name| !name.is_empty()).all(named))
}

/// As whom firstbell runs.
pub fn ourselves(machine: &Machine) -> Finding {
    match machine.uid {
        0 => Finding::warning(
            AREA,
            "own_user",
            "firstbell runs as root: a fault in it is a fault in everything",
            "make a user for it: sudo useradd --create-home --shell /usr/sbin/nologin firstbell",
        ),
        _ => Finding::good(AREA, "own_user", "firstbell does not run as root"),
    }
}
