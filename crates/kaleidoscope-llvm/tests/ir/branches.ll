; ModuleID = 'branches'
source_filename = "branches"

; Function Attrs: nounwind
define double @"branches$impl1"(double %x, double %y) #0 {
entry:
  %0 = fcmp ult double %x, %y
  br i1 %0, label %then, label %else

then:                                             ; preds = %entry
  br label %join4

else:                                             ; preds = %entry
  %1 = fcmp one double %y, 0.000000e+00
  br i1 %1, label %then1, label %else2

then1:                                            ; preds = %else
  br label %join

else2:                                            ; preds = %else
  br label %join

join:                                             ; preds = %then1, %else2
  %y3 = phi double [ 2.000000e+00, %then1 ], [ %y, %else2 ]
  %z = phi double [ 3.000000e+00, %then1 ], [ 1.000000e+00, %else2 ]
  %2 = phi double [ 5.000000e+00, %then1 ], [ 4.000000e+00, %else2 ]
  br label %join4

join4:                                            ; preds = %then, %join
  %y5 = phi double [ %y, %then ], [ %y3, %join ]
  %z6 = phi double [ %x, %then ], [ %z, %join ]
  %3 = phi double [ %x, %then ], [ %2, %join ]
  %4 = fmul double %y5, %z6
  %5 = fadd double %3, %4
  ret double %5
}

attributes #0 = { nounwind "disable-tail-calls"="true" "frame-pointer"="all" "no-builtins" "probe-stack"="inline-asm" }
