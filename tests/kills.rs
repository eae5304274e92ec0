// SPDX-License-Identifier: MIT OR Apache-2.0

//! Commands that are killed at random instants.
//!
//! After every kill the store is sound and no committed row is missing; at the end a run that is
//! left alone gives what one gives that was never disturbed. `EOSIN_KILLS` says how many kills
//! there are in all; without it there are a few of each kind.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::common::{copy, text};
use crate::small::{
    Job, N_TILES, Random, Rows, end, files, nothing_lost, ok, output, rows, set_age, start,
    store_command, temporaries, verify, write_npy,
};
use crate::sweep::write_twice;

/// Kinds of work that share the kills.
const KINDS: usize = 8;

fn n_kills() -> usize {
    let all: usize = std::env::var("EOSIN_KILLS").map_or(24, |n| n.parse().expect("a number"));
    all.div_ceil(KINDS)
}

/// A kind of work that is killed.
struct Work<'a> {
    name: &'static str,
    /// Fills a folder with what the work starts from.
    prepare: &'a dyn Fn(&Path),
    /// Processes that run at once on a folder.
    commands: &'a dyn Fn(&Path) -> Vec<Command>,
    /// What a folder's store holds at the end.
    expected: &'a Rows,
    /// What else its rows may be on the way.
    earlier: &'a Rows,
}

/// Where a folder's store is.
fn store(folder: &Path) -> PathBuf {
    folder.join("store")
}

/// What became of processes that were to be killed.
#[derive(Default)]
struct Landed {
    kills: usize,
    /// Kills at which something had been seen to change in the folder.
    at_work: usize,
}

/// Starts processes, and kills one or all of them at a random instant: after some time, or soon
/// after some change in the folder.
fn disturb(
    commands: Vec<Command>,
    folder: &Path,
    whole: Duration,
    random: &mut Random,
    may_be_refused: bool,
) -> Landed {
    let n = commands.len() as u64;
    let before = files(folder);
    let mut children: Vec<_> = commands.into_iter().map(start).collect();
    let (by_change, n_changes) = (random.below(2) == 0, 1 + random.below(12));
    let span = if by_change { whole / 20 } else { whole * 5 / 4 };
    let delay = Duration::from_micros(random.below(span.as_micros() as u64));
    let (mut seen, mut last, mut instant) = (0, before.clone(), None);
    let started = Instant::now();
    loop {
        let now = files(folder);
        seen += u64::from(now != last);
        last = now;
        if instant.is_none() && (!by_change || seen >= n_changes) {
            let from = if by_change { Instant::now() } else { started };
            instant = Some(from + delay);
        }
        let ended = children.iter_mut().all(|c| c.try_wait().unwrap().is_some());
        if ended || instant.is_some_and(|at| Instant::now() >= at) {
            break;
        }
        assert!(started.elapsed() < Duration::from_mins(2), "it hangs");
        std::thread::sleep(Duration::from_micros(200));
    }
    let victim = random.below(2 * n);
    for (i, child) in children.iter_mut().enumerate() {
        if victim >= n || victim == i as u64 {
            child.kill().unwrap();
        }
    }
    let mut landed = Landed::default();
    for child in children {
        let output = end(child);
        if output.status.signal() == Some(9) {
            landed.kills += 1;
            landed.at_work += usize::from(seen > 0);
        } else {
            // Who was not killed is not hurt by the others' end.
            let busy = may_be_refused && text(&output).contains("commits by others");
            assert!(output.status.success() || busy, "{}: {}", output.status, text(&output));
        }
    }
    landed
}

