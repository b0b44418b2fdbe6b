//! Interpreted code: takes the place of machine code for a function that is too large for every
//! compiler.
//!
//! The function's slot points to a host stub, behind which the interpreter runs the function's IR.
//! To its callers it is code like any other. It is never optimized.

use crate::code::{CodeInfo, CodeOrigin, CompiledCode};
use crate::core::{Core, CoreScope};
use crate::event::CodeName;
use crate::host::HostEntry;
use crate::interrupt::{CallLimits, Watch};
use crate::maths::load_maths;
use crate::table::StoredDefinition;
use crate::trap::Trap;
use crate::validity::FunctionVersion;
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::compile::{Code, CompileTimes, Unit};
use kaleidoscope_ir::interpreter::{Callee, Environment, StackLimit, interpret};
use kaleidoscope_native::{self as native, HostStub, OfProcess};
use std::sync::{Arc, Weak};

/// Keeps the stub of interpreted code for as long as the code exists.
struct UsedStub {
    core: Weak<OfProcess<Core>>,
    /// `None` once it is idle.
    stub: Option<HostStub>,
}

impl Drop for UsedStub {
    fn drop(&mut self) {
        let (Some(core), Some(stub)) = (self.core.upgrade(), self.stub.take()) else { return };
        core.hosts.free(stub);
    }
}

impl Core {
    /// Interpreted code of the unit's function or expression.
    pub(crate) fn interpreted_code(&self, unit: &Unit) -> Result<CompiledCode, Trap> {
        let arity = unit.function.n_params;
        let stub = self.hosts.allocate_for_a_while(arity);
        let stub = stub.map_err(|error| Trap::OutOfMemory { reason: error.to_string() })?;
        let function = FunctionVersion { ir: Arc::clone(&unit.function), id: unit.id, version: unit.version };
        drop(self.hosts.set(stub.id(), Arc::new(HostEntry::Interpreted(function))));
        let info = CodeInfo {
            function: unit.id,
            name: CodeName::of(unit),
            origin: CodeOrigin::Interpreted,
            inlined: Arc::default(),
        };
        let core = self.shared().as_ref().map_or_else(Weak::new, Arc::downgrade);
        let code = Code {
            address: stub.address().get(),
            bytes: 0,
            times: CompileTimes::default(),
            exits: Vec::new(),
            debug_object: None,
            keep: Box::new(UsedStub { core, stub: Some(stub) }),
        };
        Ok(CompiledCode::new(info, unit, Box::default(), None, code))
    }

    /// Runs interpreted code: its stub was called.
    pub(crate) fn run_interpreted(&self, function: &FunctionVersion, args: &[f64]) -> Result<f64, Trap> {
        let watch = Watch::begin(&self.interrupter, CallLimits::new());
        let limit = StackLimit { bytes: self.settings.stack_bytes() };
        let result = self.enter(&watch, |scope| {
            let environment = BetweenCode { core: self, scope, watch: &watch };
            interpret(&environment, &function.ir, args, limit)
        });
        match result.flatten() {
            // The call that this one is inside is exited on return, with its own trap.
            Err(Trap::Interrupted { .. }) if native::pending_interrupt().is_some() => Ok(0.0),
            result => result,
        }
    }
}

/// The interpreter's view of the engine: calls go through slots, except those of interpreted code,
/// which then nests in one interpreter.
struct BetweenCode<'a> {
    core: &'a Core,
    scope: &'a CoreScope<'a>,
    watch: &'a Watch<'a>,
}

impl Environment for BetweenCode<'_> {
    type Trap = Trap;
    type Data = Core;

    fn data(&self) -> &Core {
        self.core
    }

    fn callee(&self, id: FunctionId) -> Result<Callee, Trap> {
        let table = self.core.table();
        let entry = table.entry(id);
        match &entry.definition {
            StoredDefinition::Maths(maths) => {
                let maths = *maths;
                drop(table);
                load_maths().map(|()| Callee::Maths(maths))
            }
            StoredDefinition::Ir(ir)
                if entry.state.first().is_some_and(|code| code.code.is_interpreted()) =>
            {
                Ok(Callee::Function(Arc::clone(ir)))
            }
            StoredDefinition::Ir(_) | StoredDefinition::Host { .. } | StoredDefinition::Unavailable => {
                Ok(Callee::Host)
            }
        }
    }

    fn host(&self, id: FunctionId, args: &[f64]) -> Result<f64, Trap> {
        self.scope.call(self.core.callable(id), args)
    }

    fn add_active(&self, trap: &mut Trap, active: &mut dyn Iterator<Item = Arc<str>>) {
        trap.add_callers(active);
    }

    fn is_interrupted(&self) -> bool {
        self.watch.check_often().is_some()
    }
}
