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
  %4 = call i64 @llvm.fptosi.sat.i64.f64(double 0.000000e+00)
  %5 = call i64 @llvm.fptosi.sat.i64.f64(double %3)
  %6 = icmp sgt i64 %5, %4
  %7 = select i1 %6, i64 %5, i64 %4
  %8 = sub i64 %7, %4
  %9 = add i64 %8, 1
  %10 = fcmp ole double %3, 0x4340000000000000
  %turns = select i1 %10, i64 %9, i64 9223372036854775807
  br label %loop

loop:                                             ; preds = %element3, %row
  %left = phi i64 [ %turns, %row ], [ %left6, %element3 ]
  %s = phi double [ 0.000000e+00, %row ], [ %s4, %element3 ]
  %i = phi double [ 0.000000e+00, %row ], [ %i5, %element3 ]
  %index = phi i64 [ %4, %row ], [ %index7, %element3 ]
  %11 = icmp uge i64 %index, 100
  br i1 %11, label %bad.index, label %element, !prof !3

bad.index:                                        ; preds = %loop
  %12 = call double @"$bad_index"(double 0.000000e+00, double %i, double -3.800000e+01) #3
  unreachable

element:                                          ; preds = %loop
  %13 = mul i64 %index, 8
  %14 = add i64 ptrtoint (ptr @"cells$array" to i64), %13
  %15 = inttoptr i64 %14 to ptr
  %16 = load atomic double, ptr %15 monotonic, align 8
  %17 = fadd double %i, 1.000000e+00
  %18 = insertelement <2 x double> poison, double %17, i32 0
  %19 = call i64 @llvm.x86.sse2.cvttsd2si64(<2 x double> %18)
  %20 = icmp uge i64 %19, 100
  br i1 %20, label %bad.index2, label %element3, !prof !3

bad.index2:                                       ; preds = %element
  %21 = call double @"$bad_index"(double 0.000000e+00, double %17, double -3.900000e+01) #3
  unreachable

element3:                                         ; preds = %element
  %22 = mul i64 %19, 8
  %23 = add i64 ptrtoint (ptr @"cells$array" to i64), %22
  %24 = inttoptr i64 %23 to ptr
  %25 = load atomic double, ptr %24 monotonic, align 8
  %26 = fmul double %16, %25
  %s4 = fadd double %s, %26
  %27 = fcmp ult double %i, %n
  %i5 = fadd double %i, 1.000000e+00
  %left6 = sub i64 %left, 1
  %index7 = add i64 %index, 1
  %28 = icmp ne i64 %left6, 0
  br i1 %28, label %loop, label %after

after:                                            ; preds = %element3
  %29 = fadd double 0.000000e+00, %s4
  %30 = getelementptr inbounds nuw { double }, ptr %out, i64 %row1, i32 0
  store double %29, ptr %30, align 8, !noalias !0
  %next = add nuw i64 %row1, 1
  %31 = icmp ne i64 %next, %rows
  br i1 %31, label %row, label %done

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
