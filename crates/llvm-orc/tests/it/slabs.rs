//! Slabs: shared by many objects, never writable and executable at once, freed, and safe after a
//! fork.

use inkwell::AddressSpace;
use inkwell::attributes::{Attribute, AttributeLoc};
use inkwell::context::Context;
use inkwell::module::{Linkage, Module};
use llvm_orc::{Address, Compiler, Dylib, ErrorKind, Jit, Memory, Object, OptLevel, Tracker};

use crate::memory::uses_constant_memory;
use crate::own_process::in_own_process;
use crate::test_kit::{Nullary, constant, function};

fn compiler() -> Compiler {
    Compiler::builder().opt_level(OptLevel::None).build().unwrap()
}

fn dylib_in(memory: Memory) -> Dylib {
    Jit::builder().memory(memory).build().unwrap().create_bare_dylib("test").unwrap()
}

fn mappings() -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().map(str::to_owned).collect()
}

fn call(tracker: &Tracker, name: &str) -> f64 {
    // SAFETY: the callers name functions of this type.
    unsafe { tracker.lookup_fn::<Nullary>(name) }.unwrap().call(())
}

/// Links two thousand objects of one function each. Returns the number of new mappings.
fn mappings_of_many(memory: Memory) -> usize {
    let (dylib, mut compiler) = (dylib_in(memory), compiler());
    let before = mappings().len();
    let kept: Vec<_> = (0..2000)
        .map(|n| {
            let name = format!("f{n}");
            let object = compiler.compile(|cx| constant(cx, &name, f64::from(n) + 0.25)).unwrap();
            let tracker = dylib.add_object(&object).unwrap();
            assert_eq!(call(&tracker, &name), f64::from(n) + 0.25);
            tracker
        })
        .collect();
    let taken = mappings().len().saturating_sub(before);
    assert_eq!(call(&kept[0], "f0"), 0.25);
    taken
}

#[test]
fn many_objects_share_few_mappings() {
    in_own_process("slabs::many_objects_share_few_mappings", || {
        assert!(mappings_of_many(Memory::Slabs) < 50);
    });
}

#[test]
fn pages_map_each_object_separately() {
    in_own_process("slabs::pages_map_each_object_separately", || {
        assert!(mappings_of_many(Memory::Pages) > 2000);
    });
}

#[test]
fn nothing_is_writable_and_executable_at_once() {
    in_own_process("slabs::nothing_is_writable_and_executable_at_once", || {
        let (dylib, mut compiler) = (dylib_in(Memory::Slabs), compiler());
        for n in 0..50 {
            let object = compiler.compile(|cx| constant(cx, "f", f64::from(n))).unwrap();
            let tracker = dylib.add_object(&object).unwrap();
            call(&tracker, "f");
            for mapping in mappings() {
                let rights = mapping.split(' ').nth(1).unwrap();
                assert!(!(rights.contains('w') && rights.contains('x')), "{mapping}");
            }
        }
    });
}

/// `count() = (number = number + 1) + last`. `number` starts at zero. `last` is the last element of
/// an array of constants whose other elements are `filling`.
fn counting(cx: &Context, n_constants: usize, filling: f64) -> Module<'_> {
    let module = cx.create_module("counting");
    let f64 = cx.f64_type();
    let number = module.add_global(f64, None, "number");
    number.set_initializer(&f64.const_zero());
    number.set_linkage(Linkage::Internal);
    let mut constants = vec![f64.const_float(filling); n_constants];
    *constants.last_mut().unwrap() = f64.const_float(1000.0);
    let array = module.add_global(f64.array_type(n_constants as u32), None, "array");
    array.set_initializer(&f64.const_array(&constants));
    array.set_constant(true);
    array.set_linkage(Linkage::Internal);
    function(cx, &module, "count", 0, |b, _| {
        let old = b.build_load(f64, number.as_pointer_value(), "old").unwrap().into_float_value();
        let new = b.build_float_add(old, f64.const_float(1.0), "new").unwrap();
        b.build_store(number.as_pointer_value(), new).unwrap();
        let index = cx.i64_type().const_int(n_constants as u64 - 1, false);
        // SAFETY: the index is that of the last element.
        let place = unsafe { b.build_in_bounds_gep(f64, array.as_pointer_value(), &[index], "place") };
        let last = b.build_load(f64, place.unwrap(), "last").unwrap().into_float_value();
        b.build_return(Some(&b.build_float_add(new, last, "sum").unwrap())).unwrap();
    });
    module
}

#[test]
fn variables_in_reused_memory_start_at_zero() {
    let (dylib, mut compiler) = (dylib_in(Memory::Slabs), compiler());
    let object = compiler.compile(|cx| counting(cx, 10, 0.5)).unwrap();
    for _ in 0..50 {
        let tracker = dylib.add_object(&object).unwrap();
        assert_eq!([(); 3].map(|()| call(&tracker, "count")), [1001.0, 1002.0, 1003.0]);
        tracker.remove().unwrap();
    }
}

