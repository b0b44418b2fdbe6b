//! The code generator with a cache: looks up relocatable code before the other one compiles it.
//!
//! Why the code keeps the promises of [`CodeGenerator`]: the other code generator makes all code.
//! What it links here is what it, or one of the same identity, returned for this unit without
//! addresses. The entry says so: it is whole, its key has all that, and only this module writes
//! entries, in a folder to which only this user can write.

#![allow(unsafe_code, reason = "this file vouches for the code of the cache")]

use super::{CodeCache, EntryKind};
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::compile::{
    Backend, BuildRequest, Code, CodeGenerator, CompileError, CompileTimes, Identity, Listing,
    RelocatableCode, Settings, Unit,
};
use kaleidoscope_native::build_id_at;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A backend whose code generators use a cache.
#[derive(Debug)]
pub(crate) struct CachingBackend {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) cache: CodeCache,
}

impl Backend for CachingBackend {
    fn start(&self, settings: &Settings) -> Result<Box<dyn CodeGenerator>, CompileError> {
        let mut generator = self.backend.start(settings)?;
        // A code generator that makes no relocatable code, or whose parts cannot be told from those
        // of another build, works without a cache.
        let shared = &self.cache.shared;
        let identity = match generator.identity() {
            Ok(identity) => describe(&identity, &shared.engine, settings)
                .ok_or("the compiler has no build id, which its linker writes with -Wl,--build-id"),
            Err(_) => Err("the compiler makes no code that another process can use"),
        };
        Ok(match identity {
            Ok(identity) => Box::new(CachingGenerator { generator, cache: self.cache.clone(), identity }),
            Err(obstacle) => {
                shared.obstacle.get_or_init(|| obstacle.to_owned());
                generator
            }
        })
    }
}

/// The part of keys that is the same for all units. `None` if a part of the compiler has no build
/// id.
fn describe(identity: &Identity, engine: &[u8], settings: &Settings) -> Option<Vec<u8>> {
    let parts = identity.parts.iter().copied();
    let build_ids: Vec<Vec<u8>> = parts.map(build_id_at).collect::<Option<_>>()?;
    // The addresses of maths functions are not in the code.
    let Settings { optimization, maths: _, host_maths: _, has_debug_info } = settings;
    Some(written(&(&identity.text, engine, build_ids, optimization, has_debug_info)))
}

pub(super) fn written(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("units have only types that can be written")
}

struct CachingGenerator {
    generator: Box<dyn CodeGenerator>,
    cache: CodeCache,
    identity: Vec<u8>,
}

impl CachingGenerator {
    fn find(&mut self, key: &[u8], unit: &Unit) -> Option<Code> {
        let content = self.cache.read(EntryKind::Code, key)?;
        let code: RelocatableCode = postcard::from_bytes(&content).ok()?;
        // SAFETY: see the head of this file.
        unsafe { self.generator.link_object(unit, code) }.ok()
    }
}

// SAFETY: see the head of this file.
unsafe impl CodeGenerator for CachingGenerator {
    fn generate(&mut self, unit: &Unit) -> Result<Code, CompileError> {
        let bare = unit.without_addresses();
        let key = written(&(&self.identity, &bare));
        if let Some(code) = self.find(&key, unit) {
            self.cache.shared.n_found.fetch_add(1, Ordering::Relaxed);
            return Ok(code);
        }
        self.cache.shared.n_missing.fetch_add(1, Ordering::Relaxed);
        let code = self.generator.compile_object(&bare)?;
        // Who finds the entry spends no time compiling.
        let entry = RelocatableCode { times: CompileTimes::default(), ..code.clone() };
        self.cache.write(EntryKind::Code, &key, &written(&entry));
        // SAFETY: made just now for this unit.
        unsafe { self.generator.link_object(unit, code) }
    }

    fn identity(&mut self) -> Result<Identity, CompileError> {
        self.generator.identity()
    }

    fn compile_object(&mut self, unit: &Unit) -> Result<RelocatableCode, CompileError> {
        self.generator.compile_object(unit)
    }

    unsafe fn link_object(&mut self, unit: &Unit, code: RelocatableCode) -> Result<Code, CompileError> {
        // SAFETY: the caller says so.
        unsafe { self.generator.link_object(unit, code) }
    }

    fn list(
        &mut self,
        unit: &Unit,
        listing: Listing,
        names: &BTreeMap<FunctionId, String>,
    ) -> Result<String, CompileError> {
        self.generator.list(unit, listing, names)
    }

    fn build(&mut self, request: &BuildRequest) -> Result<Vec<Vec<u8>>, CompileError> {
        self.generator.build(request)
    }
}
