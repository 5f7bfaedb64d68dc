//! An export on a disk that fails: a whole file or none, and nothing half beside it.

use std::fs;

use crate::failing::{EIO, ENOSPC, Failing, How, happened};
use crate::support::{Home, Sim, ended};
use crate::{keygen, opened_by_age};

#[test]
fn an_export_that_fails_leaves_no_half_file() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let failing = Failing::build();
    let (mine, recipient) = keygen(home.dir.path(), "mine");
    let folder = home.dir.path().join("backups");
    let to = folder.join("export.age");
    let words = ["secrets", "export", "--recipient", &recipient, "--to", to.to_str().unwrap()];
    for how in [How::Once(ENOSPC), How::Once(EIO), How::Tears] {
        let (mut at, mut fired) = (0, 0);
        loop {
            at += 1;
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir(&folder).unwrap();
            let mut command = home.command(&words);
            let ended = ended(failing.arm(&mut command, &folder, at, how).output().unwrap());
            let (has_fired, _) = happened(&folder);
            let left: Vec<_> = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path()).collect();
            if to.exists() {
                assert_eq!(opened_by_age(&to, &mine)["secrets"].as_array().unwrap().len(), 3, "{how:?} {at}");
            }
            // Whoever was killed cannot clean up; but what he left does not bear the backup's name.
            let is_tidy = left.iter().all(|path| *path == to);
            assert!(is_tidy || how == How::Tears, "{how:?} at {at}: {left:?}");
            assert_eq!(ended.code == 0, !has_fired, "{how:?} at {at}: {ended:?}");
            if !has_fired {
                break;
            }
            fired += 1;
        }
        assert!(fired > 2, "{how:?}: a file is made, written and synced");
    }
}
