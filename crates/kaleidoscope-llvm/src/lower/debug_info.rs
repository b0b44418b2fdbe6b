//! Debug information: what a debugger must know of the code, as LLVM's metadata.
//!
//! It is made for a unit whose functions have positions, whether the code is for this process or
//! for an object file. Each function of the unit has a subprogram, and each variable a scope. An
//! inlined function has the position of its call as well, so debuggers show its frame.
//!
//! A variable is a place in the frame, to which each new value is stored. Nothing loads from it.
//! Without optimization passes the place is always right. The passes remove it, and note for the
//! debugger where the value is instead.

mod declare;

use declare::declare;
use inkwell::basic_block::BasicBlock;
use inkwell::context::Context;
use inkwell::debug_info::{
    AsDIScope, DIFile, DIFlagsConstants, DILocation, DIScope, DISubprogram, DIType, DWARFEmissionKind,
    DWARFSourceLanguage, DebugInfoBuilder,
};
use inkwell::module::{FlagBehavior, Module};
use inkwell::values::{FloatValue, FunctionValue, PointerValue};
use kaleidoscope_ir::{Function, Local, OpIdx, SourcePosition, SourcePositions};
use std::collections::BTreeMap;

use super::{Lowering, built};

/// The version of DWARF, and LLVM's of its metadata.
const DWARF_VERSION: u64 = 5;
const METADATA_VERSION: u64 = 3;

/// DWARF's number for floating-point encodings.
const ENCODING_FLOAT: u32 = 4;

/// The scopes of a function for which metadata is made. Scopes that are nested more deeply than
/// any person nests them would take quadratic time.
const MAX_SCOPES: usize = 1000;

/// The debug information of a module.
pub(super) struct DebugInfo<'cx> {
    builder: DebugInfoBuilder<'cx>,
    double: DIType<'cx>,
    /// The functions of the module, by the address of the IR.
    functions: BTreeMap<*const Function, DebuggedFunction<'cx>>,
    /// The current frame, and those of the functions that it is inlined into.
    frames: Vec<DebuggedFrame<'cx>>,
    /// The location of the current operation.
    location: DILocation<'cx>,
}

/// A function, or a copy of one that is inlined.
struct DebuggedFrame<'cx> {
    function: *const Function,
    /// Where it is inlined. `None` for the function that is compiled.
    call: Option<DILocation<'cx>>,
    /// The place of each variable, once it was assigned.
    places: Vec<Option<PointerValue<'cx>>>,
}

/// A function of the module.
struct DebuggedFunction<'cx> {
    file: DIFile<'cx>,
    subprogram: DISubprogram<'cx>,
    /// The scope of each variable that is no parameter.
    scopes: BTreeMap<Local, (DIScope<'cx>, SourcePosition)>,
    /// For each operation, its innermost scope, if that is not the function.
    scope_of_op: Vec<Option<DIScope<'cx>>>,
}

impl<'cx> DebugInfo<'cx> {
    /// The debug information of a unit with this root. `None` if that has no positions.
    pub(super) fn new(
        cx: &'cx Context,
        module: &Module<'cx>,
        root: &Function,
        compiled: FunctionValue<'cx>,
    ) -> Option<Self> {
        let positions = root.positions()?;
        for (name, value) in [("Debug Info Version", METADATA_VERSION), ("Dwarf Version", DWARF_VERSION)] {
            let value = cx.i32_type().const_int(value, false);
            // Another function of the module may have set it.
            if module.get_flag(name).is_some() {
                continue;
            }
            module.add_basic_value_flag(name, FlagBehavior::Warning, value);
        }
        // Expressions that users type in a debugger are those of C.
        let (builder, _) = module.create_debug_info_builder(
            true,
            DWARFSourceLanguage::C11,
            &positions.file,
            &positions.directory,
            concat!("Kaleidoscope ", env!("CARGO_PKG_VERSION")),
            false,
            "",
            0,
            "",
            DWARFEmissionKind::Full,
            0,
            true,
            false,
            "",
            "",
        );
        let double = builder.create_basic_type("double", 64, ENCODING_FLOAT, i32::PUBLIC);
        let double = double.expect("the type has a name").as_type();
        let function = DebuggedFunction::new(&builder, double, root, positions);
        compiled.set_subprogram(function.subprogram);
        let scope = function.subprogram.as_debug_info_scope();
        let SourcePosition { line, column } = positions.definition;
        let location = builder.create_debug_location(cx, line, column, scope, None);
        let frame = DebuggedFrame::new(root, None);
        let functions = BTreeMap::from([(&raw const *root, function)]);
        Some(Self { builder, double, functions, frames: vec![frame], location })
    }

