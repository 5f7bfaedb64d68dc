//! What keeps a machine safe by itself: updates, a firewall, and a clock that is set.

use super::finding::{Area, Finding};
use super::machine::Machine;

const AREA: Area = Area::Machine;

/// All of them.
pub fn examine(machine: &Machine) -> Vec<Finding> {
    vec![updates(machine), firewall(machine), time_service(machine)]
}

/// Whether security updates are installed by themselves.
pub fn updates(machine: &Machine) -> Finding {
    let id = "updates";
    let good = || Finding::good(AREA, id, "security updates are installed by themselves");
    let bad = |mend| Finding::warning(AREA, id, "security updates wait for somebody to install them", mend);
    if machine.has("/etc/apt") {
        let on = machine.names("/etc/apt/apt.conf.d").iter().any(|name| {
            let text = machine.text(&format!("/etc/apt/apt.conf.d/{name}")).unwrap_or_default();
            text.lines().any(upgrades)
        });
        let mend = "sudo apt-get install -y unattended-upgrades && sudo dpkg-reconfigure -f noninteractive \
                    unattended-upgrades";
        return if on { good() } else { bad(mend) };
    }
    if machine.has("/etc/dnf") {
        let text = machine.text("/etc/dnf/automatic.conf").unwrap_or_default();
        let applies = text.lines().any(|line| line.replace(' ', "").starts_with("apply_updates=yes"));
        let timers = machine.names("/etc/systemd/system/timers.target.wants");
        let runs =
            timers.iter().any(|timer| timer.starts_with("dnf-automatic") || timer.starts_with("dnf5-auto"));
        let mend =
            "sudo dnf install -y dnf-automatic && sudo systemctl enable --now dnf-automatic-install.timer";
        // Its own timer for installing needs no word in the file.
        let installs = timers.iter().any(|timer| timer.starts_with("dnf-automatic-install"));
        return if installs || (applies && runs) { good() } else { bad(mend) };
    }
    Finding::unknown(AREA, id, "whether security updates are installed by themselves")
}

/// `APT::Periodic::Unattended-Upgrade "1";`, and no comment.
fn upgrades(line: &str) -> bool {
    let line = line.trim_start();
    let value = line.strip_prefix("APT::Periodic::Unattended-Upgrade").map(|rest| rest.trim());
    value.is_some_and(|value| !value.starts_with("\"0\"") && !value.starts_with("0"))
}

/// Whether one of the usual firewalls stands, by what starts it. The rules themselves can be read by root only.
pub fn firewall(machine: &Machine) -> Finding {
    let id = "firewall";
    let wanted = |name: &str| {
        ["multi-user.target.wants", "sysinit.target.wants", "network-pre.target.wants"]
            .iter()
            .any(|target| machine.has(&format!("/etc/systemd/system/{target}/{name}.service")))
    };
    let ufw = machine.text("/etc/ufw/ufw.conf").unwrap_or_default();
    let is_on = ufw.lines().any(|line| line.trim().eq_ignore_ascii_case("ENABLED=yes"));
    let stands = match () {
        () if is_on => Some("ufw"),
        () if wanted("firewalld") || machine.has("/run/firewalld") => Some("firewalld"),
        () if wanted("nftables") => Some("nftables"),
        () if wanted("netfilter-persistent") => Some("netfilter-persistent"),
        () => None,
    };
    match stands {
        Some(name) => Finding::good(AREA, id, format!("a firewall is switched on ({name})")),
        None => Finding::warning(
            AREA,
            id,
            "no firewall was found on this machine; one around it (a cloud's, a router's) cannot be seen from here",
            match machine.has("/etc/dnf") {
                true => "sudo dnf install -y firewalld && sudo systemctl enable --now firewalld",
                false => "sudo apt-get install -y ufw && sudo ufw allow OpenSSH && sudo ufw enable",
            },
        ),
    }
}

/// Whether something sets the clock.
pub fn time_service(machine: &Machine) -> Finding {
    let id = "time_service";
    let runs =
        ["/run/systemd/timesync/synchronized", "/run/chrony/chronyd.pid", "/run/chrony", "/run/ntpd.pid"];
    match runs.iter().any(|place| machine.has(place)) {
        true => Finding::good(AREA, id, "something keeps the clock right"),
        false => Finding::warning(
            AREA,
            id,
            "nothing was found that keeps the clock right; a code of the second factor lives for 30 s",
            "sudo timedatectl set-ntp true",
        ),
    }
}
