// Package trivy scans image manifests with Trivy as a library and returns
// Waybill's own types.
//
// Only waybill-scan links it: it parses layers that anybody may have written.
// It looks for vulnerable OS and language packages and nothing else; secrets,
// misconfiguration and licences would be further analyzers in analyzers.go and
// further results in results.go. It does what `trivy image` does for the same
// manifest and database, and the tests hold it against that program.
//
// Layers are read through the registry door, each once however many manifests
// share it, and never unpacked beyond the limit of the request. A file that
// Trivy's analyzers cannot read is passed over by them: a damaged package
// database gives no packages, and a warning where that shows.
package trivy

import "errors"

// ErrNeedsJavaDatabase is reported where an image has JAR files and the request
// no database for them. It is not a pass.
var ErrNeedsJavaDatabase = errors.New("the image has JAR files, and there is no database to tell what is in them")