    fn frame(&self) -> &DebuggedFrame<'cx> {
        self.frames.last().expect("the root's frame stays")
    }

    fn function(&self) -> &DebuggedFunction<'cx> {
        &self.functions[&self.frame().function]
    }

    /// A location in the current frame.
    fn location(&self, cx: &'cx Context, at: SourcePosition, scope: DIScope<'cx>) -> DILocation<'cx> {
        self.builder.create_debug_location(cx, at.line, at.column, scope, self.frame().call)
    }

    /// Completes the metadata.
    pub(super) fn finish(self) {
        self.builder.finalize();
    }
}

impl<'cx> DebuggedFrame<'cx> {
    fn new(function: &Function, call: Option<DILocation<'cx>>) -> Self {
        Self { function, call, places: vec![None; function.locals.len()] }
    }
}

impl<'cx> DebuggedFunction<'cx> {
    fn new(
        builder: &DebugInfoBuilder<'cx>,
        double: DIType<'cx>,
        function: &Function,
        positions: &SourcePositions,
    ) -> Self {
        let file = builder.create_file(&positions.file, &positions.directory);
        let line = positions.definition.line;
        let parameters = vec![double; function.n_params as usize];
        let signature = builder.create_subroutine_type(file, Some(double), &parameters, i32::ZERO);
        let scope = file.as_debug_info_scope();
        let flags = i32::PROTOTYPED;
        let subprogram = builder.create_function(
            scope,
            &function.name,
            None,
            file,
            line,
            signature,
            false,
            true,
            line,
            flags,
            false,
        );
        let mut scopes: BTreeMap<Local, (DIScope<'cx>, SourcePosition)> = BTreeMap::new();
        let mut scope_of_op = vec![None; function.ops.len()];
        for scope in positions.scopes.iter().take(MAX_SCOPES) {
            let around = scope_of_op.get(scope.begin.index()).copied().flatten();
            let around = around.unwrap_or_else(|| subprogram.as_debug_info_scope());
            let SourcePosition { line, column } = scope.position;
            let block = builder.create_lexical_block(around, file, line, column).as_debug_info_scope();
            scopes.insert(scope.variable, (block, scope.position));
            let ops = scope.begin.index()..scope.end.index().min(scope_of_op.len());
            scope_of_op.get_mut(ops).into_iter().flatten().for_each(|of_op| *of_op = Some(block));
        }
        Self { file, subprogram, scopes, scope_of_op }
    }
}

impl<'cx, 'a> Lowering<'cx, 'a> {
    /// What is emitted from here on belongs to the operation.
    pub(super) fn set_location(&mut self, at: OpIdx) {
        let positions = self.frame.function.positions();
        let (cx, Some(debug)) = (self.cx, &mut self.debug_info) else { return };
        let function = debug.function();
        let scope = function.scope_of_op.get(at.index()).copied().flatten();
        let scope = scope.unwrap_or_else(|| function.subprogram.as_debug_info_scope());
        let position = positions.map_or(SourcePosition::default(), |positions| positions.of_op(at));
        debug.location = debug.location(cx, position, scope);
        self.builder.set_current_debug_location(debug.location);
    }

    /// Sets the location again, which other positions of the builder have changed.
    pub(super) fn restore_location(&self) {
        if let Some(debug) = &self.debug_info {
            self.builder.set_current_debug_location(debug.location);
        }
    }

    /// What is emitted from here on makes the frame: debuggers stop behind it.
    pub(super) fn begin_prologue(&self) {
        if self.debug_info.is_some() {
            self.builder.unset_current_debug_location();
        }
    }