/// Kills a kind of work until it was killed often enough.
fn kill(work: &Work, seed: u64) {
    let mut random = Random::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    (work.prepare)(folder.path());
    let prepared = started.elapsed();
    for command in (work.commands)(folder.path()) {
        ok(command);
    }
    let whole = started.elapsed().saturating_sub(prepared).max(Duration::from_millis(20));
    assert!(rows(&store(folder.path())) == *work.expected, "{}: undisturbed", work.name);

    let (mut landed, mut rounds) = (Landed::default(), 0);
    // A kill before anything was done shows little, so few of them are not enough.
    while landed.kills < n_kills() || landed.at_work * 4 < landed.kills {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        (work.prepare)(folder);
        let mut committed = rows(&store(folder));
        // The same store is killed a few times over, or until the work is done.
        for _ in 0..4 {
            let commands = (work.commands)(folder);
            let several = commands.len() > 1;
            let now = disturb(commands, folder, whole, &mut random, several);
            verify(&store(folder));
            let found = rows(&store(folder));
            nothing_lost(&committed, &found, &[work.expected, work.earlier]);
            committed = found;
            landed.kills += now.kills;
            landed.at_work += now.at_work;
            if now.kills == 0 {
                break;
            }
            // What was left behind is old for whoever comes next.
            for path in files(folder) {
                set_age(&path, Duration::from_hours(2));
            }
        }
        for command in (work.commands)(folder) {
            ok(command);
        }
        verify(&store(folder));
        assert!(rows(&store(folder)) == *work.expected, "{}: other rows at the end", work.name);
        if store(folder).exists() {
            ok(store_command(&["gc", "--min-age", "0"], &store(folder)));
        }
        assert_eq!(temporaries(folder), [] as [PathBuf; 0], "{}", work.name);
        verify(&store(folder));
        assert!(rows(&store(folder)) == *work.expected, "{}: lost by gc", work.name);
        rounds += 1;
        assert!(rounds < 40 * n_kills(), "{}: it ends before it can be killed", work.name);
    }
    eprintln!(
        "{}: {} kills in {rounds} stores, {} of them after a change; a run takes {whole:?}",
        work.name, landed.kills, landed.at_work
    );
}

/// The rows that commands leave in a folder that is theirs alone.
fn undisturbed(prepare: &dyn Fn(&Path), commands: &dyn Fn(&Path) -> Vec<Command>) -> Rows {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    for command in commands(folder.path()) {
        ok(command);
    }
    rows(&store(folder.path()))
}

fn nothing(_folder: &Path) {}

#[test]
fn a_first_embedding() {
    let job = Job::new();
    let commands = |folder: &Path| vec![job.embed(&store(folder))];
    let expected = undisturbed(&nothing, &commands);
    assert_eq!(expected.len(), N_TILES);
    let work = Work {
        name: "embed",
        prepare: &nothing,
        commands: &commands,
        expected: &expected,
        earlier: &Rows::new(),
    };
    kill(&work, 1);
}

/// A kill leaves the old row of a tile or the new one, never none.
#[test]
fn an_embedding_of_changed_tiles() {
    let job = Job::new();
    let commands = |folder: &Path| vec![job.embed_with(&store(folder), "small-colours", 1)];
    let base = tempfile::tempdir().unwrap();
    ok(job.embed_with(&store(base.path()), "small-colours", 1));
    let earlier = rows(&store(base.path()));
    for i in (0..N_TILES).step_by(7) {
        job.draw(i, 1);
    }
    let prepare = |folder: &Path| copy(base.path(), folder);
    let expected = undisturbed(&prepare, &commands);
    let changed = expected.iter().filter(|(key, row)| earlier[*key] != **row).count();
    assert_eq!((expected.len(), changed), (N_TILES, N_TILES.div_ceil(7)));
    let work = Work {
        name: "embed changed",
        prepare: &prepare,
        commands: &commands,
        expected: &expected,
        earlier: &earlier,
    };
    kill(&work, 2);
}

#[test]
fn an_embedding_of_views() {
    let job = Job::new();
    let commands = |folder: &Path| vec![job.views(&store(folder))];
    let expected = undisturbed(&nothing, &commands);
    assert_eq!(expected.len(), 3 * N_TILES);
    let work = Work {
        name: "embed views",
        prepare: &nothing,
        commands: &commands,
        expected: &expected,
        earlier: &Rows::new(),
    };
    kill(&work, 3);
}

#[test]
fn a_whole_run() {
    let job = Job::new();
    let commands = |folder: &Path| vec![job.run(folder)];
    let expected = undisturbed(&nothing, &commands);
    // Two backbones, and views of the training tiles under the one that was chosen.
    assert!(expected.len() > 2 * N_TILES, "{}", expected.len());
    let work = Work {
        name: "run",
        prepare: &nothing,
        commands: &commands,
        expected: &expected,
        earlier: &Rows::new(),
    };
    kill(&work, 4);
}

