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
  %2 = call i64 @llvm.fptosi.sat.i64.f64(double %1)
  %first = fptosi double %i to i64
  %3 = icmp sgt i64 %2, %first
  %4 = select i1 %3, i64 %2, i64 %first
  %5 = sub i64 %4, %first
  %6 = add i64 %5, 1
  %7 = fcmp ole double %1, 0x4340000000000000
  %turns = select i1 %7, i64 %6, i64 9223372036854775807
  br label %loop

loop:                                             ; preds = %element4, %entry
  %left = phi i64 [ %turns, %entry ], [ %left7, %element4 ]
  %s1 = phi double [ %s, %entry ], [ %s5, %element4 ]
  %i2 = phi double [ %i, %entry ], [ %i6, %element4 ]
  %index = phi i64 [ %first, %entry ], [ %index8, %element4 ]
  %8 = icmp uge i64 %index, 100
  br i1 %8, label %bad.index, label %element, !prof !0

bad.index:                                        ; preds = %loop
  %9 = call double @"$bad_index"(double 0.000000e+00, double %i2, double -3.800000e+01) #3
  unreachable

element:                                          ; preds = %loop
  %10 = mul i64 %index, 8
  %11 = add i64 ptrtoint (ptr @"cells$array" to i64), %10
  %12 = inttoptr i64 %11 to ptr
  %13 = load atomic double, ptr %12 monotonic, align 8
  %14 = fadd double %i2, 1.000000e+00
  %15 = insertelement <2 x double> poison, double %14, i32 0
  %16 = call i64 @llvm.x86.sse2.cvttsd2si64(<2 x double> %15)
  %17 = icmp uge i64 %16, 100
  br i1 %17, label %bad.index3, label %element4, !prof !0

bad.index3:                                       ; preds = %element
  %18 = call double @"$bad_index"(double 0.000000e+00, double %14, double -3.900000e+01) #3
  unreachable

element4:                                         ; preds = %element
  %19 = mul i64 %16, 8
  %20 = add i64 ptrtoint (ptr @"cells$array" to i64), %19
  %21 = inttoptr i64 %20 to ptr
  %22 = load atomic double, ptr %21 monotonic, align 8
  %23 = fmul double %13, %22
  %s5 = fadd double %s1, %23
  %24 = fcmp ult double %i2, %n
  %i6 = fadd double %i2, 1.000000e+00
  %left7 = sub i64 %left, 1
  %index8 = add i64 %index, 1
  %25 = icmp ne i64 %left7, 0
  br i1 %25, label %loop, label %after

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