    /// Stores a value that was assigned to a variable, for debuggers.
    pub(super) fn note_assigned(&mut self, variable: Local) {
        let value = self.frame.variables[variable.index()];
        let Some(debug) = &self.debug_info else { return };
        let place = match debug.frame().places[variable.index()] {
            Some(place) => Some(place),
            None => self.declare_variable(variable),
        };
        if let Some(place) = place {
            built(self.builder.build_store(place, value));
        }
    }

    /// As [`note_assigned`](Self::note_assigned), for each variable. The current block has its phis.
    pub(super) fn note_all_assigned(&mut self, variables: impl IntoIterator<Item = Local>) {
        if self.debug_info.is_some() {
            variables.into_iter().for_each(|variable| self.note_assigned(variable));
        }
    }

    /// Makes the place of a variable. `None` for a variable that the text has no name for.
    fn declare_variable(&mut self, variable: Local) -> Option<PointerValue<'cx>> {
        let function = self.frame.function;
        let debug = self.debug_info.as_ref()?;
        let debugged = debug.function();
        let (builder, double) = (&debug.builder, debug.double);
        let name = &function.locals[variable.index()];
        let (declared, scope, at) = if variable.index() < function.n_params as usize {
            let scope = debugged.subprogram.as_debug_info_scope();
            let at = function.positions().map_or(SourcePosition::default(), |positions| positions.definition);
            let number = variable.index() as u32 + 1;
            let file = debugged.file;
            let declared = builder.create_parameter_variable(
                scope,
                name,
                number,
                file,
                at.line,
                double,
                true,
                i32::ZERO,
            );
            (declared, scope, at)
        } else {
            let &(scope, at) = debugged.scopes.get(&variable)?;
            let file = debugged.file;
            let declared =
                builder.create_auto_variable(scope, name, file, at.line, double, true, i32::ZERO, 0);
            (declared, scope, at)
        };
        let location = debug.location(self.cx, at, scope);
        let place = self.allocate_variable(name);
        declare(builder, place, declared, location, self.block);
        let debug = self.debug_info.as_mut()?;
        let frame = debug.frames.last_mut().expect("the root's frame stays");
        frame.places[variable.index()] = Some(place);
        Some(place)
    }

    /// A place in the frame for a variable.
    fn allocate_variable(&self, name: &str) -> PointerValue<'cx> {
        let location = self.builder.get_current_debug_location();
        let entry: BasicBlock<'cx> = self.compiled.get_first_basic_block().expect("code begins with a block");
        match entry.get_first_instruction() {
            Some(first) => self.builder.position_before(&first),
            None => self.builder.position_at_end(entry),
        }
        let place = built(self.builder.build_alloca(self.cx.f64_type(), name));
        self.builder.position_at_end(self.block);
        match location {
            Some(location) => self.builder.set_current_debug_location(location),
            None => self.builder.unset_current_debug_location(),
        }
        place
    }

    /// Begins an inlinee, in place of the call that is the current operation.
    pub(super) fn begin_inlined_frame(&mut self, function: &'a Function, args: &[FloatValue<'cx>]) {
        let Some(debug) = &mut self.debug_info else { return };
        if !debug.functions.contains_key(&(&raw const *function)) {
            let unknown = SourcePositions::unknown();
            let positions = function.positions().unwrap_or(&unknown);
            let debugged = DebuggedFunction::new(&debug.builder, debug.double, function, positions);
            debug.functions.insert(&raw const *function, debugged);
        }
        let call = debug.location;
        debug.frames.push(DebuggedFrame::new(function, Some(call)));
        self.set_location(OpIdx::new(0));
        self.note_all_assigned((0..args.len() as u32).map(Local::new));
    }

    /// Ends an inlinee.
    pub(super) fn end_inlined_frame(&mut self) {
        let Some(debug) = &mut self.debug_info else { return };
        let ended = debug.frames.pop().expect("an inlinee has a frame");
        debug.location = ended.call.expect("an inlinee has a call");
        self.restore_location();
    }
}
