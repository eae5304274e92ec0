// SPDX-License-Identifier: MIT OR Apache-2.0

/// Makes a function whose body is compiled for each instruction set and run for the widest vectors
/// of the machine.
///
/// The body is a method that is always inlined, and not a closure: a large closure is compiled
/// once, for the least that the target has, and only called from the function that has the wide
/// registers.
macro_rules! wide {
    (
        $(#[$meta:meta])*
        $vis:vis fn $name:ident<$life:lifetime>($($arg:ident: $kind:ty),* $(,)?) -> $out:ty
            $body:block
    ) => {
        $(#[$meta])*
        $vis fn $name<$life>($($arg: $kind),*) -> $out {
            struct Job<$life> {
                $($arg: $kind,)*
            }
            impl pulp::NullaryFnOnce for Job<'_> {
                type Output = $out;

                #[inline(always)]
                fn call(self) -> $out {
                    let Self { $($arg),* } = self;
                    $body
                }
            }
            pulp::Arch::new().dispatch(Job { $($arg),* })
        }
    };
}

pub(crate) use wide;
