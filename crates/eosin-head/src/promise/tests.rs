// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use crate::ClassCutoff;

fn classes() -> Vec<String> {
    vec!["normal".into(), "tumour".into()]
}

#[test]
fn sets_say_their_patients_or_that_there_are_too_few() {
    let cutoff = |patients, cutoff| ClassCutoff { cutoff, patients };
    let rule = Conformal { risk: 0.1, classes: vec![cutoff(40, 0.3), cutoff(8, 0.0)] };
    let said = sets(&rule, &classes());
    assert!(said[0].contains("at most 10.0 %") && said[0].contains("(40 with normal"), "{said:?}");
    assert!(said[1].contains(NONE), "{said:?}");
    assert!(said[1].contains("8 patients of tumour where at least 9 are needed"), "{said:?}");
    let older = Conformal { risk: 0.1, classes: vec![cutoff(0, 0.3); 2] };
    assert!(sets(&older, &classes())[1].contains("an older release"));
}

#[test]
fn calls_say_their_patients_or_why_there_is_no_guarantee() {
    let rule = |patients, coverage| Abstention {
        risk: 0.1,
        certainty: 0.95,
        cutoff: 0.4,
        coverage,
        patients,
    };
    let said = calls(&rule(80, 0.6));
    assert!(
        said.contains("at most 10.0 % are wrong") && said.contains("the 80 patients"),
        "{said}"
    );
    let few = calls(&rule(17, 0.0));
    assert!(few.contains(NONE) && few.contains("17 patients where at least"), "{few}");
    let poor = calls(&rule(200, 0.0));
    assert!(poor.contains(NONE) && poor.contains("over 200 patients no cutoff keeps it"), "{poor}");
    assert!(calls(&rule(0, 0.6)).contains("an older release"));
}
