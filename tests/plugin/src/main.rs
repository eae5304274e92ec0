// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command `eosin` with the kinds of this plugin.

fn main() -> std::process::ExitCode {
    let mut registry = eosin_cli::default_registry();
    let (nucleus, stroma, glass) = ([75, 46, 107], [216, 120, 168], [244, 240, 244]);
    eosin_example_plugin::register(&mut registry, &[nucleus, [42, 16, 64], stroma, glass]);
    eosin_cli::main_with(registry)
}
