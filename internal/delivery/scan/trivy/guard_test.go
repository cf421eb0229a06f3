//go:build goexperiment.jsonv2

package trivy

import "testing"

// What is read of one file is bounded by what the file is.
func TestPackageFileLimit(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]int64{
		"var/lib/rpm/Packages": mostOfRPM, "usr/lib/sysimage/rpm/rpmdb.sqlite": mostOfRPM,
		"opt/bitnami/a/.spdx-a.spdx": mostOfBOM, "a/x.spdx.json": mostOfBOM, "a/x.cdx": mostOfBOM, "a/x.CDX.json": mostOfBOM,
		"usr/share/sbom/x.json": mostOfBOM, "opt/.spdx-a": mostOfBOM,
		"lib/apk/db/installed": mostOfAPK,
		"var/lib/dpkg/status":  mostOfPackageFile, "var/lib/dpkg/status.d/a": mostOfPackageFile,
		"opt/conda/conda-meta/a.json": mostOfPackageFile,
		"gems/a.gemspec":              mostOfPackageFile, "app/a.deps.json": mostOfPackageFile, "lib/a.egg-info": mostOfPackageFile,
		"node_modules/a/package.json": mostOfPackageFile, "lib/a.dist-info/METADATA": mostOfPackageFile,
		"lib/EGG-INFO/PKG-INFO":          mostOfPackageFile,
		"vendor/composer/installed.json": mostOfPackageFile, "etc/os-release": mostOfPackageFile, "etc/lsb-release": mostOfPackageFile,
		"Manifest.toml": mostOfPackageFile, "packages.lock.json": mostOfPackageFile, "packages.config": mostOfPackageFile,
		"composer.lock": mostOfPackageFile, "environment.yml": mostOfPackageFile, "environment.yaml": mostOfPackageFile,
		"usr/bin/program": 0, "data/model.json": 0,
	} {
		if got := packageFileLimit(file); got != want {
			t.Errorf("of %s at most %d bytes are read, want %d", file, got, want)
		}
	}
}