#[test]
fn objects_of_all_sizes_are_added_and_removed() {
    let (jit, mut compiler) = (Jit::builder().build().unwrap(), compiler());
    // The largest object needs a slab of its own.
    let objects = [1, 30, 700, 9_000, 60_000, 600_000]
        .map(|n| compiler.compile(|cx| counting(cx, n, n as f64)).unwrap());
    let mut kept: Vec<Option<(Tracker, u32)>> = (0..20).map(|_| None).collect();
    let mut state = 1_u32;
    for n in 0..400_u32 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (slot, which) = ((state >> 8) as usize % kept.len(), (state >> 16) as usize);
        // Small objects are more frequent. The index after the last means no object.
        let which = (which % 7).min(which / 7 % 7).min(which / 49 % 7);
        kept[slot] = objects.get(which).map(|object| {
            let dylib = jit.create_bare_dylib(&format!("d{n}")).unwrap();
            (dylib.add_object(object).unwrap(), 0)
        });
        for (tracker, n_calls) in kept.iter_mut().flatten() {
            *n_calls += 1;
            assert_eq!(call(tracker, "count"), 1000.0 + f64::from(*n_calls));
        }
    }
}

#[test]
fn adding_and_removing_one_object_uses_constant_memory() {
    let (dylib, mut compiler) = (dylib_in(Memory::Slabs), compiler());
    let object = compiler.compile(|cx| counting(cx, 100, 0.5)).unwrap();
    uses_constant_memory("slabs::adding_and_removing_one_object_uses_constant_memory", 4000, 20, |_| {
        let tracker = dylib.add_object(&object).unwrap();
        assert_eq!(call(&tracker, "count"), 1001.0);
        tracker.remove().unwrap();
    });
}

extern "C-unwind" fn panicking() {
    std::panic::panic_any("through generated code");
}

/// `name() = callee()` with an unwind table.
fn unwinding<'cx>(cx: &'cx Context, name: &str, callee: &str) -> Module<'cx> {
    let module = cx.create_module(name);
    let nothing = cx.void_type().fn_type(&[], false);
    let callee = module.add_function(callee, nothing, None);
    let caller = module.add_function(name, nothing, None);
    let uwtable = Attribute::get_named_enum_kind_id("uwtable");
    caller.add_attribute(AttributeLoc::Function, cx.create_enum_attribute(uwtable, 2));
    let builder = cx.create_builder();
    builder.position_at_end(cx.append_basic_block(caller, "entry"));
    builder.build_call(callee, &[], "").unwrap();
    builder.build_return(None).unwrap();
    module
}

#[test]
fn panics_unwind_through_code_with_unwind_tables() {
    let dylib = dylib_in(Memory::Slabs);
    // SAFETY: the function has the type that `unwinding` gives its callee, and always exists.
    unsafe { dylib.define_absolute([("panicking", Address::from(panicking as *const ()))]) }.unwrap();
    let object = compiler().compile(|cx| unwinding(cx, "f", "panicking")).unwrap();
    for _ in 0..3 {
        let tracker = dylib.add_object(&object).unwrap();
        let address = tracker.lookup("f").unwrap();
        // SAFETY: `f` has that type, and a panic can unwind through it.
        let f = unsafe { std::mem::transmute::<*const (), extern "C-unwind" fn()>(address.as_ptr()) };
        let raised = std::panic::catch_unwind(|| f()).unwrap_err();
        assert_eq!(*raised.downcast::<&str>().unwrap(), "through generated code");
        tracker.remove().unwrap();
    }
}

/// Sets the executable flag of each writable section.
fn with_executable_variables(object: &Object) -> Vec<u8> {
    let mut bytes = object.bytes().to_vec();
    let number = |bytes: &[u8], at: usize, n: usize| {
        bytes[at..at + n].iter().rev().fold(0_usize, |sum, &byte| sum << 8 | usize::from(byte))
    };
    let (table, size, n) = (number(&bytes, 0x28, 8), number(&bytes, 0x3a, 2), number(&bytes, 0x3c, 2));
    for flags in (0..n).map(|idx| table + idx * size + 8) {
        if bytes[flags] & 1 != 0 {
            bytes[flags] |= 4;
        }
    }
    bytes
}

#[test]
fn a_section_both_writable_and_executable_is_refused() {
    let dylib = dylib_in(Memory::Slabs);
    let object = compiler().compile(|cx| counting(cx, 10, 0.5)).unwrap();
    // SAFETY: bytes from the compiler, with other section flags.
    let executable = unsafe { Object::from_bytes(with_executable_variables(&object)) }.unwrap();
    let tracker = dylib.add_object(&executable).unwrap();
    let error = tracker.lookup("count").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Link);
    assert!(format!("{error:?}").contains("both writable and executable"), "{error:?}");
    tracker.remove().unwrap();
    assert_eq!(call(&dylib.add_object(&object).unwrap(), "count"), 1001.0);
}

