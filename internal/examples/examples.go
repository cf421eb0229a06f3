// Package examples holds the tests that keep the example config repository
// true: that every object of it is one that Kubernetes knows, that custom
// resources fit their definitions, that it is what the production checklist
// asks for, and that what refers to something refers to what is there.
//
// Each rule of the checklist is shown to turn red by a copy of the examples
// with one thing wrong. Charts from elsewhere are not rendered here: they are
// not in the repository. It has no code of its own.
package examples
