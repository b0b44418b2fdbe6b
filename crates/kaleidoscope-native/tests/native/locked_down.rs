//! Systems that forbid machine code which is made at run time, in whole or in part.

use kaleidoscope_native::{CodeMemory, ErrorKind, HostPool, StubPool};

use crate::support::{Script, add_one, child, code, forbid};

/// Forbids to make memory executable that was writable. Returns `false` if the kernel cannot.
fn refuse_exec_gain() -> bool {
    const PR_SET_MDWE: i32 = 65;
    const REFUSE_EXEC_GAIN: libc::c_ulong = 1;
    // SAFETY: gives up privileges of this process.
    unsafe { libc::prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) == 0 }
}

/// Calls a function through a stub.
fn check_stubs() {
    let stub = StubPool::new().allocate().unwrap();
    let script = Script::new().materialize(|_| Ok(code(add_one as *const ())));
    assert_eq!(script.call(stub.address(), &[1.0]).unwrap(), 2.0);
}

#[test]
fn stubs_need_no_memory_that_becomes_executable() {
    child("locked_down::stubs_need_no_memory_that_becomes_executable", &["mdwe"], |_| {
        if refuse_exec_gain() {
            check_stubs();
            CodeMemory::check().unwrap();
        }
    });
}

#[test]
fn stubs_of_an_interpreter_need_no_executable_memory() {
    child("locked_down::stubs_of_an_interpreter_need_no_executable_memory", &["mdwe"], |_| {
        forbid(libc::SYS_memfd_create, libc::EPERM);
        check_stubs();
        let error = CodeMemory::check().unwrap_err();
        assert_eq!((error.kind(), error.forbids_code()), (ErrorKind::CodeMemory, true));
        assert!(error.to_string().contains("memfd_create: Operation not permitted"), "{error}");
        if refuse_exec_gain() {
            let error = StubPool::new().allocate().unwrap_err();
            assert_eq!((error.kind(), error.forbids_code()), (ErrorKind::StubProtection, true));
            assert!(error.to_string().contains("mprotect: Permission denied"), "{error}");
            let stubs = StubPool::for_interpreter();
            let ids: Vec<_> = (0..1000).map(|_| stubs.allocate().unwrap().id().get()).collect();
            assert!(ids.into_iter().eq(0..1000));
            assert_eq!(HostPool::for_interpreter().allocate(2).unwrap().arity(), 2);
        }
    });
}

#[test]
fn too_little_memory_is_another_error() {
    child("locked_down::too_little_memory_is_another_error", &["memfd"], |_| {
        forbid(libc::SYS_memfd_create, libc::EMFILE);
        let error = CodeMemory::check().unwrap_err();
        assert_eq!((error.kind(), error.forbids_code()), (ErrorKind::CodeMemory, false));
    });
}