#[test]
fn a_forked_child_links_independently_of_its_parent() {
    unsafe extern "C" {
        safe fn alarm(seconds: u32) -> u32;
        safe fn fork() -> i32;
        safe fn _exit(status: i32) -> !;
        unsafe fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    }
    in_own_process("slabs::a_forked_child_links_independently_of_its_parent", || {
        let (dylib, mut compiler) = (dylib_in(Memory::Slabs), compiler());
        let objects = [1.0, 2.0].map(|value| {
            let name = format!("f{value}");
            compiler.compile(|cx| constant(cx, &name, value)).unwrap()
        });
        let first = dylib.add_object(&objects[0]).unwrap();
        assert_eq!(call(&first, "f1"), 1.0);
        let child = fork();
        if child == 0 {
            // A child that hangs is ended by SIGALRM.
            alarm(60);
        }
        let second = dylib.add_object(&objects[1]).unwrap();
        let sum = call(&first, "f1") + call(&second, "f2");
        drop(second);
        let sum = sum + call(&first, "f1");
        if child == 0 {
            drop(first);
            _exit(if sum == 4.0 { 7 } else { 1 });
        }
        assert_eq!(sum, 4.0);
        let mut status = 0;
        // SAFETY: `status` is our local variable.
        assert_eq!(unsafe { waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 7 << 8);
        assert_eq!(call(&first, "f1"), 1.0);
    });
}

/// Limits the size of the files of this process, in bytes.
fn limit_files(n_bytes: u64) {
    #[repr(C)]
    struct Limit {
        current: u64,
        max: u64,
    }
    const FILE_SIZE: i32 = 1;
    unsafe extern "C" {
        unsafe fn setrlimit(resource: i32, limit: *const Limit) -> i32;
    }
    let limit = Limit { current: n_bytes, max: u64::MAX };
    // SAFETY: the limit is our local variable, as the system declares it.
    assert_eq!(unsafe { setrlimit(FILE_SIZE, &limit) }, 0);
}

/// Without the error, the system would end the process by a signal.
#[test]
fn code_beyond_a_limit_on_files_that_came_later_is_an_error() {
    in_own_process("slabs::code_beyond_a_limit_on_files_that_came_later_is_an_error", || {
        let (dylib, mut compiler) = (dylib_in(Memory::Slabs), compiler());
        let mut object = |name: &str| compiler.compile(|cx| constant(cx, name, 1.0)).unwrap();
        let first = dylib.add_object(&object("first")).unwrap();
        assert_eq!(call(&first, "first"), 1.0);
        limit_files(0);
        let second = dylib.add_object(&object("second")).unwrap();
        assert!(second.lookup("second").is_err());
        // Code that exists can be called and removed.
        assert_eq!(call(&first, "first"), 1.0);
        first.remove().unwrap();
        limit_files(u64::MAX);
        let third = dylib.add_object(&object("third")).unwrap();
        assert_eq!(call(&third, "third"), 1.0);
    });
}

/// Objects larger than a slab have a slab of their own, whose part of the file is used again.
#[test]
fn parts_of_the_file_are_used_again() {
    in_own_process("slabs::parts_of_the_file_are_used_again", || {
        let (dylib, mut compiler) = (dylib_in(Memory::Slabs), compiler());
        let kept = dylib.add_object(&compiler.compile(|cx| constant(cx, "kept", 1.0)).unwrap()).unwrap();
        assert_eq!(call(&kept, "kept"), 1.0);
        let large = compiler.compile(|cx| counting(cx, 400_000, 1.0)).unwrap();
        // Enough for a few large objects, and not for all.
        limit_files(64 << 20);
        for _ in 0..40 {
            let tracker = dylib.add_object(&large).unwrap();
            call(&tracker, "count");
            tracker.remove().unwrap();
        }
        assert_eq!(call(&kept, "kept"), 1.0);
    });
}

/// The object is an array of a thousand pointers to itself: relocations in variables, with a larger
/// alignment than LLVM's memory manager supports.
#[test]
fn variables_are_relocated() {
    let object = compiler()
        .compile(|cx| {
            let module = cx.create_module("data");
            let pointer = cx.ptr_type(AddressSpace::default());
            let array = module.add_global(pointer.array_type(1000), None, "array");
            array.set_initializer(&pointer.const_array(&vec![array.as_pointer_value(); 1000]));
            array.set_alignment(1 << 16);
            module
        })
        .unwrap();
    let dylib = Jit::builder().build().unwrap().create_bare_dylib("test").unwrap();
    let _tracker = dylib.add_object(&object).unwrap();
    let array = dylib.lookup("array").unwrap();
    assert_eq!(array.get() % (1 << 16), 0);
    // SAFETY: the array has that many elements and does not change.
    let found = unsafe { std::slice::from_raw_parts(array.as_ptr::<u64>(), 1000) };
    assert!(found.iter().all(|&element| element == array.get()));
}
