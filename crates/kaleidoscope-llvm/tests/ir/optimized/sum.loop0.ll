; ModuleID = 'sum'
source_filename = "sum"

; Function Attrs: nounwind
define double @"sum$impl1"(ptr %0) #0 {
entry:
  %a.place = getelementptr inbounds nuw { double, double, double, double, double }, ptr %0, i32 0, i32 0
  %a = load double, ptr %a.place, align 8
  %b.place = getelementptr inbounds nuw { double, double, double, double, double }, ptr %0, i32 0, i32 1
  %b = load double, ptr %b.place, align 8
  %all.place = getelementptr inbounds nuw { double, double, double, double, double }, ptr %0, i32 0, i32 2
  %all = load double, ptr %all.place, align 8
  %i.place = getelementptr inbounds nuw { double, double, double, double, double }, ptr %0, i32 0, i32 3
  %i = load double, ptr %i.place, align 8
  br label %loop

loop:                                             ; preds = %after, %entry
  %a1 = phi double [ %a, %entry ], [ %a8, %after ]
  %all2 = phi double [ %all, %entry ], [ %all6, %after ]
  %i3 = phi double [ %i, %entry ], [ %i9, %after ]
  br label %loop4

loop4:                                            ; preds = %then, %loop
  %all5 = phi double [ %all2, %loop ], [ %all6, %then ]
  %j = phi double [ 0.000000e+00, %loop ], [ %j7, %then ]
  %1 = fdiv double %j, 2.000000e+00
  %all6 = fadd double %all5, %1
  br label %start

start:                                            ; preds = %else, %loop4
  %x = phi double [ %i3, %loop4 ], [ %4, %else ]
  %n = phi double [ 0.000000e+00, %loop4 ], [ %5, %else ]
  %2 = fcmp ult double %x, 1.000000e+00
  br i1 %2, label %then, label %else

then:                                             ; preds = %start
  %3 = fcmp ult double %j, %n
  %j7 = fadd double %j, 1.000000e+00
  br i1 %3, label %loop4, label %after

else:                                             ; preds = %start
  %4 = fdiv double %x, 2.000000e+00
  %5 = fadd double %n, 1.000000e+00
  br label %start

after:                                            ; preds = %then
  %a8 = call double @llvm.sqrt.f64(double %i3)
  %6 = fadd double 0.000000e+00, %a8
  %7 = fcmp ult double %i3, %b
  %i9 = fadd double %i3, 1.000000e+00
  br i1 %7, label %loop, label %after10

after10:                                          ; preds = %after
  %a.place11 = getelementptr inbounds nuw { double, double, double, double, double }, ptr %0, i32 0, i32 0
  store double %a8, ptr %a.place11, align 8
  %all.place12 = getelementptr inbounds nuw { double, double, double, double, double }, ptr %0, i32 0, i32 2
  store double %all6, ptr %all.place12, align 8
  %i.place13 = getelementptr inbounds nuw { double, double, double, double, double }, ptr %0, i32 0, i32 3
  store double %i9, ptr %i.place13, align 8
  ret double 1.000000e+00
}

; Function Attrs: nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none)
declare double @llvm.sqrt.f64(double) #1

attributes #0 = { nounwind "disable-tail-calls"="true" "frame-pointer"="all" "no-builtins" "probe-stack"="inline-asm" }
attributes #1 = { nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none) }
