//! Code for rows: made on a compile thread when there were rows enough, as the policy says.
//!
//! What the code is made of is looked up when the thread comes to it; whether that still holds, when it is put where rows look for it.

use crate::background::{Carrying, count_left_out, plan};
use crate::batch::Precision;
use crate::call_error::CallError;
use crate::event::{BodyName, Event, Tier};
use crate::failure::Failure;
use crate::host::maths_entry;
use crate::jit::{Body, BodyFacts, Jit, Made, RowsKey, WantedRows};
use crate::policy::{self, RowsAdvice};
use crate::shared::{Shared, stub_of};
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::{
    CallTarget, CodeGenerator, CodeKind, CompileError, KernelKind, Unit, VectorMaths,
};
use kaleidoscope_ir::{Arithmetic, FunctionId, Op};
use kaleidoscope_native::maths::VECTOR_LANES;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Has code made for rows of the function if so many more make that pay.
pub(crate) fn prepare(
    jit: &Arc<Jit<Shared>>,
    id: FunctionId,
    key: RowsKey,
    n_rows: usize,
) -> Result<(), CallError> {
    let shared = &jit.source;
    let Some(threads) = &shared.compile_threads else { return Ok(()) };
    let advise = |n_rows| policy::advise_rows(shared.settings.mode, n_rows, shared.settings.thresholds);
    let Some(WantedRows { version, advice }) = jit.note_rows(key, n_rows, advise) else { return Ok(()) };
    let making = Making { jit: Arc::clone(jit), id, key, version, is_over: Cell::new(false) };
    if advice == RowsAdvice::AtOnce {
        let made = threads.run(move |generator| {
            let made = making.make(Ok(generator));
            Ok((making, made))
        });
        // Where there are no threads, calls have to do.
        let Ok((making, made)) = made else { return Ok(()) };
        return making.finish(made).map_err(CallError::from);
    }
    drop(threads.submit(move |generator| {
        // What observers do wrong is nobody's matter here: no evaluation waits for it.
        drop(making.finish(making.make(generator)));
    }));
    Ok(())
}

/// Code for rows that is to be made. However it ends, others may ask again or know that there is none.
struct Making {
    jit: Arc<Jit<Shared>>,
    id: FunctionId,
    key: RowsKey,
    version: u32,
    /// Whether there was code, which was put in its place or came too late: others may be making code by now.
    is_over: Cell<bool>,
}

impl Drop for Making {
    fn drop(&mut self) {
        if !self.is_over.get() {
            self.jit.refuse_rows(self.key, self.version);
        }
    }
}

impl Making {
    /// Makes the code. `None` when there is nothing to make it of.
    fn make(&self, generator: Result<&mut dyn CodeGenerator, CompileError>) -> Result<Option<Body>, Failure> {
        let shared = &self.jit.source;
        shared.check_code()?;
        let program = shared.program();
        let Some(unit) = program.unit_of(self.id).filter(|unit| unit.version == self.version) else {
            return Ok(None);
        };
        let root = Arc::new(unit);
        let planned = plan(&program, &root, CodeKind::Kernel(KernelKind::Guarded), policy::ROW_LIMITS);
        drop(program);
        let Some(Carrying { mut unit, carries, inlined }) = planned else { return Ok(None) };
        if is_plain(&unit) {
            unit.kind = CodeKind::Kernel(KernelKind::Plain);
            if self.key.precision == Precision::Fast {
                unit.vector_maths = vector_maths(&unit);
            }
        }
        let code = generator.and_then(|generator| generator.generate(&unit));
        let code = code.map_err(|reason| Failure::Compile { body: BodyName::of(&root), reason })?;
        let code = shared.charge(code)?;
        count_left_out(&self.jit, &unit);
        let facts = BodyFacts {
            function: Some(stub_of(self.id)),
            name: BodyName::of(&root),
            made: Made::Compiled { tier: Tier::Rows, part: unit.kind, times: code.times, bytes: code.bytes },
            inlined,
        };
        Ok(Some(Body::new(facts, root.function.n_params, carries, code)))
    }

    /// Puts the code where it is looked for, or tells why there is none: then calls have to do.
    fn finish(&self, made: Result<Option<Body>, Failure>) -> Result<(), Failure> {
        match made {
            Ok(Some(body)) => {
                self.is_over.set(true);
                self.jit.install_rows(self.key, Box::new(body))
            }
            Ok(None) => Ok(()),
            Err(Failure::Compile { body, reason }) => {
                self.jit.source.tell(|| Event::Failed { body, reason: reason.to_string() })
            }
            // A limit on code, which calls keep to by themselves.
            Err(_) => Ok(()),
        }
    }
}

/// Whether the function, with all that it carries, soon ends, by returning and in no other way.
fn is_plain(unit: &Unit) -> bool {
    let is_small = unit.function.ops.len() <= policy::ROW_LIMITS.unit_ops;
    is_small
        && unit.instances().iter().all(|instance| {
            instance.function.ops.iter().all(|op| match op {
                Op::Loop | Op::Next { .. } | Op::TailCall => false,
                Op::Call { callee, .. } => {
                    instance.inlined(*callee).is_some()
                        || matches!(unit.call_target(*callee), CallTarget::Maths(_))
                }
                _ => true,
            })
        })
}

/// What the vector maths library has of the functions that the unit calls.
fn vector_maths(unit: &Unit) -> Vec<VectorMaths> {
    let mut functions = BTreeSet::new();
    for instance in unit.instances() {
        for op in &instance.function.ops {
            match op {
                Op::Arithmetic(Arithmetic::Power) => {
                    functions.insert(MathsFunction::Pow);
                }
                Op::Call { callee, .. } => {
                    if let CallTarget::Maths(maths) = unit.call_target(*callee) {
                        functions.insert(maths);
                    }
                }
                _ => {}
            }
        }
    }
    let variants = functions.into_iter().flat_map(|function| {
        VECTOR_LANES.iter().filter_map(move |&lanes| {
            let address = maths_entry(function).vector_address(lanes)?.get();
            Some(VectorMaths { function, lanes, address })
        })
    });
    variants.collect()
}
