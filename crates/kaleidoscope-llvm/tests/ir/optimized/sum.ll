; ModuleID = 'sum'
source_filename = "sum"

; Function Attrs: nounwind
define double @"sum$impl1"(double %a, double %b) #0 {
entry:
  br label %loop

loop:                                             ; preds = %after, %entry
  %a1 = phi double [ %a, %entry ], [ %a6, %after ]
  %all = phi double [ 0.000000e+00, %entry ], [ %all4, %after ]
  %i = phi double [ %a, %entry ], [ %i7, %after ]
  br label %loop2

loop2:                                            ; preds = %then, %loop
  %all3 = phi double [ %all, %loop ], [ %all4, %then ]
  %j = phi double [ 0.000000e+00, %loop ], [ %j5, %then ]
  %0 = fdiv double %j, 2.000000e+00
  %all4 = fadd double %all3, %0
  br label %start

start:                                            ; preds = %else, %loop2
  %x = phi double [ %i, %loop2 ], [ %3, %else ]
  %n = phi double [ 0.000000e+00, %loop2 ], [ %4, %else ]
  %1 = fcmp ult double %x, 1.000000e+00
  br i1 %1, label %then, label %else

then:                                             ; preds = %start
  %2 = fcmp ult double %j, %n
  %j5 = fadd double %j, 1.000000e+00
  br i1 %2, label %loop2, label %after

else:                                             ; preds = %start
  %3 = fdiv double %x, 2.000000e+00
  %4 = fadd double %n, 1.000000e+00
  br label %start

after:                                            ; preds = %then
  %a6 = call double @llvm.sqrt.f64(double %i)
  %5 = fadd double 0.000000e+00, %a6
  %6 = fcmp ult double %i, %b
  %i7 = fadd double %i, 1.000000e+00
  br i1 %6, label %loop, label %after8

after8:                                           ; preds = %after
  %7 = fadd double 0.000000e+00, %all4
  %8 = fadd double %7, %a6
  ret double %8
}

; Function Attrs: nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none)
declare double @llvm.sqrt.f64(double) #1

attributes #0 = { nounwind "disable-tail-calls"="true" "frame-pointer"="all" "no-builtins" "probe-stack"="inline-asm" }
attributes #1 = { nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none) }
