; ModuleID = 'sum'
source_filename = "sum"

; Function Attrs: nounwind
define double @"sum$impl1"(ptr %0) #0 {
entry:
  %all.place = getelementptr inbounds nuw { double, double, double, double, double }, ptr %0, i32 0, i32 2
  %all = load double, ptr %all.place, align 8
  %i.place = getelementptr inbounds nuw { double, double, double, double, double }, ptr %0, i32 0, i32 3
  %i = load double, ptr %i.place, align 8
  %j.place = getelementptr inbounds nuw { double, double, double, double, double }, ptr %0, i32 0, i32 4
  %j = load double, ptr %j.place, align 8
  br label %loop

loop:                                             ; preds = %then, %entry
  %all1 = phi double [ %all, %entry ], [ %all3, %then ]
  %j2 = phi double [ %j, %entry ], [ %j4, %then ]
  %1 = fdiv double %j2, 2.000000e+00
  %all3 = fadd double %all1, %1
  br label %start

start:                                            ; preds = %else, %loop
  %x = phi double [ %i, %loop ], [ %4, %else ]
  %n = phi double [ 0.000000e+00, %loop ], [ %5, %else ]
  %2 = fcmp ult double %x, 1.000000e+00
  br i1 %2, label %then, label %else

then:                                             ; preds = %start
  %3 = fcmp ult double %j2, %n
  %j4 = fadd double %j2, 1.000000e+00
  br i1 %3, label %loop, label %after

else:                                             ; preds = %start
  %4 = fdiv double %x, 2.000000e+00
  %5 = fadd double %n, 1.000000e+00
  br label %start

after:                                            ; preds = %then
  %all.place5 = getelementptr inbounds nuw { double, double, double, double, double }, ptr %0, i32 0, i32 2
  store double %all3, ptr %all.place5, align 8
  %j.place6 = getelementptr inbounds nuw { double, double, double, double, double }, ptr %0, i32 0, i32 4
  store double %j4, ptr %j.place6, align 8
  ret double 1.000000e+00
}

attributes #0 = { nounwind "disable-tail-calls"="true" "frame-pointer"="all" "no-builtins" "probe-stack"="inline-asm" }
