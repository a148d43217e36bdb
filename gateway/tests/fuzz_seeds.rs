//! Replays the fuzz targets' seeds, and what fuzzing once found, without a fuzzer.

#[path = "../../xtask/fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "for the fuzz targets this file is the root of a library")]
mod oracles;

use std::fs;
use std::path::Path;

#[test]
fn every_promise_holds_for_every_seed() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xtask/fuzz/seeds");
    for (target, _) in oracles::ORACLES {
        let mut replayed = 0;
        for entry in fs::read_dir(seeds.join(target)).expect("a folder of seeds for each target") {
            let path = entry.expect("a seed").path();
            eprintln!("{}", path.display());
            oracles::run(target, &fs::read(&path).expect("a seed that can be read"));
            replayed += 1;
        }
        assert!(replayed > 0, "{target} has no seeds");
        oracles::run(target, &[]);
    }
}

/// A target without an oracle would fuzz nothing, and one without a file would never be fuzzed.
#[test]
fn every_fuzz_target_has_an_oracle() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xtask/fuzz/fuzz_targets");
    let mut files: Vec<String> = fs::read_dir(folder)
        .expect("the fuzz targets")
        .map(|entry| {
            entry.expect("a fuzz target").path().file_stem().expect("a name").to_string_lossy().into_owned()
        })
        .collect();
    files.sort();
    let oracles: Vec<&str> = oracles::ORACLES.iter().map(|(name, _)| *name).collect();
    assert_eq!(files, oracles);
}
