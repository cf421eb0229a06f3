package schema

// Compile compiles every definition, says what cannot be used, and returns how many there are.
func (s *Schemas) Compile(say func(format string, args ...any)) int {
	for kind, d := range s.custom {
		if err := d.compile(); err != nil {
			say("%s: %v", kind, err)
		}
	}
	return len(s.custom)
}
