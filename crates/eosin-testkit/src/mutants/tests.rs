// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

fn parser(alphabet: Alphabet) -> MutantParser {
    MutantParser {
        alphabet,
        words: &[b"word"],
        seeds: vec![Seed::new("a.txt", "one two 3"), Seed::new("b.txt", "")],
        read: Box::new(|_, _| Ok(())),
    }
}

#[test]
fn a_mutant_is_told_by_seed_and_number() {
    for alphabet in [Alphabet::Bytes, Alphabet::Text] {
        let (one, other) = (parser(alphabet), parser(alphabet));
        for number in [17, 3] {
            assert_eq!(one.mutant("p", 5, number), other.mutant("p", 5, number));
        }
        let all = |name: &str, seed| (0..50).map(|i| one.mutant(name, seed, i)).collect::<Vec<_>>();
        assert_ne!(all("p", 5), all("p", 6));
        assert_ne!(all("p", 5), all("q", 5));
    }
}

#[test]
fn mutants_differ_from_their_seeds_and_each_other() {
    for alphabet in [Alphabet::Bytes, Alphabet::Text] {
        let parser = parser(alphabet);
        let mut all: Vec<Vec<u8>> = (0..500).map(|i| parser.mutant("p", 0, i).bytes).collect();
        assert!(all.iter().filter(|m| m.as_slice() != b"one two 3").count() > 400);
        all.sort();
        all.dedup();
        assert!(all.len() > 150, "{alphabet:?}: {}", all.len());
    }
}

#[test]
fn faults_of_one_kind_are_counted() {
    let fault = |kind: &str, mutant| MutantFault {
        mutant,
        kind: kind.into(),
        message: String::new(),
        file: "kept".into(),
        more: 0,
    };
    let mut report = MutantReport::default();
    assert!(report.add_fault(fault("panic at a.rs:1:1", 4)));
    assert!(!report.add_fault(fault("panic at a.rs:1:1", 9)));
    assert!(report.add_fault(fault("hangs", 11)));
    assert_eq!((report.faults.len(), report.faults[0].more, report.faults[0].mutant), (2, 1, 4));
}
