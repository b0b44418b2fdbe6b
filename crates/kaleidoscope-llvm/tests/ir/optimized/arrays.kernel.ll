; ModuleID = 'sum'
source_filename = "sum"

@"cells$array" = external global double

; Function Attrs: nounwind
define double @"sum$impl1"(ptr %table) #0 {
entry:
  %columns = load ptr, ptr %table, align 8
  %0 = getelementptr inbounds nuw { ptr }, ptr %columns, i32 0, i32 0
  %n.column = load ptr, ptr %0, align 8
  %outs.place = getelementptr inbounds nuw { ptr, ptr, ptr, i64, i64 }, ptr %table, i32 0, i32 1
  %outs = load ptr, ptr %outs.place, align 8
  %1 = getelementptr inbounds nuw { ptr }, ptr %outs, i32 0, i32 0
  %out = load ptr, ptr %1, align 8
  %rows.place = getelementptr inbounds nuw { ptr, ptr, ptr, i64, i64 }, ptr %table, i32 0, i32 3
  %rows = load i64, ptr %rows.place, align 4
  br label %row

row:                                              ; preds = %after, %entry
  %row1 = phi i64 [ 0, %entry ], [ %next, %after ]
  %2 = getelementptr inbounds nuw { double }, ptr %n.column, i64 %row1, i32 0
  %n = load double, ptr %2, align 8, !alias.scope !0
  %3 = call double @llvm.ceil.f64(double %n)
  %4 = call i64 @llvm.fptosi.sat.i64.f64(double %3)
  %5 = icmp sgt i64 %4, 0
  %6 = select i1 %5, i64 %4, i64 0
  %7 = sub i64 %6, 0
  %8 = add i64 %7, 1
  %9 = fcmp ole double %3, 0x4340000000000000
  %turns = select i1 %9, i64 %8, i64 9223372036854775807
  br label %loop

loop:                                             ; preds = %element3, %row
  %left = phi i64 [ %turns, %row ], [ %left6, %element3 ]
  %s = phi double [ 0.000000e+00, %row ], [ %s4, %element3 ]
  %i = phi double [ 0.000000e+00, %row ], [ %i5, %element3 ]
  %index = phi i64 [ 0, %row ], [ %index7, %element3 ]
  %10 = icmp uge i64 %index, 100
  br i1 %10, label %bad.index, label %element, !prof !3

bad.index:                                        ; preds = %loop
  %11 = call double @"$bad_index"(double 0.000000e+00, double %i, double -3.800000e+01) #3
  unreachable

element:                                          ; preds = %loop
  %12 = mul i64 %index, 8
  %13 = add i64 ptrtoint (ptr @"cells$array" to i64), %12
  %14 = inttoptr i64 %13 to ptr
  %15 = load atomic double, ptr %14 monotonic, align 8
  %16 = fadd double %i, 1.000000e+00
  %17 = insertelement <2 x double> poison, double %16, i32 0
  %18 = call i64 @llvm.x86.sse2.cvttsd2si64(<2 x double> %17)
  %19 = icmp uge i64 %18, 100
  br i1 %19, label %bad.index2, label %element3, !prof !3

bad.index2:                                       ; preds = %element
  %20 = call double @"$bad_index"(double 0.000000e+00, double %16, double -3.900000e+01) #3
  unreachable

element3:                                         ; preds = %element
  %21 = mul i64 %18, 8
  %22 = add i64 ptrtoint (ptr @"cells$array" to i64), %21
  %23 = inttoptr i64 %22 to ptr
  %24 = load atomic double, ptr %23 monotonic, align 8
  %25 = fmul double %15, %24
  %s4 = fadd double %s, %25
  %26 = fcmp ult double %i, %n
  %i5 = fadd double %i, 1.000000e+00
  %left6 = sub i64 %left, 1
  %index7 = add i64 %index, 1
  %27 = icmp ne i64 %left6, 0
  br i1 %27, label %loop, label %after

after:                                            ; preds = %element3
  %28 = fadd double 0.000000e+00, %s4
  %29 = getelementptr inbounds nuw { double }, ptr %out, i64 %row1, i32 0
  store double %28, ptr %29, align 8, !noalias !0
  %next = add nuw i64 %row1, 1
  %30 = icmp ne i64 %next, %rows
  br i1 %30, label %row, label %done

done:                                             ; preds = %after
  %done.rows = uitofp i64 %rows to double
  ret double %done.rows
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

!0 = !{!1}
!1 = !{!"columns", !2}
!2 = !{!"table"}
!3 = !{!"branch_weights", i32 1, i32 1048576}
