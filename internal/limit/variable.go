package limit

// Variable is the most bytes of a value that one job gives to the next: a step gets its
// inputs as environment variables, and Linux starts no process with a variable of
// 131,072 bytes or more, its name included.
// https://man7.org/linux/man-pages/man2/execve.2.html (MAX_ARG_STRLEN)
const Variable = 100_000
