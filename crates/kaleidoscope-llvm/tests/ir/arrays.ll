; ModuleID = 'smooth'
source_filename = "smooth"

@"cells$array" = external global double

; Function Attrs: nounwind
define double @"smooth$impl1"(double %i) #0 {
entry:
  %0 = fsub double %i, 1.000000e+00
  %1 = insertelement <2 x double> poison, double %0, i32 0
  %2 = call i64 @llvm.x86.sse2.cvttsd2si64(<2 x double> %1)
  %3 = icmp uge i64 %2, 100
  br i1 %3, label %bad.index, label %element, !prof !0

bad.index:                                        ; preds = %entry
  %4 = call double @"$bad_index"(double 0.000000e+00, double %0, double -3.800000e+01) #2
  unreachable

element:                                          ; preds = %entry
  %5 = mul i64 %2, 8
  %6 = add i64 ptrtoint (ptr @"cells$array" to i64), %5
  %7 = inttoptr i64 %6 to ptr
  %8 = load atomic double, ptr %7 monotonic, align 8
  %9 = fadd double %i, 1.000000e+00
  %10 = insertelement <2 x double> poison, double %9, i32 0
  %11 = call i64 @llvm.x86.sse2.cvttsd2si64(<2 x double> %10)
  %12 = icmp uge i64 %11, 100
  br i1 %12, label %bad.index1, label %element2, !prof !0

bad.index1:                                       ; preds = %element
  %13 = call double @"$bad_index"(double 0.000000e+00, double %9, double -3.800000e+01) #2
  unreachable

element2:                                         ; preds = %element
  %14 = mul i64 %11, 8
  %15 = add i64 ptrtoint (ptr @"cells$array" to i64), %14
  %16 = inttoptr i64 %15 to ptr
  %17 = load atomic double, ptr %16 monotonic, align 8
  %18 = fadd double %8, %17
  %19 = load atomic double, ptr inttoptr (i64 ptrtoint (ptr @"cells$array" to i64) to ptr) monotonic, align 8
  %20 = fdiv double %18, %19
  %21 = insertelement <2 x double> poison, double %i, i32 0
  %22 = call i64 @llvm.x86.sse2.cvttsd2si64(<2 x double> %21)
  %23 = icmp uge i64 %22, 100
  br i1 %23, label %bad.index3, label %element4, !prof !0

bad.index3:                                       ; preds = %element2
  %24 = call double @"$bad_index"(double 0.000000e+00, double %i, double -3.800000e+01) #2
  unreachable

element4:                                         ; preds = %element2
  %25 = mul i64 %22, 8
  %26 = add i64 ptrtoint (ptr @"cells$array" to i64), %25
  %27 = inttoptr i64 %26 to ptr
  store atomic double %20, ptr %27 monotonic, align 8
  ret double %20
}

; Function Attrs: nocallback nofree nosync nounwind willreturn memory(none)
declare i64 @llvm.x86.sse2.cvttsd2si64(<2 x double>) #1

declare double @"$bad_index"(double, double, double)

attributes #0 = { nounwind "disable-tail-calls"="true" "frame-pointer"="all" "no-builtins" "probe-stack"="inline-asm" }
attributes #1 = { nocallback nofree nosync nounwind willreturn memory(none) }
attributes #2 = { cold noreturn }

!0 = !{!"branch_weights", i32 1, i32 1048576}
