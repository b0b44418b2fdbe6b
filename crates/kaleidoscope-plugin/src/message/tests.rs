//! The encoding of messages, pinned: if this fails, the version in `interface.rs` goes up by one.

use super::{Answer, Request, read, write};
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::{
    CallTarget, CodeKind, CompileError, CompileTimes, Exit, ExitFrame, HostArrayMemory, HostVariableAddress,
    Identity, InliningBudget, InliningPlan, Invalidation, KernelForm, KernelKind, KnownMaths, Listing,
    Optimization, RelocatableCode, Settings, Unit, VectorMaths,
};
use kaleidoscope_ir::{Arithmetic, Function, FunctionId, HostArray, HostVariable, Local, Op, OpIdx};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const GENERATE: &str = "0001660102017801691200000000000000008001010200030304c801050606c9010708000805090aac02020b0c090d0a0e0f10010c03010001020500020700b4a48080f0ff1fac0201230102030174a1868180f0ff1fc80101750801060176c0ac8180f0ff1fe80709000000000000";
const GENERATE_OPTIMIZED: &str = "0001660102017801691200000000000000008001010200030304c801050606c9010708000805090aac02020b0c090d0a0e0f10010c0301000102050101020700b4a48080f0ff1fac0201230102030174a1868180f0ff1fc80101750801060176c0ac8180f0ff1fe80709010301660102017801691200000000000000008001010200030304c801050606c9010708000805090aac02020b0c090d0a0e0f10010c030100010b0101660102017801691200000000000000008001010200030304c801050606c9010708000805090aac02020b0c090d0a0e0f10010c030100010b0201660102017801691200000000000000008001010200030304c801050606c9010708000805090aac02020b0c090d0a0e0f10010c0301000001000824012526ac02010e0280808080808080804080808080808080f03f80808080808080fc3f81040127";
const LIST: &str = "0101660102017801691200000000000000008001010200030304c801050606c9010708000805090aac02020b0c090d0a0e0f10010c03010001020500020700b4a48080f0ff1fac0201230102030174a1868180f0ff1fc80101750801060176c0ac8180f0ff1fe807090000000000000101070167";

/// Every operation once. What they mean together is nothing.
fn function() -> Function {
    Function::new(
        "f",
        1,
        ["x".into(), "i".into()],
        [
            Op::Number(-0.0),
            Op::Get(Local::new(1)),
            Op::Set(Local::new(0)),
            Op::GetHost(HostVariable::new(3)),
            Op::SetHost(HostVariable::new(200)),
            Op::GetElement(HostArray::new(6)),
            Op::SetElement(HostArray::new(201)),
            Op::Drop,
            Op::Arithmetic(Arithmetic::Add),
            Op::Arithmetic(Arithmetic::Less),
            Op::Square,
            Op::Call { callee: FunctionId::new(300), n_args: 2 },
            Op::TailCall,
            Op::If { otherwise: OpIdx::new(9) },
            Op::Else { end: OpIdx::new(10) },
            Op::End,
            Op::Loop,
            Op::Next { variable: Local::new(1), header: OpIdx::new(12) },
        ],
        3,
    )
}

fn unit() -> Unit {
    let targets = [
        (FunctionId::new(7), CallTarget::Slot { address: 0x7fff_0000_1234 }),
        (FunctionId::new(300), CallTarget::Maths { function: MathsFunction::Tgamma, slot: 1 }),
    ];
    let variables = [
        (HostVariable::new(3), HostVariableAddress { name: "t".into(), address: 0x7fff_0000_4321 }),
        (HostVariable::new(200), HostVariableAddress { name: "u".into(), address: 8 }),
    ];
    let array = HostArrayMemory { name: "v".into(), address: 0x7fff_0000_5640, len: 1000, bad_index: 9 };
    let id = Some(FunctionId::new(2));
    let unit = Unit::new(Arc::new(function()), id, 5, targets.into(), variables.into());
    Unit { host_arrays: [(HostArray::new(6), array)].into(), ..unit }
}

