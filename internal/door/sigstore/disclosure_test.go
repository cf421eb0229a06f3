package sigstore

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/outcome"
)

func jobToken(t *testing.T, claims map[string]string) func(context.Context, string) (string, error) {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return func(context.Context, string) (string, error) {
		return "e30." + base64.RawURLEncoding.EncodeToString(payload) + ".AA", nil
	}
}

type noNetwork struct{}

func (noNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, errors.New("asked " + r.URL.Host)
}

// The name of a private repository becomes public only where that is allowed,
// and nobody outside is asked for anything before.
func TestPrivateNamesArePublishedOnlyWhenAllowed(t *testing.T) {
	t.Parallel()
	config := func(fulcio, log, stamp string) string {
		i := Instance{FulcioURL: fulcio, LogURL: log, TimestampURL: stamp, Since: time.Now().Add(-time.Hour)}
		data, err := i.SigningConfig()
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	const stamp = "https://tsa.acme.example/api/v1/timestamp"
	own := config("https://fulcio.acme.example", "", stamp)
	logged := config("https://fulcio.acme.example", "https://rekor.acme.example", stamp)
	local := config("http://127.0.0.1:1", "http://127.0.0.1:2", stamp)
	public := config("https://fulcio.sigstore.dev", "", stamp)
	for what, test := range map[string]struct {
		config, visibility, event string
		allow                     bool
		refused                   string // what would become public where; empty signs, and fails for want of a network
	}{
		"public":                              {config: logged, visibility: "public"},
		"private, own services without a log": {config: own, visibility: "private"},
		"private, a log on this machine":      {config: local, visibility: "private"},
		"private, a log": {
			config: logged, visibility: "private",
			refused: "acme/secret is private, and signing would publish its name, workflow and commit for ever: rekor.acme.example.",
		},
		"internal, a log":                         {config: logged, visibility: "internal", refused: "acme/secret is internal"},
		"private, a log, allowed":                 {config: logged, visibility: "private", allow: true},
		"private, the public Fulcio alone":        {config: public, visibility: "private", refused: "fulcio.sigstore.dev."},
		"private, the public instance":            {visibility: "private", refused: "fulcio.sigstore.dev, rekor.sigstore.dev."},
		"the event says so, where no token does":  {config: logged, event: "private", refused: "is private"},
		"the token says otherwise than the event": {config: logged, visibility: "private", event: "public", refused: "is private"},
		"nobody says":                             {config: logged},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			o := SignerOptions{
				SigningConfig: test.config, AllowPublicLog: test.allow, Visibility: test.event, Transport: noNetwork{},
				IDToken: jobToken(t, map[string]string{"repository": "acme/secret", "repository_visibility": test.visibility}),
			}
			_, err := NewSigner(t.Context(), o)
			if before := CheckDisclosure(t.Context(), o); (test.refused != "") != (before != nil) {
				t.Errorf("before: got %v", before)
			}
			if test.refused == "" {
				if err == nil || !strings.Contains(err.Error(), "get a certificate: the certificate authority") {
					t.Errorf("got %v, want it to ask for a certificate", err)
				}
				return
			}
			if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), test.refused) ||
				!strings.Contains(err.Error(), "--allow-public-log") {
				t.Errorf("got %v, want wrong usage for %q", err, test.refused)
			}
		})
	}
}

func TestVisibilityOfAProjectOnGitLab(t *testing.T) {
	t.Parallel()
	token, _ := jobToken(t, map[string]string{"project_path": "acme/secret", "project_visibility": "private"})(t.Context(), "")
	if name, visibility := repositoryOf(token); name != "acme/secret" || visibility != "private" {
		t.Errorf("got %s, %s", name, visibility)
	}
	for _, token := range []string{"", "a.b", "a.%.c", "a.e30.c"} {
		if name, visibility := repositoryOf(token); name != "" || visibility != "" {
			t.Errorf("%s: got %s, %s", token, name, visibility)
		}
	}
}
