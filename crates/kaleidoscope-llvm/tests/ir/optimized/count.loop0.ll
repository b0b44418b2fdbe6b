; ModuleID = 'f'
source_filename = "f"

; Function Attrs: nounwind
define double @"f$impl1"(ptr %0) #0 {
entry:
  %n.place = getelementptr inbounds nuw { double, double, double }, ptr %0, i32 0, i32 0
  %n = load double, ptr %n.place, align 8
  %sum.place = getelementptr inbounds nuw { double, double, double }, ptr %0, i32 0, i32 1
  %sum = load double, ptr %sum.place, align 8
  %i.place = getelementptr inbounds nuw { double, double, double }, ptr %0, i32 0, i32 2
  %i = load double, ptr %i.place, align 8
  %1 = fdiv double %n, 2.000000e+00
  %2 = call double @llvm.ceil.f64(double %1)
  %3 = call i64 @llvm.fptosi.sat.i64.f64(double %2)
  %first = fptosi double %i to i64
  %4 = icmp sgt i64 %3, %first
  %5 = select i1 %4, i64 %3, i64 %first
  %6 = sub i64 %5, %first
  %7 = add i64 %6, 1
  %8 = fcmp ole double %2, 0x4340000000000000
  %turns = select i1 %8, i64 %7, i64 9223372036854775807
  br label %loop

loop:                                             ; preds = %loop, %entry
  %left = phi i64 [ %turns, %entry ], [ %left5, %loop ]
  %sum1 = phi double [ %sum, %entry ], [ %sum3, %loop ]
  %i2 = phi double [ %i, %entry ], [ %i4, %loop ]
  %9 = fdiv double 1.000000e+00, %n
  %sum3 = fadd double %sum1, %9
  %10 = fdiv double %n, 2.000000e+00
  %11 = fcmp ult double %i2, %10
  %i4 = fadd double %i2, 1.000000e+00
  %left5 = sub i64 %left, 1
  %12 = icmp ne i64 %left5, 0
  br i1 %12, label %loop, label %after

after:                                            ; preds = %loop
  %sum.place6 = getelementptr inbounds nuw { double, double, double }, ptr %0, i32 0, i32 1
  store double %sum3, ptr %sum.place6, align 8
  %i.place7 = getelementptr inbounds nuw { double, double, double }, ptr %0, i32 0, i32 2
  store double %i4, ptr %i.place7, align 8
  ret double 1.000000e+00
}

; Function Attrs: nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none)
declare double @llvm.ceil.f64(double) #1

; Function Attrs: nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none)
declare i64 @llvm.fptosi.sat.i64.f64(double) #1

attributes #0 = { nounwind "disable-tail-calls"="true" "frame-pointer"="all" "no-builtins" "probe-stack"="inline-asm" }
attributes #1 = { nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none) }
