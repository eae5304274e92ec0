// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs;
use std::path::PathBuf;

use eosin_store::{
    MemoryStore, ParquetStore, StoreExt, UNKNOWN, export_npy, export_safetensors, import_npy,
    import_npz, import_safetensors, read_npy,
};
use eosin_testkit::peers::real_data;

use crate::support::{commit, contract, rows};

#[test]
fn an_exported_array_comes_back_with_its_tiles() {
    let folder = tempfile::tempdir().unwrap();
    let contract = contract(5);
    let set = contract.fingerprint();
    let store = MemoryStore::new();
    commit(&store, &contract, rows(&contract, "a", 0..9));
    commit(&store, &contract, rows(&contract, "b", 0..4));
    let path = folder.path().join("all.npy");
    export_npy(&store, &set, &path).unwrap();
    let all = store.read_all(&set).unwrap();
    assert_eq!(read_npy(&path).unwrap(), all.embeddings);
    let imported = import_npy(&path, "test").unwrap();
    assert_eq!((&imported.metas, &imported.embeddings), (&all.metas, &all.embeddings));
    assert_eq!(imported.contract.weights_sha256, UNKNOWN);

    let parquet = ParquetStore::open(folder.path().join("store")).unwrap();
    let (contract, batch) = (imported.contract.clone(), imported.into_batch().unwrap());
    commit(&parquet, &contract, batch);
    assert_eq!(parquet.read_all(&contract.fingerprint()).unwrap().metas, all.metas);
}

#[test]
fn an_array_without_tiles_is_numbered() {
    let folder = tempfile::tempdir().unwrap();
    let contract = contract(5);
    let store = MemoryStore::new();
    commit(&store, &contract, rows(&contract, "a", 0..3));
    let path = folder.path().join("some.npy");
    export_npy(&store, &contract.fingerprint(), &path).unwrap();
    fs::remove_file(folder.path().join("some.tiles.jsonl")).unwrap();
    let imported = import_npy(&path, "test").unwrap();
    assert_eq!(imported.metas[2].tile_id, "some:2");
    assert_eq!(imported.metas[2].slide, "some");
}

#[test]
fn a_damaged_array_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let contract = contract(5);
    let store = MemoryStore::new();
    commit(&store, &contract, rows(&contract, "a", 0..3));
    let path = folder.path().join("some.npy");
    export_npy(&store, &contract.fingerprint(), &path).unwrap();
    let sound = fs::read(&path).unwrap();
    for keep in 0..sound.len() {
        fs::write(&path, &sound[..keep]).unwrap();
        assert!(read_npy(&path).is_err(), "{keep} bytes");
    }
    for (from, to) in
        [("<f4", "<i4"), ("(3, 5)", "(9, 5)"), ("False", "True "), ("(3, 5)", "(15,) ")]
    {
        let text = String::from_utf8_lossy(&sound[..128]).replace(from, to);
        let mut bytes = sound.clone();
        // The magic byte is not UTF-8, so only the header's text is taken over.
        let at = text.find('{').unwrap();
        let header = &text.as_bytes()[at..];
        let start = sound.iter().position(|&b| b == b'{').unwrap();
        let n = (128 - start).min(header.len());
        bytes[start..start + n].copy_from_slice(&header[..n]);
        fs::write(&path, bytes).unwrap();
        assert!(read_npy(&path).is_err(), "{from} as {to}");
    }
}

#[test]
fn real_features_are_imported() {
    let Some(path) = real_data("embeddings/colorectal-texture/features49_f32.npy") else { return };
    let imported = import_npy(&path, "texture").unwrap();
    assert_eq!((imported.embeddings.n_rows(), imported.embeddings.n_cols()), (5000, 49));
    assert!(imported.embeddings.first_bad_row().is_none());
}

