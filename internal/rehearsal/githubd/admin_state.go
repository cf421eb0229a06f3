package githubd

import "slices"

// protect is Protect, with the status contexts that merging needs.
func (s *Server) protect(repository string, required, bypass []string) error {
	if err := s.Protect(repository, bypass...); err != nil {
		return err
	}
	return s.SetRequired(repository, required...)
}

// runsOf are the runs of a repository, or of all, in the order of their start.
func (s *Server) runsOf(repository string) []Run {
	if repository != "" {
		return s.Runs(repository)
	}
	var runs []Run
	for _, name := range s.Repositories() {
		runs = append(runs, s.Runs(name)...)
	}
	slices.SortStableFunc(runs, func(a, b Run) int { return int(a.ID - b.ID) })
	return runs
}
