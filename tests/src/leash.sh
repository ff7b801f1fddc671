# leash: replaces itself by a program, and leaves a watchdog that kills the
# program when whoever started it is gone.
#
# Args   1 a directory that is removed after such a kill; 2... the program
# Stdin  a pipe that the starter holds open. A line on it lets the program go;
#        its end without a line means that the starter has died, however.
#
# The watchdog is there before the program is, so no moment is left in which a
# killed starter could leave something running. It stands two forks away, so the
# program never meets a child that it did not start. `$$` stays the number of
# the outer shell, which `exec` hands to the program.
exec 3<&0
(
    (
        trap '' HUP INT TERM
        if ! read -r _ <&3; then
            kill -9 $$
            rm -rf -- "$1"
        fi
    ) >/dev/null 2>&1 &
)
shift
exec "$@" 3<&- </dev/null
