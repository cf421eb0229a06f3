package github

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	gogithub "github.com/google/go-github/v60/github"

	"github.com/waybill-dev/waybill/internal/door/github/transport"
	"github.com/waybill-dev/waybill/internal/retry"
	"github.com/waybill-dev/waybill/internal/text"
)

// Limits of an upload to code scanning.
// https://docs.github.com/en/code-security/code-scanning/troubleshooting-sarif-uploads/file-too-large
const (
	maxSARIF        = 10 << 20 // compressed
	sarifAttempts   = 30       // about two minutes
	sarifFirstDelay = time.Second
	sarifDelay      = 5 * time.Second
)

// UploadSARIF hands a SARIF document to code scanning, and waits until it is
// processed. What code scanning rejects is an error with its reasons. Where it takes
// longer than two minutes, done is false.
func (c *Client) UploadSARIF(ctx context.Context, repo Repository, sha, ref string, sarif []byte) (done bool, err error) {
	op := fmt.Sprintf("upload SARIF for %s@%s", repo, text.Commit(sha))
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(sarif) // to memory
	if err := w.Close(); err != nil {
		return false, fmt.Errorf("compress the SARIF document: %w", err)
	}
	if packed.Len() > maxSARIF {
		return false, fmt.Errorf("%s: the document has %d bytes compressed, and code scanning takes %d: scan without --upload-sarif, "+
			"or build fewer platforms", op, packed.Len(), maxSARIF)
	}
	encoded := base64.StdEncoding.EncodeToString(packed.Bytes())
	now := gogithub.Timestamp{Time: time.Now()}
	answer, _, err := c.api.CodeScanning.UploadSarif(transport.MayRepeat(ctx), repo.Owner, repo.Name, &gogithub.SarifAnalysis{
		CommitSHA: &sha, Ref: &ref, Sarif: &encoded, StartedAt: &now, ToolName: gogithub.String("waybill"),
	})
	if err != nil {
		return false, wrap(op, err)
	}
	policy := retry.Policy{First: sarifFirstDelay, Factor: 2, Most: sarifDelay, Spread: 0.1, Sleep: c.sleep}
	waited := policy.Do(ctx, func(attempt int, delay time.Duration) (time.Duration, bool) {
		done, err = c.processed(ctx, op, repo, answer.GetID())
		return delay, !done && err == nil && attempt < sarifAttempts
	})
	if waited != nil {
		return false, waited
	}
	return done, err
}

// processed asks how far code scanning is with an upload.
// https://docs.github.com/en/rest/code-scanning/code-scanning#get-information-about-a-sarif-upload
func (c *Client) processed(ctx context.Context, op string, repo Repository, id string) (bool, error) {
	path := fmt.Sprintf("repos/%s/%s/code-scanning/sarifs/%s", repo.Owner, repo.Name, url.PathEscape(id))
	req, err := c.api.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		return false, wrap(op, err)
	}
	var answer struct {
		Status string   `json:"processing_status"`
		Errors []string `json:"errors"`
	}
	if _, err := c.api.Do(ctx, req, &answer); err != nil {
		return false, wrap(op, err)
	}
	if answer.Status == "failed" {
		return false, wrap(op, errors.New("code scanning cannot process it: "+text.OneLine(strings.Join(answer.Errors, "; "))))
	}
	return answer.Status == "complete", nil
}