#[test]
fn safetensors_have_the_rows_and_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let contract = contract(5);
    let store = MemoryStore::new();
    commit(&store, &contract, rows(&contract, "a", 0..3));
    let path = folder.path().join("all.safetensors");
    export_safetensors(&store, &contract.fingerprint(), &path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let (header, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    assert!(header.is_multiple_of(8));
    let told = metadata.metadata().as_ref().unwrap();
    assert_eq!(told["eosin.contract"], contract.canonical());
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor("embeddings").unwrap();
    assert_eq!(tensor.shape(), [3, 5]);
    let all = store.read_all(&contract.fingerprint()).unwrap();
    let expected: Vec<u8> = all.embeddings.values().iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(tensor.data(), expected);
}

#[test]
fn exported_safetensors_come_back_with_contract_views_and_tiles() {
    let folder = tempfile::tempdir().unwrap();
    let bank = contract(5).with_view("a bank of 2");
    let mut batch = rows(&bank, "a", 0..4);
    for i in 0..4 {
        batch.metas[i] = batch.metas[i - i % 2].clone();
        batch.views[i] = (i % 2) as u16;
    }
    let store = MemoryStore::new();
    commit(&store, &bank, batch.clone());
    let path = folder.path().join("all.safetensors");
    export_safetensors(&store, &bank.fingerprint(), &path).unwrap();
    let imported = import_safetensors(&path, UNKNOWN, None).unwrap();
    assert_eq!(imported.contract, bank);
    assert_eq!(imported.into_batch().unwrap(), batch);
}

#[test]
fn a_damaged_safetensors_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let contract = contract(5);
    let store = MemoryStore::new();
    commit(&store, &contract, rows(&contract, "a", 0..3));
    let path = folder.path().join("all.safetensors");
    export_safetensors(&store, &contract.fingerprint(), &path).unwrap();
    let sound = fs::read(&path).unwrap();
    for keep in 0..sound.len() {
        fs::write(&path, &sound[..keep]).unwrap();
        assert!(import_safetensors(&path, UNKNOWN, None).is_err(), "{keep} bytes");
    }
    // A contract that was edited does not have the fingerprint it came with.
    for (from, to) in [("bicubic", "biquint"), ("\"F32\"", "\"I32\""), ("[3,5]", "[9,5]")] {
        let at = sound.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let mut bytes = sound.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        fs::write(&path, bytes).unwrap();
        assert!(import_safetensors(&path, UNKNOWN, None).is_err(), "{from} as {to}");
    }
}

#[test]
fn archives_of_arrays_are_imported() {
    for name in ["plain.npz", "compressed.npz"] {
        let imported = import_npz(&golden(name), "uni", None).unwrap();
        assert_eq!(imported.contract.backbone, "uni");
        assert_eq!((imported.embeddings.n_rows(), imported.embeddings.n_cols()), (5, 8));
        for i in 0..5 {
            let expected: Vec<f32> = (0..8).map(|c| golden_value(i, c)).collect();
            assert_eq!(imported.embeddings.row(i), expected, "{name}");
        }
        let named = import_npz(&golden(name), "uni", Some("features")).unwrap();
        assert_eq!(named, imported);
        let missing = import_npz(&golden(name), "uni", Some("other")).unwrap_err().to_string();
        assert!(missing.contains("coords") && missing.contains("features"), "{missing}");
        let whole_numbers = import_npz(&golden(name), "uni", Some("coords"));
        assert!(whole_numbers.unwrap_err().to_string().contains("i8"));
    }
}

#[test]
fn a_damaged_archive_is_refused_without_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    for name in ["plain.npz", "compressed.npz"] {
        let sound = fs::read(golden(name)).unwrap();
        for keep in 0..sound.len() {
            fs::write(&path, &sound[..keep]).unwrap();
            assert!(import_npz(&path, "uni", None).is_err(), "{keep} bytes of {name}");
        }
        for at in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[at] ^= 0xFF;
            fs::write(&path, bytes).unwrap();
            // Without a checksum a flipped value passes; nothing may panic or take much memory.
            let _ = import_npz(&path, "uni", None);
        }
    }
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/store").join(name)
}

/// Row i, column c of every golden file.
fn golden_value(i: usize, c: usize) -> f32 {
    i as f32 + c as f32 / 8.0
}

#[cfg(feature = "hdf5")]
mod h5 {
    use std::path::Path;
    use std::process::Command;

    use eosin_core::Contract;
    use eosin_store::{
        H5Layout, ParquetStore, UNKNOWN, export_h5, export_h5ad, export_npy, import_h5,
    };
    use eosin_testkit::peers::{named_by, real_data};

    use super::{golden, golden_value as value};
    use crate::support::{commit, contract, rows};