#[test]
fn compacting() {
    let job = Job::new();
    let base = tempfile::tempdir().unwrap();
    write_twice(&job, &store(base.path()));
    let expected = rows(&store(base.path()));
    assert_eq!(expected.len(), N_TILES);
    let prepare = |folder: &Path| copy(base.path(), folder);
    let commands = |folder: &Path| vec![store_command(&["compact"], &store(folder))];
    let work = Work {
        name: "store compact",
        prepare: &prepare,
        commands: &commands,
        expected: &expected,
        earlier: &Rows::new(),
    };
    kill(&work, 5);
}

#[test]
fn sweeping() {
    let job = Job::new();
    let base = tempfile::tempdir().unwrap();
    write_twice(&job, &store(base.path()));
    ok(store_command(&["compact"], &store(base.path())));
    // Much to sweep, so that there is time to be killed.
    let set = std::fs::read_dir(store(base.path())).unwrap().next().unwrap().unwrap().path();
    for (i, folder) in ["", "_log", "shards"].into_iter().cycle().take(600).enumerate() {
        std::fs::write(set.join(folder).join(format!(".tmp-{i}")), "cut off").unwrap();
    }
    let expected = rows(&store(base.path()));
    let prepare = |folder: &Path| copy(base.path(), folder);
    let commands = |folder: &Path| vec![store_command(&["gc", "--min-age", "0"], &store(folder))];
    let work = Work {
        name: "store gc",
        prepare: &prepare,
        commands: &commands,
        expected: &expected,
        earlier: &Rows::new(),
    };
    kill(&work, 6);
}

#[test]
fn importing() {
    let arrays = tempfile::tempdir().unwrap();
    for i in 0..12 {
        let value = |at: usize| ((at * 31 + i * 7) % 2048) as f32 / 8.0;
        write_npy(&arrays.path().join(format!("slide{i:02}.npy")), 40 + i, 16, value);
    }
    let commands = |folder: &Path| {
        let mut command = store_command(&["import"], &store(folder));
        command.args(files(arrays.path()));
        vec![command]
    };
    let expected = undisturbed(&nothing, &commands);
    assert_eq!(expected.len(), 12 * 40 + 66);
    let work = Work {
        name: "store import",
        prepare: &nothing,
        commands: &commands,
        expected: &expected,
        earlier: &Rows::new(),
    };
    kill(&work, 7);
}

/// Two writers of the same tiles, a compaction and a sweep at once.
#[test]
fn two_writers_at_once() {
    let job = Job::new();
    let commands = |folder: &Path| {
        let mut all = vec![job.embed(&store(folder)), job.embed(&store(folder))];
        if store(folder).exists() {
            all.push(store_command(&["compact"], &store(folder)));
            all.push(store_command(&["gc"], &store(folder)));
        }
        all
    };
    let expected = undisturbed(&nothing, &commands);
    assert_eq!(expected.len(), N_TILES);
    let work = Work {
        name: "two writers",
        prepare: &nothing,
        commands: &commands,
        expected: &expected,
        earlier: &Rows::new(),
    };
    kill(&work, 8);
}

/// A report is the same whether or not its run was killed on the way.
#[test]
fn a_killed_run_ends_with_the_same_report() {
    let job = Job::new();
    let report = |folder: &Path| std::fs::read(folder.join("report.json")).unwrap();
    let whole = tempfile::tempdir().unwrap();
    let started = Instant::now();
    ok(job.run(whole.path()));
    let span = started.elapsed();
    let killed = tempfile::tempdir().unwrap();
    let (mut random, mut kills) = (Random::new(9), 0);
    for _ in 0..3 {
        let landed = disturb(vec![job.run(killed.path())], killed.path(), span, &mut random, false);
        kills += landed.kills;
    }
    assert!(kills > 0, "the run was never killed");
    let last = output(job.run(killed.path()));
    assert!(last.status.success(), "{}", text(&last));
    assert!(report(whole.path()) == report(killed.path()), "the reports differ");
    assert!(rows(&store(whole.path())) == rows(&store(killed.path())));
}
