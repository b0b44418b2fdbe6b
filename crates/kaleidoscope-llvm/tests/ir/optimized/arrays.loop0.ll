; ModuleID = 'sum'
source_filename = "sum"

@"cells$array" = external global double

; Function Attrs: nounwind
define double @"sum$impl1"(ptr %0) #0 {
entry:
  %n.place = getelementptr inbounds nuw { double, double, double }, ptr %0, i32 0, i32 0
  %n = load double, ptr %n.place, align 8
  %s.place = getelementptr inbounds nuw { double, double, double }, ptr %0, i32 0, i32 1
  %s = load double, ptr %s.place, align 8
  %i.place = getelementptr inbounds nuw { double, double, double }, ptr %0, i32 0, i32 2
  %i = load double, ptr %i.place, align 8
  %1 = call double @llvm.ceil.f64(double %n)
  %2 = call i64 @llvm.fptosi.sat.i64.f64(double %i)
  %3 = call i64 @llvm.fptosi.sat.i64.f64(double %1)
  %4 = icmp sgt i64 %3, %2
  %5 = select i1 %4, i64 %3, i64 %2
  %6 = sub i64 %5, %2
  %7 = add i64 %6, 1
  %8 = fcmp ole double %1, 0x4340000000000000
  %turns = select i1 %8, i64 %7, i64 9223372036854775807
  br label %loop

loop:                                             ; preds = %element4, %entry
  %left = phi i64 [ %turns, %entry ], [ %left7, %element4 ]
  %s1 = phi double [ %s, %entry ], [ %s5, %element4 ]
  %i2 = phi double [ %i, %entry ], [ %i6, %element4 ]
  %index = phi i64 [ %2, %entry ], [ %index8, %element4 ]
  %9 = icmp uge i64 %index, 100
  br i1 %9, label %bad.index, label %element, !prof !0

bad.index:                                        ; preds = %loop
  %10 = call double @"$bad_index"(double 0.000000e+00, double %i2, double -3.800000e+01) #3
  unreachable

element:                                          ; preds = %loop
  %11 = mul i64 %index, 8
  %12 = add i64 ptrtoint (ptr @"cells$array" to i64), %11
  %13 = inttoptr i64 %12 to ptr
  %14 = load atomic double, ptr %13 monotonic, align 8
  %15 = fadd double %i2, 1.000000e+00
  %16 = insertelement <2 x double> poison, double %15, i32 0
  %17 = call i64 @llvm.x86.sse2.cvttsd2si64(<2 x double> %16)
  %18 = icmp uge i64 %17, 100
  br i1 %18, label %bad.index3, label %element4, !prof !0

bad.index3:                                       ; preds = %element
  %19 = call double @"$bad_index"(double 0.000000e+00, double %15, double -3.900000e+01) #3
  unreachable

element4:                                         ; preds = %element
  %20 = mul i64 %17, 8
  %21 = add i64 ptrtoint (ptr @"cells$array" to i64), %20
  %22 = inttoptr i64 %21 to ptr
  %23 = load atomic double, ptr %22 monotonic, align 8
  %24 = fmul double %14, %23
  %s5 = fadd double %s1, %24
  %25 = fcmp ult double %i2, %n
  %i6 = fadd double %i2, 1.000000e+00
  %left7 = sub i64 %left, 1
  %index8 = add i64 %index, 1
  %26 = icmp ne i64 %left7, 0
  br i1 %26, label %loop, label %after

after:                                            ; preds = %element4
  %s.place9 = getelementptr inbounds nuw { double, double, double }, ptr %0, i32 0, i32 1
  store double %s5, ptr %s.place9, align 8
  %i.place10 = getelementptr inbounds nuw { double, double, double }, ptr %0, i32 0, i32 2
  store double %i6, ptr %i.place10, align 8
  ret double 1.000000e+00
}

; Function Attrs: nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none)
declare double @llvm.ceil.f64(double) #1

; Function Attrs: nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none)
declare i64 @llvm.fptosi.sat.i64.f64(double) #1

declare double @"$bad_index"(double, double, double)

; Function Attrs: nocallback nofree nosync nounwind willreturn memory(none)
declare i64 @llvm.x86.sse2.cvttsd2si64(<2 x double>) #2

attributes #0 = { nounwind "disable-tail-calls"="true" "frame-pointer"="all" "no-builtins" "probe-stack"="inline-asm" }
attributes #1 = { nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none) }
attributes #2 = { nocallback nofree nosync nounwind willreturn memory(none) }
attributes #3 = { cold noreturn }

!0 = !{!"branch_weights", i32 1, i32 1048576}