    /// A store with nine tiles of the first slide and four of the second.
    fn two_slides(folder: &Path, [first, second]: [&str; 2]) -> (ParquetStore, Contract) {
        let store = ParquetStore::open(folder.join("store")).unwrap();
        let contract = contract(5);
        commit(&store, &contract, rows(&contract, first, 0..9));
        commit(&store, &contract, rows(&contract, second, 0..4));
        (store, contract)
    }

    #[test]
    fn files_of_other_tools_are_imported() {
        let cases = [
            ("trident.h5", None, "uni_v1", 512, "TRIDENT h5"),
            ("clam.h5", None, UNKNOWN, 512, "CLAM h5"),
            ("stamp.h5", None, "ctranspath", 0, "STAMP 2.2.0 h5, coordinates in µm"),
            ("atlaspatch.h5", Some("dinov2_small"), "dinov2_small", 448, "AtlasPatch h5"),
        ];
        for (file, features, backbone, size, origin) in cases {
            let imported = import_h5(&golden(file), features).unwrap();
            let slide = file.trim_end_matches(".h5");
            assert_eq!(imported.contract.backbone, backbone, "{file}");
            assert_eq!(imported.contract.architecture["imported from"], origin);
            assert_eq!(imported.contract.weights_sha256, UNKNOWN);
            assert_eq!((imported.embeddings.n_rows(), imported.embeddings.n_cols()), (5, 8));
            for (i, meta) in imported.metas.iter().enumerate() {
                assert_eq!((meta.x, meta.y), (i as i64 * 512, 1024), "{file}");
                assert_eq!((meta.size_level0_px, meta.slide.as_str()), (size, slide), "{file}");
                let expected: Vec<f32> = (0..8).map(|c| value(i, c)).collect();
                assert_eq!(imported.embeddings.row(i), expected, "{file}");
            }
        }
        let stamp = import_h5(&golden("stamp.h5"), None).unwrap().contract;
        assert_eq!((stamp.tile_um, stamp.tile_px), (Some(256.0), 224));
        let several = import_h5(&golden("atlaspatch.h5"), None).unwrap_err().to_string();
        assert!(several.contains("dinov2_small") && several.contains("resnet50"), "{several}");
    }

