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
// share it, and never unpacked beyond the limit of the request. JAR files need
// Trivy's second database, which is not fetched: an image with one is an error,
// not a pass.
package trivy
