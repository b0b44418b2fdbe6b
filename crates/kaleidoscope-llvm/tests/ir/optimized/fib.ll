; ModuleID = 'fib'
source_filename = "fib"

@"fib$slot" = external global ptr

; Function Attrs: nounwind
define double @"fib$impl1"(double %n) #0 {
entry:
  %0 = fcmp ult double %n, 2.000000e+00
  br i1 %0, label %then, label %else

then:                                             ; preds = %entry
  br label %join18

else:                                             ; preds = %entry
  %1 = fsub double %n, 1.000000e+00
  %2 = fcmp ult double %1, 2.000000e+00
  br i1 %2, label %then1, label %else2

then1:                                            ; preds = %else
  br label %join8

else2:                                            ; preds = %else
  %3 = fsub double %1, 1.000000e+00
  %4 = fcmp ult double %3, 2.000000e+00
  br i1 %4, label %then3, label %else4

then3:                                            ; preds = %else2
  br label %join

else4:                                            ; preds = %else2
  %5 = fsub double %3, 1.000000e+00
  %6 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %7 = call double %6(double %5)
  %8 = fsub double %3, 2.000000e+00
  %9 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %10 = call double %9(double %8)
  %11 = fadd double %7, %10
  br label %join

join:                                             ; preds = %then3, %else4
  %12 = phi double [ %3, %then3 ], [ %11, %else4 ]
  %13 = fsub double %1, 2.000000e+00
  %14 = fcmp ult double %13, 2.000000e+00
  br i1 %14, label %then5, label %else6

then5:                                            ; preds = %join
  br label %join7

else6:                                            ; preds = %join
  %15 = fsub double %13, 1.000000e+00
  %16 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %17 = call double %16(double %15)
  %18 = fsub double %13, 2.000000e+00
  %19 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %20 = call double %19(double %18)
  %21 = fadd double %17, %20
  br label %join7

join7:                                            ; preds = %then5, %else6
  %22 = phi double [ %13, %then5 ], [ %21, %else6 ]
  %23 = fadd double %12, %22
  br label %join8

join8:                                            ; preds = %then1, %join7
  %24 = phi double [ %1, %then1 ], [ %23, %join7 ]
  %25 = fsub double %n, 2.000000e+00
  %26 = fcmp ult double %25, 2.000000e+00
  br i1 %26, label %then9, label %else10

then9:                                            ; preds = %join8
  br label %join17

else10:                                           ; preds = %join8
  %27 = fsub double %25, 1.000000e+00
  %28 = fcmp ult double %27, 2.000000e+00
  br i1 %28, label %then11, label %else12

then11:                                           ; preds = %else10
  br label %join13

else12:                                           ; preds = %else10
  %29 = fsub double %27, 1.000000e+00
  %30 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %31 = call double %30(double %29)
  %32 = fsub double %27, 2.000000e+00
  %33 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %34 = call double %33(double %32)
  %35 = fadd double %31, %34
  br label %join13

join13:                                           ; preds = %then11, %else12
  %36 = phi double [ %27, %then11 ], [ %35, %else12 ]
  %37 = fsub double %25, 2.000000e+00
  %38 = fcmp ult double %37, 2.000000e+00
  br i1 %38, label %then14, label %else15

then14:                                           ; preds = %join13
  br label %join16

else15:                                           ; preds = %join13
  %39 = fsub double %37, 1.000000e+00
  %40 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %41 = call double %40(double %39)
  %42 = fsub double %37, 2.000000e+00
  %43 = load atomic ptr, ptr @"fib$slot" monotonic, align 8
  %44 = call double %43(double %42)
  %45 = fadd double %41, %44
  br label %join16

join16:                                           ; preds = %then14, %else15
  %46 = phi double [ %37, %then14 ], [ %45, %else15 ]
  %47 = fadd double %36, %46
  br label %join17

join17:                                           ; preds = %then9, %join16
  %48 = phi double [ %25, %then9 ], [ %47, %join16 ]
  %49 = fadd double %24, %48
  br label %join18

join18:                                           ; preds = %then, %join17
  %50 = phi double [ %n, %then ], [ %49, %join17 ]
  ret double %50
}

attributes #0 = { nounwind "disable-tail-calls"="true" "frame-pointer"="all" "no-builtins" "probe-stack"="inline-asm" }
