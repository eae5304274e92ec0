// SPDX-License-Identifier: MIT OR Apache-2.0

//! Writes what `torch.save({"state_dict": …, "epoch": 7}, path)` writes: a zip of stored entries
//! with a pickle and one storage per tensor.

use eosin_backbone::WeightTensor;

/// The bytes of a checkpoint of f32 tensors, with a counter beside them as batch norms have.
pub fn checkpoint(tensors: &[(String, WeightTensor)]) -> Vec<u8> {
    let mut pickle = b"\x80\x02}(".to_vec();
    text(&mut pickle, "state_dict");
    pickle.extend(b"ccollections\nOrderedDict\n)R(");
    let mut entries = Vec::new();
    for (key, (name, tensor)) in tensors.iter().enumerate() {
        text(&mut pickle, name);
        tensor_value(&mut pickle, "FloatStorage", key, &tensor.shape, tensor.values.len());
        let bytes = tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        entries.push((format!("own/data/{key}"), bytes));
    }
    text(&mut pickle, "module.bn1.num_batches_tracked");
    tensor_value(&mut pickle, "LongStorage", tensors.len(), &[], 1);
    entries.push((format!("own/data/{}", tensors.len()), 5_000_i64.to_le_bytes().to_vec()));
    pickle.push(b'u');
    text(&mut pickle, "epoch");
    integer(&mut pickle, 7);
    pickle.extend(b"u.");
    entries.insert(0, ("own/data.pkl".into(), pickle));
    entries.push(("own/byteorder".into(), b"little".to_vec()));
    entries.push(("own/version".into(), b"3\n".to_vec()));
    stored_zip(&entries)
}

/// `torch._utils._rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`.
fn tensor_value(pickle: &mut Vec<u8>, kind: &str, key: usize, shape: &[usize], n: usize) {
    pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    text(pickle, "storage");
    pickle.extend(format!("ctorch\n{kind}\n").bytes());
    text(pickle, &key.to_string());
    text(pickle, "cpu");
    integer(pickle, n);
    pickle.extend(b"tQ");
    integer(pickle, 0);
    pickle.push(b'(');
    for &n in shape {
        integer(pickle, n);
    }
    pickle.extend(b"t(");
    for i in 0..shape.len() {
        integer(pickle, shape[i + 1..].iter().product());
    }
    pickle.extend(b"t\x89ccollections\nOrderedDict\n)RtR");
}

fn text(pickle: &mut Vec<u8>, value: &str) {
    pickle.push(b'X');
    pickle.extend((value.len() as u32).to_le_bytes());
    pickle.extend(value.bytes());
}

fn integer(pickle: &mut Vec<u8>, value: usize) {
    pickle.push(b'J');
    pickle.extend((value as i32).to_le_bytes());
}

fn stored_zip(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let at = file.len() as u32;
        let mut fields = vec![10, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        fields.extend(crc32(bytes).to_le_bytes());
        fields.extend([bytes.len() as u32; 2].iter().flat_map(|n| n.to_le_bytes()));
        fields.extend((name.len() as u16).to_le_bytes());
        fields.extend([0, 0]);
        file.extend(b"PK\x03\x04".iter().chain(&fields).copied().chain(name.bytes()));
        file.extend(bytes);
        directory.extend(b"PK\x01\x02\x0A\x00".iter().chain(&fields));
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes().into_iter().chain(name.bytes()));
    }
    let at = file.len() as u32;
    file.extend(&directory);
    file.extend(b"PK\x05\x06\x00\x00\x00\x00");
    file.extend([entries.len() as u16; 2].iter().flat_map(|n| n.to_le_bytes()));
    file.extend((directory.len() as u32).to_le_bytes().into_iter().chain(at.to_le_bytes()));
    file.extend([0, 0]);
    file
}

fn crc32(bytes: &[u8]) -> u32 {
    let table: Vec<u32> = (0..256_u32)
        .map(|n| (0..8).fold(n, |n, _| if n & 1 == 1 { 0xEDB8_8320 ^ (n >> 1) } else { n >> 1 }))
        .collect();
    !bytes
        .iter()
        .fold(!0, |crc, byte| table[((crc ^ u32::from(*byte)) & 255) as usize] ^ (crc >> 8))
}
