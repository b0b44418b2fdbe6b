; ModuleID = 'fib'
source_filename = "fib"

@"fib$slot" = external global ptr

; Function Attrs: nounwind
define double @"fib$impl1"(double %x) #0 {
entry:
  %0 = fcmp ult double %x, 3.000000e+00
  br i1 %0, label %then, label %else

then:                                             ; preds = %entry
  br label %join

else:                                             ; preds = %entry
  %1 = fsub double %x, 1.000000e+00
  %2 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %3 = call double %2(double %1)
  %4 = fsub double %x, 2.000000e+00
  %5 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %6 = call double %5(double %4)
  %7 = fadd double %3, %6
  br label %join

join:                                             ; preds = %then, %else
  %8 = phi double [ 1.000000e+00, %then ], [ %7, %else ]
  ret double %8
}

attributes #0 = { nounwind "disable-tail-calls"="true" "frame-pointer"="all" "no-builtins" "probe-stack"="inline-asm" }
