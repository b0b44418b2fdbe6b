; ModuleID = 'fib'
source_filename = "fib"

@"fib$slot" = external global ptr

; Function Attrs: nounwind
define double @"fib$impl1"(ptr %table) #0 {
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

row:                                              ; preds = %join19, %entry
  %row1 = phi i64 [ 0, %entry ], [ %next, %join19 ]
  %2 = getelementptr inbounds nuw { double }, ptr %n.column, i64 %row1, i32 0
  %n = load double, ptr %2, align 8, !alias.scope !0
  %3 = fcmp ult double %n, 2.000000e+00
  br i1 %3, label %then, label %else

then:                                             ; preds = %row
  br label %join19

else:                                             ; preds = %row
  %4 = fsub double %n, 1.000000e+00
  %5 = fcmp ult double %4, 2.000000e+00
  br i1 %5, label %then2, label %else3

then2:                                            ; preds = %else
  br label %join9

else3:                                            ; preds = %else
  %6 = fsub double %4, 1.000000e+00
  %7 = fcmp ult double %6, 2.000000e+00
  br i1 %7, label %then4, label %else5

then4:                                            ; preds = %else3
  br label %join

else5:                                            ; preds = %else3
  %8 = fsub double %6, 1.000000e+00
  %9 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %10 = call double %9(double %8)
  %11 = fsub double %6, 2.000000e+00
  %12 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %13 = call double %12(double %11)
  %14 = fadd double %10, %13
  br label %join

join:                                             ; preds = %then4, %else5
  %15 = phi double [ %6, %then4 ], [ %14, %else5 ]
  %16 = fsub double %4, 2.000000e+00
  %17 = fcmp ult double %16, 2.000000e+00
  br i1 %17, label %then6, label %else7

then6:                                            ; preds = %join
  br label %join8

else7:                                            ; preds = %join
  %18 = fsub double %16, 1.000000e+00
  %19 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %20 = call double %19(double %18)
  %21 = fsub double %16, 2.000000e+00
  %22 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %23 = call double %22(double %21)
  %24 = fadd double %20, %23
  br label %join8

join8:                                            ; preds = %then6, %else7
  %25 = phi double [ %16, %then6 ], [ %24, %else7 ]
  %26 = fadd double %15, %25
  br label %join9

join9:                                            ; preds = %then2, %join8
  %27 = phi double [ %4, %then2 ], [ %26, %join8 ]
  %28 = fsub double %n, 2.000000e+00
  %29 = fcmp ult double %28, 2.000000e+00
  br i1 %29, label %then10, label %else11

then10:                                           ; preds = %join9
  br label %join18

else11:                                           ; preds = %join9
  %30 = fsub double %28, 1.000000e+00
  %31 = fcmp ult double %30, 2.000000e+00
  br i1 %31, label %then12, label %else13

then12:                                           ; preds = %else11
  br label %join14

else13:                                           ; preds = %else11
  %32 = fsub double %30, 1.000000e+00
  %33 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %34 = call double %33(double %32)
  %35 = fsub double %30, 2.000000e+00
  %36 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %37 = call double %36(double %35)
  %38 = fadd double %34, %37
  br label %join14

join14:                                           ; preds = %then12, %else13
  %39 = phi double [ %30, %then12 ], [ %38, %else13 ]
  %40 = fsub double %28, 2.000000e+00
  %41 = fcmp ult double %40, 2.000000e+00
  br i1 %41, label %then15, label %else16

then15:                                           ; preds = %join14
  br label %join17

else16:                                           ; preds = %join14
  %42 = fsub double %40, 1.000000e+00
  %43 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %44 = call double %43(double %42)
  %45 = fsub double %40, 2.000000e+00
  %46 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %47 = call double %46(double %45)
  %48 = fadd double %44, %47
  br label %join17

join17:                                           ; preds = %then15, %else16
  %49 = phi double [ %40, %then15 ], [ %48, %else16 ]
  %50 = fadd double %39, %49
  br label %join18

join18:                                           ; preds = %then10, %join17
  %51 = phi double [ %28, %then10 ], [ %50, %join17 ]
  %52 = fadd double %27, %51
  br label %join19

join19:                                           ; preds = %then, %join18
  %53 = phi double [ %n, %then ], [ %52, %join18 ]
  %54 = getelementptr inbounds nuw { double }, ptr %out, i64 %row1, i32 0
  store double %53, ptr %54, align 8, !noalias !0
  %next = add nuw i64 %row1, 1
  %55 = icmp ne i64 %next, %rows
  br i1 %55, label %row, label %done

done:                                             ; preds = %join19
  %done.rows = uitofp i64 %rows to double
  ret double %done.rows
}

attributes #0 = { nounwind "disable-tail-calls"="true" "frame-pointer"="all" "no-builtins" "probe-stack"="inline-asm" }

!0 = !{!1}
!1 = !{!"columns", !2}
!2 = !{!"table"}
