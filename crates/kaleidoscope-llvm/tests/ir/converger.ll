; ModuleID = 'converger'
source_filename = "converger"

; Function Attrs: nounwind
define double @"converger$impl1"(double %real, double %imag, double %iters, double %creal, double %cimag) #0 {
entry:
  br label %start

start:                                            ; preds = %else7, %entry
  %real1 = phi double [ %real, %entry ], [ %8, %else7 ]
  %imag2 = phi double [ %imag, %entry ], [ %11, %else7 ]
  %iters3 = phi double [ %iters, %entry ], [ %12, %else7 ]
  %creal4 = phi double [ %creal, %entry ], [ %creal4, %else7 ]
  %cimag5 = phi double [ %cimag, %entry ], [ %cimag5, %else7 ]
  %0 = fcmp ult double 2.550000e+02, %iters3
  br i1 %0, label %then, label %else

then:                                             ; preds = %start
  br label %join

else:                                             ; preds = %start
  %1 = fmul double %real1, %real1
  %2 = fmul double %imag2, %imag2
  %3 = fadd double %1, %2
  %4 = fcmp ult double 4.000000e+00, %3
  br i1 %4, label %then6, label %else7

then6:                                            ; preds = %else
  br label %join

else7:                                            ; preds = %else
  %5 = fmul double %real1, %real1
  %6 = fmul double %imag2, %imag2
  %7 = fsub double %5, %6
  %8 = fadd double %7, %creal4
  %9 = fmul double 2.000000e+00, %real1
  %10 = fmul double %9, %imag2
  %11 = fadd double %10, %cimag5
  %12 = fadd double %iters3, 1.000000e+00
  br label %start

join:                                             ; preds = %then, %then6
  %13 = phi double [ %iters3, %then ], [ %iters3, %then6 ]
  ret double %13
}

attributes #0 = { nounwind "disable-tail-calls"="true" "frame-pointer"="all" "no-builtins" "probe-stack"="inline-asm" }
