; ModuleID = 'binary|'
source_filename = "binary|"

@"unary!$slot" = external global ptr

; Function Attrs: nounwind
define double @"binary|$impl1"(double %a, double %b) #0 {
entry:
  %0 = fcmp one double %a, 0.000000e+00
  br i1 %0, label %then, label %else

then:                                             ; preds = %entry
  br label %join

else:                                             ; preds = %entry
  %1 = load atomic ptr, ptr @"unary!$slot" monotonic, align 8
  %2 = call double %1(double %b)
  %3 = load atomic ptr, ptr @"unary!$slot" monotonic, align 8
  %4 = call double %3(double %2)
  br label %join

join:                                             ; preds = %then, %else
  %5 = phi double [ 1.000000e+00, %then ], [ %4, %else ]
  ret double %5
}

attributes #0 = { nounwind "disable-tail-calls"="true" "frame-pointer"="all" "no-builtins" "probe-stack"="inline-asm" }
