package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// bom is the part of a CycloneDX or SPDX document that is read here.
type bom struct {
	BOMFormat string `json:"bomFormat"`
	Metadata  struct {
		Component component `json:"component"`
	} `json:"metadata"`
	Components []component `json:"components"`

	SPDXVersion   string        `json:"spdxVersion"`
	Name          string        `json:"name"`
	Describes     []string      `json:"documentDescribes"`
	Packages      []spdxPackage `json:"packages"`
	Relationships []struct {
		From string `json:"spdxElementId"`
		Type string `json:"relationshipType"`
		To   string `json:"relatedSpdxElement"`
	} `json:"relationships"`
}

type component struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl"`
	BOMRef  string `json:"bom-ref"`
}

type spdxPackage struct {
	ID           string `json:"SPDXID"`
	Name         string `json:"name"`
	Version      string `json:"versionInfo"`
	ExternalRefs []struct {
		Type    string `json:"referenceType"`
		Locator string `json:"referenceLocator"`
	} `json:"externalRefs"`
}

func (p spdxPackage) purl() string {
	for _, r := range p.ExternalRefs {
		if r.Type == "purl" {
			return r.Locator
		}
	}
	return ""
}

// Packages counts the packages that an SBOM record lists: what has a package
// URL and is no container, each once.
func (r Record) Packages() (int, error) {
	if r.Kind != SBOM {
		return 0, fmt.Errorf("a %s record lists no packages", r.Kind)
	}
	var doc bom
	if err := json.Unmarshal(r.Predicate, &doc); err != nil {
		return 0, fmt.Errorf("read SBOM: %w", err)
	}
	return doc.count(), nil
}

func (d bom) count() int {
	distinct := make(map[string]bool)
	for _, c := range d.Components {
		if c.Type == "library" || c.Type == "application" {
			distinct[c.PURL] = true
		}
	}
	for _, p := range d.Packages {
		distinct[p.purl()] = true
	}
	delete(distinct, "")
	for purl := range distinct {
		if strings.HasPrefix(purl, "pkg:oci/") {
			delete(distinct, purl)
		}
	}
	return len(distinct)
}

// SBOMAbout gives the digest that a CycloneDX or SPDX document says it is
// about, and its predicate type. The digest is empty where it does not say.
func SBOMAbout(data []byte) (predicateType, digest string, err error) {
	predicateType, digest, _, err = readSBOM(data)
	return predicateType, digest, err
}

// readSBOM reads a document once: it may be large.
func readSBOM(data []byte) (predicateType, digest string, packages int, err error) {
	var doc bom
	if err := json.Unmarshal(data, &doc); err != nil {
		return "", "", 0, fmt.Errorf("read SBOM: %w", err)
	}
	switch {
	case doc.BOMFormat == "CycloneDX":
		c := doc.Metadata.Component
		return PredicateCycloneDX, firstDigest(c.Version, c.PURL, c.Name, c.BOMRef), doc.count(), nil
	case strings.HasPrefix(doc.SPDXVersion, "SPDX-"):
		return PredicateSPDX, doc.described(), doc.count(), nil
	}
	return "", "", 0, errors.New("read SBOM: neither CycloneDX nor SPDX in JSON")
}

// described is the digest of the package that an SPDX document describes.
func (d bom) described() string {
	described := slices.Clone(d.Describes)
	for _, r := range d.Relationships {
		if r.From == "SPDXRef-DOCUMENT" && r.Type == "DESCRIBES" {
			described = append(described, r.To)
		}
	}
	for _, p := range d.Packages {
		if slices.Contains(described, p.ID) {
			if digest := firstDigest(p.Version, p.purl(), p.Name); digest != "" {
				return digest
			}
		}
	}
	return firstDigest(d.Name)
}

// firstDigest finds sha256:HEX in the texts; a package URL may escape it.
func firstDigest(texts ...string) string {
	for _, text := range texts {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "sha256%3A", "sha256:"), "sha256%3a", "sha256:")
		if i := strings.Index(text, "sha256:"); i >= 0 && len(text) >= i+71 {
			if digest := text[i : i+71]; strings.Trim(digest[7:], "0123456789abcdef") == "" {
				return digest
			}
		}
	}
	return ""
}
