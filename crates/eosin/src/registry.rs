// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Registry;

/// Everything that this build has; a plugin's function `register` adds to it.
pub fn default_registry() -> Registry {
    let mut registry = Registry::default();
    eosin_head::register(&mut registry);
    eosin_network::register(&mut registry);
    eosin_augment::register(&mut registry);
    eosin_proxy::register(&mut registry);
    eosin_prediction::register(&mut registry);
    eosin_select::register(&mut registry);
    eosin_backbone::register(&mut registry);
    eosin_backbone_burn::register(&mut registry);
    eosin_annotation::register(&mut registry);
    #[cfg(feature = "onnx")]
    eosin_backbone_onnx::register(&mut registry);
    #[cfg(not(feature = "onnx"))]
    registry.backbones.compiled_out("onnx", "onnx");
    #[cfg(feature = "openslide")]
    eosin_tile_openslide::register(&mut registry);
    #[cfg(not(feature = "openslide"))]
    registry.slide_readers.compiled_out("openslide", "openslide");
    registry
}

#[cfg(all(test, not(feature = "linfa-logistic")))]
mod tests {
    #[test]
    fn a_kind_that_is_left_out_names_its_feature() {
        let registry = super::default_registry();
        let hint = registry.heads.get("linfa-logistic").err().map(|error| error.hint());
        assert_eq!(hint.as_deref(), Some("build with the Cargo feature `linfa-logistic`"));
    }
}
