package scratch

import "os"

func lock(string) *os.File { return nil }
