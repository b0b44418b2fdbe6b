; ModuleID = 'sum'
source_filename = "sum"

; Function Attrs: nounwind
define double @"sum$impl1"(ptr %table) #0 {
entry:
  %columns = load ptr, ptr %table, align 8
  %0 = getelementptr inbounds nuw { ptr, ptr }, ptr %columns, i32 0, i32 0
  %a.column = load ptr, ptr %0, align 8
  %1 = getelementptr inbounds nuw { ptr, ptr }, ptr %columns, i32 0, i32 1
  %b.column = load ptr, ptr %1, align 8
  %outs.place = getelementptr inbounds nuw { ptr, ptr, ptr, i64, i64 }, ptr %table, i32 0, i32 1
  %outs = load ptr, ptr %outs.place, align 8
  %2 = getelementptr inbounds nuw { ptr }, ptr %outs, i32 0, i32 0
  %out = load ptr, ptr %2, align 8
  %rows.place = getelementptr inbounds nuw { ptr, ptr, ptr, i64, i64 }, ptr %table, i32 0, i32 3
  %rows = load i64, ptr %rows.place, align 4
  br label %row

row:                                              ; preds = %after9, %entry
  %row1 = phi i64 [ 0, %entry ], [ %next, %after9 ]
  %3 = getelementptr inbounds nuw { double }, ptr %a.column, i64 %row1, i32 0
  %a = load double, ptr %3, align 8, !alias.scope !0
  %4 = getelementptr inbounds nuw { double }, ptr %b.column, i64 %row1, i32 0
  %b = load double, ptr %4, align 8, !alias.scope !0
  br label %loop

loop:                                             ; preds = %after, %row
  %a2 = phi double [ %a, %row ], [ %a7, %after ]
  %all = phi double [ 0.000000e+00, %row ], [ %all5, %after ]
  %i = phi double [ %a, %row ], [ %i8, %after ]
  br label %loop3

loop3:                                            ; preds = %then, %loop
  %all4 = phi double [ %all, %loop ], [ %all5, %then ]
  %j = phi double [ 0.000000e+00, %loop ], [ %j6, %then ]
  %5 = fdiv double %j, 2.000000e+00
  %all5 = fadd double %all4, %5
  br label %start

start:                                            ; preds = %else, %loop3
  %x = phi double [ %i, %loop3 ], [ %8, %else ]
  %n = phi double [ 0.000000e+00, %loop3 ], [ %9, %else ]
  %6 = fcmp ult double %x, 1.000000e+00
  br i1 %6, label %then, label %else

then:                                             ; preds = %start
  %7 = fcmp ult double %j, %n
  %j6 = fadd double %j, 1.000000e+00
  br i1 %7, label %loop3, label %after

else:                                             ; preds = %start
  %8 = fdiv double %x, 2.000000e+00
  %9 = fadd double %n, 1.000000e+00
  br label %start

after:                                            ; preds = %then
  %a7 = call double @llvm.sqrt.f64(double %i)
  %10 = fadd double 0.000000e+00, %a7
  %11 = fcmp ult double %i, %b
  %i8 = fadd double %i, 1.000000e+00
  br i1 %11, label %loop, label %after9

after9:                                           ; preds = %after
  %12 = fadd double 0.000000e+00, %all5
  %13 = fadd double %12, %a7
  %14 = getelementptr inbounds nuw { double }, ptr %out, i64 %row1, i32 0
  store double %13, ptr %14, align 8, !noalias !0
  %next = add nuw i64 %row1, 1
  %15 = icmp ne i64 %next, %rows
  br i1 %15, label %row, label %done

done:                                             ; preds = %after9
  %done.rows = uitofp i64 %rows to double
  ret double %done.rows
}

; Function Attrs: nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none)
declare double @llvm.sqrt.f64(double) #1

attributes #0 = { nounwind "disable-tail-calls"="true" "frame-pointer"="all" "no-builtins" "probe-stack"="inline-asm" }
attributes #1 = { nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none) }

!0 = !{!1}
!1 = !{!"columns", !2}
!2 = !{!"table"}
