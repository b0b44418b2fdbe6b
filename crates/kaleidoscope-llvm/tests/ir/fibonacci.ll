; ModuleID = 'fib'
source_filename = "fib"

; Function Attrs: nounwind
define double @"fib$impl1"(double %x) #0 {
entry:
  %0 = fcmp ult double %x, 3.000000e+00
  br i1 %0, label %then, label %else

then:                                             ; preds = %entry
  br label %join

else:                                             ; preds = %entry
  %1 = fsub double %x, 1.000000e+00
  %2 = call double @"fib$impl1"(double %1)
  %3 = fsub double %x, 2.000000e+00
  %4 = call double @"fib$impl1"(double %3)
  %5 = fadd double %2, %4
  br label %join

join:                                             ; preds = %then, %else
  %6 = phi double [ 1.000000e+00, %then ], [ %5, %else ]
  ret double %6
}

attributes #0 = { nounwind "disable-tail-calls"="true" "frame-pointer"="all" "no-builtins" "probe-stack"="inline-asm" }
