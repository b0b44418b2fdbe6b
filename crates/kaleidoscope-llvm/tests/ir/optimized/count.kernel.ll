; ModuleID = 'f'
source_filename = "f"

; Function Attrs: nounwind
define double @"f$impl1"(ptr %table) #0 {
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
  %3 = fdiv double %n, 2.000000e+00
  %4 = call double @llvm.ceil.f64(double %3)
  %5 = call i64 @llvm.fptosi.sat.i64.f64(double %4)
  %6 = icmp sgt i64 %5, 0
  %7 = select i1 %6, i64 %5, i64 0
  %8 = sub i64 %7, 0
  %9 = add i64 %8, 1
  %10 = fcmp ole double %4, 0x4340000000000000
  %turns = select i1 %10, i64 %9, i64 9223372036854775807
  br label %loop

loop:                                             ; preds = %loop, %row
  %left = phi i64 [ %turns, %row ], [ %left4, %loop ]
  %sum = phi double [ 0.000000e+00, %row ], [ %sum2, %loop ]
  %i = phi double [ 0.000000e+00, %row ], [ %i3, %loop ]
  %11 = fdiv double 1.000000e+00, %n
  %sum2 = fadd double %sum, %11
  %12 = fdiv double %n, 2.000000e+00
  %13 = fcmp ult double %i, %12
  %i3 = fadd double %i, 1.000000e+00
  %left4 = sub i64 %left, 1
  %14 = icmp ne i64 %left4, 0
  br i1 %14, label %loop, label %after

after:                                            ; preds = %loop
  %15 = fadd double 0.000000e+00, %sum2
  %16 = getelementptr inbounds nuw { double }, ptr %out, i64 %row1, i32 0
  store double %15, ptr %16, align 8, !noalias !0
  %next = add nuw i64 %row1, 1
  %17 = icmp ne i64 %next, %rows
  br i1 %17, label %row, label %done

done:                                             ; preds = %after
  %done.rows = uitofp i64 %rows to double
  ret double %done.rows
}

; Function Attrs: nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none)
declare double @llvm.ceil.f64(double) #1

; Function Attrs: nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none)
declare i64 @llvm.fptosi.sat.i64.f64(double) #1

attributes #0 = { nounwind "disable-tail-calls"="true" "frame-pointer"="all" "no-builtins" "probe-stack"="inline-asm" }
attributes #1 = { nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none) }

!0 = !{!1}
!1 = !{!"columns", !2}
!2 = !{!"table"}
