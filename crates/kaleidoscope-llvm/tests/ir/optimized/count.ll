; ModuleID = 'f'
source_filename = "f"

; Function Attrs: nounwind
define double @"f$impl1"(double %n) #0 {
entry:
  %0 = fdiv double %n, 2.000000e+00
  %1 = call double @llvm.ceil.f64(double %0)
  %2 = call i64 @llvm.fptosi.sat.i64.f64(double %1)
  %3 = icmp sgt i64 %2, 0
  %4 = select i1 %3, i64 %2, i64 0
  %5 = sub i64 %4, 0
  %6 = add i64 %5, 1
  %7 = fcmp ole double %1, 0x4340000000000000
  %turns = select i1 %7, i64 %6, i64 9223372036854775807
  br label %loop

loop:                                             ; preds = %loop, %entry
  %left = phi i64 [ %turns, %entry ], [ %left3, %loop ]
  %sum = phi double [ 0.000000e+00, %entry ], [ %sum1, %loop ]
  %i = phi double [ 0.000000e+00, %entry ], [ %i2, %loop ]
  %8 = fdiv double 1.000000e+00, %n
  %sum1 = fadd double %sum, %8
  %9 = fdiv double %n, 2.000000e+00
  %10 = fcmp ult double %i, %9
  %i2 = fadd double %i, 1.000000e+00
  %left3 = sub i64 %left, 1
  %11 = icmp ne i64 %left3, 0
  br i1 %11, label %loop, label %after

after:                                            ; preds = %loop
  %12 = fadd double 0.000000e+00, %sum1
  ret double %12
}

; Function Attrs: nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none)
declare double @llvm.ceil.f64(double) #1

; Function Attrs: nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none)
declare i64 @llvm.fptosi.sat.i64.f64(double) #1

attributes #0 = { nounwind "disable-tail-calls"="true" "frame-pointer"="all" "no-builtins" "probe-stack"="inline-asm" }
attributes #1 = { nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none) }
