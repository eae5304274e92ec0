// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::PathBuf;

use eosin::crates::tile::{Manifest, ViewBank};
use eosin::{
    AugmentConfig, ComponentConfig, Dataset, LoadedRun, RegistryExt, StudyConfig, TaskConfig,
    default_registry,
};
use eosin_testkit::demo::DemoConfig;

use crate::common::root;

fn files(group: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join("configs").join(group))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no files in configs/{group}");
    files
}

fn parse<T: serde::de::DeserializeOwned>(path: &PathBuf) -> T {
    toml::from_str(&std::fs::read_to_string(path).unwrap())
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn every_folder_of_configs_is_known_here() {
    let known = ["augment", "backbone", "demo", "head", "run", "study", "task", "tiling"];
    for entry in std::fs::read_dir(root().join("configs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name.as_str()), "no test loads configs/{name}");
    }
}

#[test]
fn every_run_loads_with_all_it_names() {
    let registry = default_registry();
    for path in files("run") {
        let loaded = LoadedRun::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for name in &loaded.run.backbones {
            eosin::find_card(&loaded.configs, name)
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        }
        let trainer = registry.head(&loaded.head.kind, &loaded.head.options).unwrap();
        for probe in &loaded.run.selection.probes {
            registry.probe(probe, &trainer, 0).unwrap();
        }
    }
}

#[test]
fn every_study_loads_with_all_it_names() {
    let registry = default_registry();
    for path in files("study") {
        let study = StudyConfig::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let run = root().join("configs/run").join(format!("{}.toml", study.run));
        let run = LoadedRun::read(&run).unwrap();
        for (arm, n_settings) in eosin::check_arms(&study, &run.head, &registry).unwrap() {
            // An arm with a strength searches the same penalties at each of its values.
            let strengths = study.arms.iter().find(|a| a.name == arm).unwrap().strength.as_ref();
            let n_strengths = strengths.map_or(1, |s| s.values.len());
            let expected = study.design.budget * n_strengths;
            assert_eq!(n_settings, expected, "{arm} of {}", path.display());
        }
        for name in &study.backbones {
            eosin::find_card(&root().join("configs"), name)
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        }
        if let Some(views) = study.views {
            views.try_into::<ViewBank>().unwrap().validate().unwrap();
        }
    }
}

#[test]
fn the_augmentation_that_ships_is_the_one_that_is_studied() {
    let path = root().join("configs/augment/views-and-noise.toml");
    let shipped: AugmentConfig = parse(&path);
    let written = |transforms: &[ComponentConfig]| serde_json::to_value(transforms).unwrap();
    let mut n_studied = 0;
    for path in files("study") {
        let study = StudyConfig::read(&path).unwrap();
        assert_eq!(study.views, shipped.views, "{}", path.display());
        let arm = study.arms.iter().find(|arm| arm.name == "views and noise").unwrap();
        assert_eq!(written(&arm.transforms), written(&shipped.transforms), "{}", path.display());
        assert!(arm.strength.is_none(), "{}", path.display());
        n_studied += 1;
    }
    assert!(n_studied >= 5, "{n_studied}");
}

#[test]
fn every_part_loads() {
    let registry = default_registry();
    for path in files("task") {
        let task: TaskConfig = parse(&path);
        assert!(!task.description.is_empty());
    }
    for path in files("head") {
        let head: ComponentConfig = parse(&path);
        if registry.is_slide_head(&head.kind) {
            registry.slide_head(&head.kind, &head.options).unwrap();
        } else {
            registry.head(&head.kind, &head.options).unwrap();
        }
    }
    for path in files("augment") {
        let augment: AugmentConfig = parse(&path);
        registry.pipeline(&augment.transforms).unwrap();
        if let Some(views) = augment.views {
            views.try_into::<ViewBank>().unwrap().validate().unwrap();
        }
    }
    for path in files("demo") {
        DemoConfig::read(&path).unwrap();
    }
}

#[test]
fn every_tiling_loads() {
    for path in files("tiling") {
        let tiling =
            eosin::read_tiling(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(tiling.requested_mpp().is_ok(), "{}", path.display());
    }
}

#[test]
fn a_task_takes_the_rows_that_its_condition_names() {
    let manifest = "path,label,group,split,age\na.png,x,p1,train,40\nb.png,y,p2,train,60\n\
        c.png,x,p3,train,70\nd.png,y,p4,train,\ne.png,y,p5,test,80\n";
    let dataset = Dataset::new(Manifest::from_csv(manifest, "").unwrap());
    let rows = |condition: &str| {
        let text = format!("description = \"?\"\nwhere = \"{condition}\"\n");
        dataset.rows(&toml::from_str::<TaskConfig>(&text).unwrap(), &[])
    };
    let older = rows("CAST(age AS INT) >= 60 AND split = 'train'").unwrap();
    assert_eq!(older.tile_ids, ["b.png", "c.png"]);
    let error = rows("aeg = 'x'").unwrap_err().to_string() + &rows("aeg = 'x'").unwrap_err().hint();
    assert!(error.contains("age"), "{error}");
    // A condition that leaves one class is refused like a manifest that has no other.
    assert!(rows("label = 'x'").is_err());
}
