; ModuleID = 'sum'
source_filename = "sum"

@"cells$array" = external global double

; Function Attrs: nounwind
define double @"sum$impl1"(double %n) #0 {
entry:
  %0 = call double @llvm.ceil.f64(double %n)
  %1 = call i64 @llvm.fptosi.sat.i64.f64(double %0)
  %2 = icmp sgt i64 %1, 0
  %3 = select i1 %2, i64 %1, i64 0
  %4 = sub i64 %3, 0
  %5 = add i64 %4, 1
  %6 = fcmp ole double %0, 0x4340000000000000
  %turns = select i1 %6, i64 %5, i64 9223372036854775807
  br label %loop

loop:                                             ; preds = %element2, %entry
  %left = phi i64 [ %turns, %entry ], [ %left5, %element2 ]
  %s = phi double [ 0.000000e+00, %entry ], [ %s3, %element2 ]
  %i = phi double [ 0.000000e+00, %entry ], [ %i4, %element2 ]
  %index = phi i64 [ 0, %entry ], [ %index6, %element2 ]
  %7 = icmp uge i64 %index, 100
  br i1 %7, label %bad.index, label %element, !prof !0

bad.index:                                        ; preds = %loop
  %8 = call double @"$bad_index"(double 0.000000e+00, double %i, double -3.800000e+01) #3
  unreachable

element:                                          ; preds = %loop
  %9 = mul i64 %index, 8
  %10 = add i64 ptrtoint (ptr @"cells$array" to i64), %9
  %11 = inttoptr i64 %10 to ptr
  %12 = load atomic double, ptr %11 monotonic, align 8
  %13 = fadd double %i, 1.000000e+00
  %14 = insertelement <2 x double> poison, double %13, i32 0
  %15 = call i64 @llvm.x86.sse2.cvttsd2si64(<2 x double> %14)
  %16 = icmp uge i64 %15, 100
  br i1 %16, label %bad.index1, label %element2, !prof !0

bad.index1:                                       ; preds = %element
  %17 = call double @"$bad_index"(double 0.000000e+00, double %13, double -3.900000e+01) #3
  unreachable

element2:                                         ; preds = %element
  %18 = mul i64 %15, 8
  %19 = add i64 ptrtoint (ptr @"cells$array" to i64), %18
  %20 = inttoptr i64 %19 to ptr
  %21 = load atomic double, ptr %20 monotonic, align 8
  %22 = fmul double %12, %21
  %s3 = fadd double %s, %22
  %23 = fcmp ult double %i, %n
  %i4 = fadd double %i, 1.000000e+00
  %left5 = sub i64 %left, 1
  %index6 = add i64 %index, 1
  %24 = icmp ne i64 %left5, 0
  br i1 %24, label %loop, label %after

after:                                            ; preds = %element2
  %25 = fadd double 0.000000e+00, %s3
  ret double %25
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
