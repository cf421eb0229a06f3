package process

// Confinement bounds what a child can do, and everything that it starts, as far as the
// kernel of Linux can hold it to that. A child that is confined reads neither the
// environment nor the memory of a process outside, and becomes no other user: sudo and the
// like do not work. It sends no signal there, and changes no limit: either could make the
// kernel write the memory of a process into a file. It reads files as before.
//
// It is meant for programs that are trusted with their own input and with nothing else.
// It bounds no connection by TCP, and no change of a file's mode, owner or times, which
// Landlock does not know: a child can close a file of its user to others, or to itself.
type Confinement struct {
	// Write are the directories in which files may be made and changed; beside them,
	// /dev/null and its like.
	Write []string
	// Reaches lets it reach other processes by Unix sockets. By the socket of Docker, or of
	// the service manager, a program starts others that are not confined.
	Reaches bool
}
