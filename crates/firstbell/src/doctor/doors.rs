//! What of this machine can be reached: ports that are not loopback's, and browsers that anybody here may drive.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::finding::{Area, Finding};
use super::machine::Machine;

const AREA: Area = Area::Machine;
/// Whoever reaches one of these drives a browser: DevTools and WebDriver at their usual ports.
const DRIVES: [u16; 4] = [9222, 9515, 4444, 6000];
/// More are counted.
const NAMED_MAX: usize = 6;

/// All of them.
pub fn examine(machine: &Machine) -> Vec<Finding> {
    vec![ports(machine), debugged(machine)]
}

/// Ports that other machines could reach.
pub fn ports(machine: &Machine) -> Finding {
    let id = "open_ports";
    let Some(tcp) = machine.text("/proc/net/tcp") else {
        return Finding::unknown(AREA, id, "which ports of this machine are open");
    };
    let tcp6 = machine.text("/proc/net/tcp6").unwrap_or_default();
    let rows = tcp.lines().chain(tcp6.lines()).filter_map(listens);
    let open: BTreeMap<u16, String> = rows
        .filter(|(address, ..)| !address.to_canonical().is_loopback())
        .map(|(_, port, inode)| (port, inode))
        .collect();
    if open.is_empty() {
        return Finding::good(AREA, id, "no port of this machine is open to others");
    }
    let holders = holders(machine);
    let holder = |inode: &String| holders.get(inode).map(|name| format!(" ({name})")).unwrap_or_default();
    let mut names: Vec<String> =
        open.iter().take(NAMED_MAX).map(|(port, inode)| format!("{port}{}", holder(inode))).collect();
    if open.len() > NAMED_MAX {
        names.push(format!("{} more", open.len() - NAMED_MAX));
    }
    let names = names.join(", ");
    if open.keys().any(|port| DRIVES.contains(port)) {
        let what = format!("a port that drives a browser is open to other machines: {names}");
        return Finding::bad(AREA, id, what, "end that program: ss -ltnp shows it");
    }
    match open.keys().all(|port| *port == 22) {
        true => Finding::good(AREA, id, format!("only ssh is open to other machines: {names}")),
        false => Finding::warning(
            AREA,
            id,
            format!("ports are open to other machines, as far as no firewall closes them: {names}"),
            "end what you do not need (ss -ltnp shows it), or close it: sudo ufw default deny incoming",
        ),
    }
}

/// Address, port and inode of a row of `/proc/net/tcp` or `tcp6` that listens (proc_net(5)).
fn listens(row: &str) -> Option<(IpAddr, u16, String)> {
    const LISTEN: &str = "0A";
    let words: Vec<&str> = row.split_whitespace().collect();
    let (address, port) = words.get(1)?.split_once(':')?;
    if *words.get(3)? != LISTEN {
        return None;
    }
    // Each group of four bytes stands in the machine's own order.
    let group =
        |at: usize| u32::from_str_radix(address.get(8 * at..8 * at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip = match address.len() {
        8 => IpAddr::from(Ipv4Addr::from(group(0)?)),
        _ => {
            let bytes = [group(0)?, group(1)?, group(2)?, group(3)?].concat();
            IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?))
        }
    };
    Some((ip, u16::from_str_radix(port, 16).ok()?, (*words.get(9)?).to_owned()))
}

/// The program of each socket, as far as this user may see.
fn holders(machine: &Machine) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for pid in machine.processes() {
        let folder = format!("/proc/{pid}/fd");
        for number in machine.names(&folder) {
            let link = machine.link(&format!("{folder}/{number}")).unwrap_or_default();
            let inode = link.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
            if let (Some(inode), Some(name)) = (inode, machine.text(&format!("/proc/{pid}/comm"))) {
                found.insert(inode.to_owned(), plain(name.trim()));
            }
        }
    }
    found
}

/// A stranger's name without what would act on a terminal.
pub(super) fn plain(text: &str) -> String {
    let good = |c: &char| c.is_alphanumeric() || " .,-_+&'()/:".contains(*c);
    text.chars().filter(good).take(48).collect()
}

/// Browsers whose DevTools listen at a port, whoever started them.
pub fn debugged(machine: &Machine) -> Finding {
    let id = "debugged_browsers";
    let pids = machine.processes();
    if pids.is_empty() {
        return Finding::unknown(AREA, id, "whether a browser with an open debugging port runs");
    }
    let flag = |pid: &&u32| {
        let line = machine.text(&format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(['\0', ' ']).any(|word| word.starts_with("--remote-debugging-port"))
    };
    // firstbell's own Firefox has one inside a network of its own.
    let ours = machine.link("/proc/self/ns/net");
    let outside = |pid: &&u32| match machine.link(&format!("/proc/{pid}/ns/net")) {
        Some(net) => ours.as_ref() == Some(&net),
        None => true,
    };
    match pids.iter().filter(flag).filter(outside).count() {
        0 => Finding::good(AREA, id, "no browser with a debugging port runs here"),
        _ => Finding::warning(
            AREA,
            id,
            "a browser with an open debugging port runs here: every user of this machine can drive it",
            "end it: pgrep -af remote-debugging-port shows it",
        ),
    }
}
