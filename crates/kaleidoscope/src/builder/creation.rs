//! Creates an engine from its settings: the provided functions, the definitions of another engine,
//! and what the application registered and bound.

use super::Builder;
use crate::host::built_in;
use crate::program::Program;
use crate::shared::{ProgramSettings, Shared};
use crate::{Engine, Error};
use kaleidoscope_jit::{CallLimits, Change, Definition, Embedder, Superseded, Trap, is_host_stack_full};
use std::sync::Arc;

pub(super) fn create(builder: Builder) -> Result<Engine, Error> {
    if is_host_stack_full() {
        return Err(Error::of_trap(Trap::StackOverflow { inside: Vec::new() }));
    }
    let Builder {
        jit,
        settings,
        time_limit,
        provided,
        registrations,
        variables,
        arrays,
        definitions_of,
        has_prelude,
        chapter,
    } = builder;
    let engine = match definitions_of {
        Some(other) => with_definitions_of(&other, jit, settings, provided.as_deref())?,
        None => with_built_ins(jit, settings, provided.as_deref())?,
    };
    if let Some(chapter) = chapter {
        engine.shared.program().names.use_chapter(chapter);
    }
    if has_prelude {
        // So that no name of the host is a word of the prelude.
        engine.shared.program().names.use_conventions(&[]);
    }
    for registration in registrations {
        engine.provide(registration)?;
    }
    for (name, variable) in &variables {
        engine.bind(name, variable)?;
    }
    for (name, array) in &arrays {
        engine.bind_array(name, array)?;
    }
    // The prelude leaves the host's names as they are.
    if has_prelude {
        engine.prelude().map_err(|error| Error::limit_too_small(&error.to_string()))?;
    }
    Ok(Engine { limits: CallLimits { time: time_limit }, ..engine })
}

/// An engine with the provided functions; with `provided`, only those of these names.
fn with_built_ins(
    jit: kaleidoscope_jit::Builder,
    settings: ProgramSettings,
    provided: Option<&[String]>,
) -> Result<Engine, Error> {
    let mut program = Program::new();
    if let Some(provided) = provided {
        program.keep_only(provided)?;
    }
    let declarations: Vec<_> = program.declarations(0).collect();
    let shared = Arc::new(Shared::new(settings, program));
    let jit = jit.embedder(Arc::clone(&shared) as Arc<dyn Embedder>).build().map_err(Error::memory)?;
    jit.declare_all(declarations).map_err(Error::memory)?;
    let engine = Engine { jit, shared, limits: CallLimits::new() };
    define_built_in_hosts(&engine)?;
    Ok(engine)
}

/// An engine with the definitions of another one, without its formulas.
fn with_definitions_of(
    other: &Engine,
    jit: kaleidoscope_jit::Builder,
    settings: ProgramSettings,
    provided: Option<&[String]>,
) -> Result<Engine, Error> {
    other.admit()?;
    // The lock is held until the definitions are copied, so that names and definitions agree.
    let other_program = other.shared.program();
    let (mut program, mut withdrawn) = other_program.fork();
    if let Some(provided) = provided {
        let hidden = program.keep_only(provided)?;
        withdrawn.extend(hidden.into_iter().map(|id| (id, program.remove(id))));
    }
    let shared = Arc::new(Shared::new(settings, program));
    let jit = jit.embedder(Arc::clone(&shared) as Arc<dyn Embedder>);
    let jit = jit.build_with_definitions_of(&other.jit).map_err(Error::memory)?;
    drop(other_program);
    let engine = Engine { jit, shared, limits: CallLimits::new() };
    let withdraw = |(id, version)| Change::new(id, Definition::Unavailable).version(version);
    // The new engine has no code to supersede.
    let _: Superseded = apply(&engine, withdrawn.into_iter().map(withdraw).collect())?;
    define_built_in_hosts(&engine)?;
    Ok(engine)
}

/// Defines `putchard`, `putbyte` and `printd` for this engine's output.
fn define_built_in_hosts(engine: &Engine) -> Result<(), Error> {
    let program = engine.shared.program();
    let ProgramSettings { output, putchard_unit, .. } = &engine.shared.settings;
    let define = |id| {
        let host = built_in(&program.names.signature(id).name, output, *putchard_unit);
        // Provided functions are version 0 of their names.
        Change::new(id, Definition::Host(host)).version(0)
    };
    let changes = program.built_in_hosts().map(define).collect();
    let _: Superseded = apply(engine, changes)?;
    Ok(())
}

fn apply(engine: &Engine, changes: Vec<Change>) -> Result<Superseded, Error> {
    engine.jit.apply(changes).map_err(Error::of_trap)
}
