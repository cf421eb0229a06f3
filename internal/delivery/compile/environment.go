package compile

// passed are the variables that the Go toolchain gets: where it finds programs,
// where it caches, which proxy and checksum database it asks. Nothing else of
// our environment reaches it: no token, and none of the files by which a step
// speaks to the runner.
var passed = []string{
	"PATH", "HOME", "TMPDIR", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy",
	"http_proxy", "no_proxy",
	"GOCACHE", "GOMODCACHE", "GOPATH", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GONOPROXY", "GOTOOLCHAIN",
}

// Env picks the toolchain's variables out of an environment.
func Env(getenv func(string) string) []string {
	var env []string
	for _, name := range passed {
		if value := getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}
