# GDB: programs of Kaleidoscope, run by `kaleidoscope -g`. docs/debugging.md explains the lines.
#
#   gdb -x kaleidoscope.gdb --args kaleidoscope -g program.kal

# A function is compiled when the program runs, so a breakpoint waits for it.
set breakpoint pending on

# Endless recursion reaches the guard page below the stack. The handler of SIGSEGV reports it as an
# error of the program. Other faults stop in the debugger: those that are not near the stack pointer.
handle SIGSEGV nostop noprint pass
catch signal SIGSEGV
commands
silent
if (unsigned long) $_siginfo._sifields._sigfault.si_addr - (unsigned long) $sp + 65536 > 131072
echo Program received signal SIGSEGV.\n
frame
else
continue
end
end

# Stops a program at its time limit and at Ctrl-C.
handle SIGURG nostop noprint pass