/// That 2^0.5 is 1.5.
fn known_maths() -> KnownMaths {
    let power = Op::Arithmetic(Arithmetic::Power);
    let ops = vec![Op::Number(2.0), Op::Number(0.5), power];
    let function = Function::new("power", 0, Vec::new(), ops, 2);
    let unit = Unit::new(Arc::new(function), None, 1, BTreeMap::new(), BTreeMap::new());
    KnownMaths::of(&unit, |_, _| 1.5)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn requests_are_written_as_ever_and_read_back() {
    let unit = unit();
    let limits = InliningBudget { callee_ops: 100, copied_ops: 100, recursion: 1, ..InliningBudget::NOTHING };
    let function = || Arc::clone(&unit.function);
    let plan = InliningPlan::new(None, function(), 0..unit.function.ops.len(), limits, |_| Some(function()));
    let optimized = Unit {
        kind: CodeKind::Osr(1),
        inlining: Some(plan),
        vector_maths: vec![VectorMaths { function: MathsFunction::Sin, lanes: 8, address: 0x24 }],
        invalidation: Some(Invalidation { flag: 0x25, exit: 0x26, code_number: 300 }),
        known_maths: known_maths(),
        scalars: [0, 9].into_iter().collect(),
        sincos: Some(0x27),
        ..unit.clone()
    };
    let names = BTreeMap::from([(FunctionId::new(7), "g".to_owned())]);
    let requests = [
        (Request::Generate(Cow::Borrowed(&unit)), GENERATE),
        (Request::Generate(Cow::Borrowed(&optimized)), GENERATE_OPTIMIZED),
        (Request::List(Cow::Borrowed(&unit), Listing::Assembly, Cow::Borrowed(&names)), LIST),
    ];
    for (request, expected) in &requests {
        let bytes = write(request);
        assert_eq!(hex(&bytes), *expected, "{request:?}");
        let again: Request<'_> = read(&bytes).unwrap();
        assert_eq!(format!("{again:?}"), format!("{request:?}"));
    }
    let parts = [
        CodeKind::Function,
        CodeKind::Kernel(KernelKind::Guarded, KernelForm::Map),
        CodeKind::Kernel(KernelKind::Plain, KernelForm::Scan),
        CodeKind::Kernel(KernelKind::Plain, KernelForm::Fold),
    ];
    assert_eq!(parts.map(|part| hex(&write(&part))), ["00", "020000", "020101", "020102"]);
}

#[test]
fn answers_and_settings_are_written_as_ever_and_read_back() {
    let times = CompileTimes { link: Duration::new(1, 2), ..CompileTimes::default() };
    let frame =
        ExitFrame { instance: 1, next: OpIdx::new(200), locals: [Local::new(3)].into(), n_operands: 2 };
    let exit = Exit { frames: [frame].into() };
    let relocatable =
        RelocatableCode { object: vec![1, 2], exits: Vec::new(), times: CompileTimes::default() };
    let identity = Identity { text: "x".to_owned(), parts: vec![5] };
    let answers: [super::Result<Answer>; 7] = [
        Ok(Answer::Code {
            address: 0x1234,
            bytes: 500,
            times,
            exits: vec![exit],
            debug_object: Some(vec![127, 0, 255]),
            keep: 0x5678,
        }),
        Ok(Answer::Text("ret".to_owned())),
        Err(CompileError::TooLarge),
        Err(CompileError::Failed("no".to_owned())),
        Err(CompileError::UnknownMachine("no".to_owned())),
        Ok(Answer::Identity(identity)),
        Ok(Answer::Object(relocatable)),
    ];
    let expected = [
        "0000b424f40300000000000000000102010101c80101030201037f00fff8ac01",
        "000103726574",
        "0100",
        "0101026e6f",
        "0102026e6f",
        "000301780105",
        "00040201020000000000000000000000",
    ];
    for (answer, expected) in answers.iter().zip(expected) {
        let bytes = write(answer);
        assert_eq!(hex(&bytes), expected);
        assert_eq!(read::<super::Result<Answer>>(&bytes).unwrap(), *answer);
    }
    let settings = Settings {
        optimization: Optimization::Aggressive,
        maths: vec![1, 128],
        host_maths: vec![2],
        has_debug_info: true,
    };
    let bytes = write(&settings);
    assert_eq!(hex(&bytes), "0302018001010201");
    assert_eq!(read::<Settings>(&bytes).unwrap(), settings);
}

#[test]
fn garbled_bytes_are_an_error() {
    let bytes = write(&Request::Generate(Cow::Owned(unit())));
    for len in 0..bytes.len() {
        let Err(CompileError::Failed(reason)) = read::<Request<'_>>(&bytes[..len]) else {
            panic!("{len} of {} bytes were read", bytes.len());
        };
        assert!(reason.contains("garbled"), "{reason}");
    }
}
