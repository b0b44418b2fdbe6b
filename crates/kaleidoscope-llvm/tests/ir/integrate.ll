; ModuleID = 'integrate'
source_filename = "integrate"

; Function Attrs: nounwind
define double @"integrate$impl1"(double %a, double %b, double %n) #0 {
entry:
  %0 = fsub double %b, %a
  %h = fdiv double %0, %n
  br label %loop

loop:                                             ; preds = %loop, %entry
  %sum = phi double [ 0.000000e+00, %entry ], [ %sum1, %loop ]
  %i = phi double [ 0.000000e+00, %entry ], [ %i2, %loop ]
  %1 = fadd double %i, 5.000000e-01
  %2 = fmul double %1, %h
  %x = fadd double %a, %2
  %3 = fmul double %x, %x
  %4 = fsub double 1.000000e+00, %3
  %5 = call double @llvm.sqrt.f64(double %4)
  %6 = call double @"maths$sin"(double %x)
  %7 = fmul double %5, %6
  %8 = fmul double %7, %h
  %sum1 = fadd double %sum, %8
  %9 = fadd double %i, 1.000000e+00
  %10 = fcmp ult double %9, %n
  %i2 = fadd double %i, 1.000000e+00
  br i1 %10, label %loop, label %after

after:                                            ; preds = %loop
  %11 = fadd double 0.000000e+00, %sum1
  ret double %11
}

; Function Attrs: nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none)
declare double @llvm.sqrt.f64(double) #1

; Function Attrs: nocallback nofree nosync nounwind willreturn memory(none)
declare double @"maths$sin"(double) #2

attributes #0 = { nounwind "disable-tail-calls"="true" "frame-pointer"="all" "no-builtins" "probe-stack"="inline-asm" }
attributes #1 = { nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none) }
attributes #2 = { nocallback nofree nosync nounwind willreturn memory(none) }
