; Functions that give each function pass something to do. Used by passes.rs.

declare double @cos(double) memory(none) nounwind
declare double @pow(double, double) nounwind
declare double @fabs(double)
declare void @effect(double)
declare void @llvm.assume(i1)

; A loop-invariant call.
define double @invariant_call(double %x, double %n) nounwind {
entry:
  br label %loop
loop:
  %i = phi double [ 0.0, %entry ], [ %next, %loop ]
  %sum = phi double [ 0.0, %entry ], [ %more, %loop ]
  %cos = call double @cos(double %x) memory(none) nounwind willreturn
  %scaled = fmul double %x, 3.0
  %term = fmul double %cos, %scaled
  %more = fadd double %sum, %term
  %next = fadd double %i, 1.0
  %less = fcmp ult double %next, %n
  br i1 %less, label %loop, label %done
done:
  ret double %more
}

; Stack variables that are written in branches and in a loop.
define double @stack(double %x) {
entry:
  %a = alloca double, align 8
  %b = alloca { double, i64 }, align 8
  store double %x, ptr %a, align 8
  %i = getelementptr { double, i64 }, ptr %b, i32 0, i32 1
  store double 1.0, ptr %b, align 8
  store i64 0, ptr %i, align 8
  br label %head
head:
  %n = load i64, ptr %i, align 8
  %again = icmp slt i64 %n, 10
  br i1 %again, label %body, label %done
body:
  %old = load double, ptr %a, align 8
  %factor = load double, ptr %b, align 8
  %half = fdiv double %old, 2.0
  %is_small = fcmp olt double %half, %factor
  br i1 %is_small, label %small, label %join
small:
  store double 5.0, ptr %a, align 8
  br label %join
join:
  %up = add nsw i64 %n, 1
  store i64 %up, ptr %i, align 8
  br label %head
done:
  %result = load double, ptr %a, align 8
  ret double %result
}

; A comparison converted to a double and compared again, as in languages whose only type is double.
define double @truth(double %x, double %y) {
entry:
  %less = fcmp ult double %x, %y
  %number = uitofp i1 %less to double
  %is_true = fcmp one double %number, 0.0
  br i1 %is_true, label %then, label %else
then:
  %product = fmul double %x, 1.0
  br label %done
else:
  %negated = fsub double -0.0, %y
  %twice = fsub double -0.0, %negated
  br label %done
done:
  %value = phi double [ %product, %then ], [ %twice, %else ]
  %again = fcmp ult double %x, %y
  %other = uitofp i1 %again to double
  %sum = fadd double %value, %other
  ret double %sum
}

; Nested loops over memory. Type-based alias analysis shows that no store changes the bound.
define void @nested(ptr noalias %to, ptr %from, ptr %size) {
entry:
  br label %outer
outer:
  %i = phi i64 [ 0, %entry ], [ %i.next, %outer.end ]
  br label %inner
inner:
  %j = phi i64 [ 0, %outer ], [ %j.next, %inner ]
  %bound = load i64, ptr %size, align 8, !tbaa !1
  %offset = mul i64 %i, %bound
  %place = add i64 %offset, %j
  %source = getelementptr double, ptr %from, i64 %i
  %value = load double, ptr %source, align 8, !tbaa !3
  %target = getelementptr double, ptr %to, i64 %place
  store double %value, ptr %target, align 8, !tbaa !3
  %j.next = add nuw nsw i64 %j, 1
  %inner.again = icmp ult i64 %j.next, %bound
  br i1 %inner.again, label %inner, label %outer.end
outer.end:
  %i.next = add nuw nsw i64 %i, 1
  %outer.again = icmp ult i64 %i.next, %bound
  br i1 %outer.again, label %outer, label %done
done:
  ret void
}

; Functions of the C library, and the same with `no-builtins`.
define double @library(double %x) {
  %one = call double @pow(double %x, double 1.0)
  %square = call double @pow(double %one, double 2.0)
  %zero = call double @cos(double 0.0)
  %minus = fneg double %square
  %positive = call double @fabs(double %minus)
  %sum = fadd double %positive, %zero
  ret double %sum
}

define double @library_unknown(double %x) #0 {
  %square = call double @pow(double %x, double 2.0)
  %zero = call double @cos(double 0.0)
  %sum = fadd double %square, %zero
  ret double %sum
}

; Branches that depend on each other, with weights.
define i64 @branches(i64 %n) {
entry:
  %positive = icmp sgt i64 %n, 0
  call void @llvm.assume(i1 %positive)
  %big = icmp sgt i64 %n, 100
  br i1 %big, label %first, label %second, !prof !5
first:
  %a = sdiv i64 %n, 8
  br label %join
second:
  %b = urem i64 %n, 16
  br label %join
join:
  %m = phi i64 [ %a, %first ], [ %b, %second ]
  %negative = icmp slt i64 %n, 0
  br i1 %negative, label %never, label %choose
never:
  ret i64 -1
choose:
  switch i64 %m, label %other [
    i64 0, label %zero
    i64 1, label %one
    i64 2, label %two
  ]
zero:
  br label %done
one:
  br label %done
two:
  br label %done
other:
  br label %done
done:
  %chosen = phi i64 [ 10, %zero ], [ 20, %one ], [ 30, %two ], [ %m, %other ]
  ret i64 %chosen
}

; A loop with a side effect, which must not move.
define double @effects(double %x, double %n) {
entry:
  br label %loop
loop:
  %i = phi double [ %x, %entry ], [ %next, %loop ]
  %root = call double @cos(double %x) memory(none) nounwind
  call void @effect(double %root)
  %next = fadd double %i, %root
  %less = fcmp ult double %next, %n
  br i1 %less, label %loop, label %done
done:
  %same = fadd double %i, %root
  ret double %same
}

; A loop with independent iterations.
define void @rows(ptr %from, ptr noalias %to, i64 %n) {
entry:
  br label %row
row:
  %i = phi i64 [ 0, %entry ], [ %i.next, %row ]
  %source = getelementptr inbounds double, ptr %from, i64 %i
  %value = load double, ptr %source, align 8
  %square = fmul double %value, %value
  %target = getelementptr inbounds double, ptr %to, i64 %i
  store double %square, ptr %target, align 8
  %i.next = add nuw nsw i64 %i, 1
  %again = icmp ne i64 %i.next, %n
  br i1 %again, label %row, label %done
done:
  ret void
}

; The same operation on two adjacent values.
define void @pair(ptr %from, ptr noalias %to) {
  %second = getelementptr inbounds double, ptr %from, i64 1
  %a = load double, ptr %from, align 8
  %b = load double, ptr %second, align 8
  %a.square = fmul double %a, %a
  %b.square = fmul double %b, %b
  %other = getelementptr inbounds double, ptr %to, i64 1
  store double %a.square, ptr %to, align 8
  store double %b.square, ptr %other, align 8
  ret void
}

; A function that no pass may change.
define double @left_alone(double %x) noinline optnone {
  %place = alloca double, align 8
  store double %x, ptr %place, align 8
  %value = load double, ptr %place, align 8
  %product = fmul double %value, 1.0
  ret double %product
}

attributes #0 = { "no-builtins" }

!0 = !{!"types"}
!1 = !{!2, !2, i64 0}
!2 = !{!"integer", !0}
!3 = !{!4, !4, i64 0}
!4 = !{!"double", !0}
!5 = !{!"branch_weights", i32 1, i32 1000}
