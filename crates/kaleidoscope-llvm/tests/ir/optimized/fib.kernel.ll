; ModuleID = 'fib'
source_filename = "fib"

@"fib$slot" = external global ptr

; Function Attrs: nounwind
define double @"fib$impl1"(ptr %table) #0 {
entry:
  %columns = load ptr, ptr %table, align 8
  %out.place = getelementptr inbounds nuw { ptr, ptr, i64 }, ptr %table, i32 0, i32 1
  %out = load ptr, ptr %out.place, align 8
  %rows.place = getelementptr inbounds nuw { ptr, ptr, i64 }, ptr %table, i32 0, i32 2
  %rows = load i64, ptr %rows.place, align 4
  %0 = getelementptr inbounds nuw { ptr }, ptr %columns, i32 0, i32 0
  %n.column = load ptr, ptr %0, align 8
  br label %row

row:                                              ; preds = %join19, %entry
  %row1 = phi i64 [ 0, %entry ], [ %next, %join19 ]
  %1 = getelementptr inbounds nuw { double }, ptr %n.column, i64 %row1, i32 0
  %n = load double, ptr %1, align 8, !alias.scope !0
  %2 = fcmp ult double %n, 2.000000e+00
  br i1 %2, label %then, label %else

then:                                             ; preds = %row
  br label %join19

else:                                             ; preds = %row
  %3 = fsub double %n, 1.000000e+00
  %4 = fcmp ult double %3, 2.000000e+00
  br i1 %4, label %then2, label %else3

then2:                                            ; preds = %else
  br label %join9

else3:                                            ; preds = %else
  %5 = fsub double %3, 1.000000e+00
  %6 = fcmp ult double %5, 2.000000e+00
  br i1 %6, label %then4, label %else5

then4:                                            ; preds = %else3
  br label %join

else5:                                            ; preds = %else3
  %7 = fsub double %5, 1.000000e+00
  %8 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %9 = call double %8(double %7)
  %10 = fsub double %5, 2.000000e+00
  %11 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %12 = call double %11(double %10)
  %13 = fadd double %9, %12
  br label %join

join:                                             ; preds = %then4, %else5
  %14 = phi double [ %5, %then4 ], [ %13, %else5 ]
  %15 = fsub double %3, 2.000000e+00
  %16 = fcmp ult double %15, 2.000000e+00
  br i1 %16, label %then6, label %else7

then6:                                            ; preds = %join
  br label %join8

else7:                                            ; preds = %join
  %17 = fsub double %15, 1.000000e+00
  %18 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %19 = call double %18(double %17)
  %20 = fsub double %15, 2.000000e+00
  %21 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %22 = call double %21(double %20)
  %23 = fadd double %19, %22
  br label %join8

join8:                                            ; preds = %then6, %else7
  %24 = phi double [ %15, %then6 ], [ %23, %else7 ]
  %25 = fadd double %14, %24
  br label %join9

join9:                                            ; preds = %then2, %join8
  %26 = phi double [ %3, %then2 ], [ %25, %join8 ]
  %27 = fsub double %n, 2.000000e+00
  %28 = fcmp ult double %27, 2.000000e+00
  br i1 %28, label %then10, label %else11

then10:                                           ; preds = %join9
  br label %join18

else11:                                           ; preds = %join9
  %29 = fsub double %27, 1.000000e+00
  %30 = fcmp ult double %29, 2.000000e+00
  br i1 %30, label %then12, label %else13

then12:                                           ; preds = %else11
  br label %join14

else13:                                           ; preds = %else11
  %31 = fsub double %29, 1.000000e+00
  %32 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %33 = call double %32(double %31)
  %34 = fsub double %29, 2.000000e+00
  %35 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %36 = call double %35(double %34)
  %37 = fadd double %33, %36
  br label %join14

join14:                                           ; preds = %then12, %else13
  %38 = phi double [ %29, %then12 ], [ %37, %else13 ]
  %39 = fsub double %27, 2.000000e+00
  %40 = fcmp ult double %39, 2.000000e+00
  br i1 %40, label %then15, label %else16

then15:                                           ; preds = %join14
  br label %join17

else16:                                           ; preds = %join14
  %41 = fsub double %39, 1.000000e+00
  %42 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %43 = call double %42(double %41)
  %44 = fsub double %39, 2.000000e+00
  %45 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %46 = call double %45(double %44)
  %47 = fadd double %43, %46
  br label %join17

join17:                                           ; preds = %then15, %else16
  %48 = phi double [ %39, %then15 ], [ %47, %else16 ]
  %49 = fadd double %38, %48
  br label %join18

join18:                                           ; preds = %then10, %join17
  %50 = phi double [ %27, %then10 ], [ %49, %join17 ]
  %51 = fadd double %26, %50
  br label %join19

join19:                                           ; preds = %then, %join18
  %52 = phi double [ %n, %then ], [ %51, %join18 ]
  %53 = getelementptr inbounds nuw { double }, ptr %out, i64 %row1, i32 0
  store double %52, ptr %53, align 8, !noalias !0
  %next = add nuw i64 %row1, 1
  %54 = icmp ne i64 %next, %rows
  br i1 %54, label %row, label %done

done:                                             ; preds = %join19
  %done.rows = uitofp i64 %rows to double
  ret double %done.rows
}

attributes #0 = { nounwind "disable-tail-calls"="true" "frame-pointer"="all" "no-builtins" "probe-stack"="inline-asm" }

!0 = !{!1}
!1 = !{!"columns", !2}
!2 = !{!"table"}
