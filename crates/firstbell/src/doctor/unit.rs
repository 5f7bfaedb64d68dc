//! What the daemon's unit asks of the service manager, against what the kernel holds in force: an ignored line is told, not believed.

use super::finding::{Area, Finding};
use super::machine::Machine;
use super::posture::Posture;

/// Where units lie, the folder that outranks the others first (systemd.unit(5)).
const FOLDERS: [&str; 6] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/etc/systemd/user",
    "/usr/lib/systemd/user",
];

/// Whether a value asks for something that shows.
type IsWanted = fn(&str) -> bool;

/// What became of a line of the unit.
enum Fate {
    InForce,
    Ignored,
    Unseen,
}

/// The unit that a process belongs to, compared; none where it belongs to no unit whose file is there.
pub fn examine(machine: &Machine, pid: u32, posture: &Posture) -> Option<Finding> {
    let (area, id) = (Area::Posture, "unit_in_force");
    let groups = machine.text(&format!("/proc/{pid}/cgroup"))?;
    let group = control_group(&groups)?;
    let unit = group.rsplit('/').next().filter(|name| name.ends_with(".service"))?;
    let asked = Asked::read(machine, unit)?;
    let (mut ignored, mut held) = (Vec::new(), Vec::new());
    for (name, fate) in fates(machine, &asked, posture, group) {
        match fate {
            Fate::InForce => held.push(name),
            Fate::Ignored => ignored.push(name),
            Fate::Unseen => {}
        }
    }
    Some(if !ignored.is_empty() {
        let what = format!(
            "the daemon's unit asks for {}, and the kernel does not hold it in force",
            ignored.join(", ")
        );
        let mend = "sudo systemctl daemon-reload && sudo systemctl restart firstbell    # if it stays: this system cannot do it";
        Finding::bad(area, id, what, mend)
    } else if held.is_empty() {
        Finding::unknown(
            area,
            id,
            "whether what the daemon's unit asks for is in force (it asks for nothing that shows)",
        )
    } else {
        Finding::good(area, id, format!("what the daemon's unit asks for is in force: {}", held.join(", ")))
    })
}

fn fates(machine: &Machine, asked: &Asked, posture: &Posture, group: &str) -> Vec<(&'static str, Fate)> {
    let fate = |seen: Option<bool>| match seen {
        Some(true) => Fate::InForce,
        Some(false) => Fate::Ignored,
        None => Fate::Unseen,
    };
    let limit = |file: &str| {
        machine.text(&format!("/sys/fs/cgroup{group}/{file}")).map(|text| text.trim().to_owned())
    };
    let wanted: [(&'static str, IsWanted, Option<bool>); 4] = [
        ("NoNewPrivileges", |value| ["yes", "true", "1", "on"].contains(&value), posture.no_new_rights),
        ("SystemCallFilter", |value| !value.is_empty(), posture.filtered),
        ("CapabilityBoundingSet", str::is_empty, posture.rights.map(|rights| rights == 0)),
        ("LimitCORE", |value| value == "0", posture.core.map(|core| core == 0)),
    ];
    let of_process =
        wanted.into_iter().filter(|(name, is_wanted, _)| asked.last(name).is_some_and(is_wanted));
    let mut all: Vec<_> = of_process.map(|(name, _, seen)| (name, fate(seen))).collect();
    if asked.last("MemorySwapMax") == Some("0") {
        all.push(("MemorySwapMax", fate(limit("memory.swap.max").map(|max| max == "0"))));
    }
    if asked.last("MemoryMax").is_some_and(|max| !max.is_empty() && max != "infinity") {
        all.push(("MemoryMax", fate(limit("memory.max").map(|max| max != "max"))));
    }
    all
}

/// The group of the one hierarchy, or of systemd's own (cgroups(7)).
fn control_group(text: &str) -> Option<&str> {
    let of = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
    of("0::")
        .or_else(|| text.lines().find_map(|line| line.split_once(":name=systemd:").map(|(_, group)| group)))
}

/// The lines of a unit and of what was laid over it.
struct Asked(String);

impl Asked {
    fn read(machine: &Machine, unit: &str) -> Option<Asked> {
        let mut text = FOLDERS.iter().find_map(|folder| machine.text(&format!("{folder}/{unit}")))?;
        for folder in FOLDERS.iter().rev() {
            let beside = format!("{folder}/{unit}.d");
            let mut names = machine.names(&beside);
            names.sort();
            for name in names.iter().filter(|name| name.ends_with(".conf")) {
                text.push('\n');
                text.push_str(&machine.text(&format!("{beside}/{name}")).unwrap_or_default());
            }
        }
        Some(Asked(text))
    }

    /// What was written last for a key: that outranks, or adds to, what was before.
    fn last(&self, key: &str) -> Option<&str> {
        let pairs = self.0.lines().rev().filter_map(|line| line.split_once('='));
        pairs
            .map(|(name, value)| (name.trim(), value.trim()))
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }
}
