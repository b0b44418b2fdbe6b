//! C's `sincos`: the sine and the cosine of one argument by one call.
//!
//! It is no function that programs may call. A code generator may call it in the place of `sin` and
//! `cos`, because glibc computes the same in all three. No standard promises that, so the bits of
//! some arguments are compared before its address is given. A test compares millions.

use super::{dlsym, find, libm};
use crate::address::CodeAddress;
use std::sync::OnceLock;

/// The address of the function: it takes a double and the places of the sine and the cosine. Valid
/// as long as the process. For code on a host stack.
///
/// Returns `None` if the C maths library has no such function, cannot be loaded, or computes other
/// bits than its `sin` and `cos`.
pub fn sincos() -> Option<CodeAddress> {
    static FOUND: OnceLock<Option<usize>> = OnceLock::new();
    FOUND.get_or_init(|| Some(look_up()?).filter(|address| has_bits_of_both(*address))).map(CodeAddress::new)
}

fn look_up() -> Option<usize> {
    // SAFETY: the handle is that of a library that stays loaded, the name ends with a zero.
    let function = unsafe { dlsym(libm().ok()?, c"sincos".as_ptr()) };
    (!function.is_null()).then(|| function.addr())
}

/// Whether the function at this address, which is C's, has the bits of `sin` and `cos` for some
/// arguments of each magnitude.
fn has_bits_of_both(address: usize) -> bool {
    let [sin, cos] = ["sin", "cos"].map(|name| find(name).expect("programs may call it"));
    sample().all(|x| {
        let pair = call(address, x);
        let bits = [sin.call(&[x]), cos.call(&[x])];
        pair.into_iter().zip(bits).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
    })
}

/// Some thousand arguments: around each power of two, and evenly spread where the library reduces
/// none.
fn sample() -> impl Iterator<Item = f64> {
    let powers =
        (-40..60).flat_map(|power| (0..4).map(move |nth| 2_f64.powi(power) * (1.0 + f64::from(nth) / 4.1)));
    let spread = (0..1_200).map(|nth| f64::from(nth) * 0.005_3);
    powers.chain(spread).flat_map(|x| [x, -x])
}

/// Calls C's function.
fn call(address: usize, x: f64) -> [f64; 2] {
    let [mut sin, mut cos] = [0.0; 2];
    let function = address as *const ();
    // SAFETY: C's function has these parameters.
    let function =
        unsafe { std::mem::transmute::<*const (), extern "C" fn(f64, *mut f64, *mut f64)>(function) };
    function(x, &raw mut sin, &raw mut cos);
    [sin, cos]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    /// Of arguments of all magnitudes, for a while.
    #[test]
    fn sincos_has_the_bits_of_sin_and_cos() {
        let address = sincos().expect("glibc's functions agree").get();
        let [sin, cos] = ["sin", "cos"].map(|name| find(name).unwrap());
        let seed =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
        let mut state = seed;
        let mut next = || {
            // xorshift (Marsaglia 2003)
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(300) {
            for _ in 0..1_000 {
                let part = next() as f64 / u64::MAX as f64 * 2.0 - 1.0;
                for x in [f64::from_bits(next()), part, part * 4.0, part * 1e3, part * 1e9] {
                    let [a, b] = call(address, x);
                    let [c, d] = [sin.call(&[x]), cos.call(&[x])];
                    let is_same = |a: f64, b: f64| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
                    assert!(
                        is_same(a, c) && is_same(b, d),
                        "seed {seed}: {x:?}: {a:?} {b:?}, not {c:?} {d:?}"
                    );
                }
            }
        }
    }
}