    #[test]
    fn a_damaged_file_is_refused_without_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let sound = std::fs::read(golden("trident.h5")).unwrap();
        let path = folder.path().join("x.h5");
        for keep in (0..sound.len()).step_by(61) {
            std::fs::write(&path, &sound[..keep]).unwrap();
            assert!(import_h5(&path, None).is_err(), "{keep} bytes");
        }
    }

    #[test]
    fn a_real_file_is_imported() {
        let Some(path) = real_data("embeddings/TCGA-3X-AAVA-01Z-00-DX1.h5") else { return };
        let imported = import_h5(&path, None).unwrap();
        assert_eq!((imported.embeddings.n_rows(), imported.embeddings.n_cols()), (180, 512));
        assert_eq!(imported.metas[1].tile_id, "TCGA-3X-AAVA-01Z-00-DX1:0_0_1_506.jpg");
        assert!((imported.embeddings.row(0)[0] - 0.030_263_24).abs() < 1e-7);
    }

    #[test]
    fn exported_files_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let (store, contract) = two_slides(folder.path(), ["slides/a.svs", "slides/b.svs"]);
        let set = contract.fingerprint();
        for layout in [H5Layout::Trident, H5Layout::Clam] {
            let paths = export_h5(&store, &set, folder.path(), layout).unwrap();
            let names: Vec<_> = paths.iter().map(|p| p.file_name().unwrap()).collect();
            assert_eq!(names, ["a.h5", "b.h5"]);
            let imported = import_h5(&paths[0], None).unwrap();
            assert_eq!(imported.embeddings, rows(&contract, "slides/a.svs", 0..9).embeddings);
            assert_eq!((imported.metas[3].x, imported.metas[3].y), (3 * 224, -7));
            if layout == H5Layout::Trident {
                assert_eq!(imported.contract.backbone, "test");
            }
            assert_eq!(imported.metas[3].size_level0_px, 224);
            check_with_h5py(&paths[0], &imported.embeddings);
        }
    }

    #[test]
    fn h5ad_has_what_anndata_asks_for() {
        let folder = tempfile::tempdir().unwrap();
        let (store, contract) = two_slides(folder.path(), ["a", "b"]);
        let set = contract.fingerprint();
        let path = folder.path().join("all.h5ad");
        export_h5ad(&store, &set, &path).unwrap();
        let all = store.read_all(&set).unwrap();

        // The layout is that of anndata's on-disk format: file 0.1.0, data frames 0.2.0.
        let file = hdf5_pure::File::open(&path).unwrap();
        let encoding = |attributes: &std::collections::HashMap<String, hdf5_pure::AttrValue>| {
            let get = |key: &str| attributes[key].as_str().unwrap().to_string();
            (get("encoding-type"), get("encoding-version"))
        };
        let is = |found: (String, String), kind: &str, version: &str| {
            assert_eq!(found, (kind.to_string(), version.to_string()));
        };
        is(encoding(&file.root().attrs().unwrap()), "anndata", "0.1.0");
        for name in ["layers", "obsm", "obsp", "uns", "varm", "varp"] {
            is(encoding(&file.group(name).unwrap().attrs().unwrap()), "dict", "0.1.0");
        }
        let x = file.dataset("X").unwrap();
        is(encoding(&x.attrs().unwrap()), "array", "0.2.0");
        assert_eq!(x.shape().unwrap(), [13, 5]);
        assert_eq!(x.read_f32().unwrap(), all.embeddings.values());
        for (table, n) in [("obs", 13), ("var", 5)] {
            let group = file.group(table).unwrap();
            let attributes = group.attrs().unwrap();
            is(encoding(&attributes), "dataframe", "0.2.0");
            assert_eq!(attributes["_index"].as_str(), Some("_index"));
            for column in attributes["column-order"].as_strings().unwrap() {
                assert_eq!(group.dataset(column).unwrap().shape().unwrap(), [n], "{column}");
            }
            let index = group.dataset("_index").unwrap();
            is(encoding(&index.attrs().unwrap()), "string-array", "0.2.0");
            assert_eq!(index.read_string().unwrap().len() as u64, n);
        }
        let ids: Vec<_> = all.metas.iter().map(|m| m.tile_id.clone()).collect();
        assert_eq!(file.dataset("obs/tile_id").unwrap().read_string().unwrap(), ids);
        let places: Vec<f64> = all.metas.iter().flat_map(|m| [m.x as f64, m.y as f64]).collect();
        assert_eq!(file.dataset("obsm/spatial").unwrap().read_f64().unwrap(), places);
        let told = file.dataset("uns/eosin_contract").unwrap();
        is(encoding(&told.attrs().unwrap()), "string", "0.2.0");
        assert!(told.shape().unwrap().is_empty(), "a scalar");
        assert_eq!(told.read_string().unwrap(), [contract.canonical()]);
    }

    #[test]
    fn anndata_reads_and_writes_h5ad() {
        let what = "reading with anndata";
        let Some(python) = named_by("EOSIN_PYTHON", what, "interpreter with it") else { return };
        let folder = tempfile::tempdir().unwrap();
        let (store, contract) = two_slides(folder.path(), ["a", "b"]);
        let set = contract.fingerprint();
        let [data, array] = ["all.h5ad", "all.npy"].map(|name| folder.path().join(name));
        export_h5ad(&store, &set, &data).unwrap();
        export_npy(&store, &set, &array).unwrap();
        let script = golden("read_with_anndata.py");
        let output = Command::new(python).arg(script).args([data, array]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The exported file as h5py sees it, where there is one.
    fn check_with_h5py(path: &Path, expected: &eosin_core::Matrix) {
        let what = "reading with h5py";
        let Some(python) = named_by("EOSIN_PYTHON", what, "interpreter with it") else { return };
        let code = "import h5py, sys; f = h5py.File(sys.argv[1]); \
                    print(f['features'].shape, f['coords'].shape, float(f['features'][:].sum()))";
        let output = Command::new(python).args(["-c", code]).arg(path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).trim().to_string();
        let sum: f32 = expected.values().iter().sum();
        assert_eq!(said, format!("(9, 5) (9, 2) {sum:?}"), "{output:?}");
    }
}
