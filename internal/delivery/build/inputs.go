package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Texts are inputs of an order as a person writes them.
type Texts struct {
	Images              []string
	Platforms, Secrets  []string
	Compression         string
	Args                []string // NAME=VALUE, as labels are
	Labels, Annotations []string
	SecretValues        string // ID=VALUE, one per line
}

// Parse reads the texts into the order. A text that is wrong is a usage error,
// which names its flag. getenv reads the variable that holds a secret.
func (o *Order) Parse(t Texts, getenv func(string) string) (err error) {
	if err := o.parseImages(t.Images); err != nil {
		return err
	}
	if o.Platforms, err = ParsePlatforms(t.Platforms); err != nil {
		return outcome.Usagef("--platform: %w", err)
	}
	if len(o.Platforms) == 0 {
		return outcome.Usagef("--platform: no platform to build for")
	}
	if err := o.checkOnePlatform(); err != nil {
		return err
	}
	if o.Compression, err = ParseCompression(t.Compression); err != nil {
		return outcome.Usagef("--compression: %w", err)
	}
	for _, text := range t.Secrets {
		secret, err := ParseSecret(text, getenv)
		if err != nil {
			return outcome.Usagef("--secret: %w", err)
		}
		o.Secrets = append(o.Secrets, secret)
	}
	values, err := parseSecretValues(t.SecretValues)
	if err != nil {
		return outcome.Usagef("secret_values: %w", err)
	}
	o.Secrets = append(o.Secrets, values...)
	for _, text := range t.Annotations {
		list, err := ParseAnnotation(text)
		if err != nil {
			return outcome.Usagef("--annotation: %w", err)
		}
		o.Annotations = append(o.Annotations, list...)
	}
	for _, p := range []struct {
		flag string
		list []string
		into *map[string]string
	}{{"--build-arg", t.Args, &o.Args}, {"--label", t.Labels, &o.Labels}} {
		if *p.into, err = parsePairs(p.list); err != nil {
			return outcome.Usagef("%s: %w", p.flag, err)
		}
	}
	return nil
}

// parseImages reads the repositories to push to, each once.
func (o *Order) parseImages(list []string) error {
	if len(list) == 0 && !o.local() && !o.Lint {
		return outcome.Usagef("build needs --image REPOSITORY to push to, or --oci-layout DIR, --archive FILE or --load")
	}
	if o.docker() && len(list) > 0 {
		if short, err := imageref.ParseLocal(list[0]); err == nil {
			list = append([]string{short.Name()}, list[1:]...)
		}
	}
	all, err := imageref.ParseRepositories(list)
	if err != nil {
		return outcome.Usagef("--image: %w", err)
	}
	if len(all) > 0 {
		o.Repository, o.Also = all[0], all[1:]
	}
	for flag, place := range map[string]string{"--oci-layout": o.Layout, "--archive": o.Archive} {
		if place == standardInput {
			return outcome.Usagef("%s needs a path: standard output has the name of the image", flag)
		}
	}
	if info, err := os.Stat(o.Archive); err == nil && info.IsDir() {
		return outcome.Usagef("--archive %s is a directory: name a file in it", o.Archive)
	}
	ways := 0
	for _, asked := range []bool{o.Layout != "", o.Archive != "", o.Load} {
		if asked {
			ways++
		}
	}
	if ways > 1 {
		return outcome.Usagef("--oci-layout, --archive and --load exclude each other: give one of them")
	}
	return nil
}

// checkOnePlatform refuses several platforms where only one fits.
func (o *Order) checkOnePlatform() error {
	if len(o.Platforms) == 1 {
		return nil
	}
	for flag, asked := range map[string]bool{
		"--plain-manifest": o.Plain, "--load": o.Load, "--archive-format docker": o.Archive != "" && o.DockerArchive,
	} {
		if asked {
			return outcome.Usagef("%s is of one platform, and --platform names %d: only an index holds several", flag, len(o.Platforms))
		}
	}
	return nil
}

// parsePairs reads a list of NAME=VALUE.
func parsePairs(list []string) (map[string]string, error) {
	values := map[string]string{}
	for _, pair := range list {
		key, value, found := strings.Cut(pair, "=")
		if key = strings.TrimSpace(key); !found || key == "" {
			return nil, fmt.Errorf("%q is not NAME=VALUE", pair)
		}
		values[key] = value
	}
	return values, nil
}

// epoch is the time that an image bears: SOURCE_DATE_EPOCH, otherwise the
// commit's time, otherwise 1970, so that the same files always give the same
// digest.
func epoch(given string, commit time.Time) (time.Time, error) {
	if given != "" {
		seconds, err := strconv.ParseInt(given, 10, 64)
		if err != nil || seconds < 0 {
			return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %q is not a number of seconds since 1970", given)
		}
		return time.Unix(seconds, 0).UTC(), nil
	}
	if commit.IsZero() {
		return time.Unix(0, 0).UTC(), nil
	}
	return commit, nil
}

var notInTag = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// CacheBeside is where the cache of a branch is kept, in the image's repository.
// A ref that is no branch has none: a pull request's code must not write what the
// branch reads. Branches whose names differ do not share one.
func CacheBeside(repository name.Repository, ref string) string {
	branch, is := strings.CutPrefix(ref, "refs/heads/")
	if !is || branch == "" {
		return ""
	}
	clean := notInTag.ReplaceAllString(branch, "-")
	if clean != branch || len(clean) > 40 {
		sum := sha256.Sum256([]byte(branch))
		clean = clean[:min(len(clean), 40)] + "-" + hex.EncodeToString(sum[:4])
	}
	return repository.Name() + ":cache-" + clean
}
